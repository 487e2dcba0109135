"""`bitface retention`: lists people whose data are overdue for deletion, and erases them."""

from __future__ import annotations

from typing import Annotated

import typer

from bitface.cli.output import AsJson, emit, warn


def retention(
    enforce: Annotated[bool, typer.Option("--enforce", help="Erase everyone listed, in one erasure.")] = False,
    profile: Annotated[
        str, typer.Option(help="Profile of the retrain that follows: quick, default or full.")
    ] = "default",
    set_: Annotated[
        list[str] | None, typer.Option("--set", help="Override a parameter of that retrain: key=value. Repeatable.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """List people whose data are kept longer than their consent or state law allows, or who withdrew and were not erased.

    The nightly flow of `bitface schedule` automatically erases people who are past a promised deletion date or a legal limit, and
    people who withdrew everything more than retention.withdrawn_grace_days ago. To stop it, set retention.enforce_nightly to false.
    All others wait for --enforce.
    """
    from bitface.bootstrap.opening import open_tools, ready_for_flow
    from bitface.steps.audits.retention import REASON, due, retention_document, retention_text
    from bitface.steps.people.consents import clock_warning

    overrides = tuple(set_ or ())
    tools = (ready_for_flow if enforce else open_tools)(profile, overrides)
    with tools.ledger as ledger:
        if enforce:
            ledger.check_intact()
        # People overdue by the log's time alone are listed and not used; they are erased only when this machine's clock agrees.
        at = tools.now() if enforce else ledger.moments(tools.now())[-1]
        found = due(tools.workspace.data, tools.keys, ledger, at)
        behind = clock_warning(ledger, tools.now())
    if behind is not None:
        warn(behind)
    if not enforce or not found:
        emit(retention_document(found, at), retention_text(found, at), as_json)
        return
    from bitface.flows.erase import erase_here
    from bitface.steps.audits.erasure_summary import erase_text, summary_of

    done = summary_of(erase_here([one.person for one in found], REASON, profile, overrides), dry_run=False)
    emit(done, erase_text(done), as_json)
