"""The version that a reference names; if there is none, the existing versions and the command that uses one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from bitface.errors import InputError, RefusedError
from bitface.ledger.entries import ALIASES, Alias, ModelEntry
from bitface.ledger.ledger import Ledger
from bitface.ledger.status import ModelStatus
from bitface.steps.people.lease import is_gone

_NAMED_MAX: Final = 3
_WORDS: Final = {"promote": "passed", "hold": "held", "block": "blocked", None: "not judged"}


def choose_model(reference: str | None, purpose: str, ledger: Ledger) -> ModelEntry:
    """The version that predicts: the named one, else the champion, else the demo.

    Raises:
        InputError: there is no such version. RefusedError: there is only a demo, and the purpose is a different one.
    """
    demo = ledger.champion("demo")
    if reference is not None or demo is None or ledger.champion() is not None:
        return find_model(reference or "champion", ledger)
    if purpose != "demo":
        raise RefusedError(
            f"there is no champion yet, and the demo {demo.name}/{demo.version} answers only --purpose demo, not {purpose}; "
            "retrain with more people until the gate promotes a version"
        )
    return demo


def find_model(reference: str, ledger: Ledger) -> ModelEntry:
    """The version of an alias or of NAME/VERSION, according to the ledger; anyone may move a registry's aliases.

    Raises:
        InputError: there is none; the message lists the existing versions.
    """
    alias: Alias | None = next((one for one in ALIASES if one == reference), None)
    name, _, version = reference.rpartition("/")
    entry = ledger.champion(alias) if alias else ledger.model(int(version), name) if _is_number(version) else None
    if entry is not None:
        return entry
    if alias is None and not (name and _is_number(version)):
        raise InputError(
            f"'{reference[:60]}' is not a model reference; use {', '.join(reversed(ALIASES))} or NAME/VERSION"
        )
    missing = f"there is no {alias} yet" if alias else f"there is no model '{reference[:60]}'"
    raise InputError(f"{missing}; {existing_versions(ledger)}")


def status_of_run(run_id: str, ledger: Ledger) -> ModelStatus | None:
    """The current status of the version that a run made; None if no version of the run is on record."""
    made = (
        model
        for model in ledger.models()
        if run_id in {model.run_id, *(one.run_id for one in ledger.decisions(model.bundle_sha256))}
    )
    entry = next(made, None)
    return None if entry is None else ledger.status(entry)


def existing_versions(ledger: Ledger) -> str:
    """One line with the versions on record, latest first, and the command that uses one of them."""
    found = [ledger.status(entry) for entry in reversed(ledger.models())]
    if not found:
        if ledger.is_leased("retrain", is_gone):
            return "no versions are on record: a retrain is running; wait for it to finish"
        return "no versions are on record: run `bitface retrain`"
    named = ", ".join(_named(one) for one in found[:_NAMED_MAX])
    more = f" and {len(found) - _NAMED_MAX} more" if len(found) > _NAMED_MAX else ""
    return f"on record: {named}{more}; {_use(found)}"


def command_for(status: ModelStatus, what: str = "predict FILE") -> str:
    """The command that uses a version; it names the version unless that is the default. `bitface retrain` for one that may no longer
    be used.
    """
    if not status.purposes:
        return "bitface retrain"
    named = "" if status.alias in ("champion", "demo") else f" --model {status.reference}"
    purpose = "demo" if "demo" in status.purposes else status.purposes[0]
    return f"bitface {what}{named} --purpose {purpose} --context {status.contexts[0]}"


def _named(status: ModelStatus) -> str:
    state = "retired" if status.retired else "suspended" if status.lapsed else status.alias or _WORDS[status.decision]
    return f"{status.reference} ({state}, {status.judged_at[:16].replace('T', ' ')} UTC)"


def _use(found: Sequence[ModelStatus]) -> str:
    usable = [one for one in found if one.purposes]
    if not usable:
        return "none can be used any more: run `bitface retrain`"
    why = "" if usable[0].decision is None else f"; what its gate said: `bitface gate show {usable[0].run_id}`"
    return f"to use one: `{command_for(usable[0])}`{why}"


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) < 10
