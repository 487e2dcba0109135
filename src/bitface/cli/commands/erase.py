"""`bitface erase`: removes people and everything made with them, and keeps a proof."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from bitface.cli.output import AsJson, emit
from bitface.errors import InputError


def erase(
    subjects: Annotated[list[str] | None, typer.Argument(help="Subject ids or pseudonyms.", show_default=False)] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Show what would be erased without writing anything.")
    ] = False,
    resume: Annotated[
        bool,
        typer.Option(
            "--resume", help="Finish interrupted erasures; erase again anyone a restored backup brought back."
        ),
    ] = False,
    checkpoint: Annotated[
        Path | None, typer.Option(help="With --resume: an exported checkpoint, which records who was erased.")
    ] = None,
    reason: Annotated[str, typer.Option(help="A short reason. Do not name anyone.")] = "erasure",
    profile: Annotated[
        str, typer.Option(help="Profile of the retrain that follows: quick, default or full.")
    ] = "default",
    set_: Annotated[
        list[str] | None, typer.Option("--set", help="Override a parameter of that retrain: key=value. Repeatable.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Erase people: destroy their keys, delete what was made with them, retrain without them, search, and write a proof.

    Exit 3 if the search still finds any of their data. Repeating an erasure adds another proof.
    """
    _check_asked(subjects or [], dry_run, resume, checkpoint)
    from bitface.bootstrap.opening import open_tools, ready_for_flow

    overrides = tuple(set_ or ())
    tools = (open_tools if dry_run else ready_for_flow)(profile, overrides)
    from bitface.steps.audits.erasure_summary import check_gone, erase_text, resumed_text, summary_of
    from bitface.usecases.erasing import blast_radius

    if dry_run:
        found = summary_of(blast_radius(subjects or [], tools), dry_run=True)
        emit(found, erase_text(found), as_json)
        return
    from bitface.flows.erase import erase_here, resume_here

    if resume:
        proofs = resume_here(checkpoint, profile, overrides)
        done = [summary_of(proof, dry_run=False) for proof in proofs]
        emit(done, resumed_text(done), as_json)
    else:
        proofs = [erase_here(subjects or [], reason, profile, overrides)]
        found = summary_of(proofs[0], dry_run=False)
        emit(found, erase_text(found), as_json)
    check_gone(proofs)


def _check_asked(subjects: list[str], dry_run: bool, resume: bool, checkpoint: Path | None) -> None:
    """Raises InputError if the options contradict each other."""
    if resume and (subjects or dry_run):
        raise InputError("--resume continues erasures that have begun; remove the ids and --dry-run")
    if not resume and checkpoint is not None:
        raise InputError("--checkpoint requires --resume")
    if not resume and not subjects:
        raise InputError("no subject given; name subject ids or pseudonyms, see `bitface erase --help`")
