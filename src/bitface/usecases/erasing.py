"""The steps of an erasure, which the flow `erase` runs in order, and the erasures due tonight."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from time import perf_counter
from typing import Any, Final

from bitface.dataset.index import has_dataset, read_index
from bitface.dataset.interrupted_import import discard_interrupted, discard_outdated
from bitface.errors import BitfaceError
from bitface.steps.audits import erase, erasure_begun, erasure_proof
from bitface.steps.audits.checkpoint_files import erased_in
from bitface.steps.audits.erasure_begun import Opened
from bitface.steps.audits.erasure_proof import Removed
from bitface.steps.audits.retention import REASON, due
from bitface.steps.people.erasure_journal import ERASURES, being_erased, journals
from bitface.steps.people.erasure_people import resolve, returned
from bitface.steps.people.lease import holding
from bitface.steps.people.names_removed import names_removed
from bitface.usecases.people import writing
from bitface.usecases.reconciling import reconciled
from bitface.usecases.tools import Tools

LEASE: Final = "removal of people"


@dataclass(frozen=True, kw_only=True)
class Erasing:
    """Each method is one step; `seconds` holds how long each took."""

    tools: Tools
    seconds: dict[str, float] = field(default_factory=dict)

    @contextmanager
    def running(self) -> Iterator[None]:
        """Opens and closes the ledger; errors raised inside lose people's names."""
        with self.tools.ledger, names_removed():
            yield

    def opened(self, erasure_id: str) -> Opened:
        """The people to erase and what depends on them, from the erasure's own journal."""
        return erasure_begun.opened(erasure_id, self.tools.workspace.home, self.tools.now())

    def leave_dataset(self, opened: Opened) -> str | None:
        """Removes them from the dataset."""
        with self._timed("dataset"), writing(self.tools, "bitface erase") as writer:
            return erase.leave_dataset(opened, writer)

    def must_retrain(self, opened: Opened) -> bool:
        """Whether to retrain: a model was made with them, people remain, and it was not done before an interruption."""
        data = self.tools.workspace.data
        return (
            opened.replaces
            and opened.journal.found("retrain") is None
            and (not has_dataset(data) or bool(read_index(data)))
        )

    def retrained(self, opened: Opened, state: Any) -> dict[str, Any]:
        """The result of the retrain, from now or from before an interruption."""
        return opened.journal.once("retrain", lambda: retrain_result(state, opened))

    def destroy(self, opened: Opened, retrained: dict[str, Any]) -> dict[str, Any]:
        """Destroys keys, then everything that was made with them; imports are locked out in between."""
        tools = self.tools
        with self._timed("destroy"), writing(tools, "bitface erase") as writer:
            erase.leave_dataset(opened, writer)
            discard_interrupted(tools.workspace.home, tools.keys)
            made_again = [retrained["run_id"]] if "run_id" in retrained else []
            return erase.destroy(
                opened,
                tools.workspace,
                tools.keys,
                tools.store,
                tools.ports.tracking(),
                made_again,
            )

    def prove(
        self, opened: Opened, done: dict[str, Any], version: str | None, retrained: dict[str, Any]
    ) -> dict[str, Any]:
        """Searches for remains and writes the proof."""
        tools, start = self.tools, perf_counter()
        place, store = tools.workspace, tools.store
        removed = Removed(destroyed=done, dataset_version=version, retrained=retrained, seconds=self.seconds)
        with writing(tools, "bitface erase"):
            found = erasure_proof.prove(opened, removed, place, store, tools.ledger, tools.now())
        tools.ledger.sign_end()
        reconciled(tools)
        path = place.home / ERASURES / f"{opened.erasure_id}.json"
        return {**found, "proof": str(path), "seconds": {**self.seconds, "proof": perf_counter() - start}}

    @contextmanager
    def _timed(self, name: str) -> Iterator[None]:
        start = perf_counter()
        try:
            yield
        finally:
            self.seconds[name] = perf_counter() - start


