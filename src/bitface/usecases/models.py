"""Opens exactly the requested version: first `ledger.use` must allow it, then signature and digest are verified."""

from __future__ import annotations

from bitface.errors import IntegrityError
from bitface.ledger.entries import ModelEntry
from bitface.ledger.ledger import Ledger
from bitface.ledger.status import ModelStatus
from bitface.ports import Runtime
from bitface.steps.versions.model_choice import choose_model, find_model
from bitface.steps.versions.served import served_folder
from bitface.usecases.tools import Tools


def signed_runtime(tools: Tools, reference: str = "champion") -> Runtime:
    """A model to judge or compare with, if everyone in it currently allows that. Also raises what `_served` raises.

    Raises:
        RefusedError: what `ledger.use.check_judged` refuses. InputError: no such model.
    """
    entry = find_model(reference, tools.ledger)
    tools.ledger.check_judged(entry)
    return _served(tools, entry)


def open_runtime(tools: Tools, reference: str | None, purpose: str, context: str) -> Runtime:
    """A model for prediction, if it may be used (`ledger.use` decides): the named one, else the champion, else the demo.

    Raises:
        RefusedError: this use is refused. InputError: no such model. IntegrityError: its files are not the registered ones.
    """
    with tools.ledger as ledger:
        ledger.check_any_use(purpose, context)
        entry = choose_model(reference, purpose, ledger)
        ledger.check_use(entry, purpose, context)
        return _served(tools, entry)


def check_still_allowed(tools: Tools, runtime: Runtime, purpose: str, context: str) -> None:
    """Checks an opened model again: a person in it may have withdrawn, or a policy may have changed, since.

    Raises:
        RefusedError: it may no longer be used for this.
    """
    with tools.ledger as ledger:
        ledger.check_use(_on_record(runtime, ledger), purpose, context)


def status_of(tools: Tools, runtime: Runtime) -> ModelStatus:
    """The current status of an opened model's version."""
    with tools.ledger as ledger:
        return ledger.status(_on_record(runtime, ledger))


def _on_record(runtime: Runtime, ledger: Ledger) -> ModelEntry:
    entry = ledger.model(int(runtime.version), runtime.name)
    if entry is None:
        raise IntegrityError(f"{runtime.name}/{runtime.version} is not on record; restore the ledger")
    return entry


def _served(tools: Tools, entry: ModelEntry) -> Runtime:
    """The bundle that the ledger registered under a version: signed, and its digest verified on the bytes in use.

    Raises:
        IntegrityError: its files are missing or not the registered ones.
    """
    folder = served_folder(entry, tools.workspace.runs, tools.ledger)
    tools.ports.signer().verify(folder)
    return tools.ports.load_registered(folder, entry)
