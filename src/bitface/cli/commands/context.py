"""`bitface context ...`: approved medical or safety reasons to use a model at work or in education."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from bitface.cli.output import AsJson, emit

context_app = typer.Typer(
    no_args_is_help=True,
    help="Approve, revoke and list medical or safety reasons. Workplace and education are refused without one.",
)
Key = Annotated[Path, typer.Option(help="File with your private key; its role must be compliance.")]


@context_app.command()
def approve(
    context: Annotated[str, typer.Option(help="workplace or education.")],
    reason: Annotated[str, typer.Option(help="medical or safety.")],
    record: Annotated[Path, typer.Option(help="The document that states the reason; its digest is recorded.")],
    begins: Annotated[str, typer.Option("--from", help="A time with a UTC offset, such as 2026-01-31T12:00:00Z.")],
    ends: Annotated[str, typer.Option("--to", help="End time, in the same format.")],
    key: Key,
    as_json: AsJson = False,
) -> None:
    """Approve a context for one reason and a limited time. Every other check still applies."""
    from bitface.bootstrap.opening import open_tools
    from bitface.steps.versions.contexts import approve_context

    with open_tools().ledger as ledger:
        found, is_new = approve_context(context, reason, record, begins, ends, key, ledger)
    text = f"{found.context} is approved for a {found.reason} reason ({found.approval_id})"
    emit(
        {"approval_id": found.approval_id, **found.model_dump(mode="json"), "new": is_new},
        text + ("" if is_new else "; it was already on record"),
        as_json,
    )


@context_app.command()
def revoke(
    approval_id: Annotated[str, typer.Argument(help="Approval id, from `bitface context list`.")],
    key: Key,
    as_json: AsJson = False,
) -> None:
    """Revoke an approval, effective now, for training, promotion and prediction."""
    from bitface.bootstrap.opening import open_tools
    from bitface.steps.versions.contexts import revoke_context

    with open_tools().ledger as ledger:
        found, is_new = revoke_context(approval_id, key, ledger)
    text = f"{found.context} is no longer approved by {approval_id}"
    emit({"approval_id": approval_id, "new": is_new}, text + ("" if is_new else "; it was already revoked"), as_json)


@context_app.command(name="list")
def list_contexts(as_json: AsJson = False) -> None:
    """List every approval and its current state."""
    from bitface.bootstrap.opening import open_tools
    from bitface.steps.versions.contexts import context_rows, contexts_text

    tools = open_tools()
    with tools.ledger as ledger:
        rows = context_rows(ledger, ledger.moments(tools.now())[-1])
    emit(rows, contexts_text(rows), as_json)
