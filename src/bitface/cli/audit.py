"""`bitface audit ...`: an auditor's questions, one command each."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from bitface.cli.output import AsJson, emit, writable_file
from bitface.errors import GateError, InputError

audit_app = typer.Typer(
    no_args_is_help=True, help="Where a person is, what a run rested on, who moved a model, whether the log holds."
)


Html = Annotated[
    Path | None, typer.Option("--html", callback=writable_file, help="Also write a page that prints well to this file.")
]


def _tell(
    rows: list[dict[str, Any]],
    as_json: bool,
    html: Path | None = None,
    title: str = "",
    lead: str = "",
    sections: list[dict[str, Any]] | None = None,
) -> None:
    """Prints the records, and writes them, or what a page shows instead, as a page where one is asked for."""
    from bitface.steps.audit import records_text

    if html is not None:
        from bitface.flows.wiring import open_tools, pictures
        from bitface.steps.audit_page import audit_page

        tools = open_tools()
        with tools.ledger as ledger:
            audit_page(title, lead, sections or rows, ledger, tools.now(), pictures(tools.workspace)[2], html)
    emit(rows, records_text(rows), as_json)


@audit_app.command("subject")
def subject(
    who: Annotated[str, typer.Argument(help="The id that its owner uses, or the pseudonym.")],
    html: Html = None,
    as_json: AsJson = False,
) -> None:
    """Every dataset, run, model, time as an alias and file that rests on a person."""
    from bitface.flows.wiring import open_tools
    from bitface.steps.audit import audit_subject
    from bitface.steps.consents import person_of

    tools = open_tools()
    with tools.ledger as ledger:
        person = person_of(who, tools.keys, ledger)
        rows = audit_subject(person, ledger, tools.workspace.home, tools.workspace.data, tools.now())
    lead = "Every dataset, run, model, time as an alias and file that rests on this person."
    _tell(rows, as_json, html, f"Where person {person} is", lead)


@audit_app.command("run")
def run(run_id: Annotated[str, typer.Argument(help="A run's id.")], html: Html = None, as_json: AsJson = False) -> None:
    """A run's members, each with the consent event that admitted it; its models, decisions and files."""
    from bitface.flows.wiring import open_tools
    from bitface.steps.audit import audit_run

    tools = open_tools()
    with tools.ledger as ledger:
        rows = audit_run(run_id, ledger, tools.now())
    lead = "Its members, each with the consent event that admitted it, and what came of it."
    _tell(rows, as_json, html, f"What run {run_id} rested on", lead)


@audit_app.command("model")
def model(
    reference: Annotated[str, typer.Argument(help="champion, challenger or NAME/VERSION.")],
    html: Html = None,
    as_json: AsJson = False,
) -> None:
    """A version with its run, decisions, times as an alias, and whether consent still admits its people."""
    from bitface.flows.wiring import open_tools
    from bitface.steps.audit import audit_model
    from bitface.steps.monitor import model_and_run

    tools = open_tools()
    with tools.ledger as ledger:
        entry, made_by = model_and_run(reference, ledger)
        rows = audit_model(entry, made_by, ledger, tools.now())
    lead = "Its run, its decisions, its times as an alias, and consent as of now."
    _tell(rows, as_json, html, f"What model {entry.name}/{entry.version} rests on", lead)


@audit_app.command("as-of")
def as_of(
    moment: Annotated[str, typer.Argument(help="A time with a zone, such as 2026-01-31T12:00:00Z.")],
    html: Html = None,
    as_json: AsJson = False,
) -> None:
    """What was on record, and what was live, at a moment."""
    from bitface.consent.events import utc_time
    from bitface.flows.wiring import open_tools
    from bitface.steps.audit import audit_as_of

    at = utc_time(moment)
    with open_tools().ledger as ledger:
        rows = audit_as_of(at, ledger)
    lead = "Consents and dataset versions on record at that moment, what was live, and which contexts were approved."
    _tell(rows, as_json, html, f"What stood at {at:%Y-%m-%d %H:%M:%S} UTC", lead)


