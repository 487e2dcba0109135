"""`bitface erase`: people leave, with everything that was made with them, and a proof stays."""

from __future__ import annotations

from typing import Annotated

import typer

from bitface.cli.output import AsJson, emit


def erase(
    subjects: Annotated[list[str], typer.Argument(help="Ids as their owners use them, or pseudonyms.")],
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what it would reach; write nothing.")] = False,
    reason: Annotated[str, typer.Option(help="Why, shortly; name nobody.")] = "erasure",
    profile: Annotated[str, typer.Option(help="Of the retrain without them: quick, default or full.")] = "default",
    set_: Annotated[
        list[str] | None, typer.Option("--set", help="key=value over params.yaml, of that retrain.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Quarantine, dataset, retrain and gate without them, keys destroyed, everything deleted, a search, a proof."""
    from flows.wiring import open_tools, ready_for_flow

    overrides = tuple(set_ or ())
    (open_tools if dry_run else ready_for_flow)(profile, overrides)
    from bitface.steps.erase import erase_text, summary_of
    from flows.erasing import blast_radius

    if dry_run:
        found = summary_of(blast_radius(subjects), dry_run=True)
    else:
        from flows.erase import erase_here

        found = summary_of(erase_here(subjects, reason, profile, overrides), dry_run=False)
    emit(found, erase_text(found), as_json)
