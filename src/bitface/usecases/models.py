"""Opens the version that was asked for, and no other: the door of `ledger.use`, then the signature, then the digest."""

from __future__ import annotations

from bitface.errors import IntegrityError
from bitface.ledger.entries import ModelEntry
from bitface.ledger.status import ModelStatus
from bitface.ports import Runtime
from bitface.steps.versions.model_choice import choose_model, find_model
from bitface.steps.versions.served import served_folder
from bitface.usecases.tools import Tools


def signed_runtime(tools: Tools, reference: str = "champion") -> Runtime:
    """A model to judge or compare with, where everybody in it allows that now. Raises what `_served` raises, too.

    Raises:
        RefusedError: what `ledger.use.check_judged` refuses. InputError: no such model.
    """
    entry = find_model(reference, tools.ledger)
    tools.ledger.check_judged(entry)
    return _served(tools, entry)


def open_runtime(tools: Tools, reference: str | None, purpose: str, context: str) -> Runtime:
    """A model for prediction, where it may be used (`ledger.use` decides). Where none is named, the champion; while there is none, the
    demo.

    Raises:
        RefusedError: this use is refused. InputError: no such model. IntegrityError: its files are not the registered ones.
    """
    with tools.ledger as ledger:
        ledger.check_any_use(purpose, context)
        entry = choose_model(reference, purpose, ledger)
        ledger.check_use(entry, purpose, context)
        return _served(tools, entry)


def status_of(tools: Tools, runtime: Runtime) -> ModelStatus:
    """How the version of an opened model stands now."""
    with tools.ledger as ledger:
        entry = ledger.model(int(runtime.version), runtime.name)
        if entry is None:
            raise IntegrityError(f"{runtime.name}/{runtime.version} is not on record; restore the ledger")
        return ledger.status(entry)


def _served(tools: Tools, entry: ModelEntry) -> Runtime:
    """The bundle that the ledger registered under a version: signed, its digest checked on the bytes that are used.

    Raises:
        IntegrityError: its files are gone, or are not the registered ones.
    """
    folder = served_folder(entry, tools.workspace.runs, tools.ledger)
    tools.ports.signer().verify(folder)
    return tools.ports.load_registered(folder, entry)
