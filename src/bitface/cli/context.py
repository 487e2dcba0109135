"""`bitface context ...`: the medical or safety reasons for which work or education are not refused."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from bitface.cli.output import AsJson, emit

context_app = typer.Typer(
    no_args_is_help=True,
    help="Work and education are refused without an approved medical or safety reason: approve one, revoke, list.",
)
Key = Annotated[Path, typer.Option(help="File of your private key, of role compliance.")]


@context_app.command()
def approve(
    context: Annotated[str, typer.Option(help="workplace or education.")],
    reason: Annotated[str, typer.Option(help="medical or safety.")],
    record: Annotated[Path, typer.Option(help="The document that states the reason; its digest goes on record.")],
    begins: Annotated[str, typer.Option("--from", help="A time with a zone, such as 2026-01-31T12:00:00Z.")],
    ends: Annotated[str, typer.Option("--to", help="When it ends.")],
    key: Key,
    as_json: AsJson = False,
) -> None:
    """Signs that a context may be used for a reason from one time to another; nothing else is refused any less for it."""
    from bitface.flows.wiring import open_tools
    from bitface.steps.contexts import approve_context

    with open_tools().ledger as ledger:
        found, is_new = approve_context(context, reason, record, begins, ends, key, ledger)
    text = f"{found.context} is approved for a {found.reason} reason ({found.approval_id})"
    emit(
        {"approval_id": found.approval_id, **found.model_dump(mode="json"), "new": is_new},
        text + ("" if is_new else "; it was on record already"),
        as_json,
    )


@context_app.command()
def revoke(
    approval_id: Annotated[str, typer.Argument(help="As `bitface context list` shows it.")],
    key: Key,
    as_json: AsJson = False,
) -> None:
    """Ends an approval at once: no training, promotion or prediction rests on it from now on."""
    from bitface.flows.wiring import open_tools
    from bitface.steps.contexts import revoke_context

    with open_tools().ledger as ledger:
        found, is_new = revoke_context(approval_id, key, ledger)
    text = f"{found.context} is no longer approved by {approval_id}"
    emit({"approval_id": approval_id, "new": is_new}, text + ("" if is_new else "; it was revoked already"), as_json)


@context_app.command(name="list")
def list_contexts(as_json: AsJson = False) -> None:
    """Every approval on record and how it stands now."""
    from bitface.flows.wiring import open_tools
    from bitface.steps.contexts import context_rows, contexts_text

    tools = open_tools()
    with tools.ledger as ledger:
        rows = context_rows(ledger, ledger.moments(tools.now())[-1])
    emit(rows, contexts_text(rows), as_json)