@contextmanager
def removing(tools: Tools) -> Iterator[Tools]:
    """The right to erase people, which one command has at a time, once the requested retrain is known to be possible.

    Raises:
        LeaseHeldError: another command has it.
    """
    lasts = timedelta(seconds=tools.params.schedule.lease_s)
    with tools.ledger as ledger, holding(ledger, LEASE, lasts):
        yield tools


def quarantine(subjects: Sequence[str], reason: str, tools: Tools) -> str:
    """Begins an erasure, or continues an interrupted one of the same people; returns its id."""
    return erasure_begun.begin(subjects, reason, tools.keys, tools.ledger, tools.workspace, tools.now()).erasure_id


def unfinished(tools: Tools, checkpoint: Path | None) -> list[str]:
    """The interrupted erasures, and a new one of erased people who reappeared from a backup.

    `checkpoint` is one kept elsewhere: it knows erasures that a restored ledger and restored keys lack. Those in
    BITFACE_CHECKPOINTS are read automatically.
    """
    place, keys = tools.workspace, tools.keys
    tools.checkpoints.learn_elsewhere()
    if checkpoint is not None:
        keys.learn_suppressed(erased_in(checkpoint, place.home), checkpoint.name)
    begun = [one.erasure_id for one in journals(place.home, tools.now)]
    back = {one.person for one in returned(keys, tools.ledger, place.home, place.data)}
    back |= tools.ledger.forgotten() - being_erased(place.home)
    return [*begun, quarantine(sorted(back), "erased before", tools)] if back else begun


def tonight(tools: Tools) -> tuple[list[str], int]:
    """The erasures to finish: interrupted ones, and a new one of all people who need no confirmation; and how many people could not be
    quarantined. If one person prevents a joint erasure, each begins separately.

    Raises:
        IntegrityError: the ledger was edited, so its retention dates are not acted on.
    """
    tools.ledger.check_intact()
    discard_outdated(tools.workspace.home, tools.keys, tools.now())
    begun, grace = unfinished(tools, None), tools.params.retention.withdrawn_grace_days
    listed = due(tools.workspace.data, tools.keys, tools.ledger, tools.now())
    leaving = being_erased(tools.workspace.home)
    people = [one.person for one in listed if one.goes_at_night(tools.now(), grace) and one.person not in leaving]
    if not people:
        return begun, 0
    together = _quarantined(people, tools)
    if together is not None:
        return [*begun, together], 0
    separate = [_quarantined([person], tools) for person in people]
    return [*begun, *(one for one in separate if one is not None)], separate.count(None)


def _quarantined(people: Sequence[str], tools: Tools) -> str | None:
    try:
        return quarantine(people, REASON, tools)
    except BitfaceError:
        return None


def outcome(begun: Sequence[str], states: Sequence[Any], failed: int) -> dict[str, Any]:
    """The result of a night's erasures, without names."""
    done = [state.result() for state in states if state.is_completed()]
    left = [erasure_id for erasure_id, state in zip(begun, states, strict=True) if not state.is_completed()]
    return {
        "erased": sum(len(one["subjects"]) for one in done),
        "erasures": [one["erasure_id"] for one in done],
        "unfinished": left,
        "not_begun": failed,
        "left_of_them": sum(len(one["found_at"]) + len(one["in_dataset_now"]) for one in done),
    }


def blast_radius(subjects: Sequence[str], tools: Tools) -> dict[str, Any]:
    """What an erasure would reach; nothing is written."""
    with tools.ledger as ledger:
        people = resolve(subjects, tools.keys, ledger, tools.workspace)
        return erasure_begun.blast_radius(list(people), ledger, tools.workspace)


def retrain_result(state: Any, opened: Opened) -> dict[str, Any]:
    """What the proof states about the retrain, from its final state (None: there was none)."""
    if state is None:
        return {"not_needed": _why_not(opened)}
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


def _why_not(opened: Opened) -> str:
    if not opened.radius["models"]:
        return "no model was made with them"
    return "no training people remain" if opened.replaces else "they were erased before, and the models made again then"
