"""`bitface erase`: people leave, with everything that was made with them, and a proof stays."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from bitface.cli.output import AsJson, emit
from bitface.errors import InputError


def erase(
    subjects: Annotated[
        list[str] | None, typer.Argument(help="Ids as their owners use them, or pseudonyms.", show_default=False)
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what it would reach; write nothing.")] = False,
    resume: Annotated[
        bool,
        typer.Option(
            "--resume", help="Finish what was interrupted; erase again whoever a restored backup brought back."
        ),
    ] = False,
    checkpoint: Annotated[
        Path | None, typer.Option(help="With --resume: a checkpoint that was kept elsewhere; it knows who was erased.")
    ] = None,
    reason: Annotated[str, typer.Option(help="Why, shortly; name nobody.")] = "erasure",
    profile: Annotated[str, typer.Option(help="Of the retrain without them: quick, default or full.")] = "default",
    set_: Annotated[
        list[str] | None, typer.Option("--set", help="key=value over params.yaml, of that retrain.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Quarantine, dataset, retrain and gate without them, keys destroyed, everything deleted, a search, a proof.

    Exit 3 where something of them is found afterwards. A repeated erasure adds a proof to the first.
    """
    _check_asked(subjects or [], dry_run, resume, checkpoint)
    from bitface.flows.wiring import open_tools, ready_for_flow

    overrides = tuple(set_ or ())
    (open_tools if dry_run else ready_for_flow)(profile, overrides)
    from bitface.flows.erasing import blast_radius
    from bitface.steps.erase import check_gone, erase_text, resumed_text, summary_of

    if dry_run:
        found = summary_of(blast_radius(subjects or []), dry_run=True)
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
    """Raises InputError where the words contradict each other."""
    if resume and (subjects or dry_run):
        raise InputError("--resume goes on with erasures that have begun; leave the ids and --dry-run out")
    if not resume and checkpoint is not None:
        raise InputError("--checkpoint goes with --resume alone")
    if not resume and not subjects:
        raise InputError("whom? name ids as their owners use them, or pseudonyms; `bitface erase --help` tells more")
