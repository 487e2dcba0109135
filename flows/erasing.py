"""The steps of an erasure with their tools bound: what `erase` puts in order."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from time import perf_counter
from typing import Any

from bitface.steps import erase
from bitface.steps.checkpoints import sign_checkpoint
from bitface.steps.erase import Opened
from bitface.steps.search import ERASURES
from flows import wiring


@dataclass(frozen=True, kw_only=True)
class Erasing:
    """Each method is one step; `seconds` says how long each took."""

    tools: wiring.Tools
    seconds: dict[str, float] = field(default_factory=dict)

    @contextmanager
    def running(self) -> Iterator[None]:
        """Opens the ledger, and closes it."""
        with self.tools.ledger:
            yield

    def opened(self, erasure_id: str) -> Opened:
        """Who is erased, and what rests on them, from the erasure's own file."""
        return erase.opened(erasure_id, self.tools.workspace.home)

    def leave_dataset(self, opened: Opened) -> str | None:
        """The dataset without them."""
        with self._timed("dataset"), wiring.writing(self.tools, "bitface erase") as writer:
            return erase.leave_dataset(opened, writer)

    def has_models(self, opened: Opened) -> bool:
        """Whether a model was made with them."""
        return bool(opened.radius["models"])

    def destroy(self, opened: Opened, retrained: dict[str, Any]) -> dict[str, Any]:
        """Keys, then everything that was made with them; no import may bring somebody back in between."""
        tools = self.tools
        with self._timed("destroy"), wiring.writing(tools, "bitface erase") as writer:
            erase.leave_dataset(opened, writer)
            made_again = [retrained["run_id"]] if "run_id" in retrained else []
            return erase.destroy(
                opened,
                tools.workspace,
                tools.keys,
                tools.store,
                wiring.tracking(tools.workspace),
                made_again,
            )

    def prove(
        self, opened: Opened, done: dict[str, Any], version: str | None, retrained: dict[str, Any]
    ) -> dict[str, Any]:
        """A search of what is left, and the proof."""
        tools, start = self.tools, perf_counter()
        place, store = tools.workspace, tools.store
        found = erase.prove(opened, done, version, retrained, place, store, tools.ledger, self.seconds, tools.now())
        sign_checkpoint(tools.ledger, tools.workspace.home, tools.now())
        wiring.reconciled(tools)
        path = tools.workspace.home / ERASURES / f"{opened.erasure_id}.json"
        return {**found, "proof": str(path), "seconds": {**self.seconds, "proof": perf_counter() - start}}

    @contextmanager
    def _timed(self, name: str) -> Iterator[None]:
        start = perf_counter()
        try:
            yield
        finally:
            self.seconds[name] = perf_counter() - start


def wire_erasure(profile: str, overrides: Sequence[str]) -> Erasing:
    """The steps for one request; nothing is written yet."""
    return Erasing(tools=wiring.open_tools(profile, overrides))


def quarantine(subjects: Sequence[str], reason: str, profile: str, overrides: Sequence[str]) -> str:
    """Begins an erasure whose retrain can be made as asked; returns its id."""
    tools = wiring.open_tools(profile, overrides)
    with tools.ledger as ledger:
        return erase.begin(subjects, reason, tools.keys, ledger, tools.workspace, tools.now()).erasure_id


def blast_radius(subjects: Sequence[str]) -> dict[str, Any]:
    """What an erasure would reach; nothing is written."""
    tools = wiring.open_tools()
    with tools.ledger as ledger:
        people = erase.resolve(subjects, tools.keys, ledger, tools.workspace.home)
        return erase.blast_radius(people, ledger, tools.workspace)


def told(state: Any) -> dict[str, Any]:
    """What the proof says of the retrain, from how it ended; None: there was none."""
    if state is None:
        return {"not_needed": "no model was made with them"}
    if not state.is_completed():
        return {"failed": str(state.message)[:300]}
    summary = state.result()
    return {
        "run_id": summary["run_id"],
        "version": summary["version"],
        "alias": summary["alias"],
        "decision": summary["gate"]["decision"],
        "dataset": summary["dataset"]["version"],
        "membership_auc": summary["privacy"]["membership_auc"],
    }
