"""`bitface retention`: whose data must go, and erasing them."""

from __future__ import annotations

from typing import Annotated

import typer

from bitface.cli.output import AsJson, emit, warn


def retention(
    enforce: Annotated[bool, typer.Option("--enforce", help="Erase everybody who is listed, in one erasure.")] = False,
    profile: Annotated[str, typer.Option(help="Of the retrain without them: quick, default or full.")] = "default",
    set_: Annotated[
        list[str] | None, typer.Option("--set", help="key=value over params.yaml, of that retrain.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Whose data are here for longer than they, their consent or a state's law allow, or were withdrawn and never erased.

    The nightly flow of `bitface schedule` erases by itself whoever had to be gone by a promised date or a state's law, or withdrew
    everything longer ago than retention.withdrawn_grace_days, unless retention.enforce_nightly is false; the others wait for you.
    """
    from bitface.flows.wiring import open_tools, ready_for_flow
    from bitface.steps.consents import clock_warning
    from bitface.steps.retention import REASON, due, retention_document, retention_text

    overrides = tuple(set_ or ())
    tools = (ready_for_flow if enforce else open_tools)(profile, overrides)
    with tools.ledger as ledger:
        if enforce:
            ledger.check_intact()
        # Whose time is over by the log alone is not used, and listed; nobody is erased before this machine's clock says so too.
        at = tools.now() if enforce else ledger.moments(tools.now())[-1]
        found = due(tools.workspace.data, tools.keys, ledger, at)
        behind = clock_warning(ledger, tools.now())
    if behind is not None:
        warn(behind)
    if not enforce or not found:
        emit(retention_document(found, at), retention_text(found, at), as_json)
        return
    from bitface.flows.erase import erase_here
    from bitface.steps.erase import erase_text, summary_of

    done = summary_of(erase_here([one.person for one in found], REASON, profile, overrides), dry_run=False)
    emit(done, erase_text(done), as_json)