@audit_app.command("log")
def log(
    checkpoint: Annotated[Path | None, typer.Option(help="A checkpoint that was kept elsewhere.")] = None,
    export: Annotated[
        Path | None, typer.Option(callback=writable_file, help="Write where the log ends now to this file.")
    ] = None,
    continue_from: Annotated[
        str, typer.Option(help="Go on though the newer log of this checkpoint is lost for good: a file, or `latest`.")
    ] = "",
    why: Annotated[str, typer.Option(help="With --continue-from: why, kept on record for good; name nobody.")] = "",
    key: Annotated[
        Path | None, typer.Option(help="With --continue-from: a compliance key, where promotions need approvals.")
    ] = None,
    html: Html = None,
    as_json: AsJson = False,
) -> None:
    """Walks the whole log, and that of who opened whose data; exit 3 where one does not hold."""
    from bitface.dataset.files import write_atomically
    from bitface.flows.wiring import continue_log, open_tools, stamp_of
    from bitface.steps.audit import audit_log, audit_openings
    from bitface.steps.checkpoints import latest_openings, openings_in, read_checkpoint, sign_checkpoint

    if (why or key) and not continue_from:
        raise InputError("--why and --key go with --continue-from")
    tools = open_tools()
    home = tools.workspace.home
    with tools.ledger as ledger:
        if continue_from:
            continue_log(tools, continue_from, why, key)
        rows = audit_log(ledger, read_checkpoint(checkpoint, home) if checkpoint else None)
        ends = (openings_in(checkpoint, home) if checkpoint else None, latest_openings(home))
        rows += audit_openings(tools.keys, home, [end for end in ends if end is not None])
        rows += stamp_of(checkpoint) if checkpoint else []
        if export is not None:
            write_atomically(export, sign_checkpoint(ledger, home, tools.now()).read_bytes())
    lead = "Every entry of the log and every row it covers, recomputed; against a checkpoint where one was given."
    _tell(rows, as_json, html, "Whether the log holds", lead)
    if not rows[0]["intact"]:
        raise GateError("the log does not hold; restore the ledger from a copy whose checkpoint is known")
    if not all(row["intact"] for row in rows if row["kind"] == "log of openings"):
        raise GateError(
            "the log of who opened whose data does not hold: lines were edited or are missing; restore decryptions.jsonl from a backup"
        )


@audit_app.command("erasure")
def erasure(
    who: Annotated[str, typer.Argument(help="The id that its owner uses, or the pseudonym.")],
    html: Html = None,
    as_json: AsJson = False,
) -> None:
    """The proof that somebody is gone; exit 3 where the file is not the one that the ledger recorded."""
    from bitface.flows.wiring import open_tools
    from bitface.steps.audit_page import erasure_sections
    from bitface.steps.erase import audit_erasure

    tools = open_tools()
    with tools.ledger as ledger:
        rows = audit_erasure(who, tools.keys, ledger, tools.workspace)
    lead = "What was done, what it reached, what was found afterwards, and what stays."
    _tell(rows, as_json, html, "An erasure and its proof", lead, erasure_sections(rows))
    if not all(row["proof_intact"] for row in rows):
        raise GateError("a proof is not the one that the ledger recorded; restore it from a backup")


@audit_app.command("dpia")
def dpia(
    out: Annotated[Path | None, typer.Option(callback=writable_file, help="Write it to this Markdown file.")] = None,
    as_json: AsJson = False,
) -> None:
    """A data protection impact assessment with what the ledger knows filled in; the rest is marked."""
    from bitface.dataset.files import write_atomically
    from bitface.flows.wiring import open_tools
    from bitface.steps.dpia import assessment

    tools = open_tools()
    with tools.ledger as ledger:
        text = assessment(ledger, tools.now())
    if out is not None:
        write_atomically(out, text.encode())
    emit({"text": text, "file": str(out) if out else None}, f"written to {out}" if out else text.rstrip(), as_json)
