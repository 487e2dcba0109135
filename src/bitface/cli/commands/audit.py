"""`bitface audit ...`: an auditor's questions, one command each."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from bitface.cli.output import AsJson, emit, writable_file
from bitface.errors import GateError, InputError

audit_app = typer.Typer(
    no_args_is_help=True, help="Trace a person, a run or a model; verify the log; prove an erasure."
)


Html = Annotated[
    Path | None, typer.Option("--html", callback=writable_file, help="Also write a printable HTML page to this file.")
]


def _show(
    rows: list[dict[str, Any]],
    as_json: bool,
    html: Path | None = None,
    title: str = "",
    lead: str = "",
    sections: list[dict[str, Any]] | None = None,
) -> None:
    """Prints the records; with `html`, also writes them as a page, in `sections` if given."""
    from bitface.steps.audits.audit import records_text

    if html is not None:
        from bitface.bootstrap.opening import open_tools
        from bitface.steps.audits.audit_page import audit_page

        tools = open_tools()
        with tools.ledger as ledger:
            audit_page(title, lead, sections or rows, ledger, tools.now(), tools.ports.pictures()[2], html)
    emit(rows, records_text(rows), as_json)


@audit_app.command("subject")
def subject(
    who: Annotated[str, typer.Argument(help="The subject's own id, or the pseudonym.")],
    html: Html = None,
    as_json: AsJson = False,
) -> None:
    """List every dataset, run, model, alias period and file that depends on a person."""
    from bitface.bootstrap.opening import open_tools
    from bitface.steps.audits.audit import audit_subject
    from bitface.steps.people.consents import person_of

    tools = open_tools()
    with tools.ledger as ledger:
        person = person_of(who, tools.keys, ledger)
        rows = audit_subject(person, ledger, tools.workspace.home, tools.workspace.data, tools.now())
    lead = "Every dataset, run, model, alias period and file that depends on this person."
    _show(rows, as_json, html, f"Where person {person} appears", lead)


@audit_app.command("run")
def run(run_id: Annotated[str, typer.Argument(help="A run's id.")], html: Html = None, as_json: AsJson = False) -> None:
    """List a run's samples, each with the consent event that admitted it, and the run's models, decisions and files."""
    from bitface.bootstrap.opening import open_tools
    from bitface.steps.audits.audit import audit_run

    tools = open_tools()
    with tools.ledger as ledger:
        rows = audit_run(run_id, ledger, tools.now())
    lead = "Its samples, each with the consent event that admitted it, and the models, decisions and files it produced."
    _show(rows, as_json, html, f"What run {run_id} used and produced", lead)


@audit_app.command("model")
def model(
    reference: Annotated[str, typer.Argument(help="champion, challenger or NAME/VERSION.")],
    html: Html = None,
    as_json: AsJson = False,
) -> None:
    """Show a version's run, decisions and alias periods, and whether its people still consent."""
    from bitface.bootstrap.opening import open_tools
    from bitface.steps.audits.audit import audit_model
    from bitface.steps.versions.monitor import model_and_run

    tools = open_tools()
    with tools.ledger as ledger:
        entry, made_by = model_and_run(reference, ledger)
        rows = audit_model(entry, made_by, ledger, tools.now())
    lead = "Its run, its decisions, its alias periods, and the current consent of its people."
    _show(rows, as_json, html, f"What model {entry.name}/{entry.version} depends on", lead)


@audit_app.command("as-of")
def as_of(
    moment: Annotated[str, typer.Argument(help="A time with a UTC offset, such as 2026-01-31T12:00:00Z.")],
    html: Html = None,
    as_json: AsJson = False,
) -> None:
    """Show what was on record and what was live at a given time."""
    from bitface.bootstrap.opening import open_tools
    from bitface.consent.events import utc_time
    from bitface.steps.audits.audit import audit_as_of

    at = utc_time(moment)
    with open_tools().ledger as ledger:
        rows = audit_as_of(at, ledger)
    lead = "Consents and dataset versions on record at that time, what was live, and which contexts were approved."
    _show(rows, as_json, html, f"State at {at:%Y-%m-%d %H:%M:%S} UTC", lead)


@audit_app.command("log")
def log(
    checkpoint: Annotated[
        Path | None, typer.Option(help="Also verify the log against this exported checkpoint.")
    ] = None,
    export: Annotated[
        Path | None,
        typer.Option(callback=writable_file, help="Export a signed checkpoint of the log's current end to this file."),
    ] = None,
    continue_from: Annotated[
        str,
        typer.Option(
            help="Accept that log entries up to this checkpoint are lost for good, and continue: a file, or `latest`."
        ),
    ] = "",
    why: Annotated[
        str, typer.Option(help="With --continue-from: the reason, kept permanently. Do not name anyone.")
    ] = "",
    key: Annotated[
        Path | None,
        typer.Option(help="With --continue-from: a compliance key file; needed if promotions require approvals."),
    ] = None,
    html: Html = None,
    as_json: AsJson = False,
) -> None:
    """Verify the whole log and the record of decryptions; exit 3 if either fails verification."""
    from bitface.bootstrap.opening import open_tools
    from bitface.bootstrap.places import stamp_of
    from bitface.dataset.files import write_atomically
    from bitface.steps.audits.audit import audit_log, audit_openings
    from bitface.steps.audits.checkpoint_files import latest_openings, openings_in, read_checkpoint, sign_checkpoint
    from bitface.usecases.log import continue_log

    if (why or key) and not continue_from:
        raise InputError("--why and --key require --continue-from")
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
    lead = "Every log entry and every row it covers, recomputed, and compared with the checkpoint if one was given."
    _show(rows, as_json, html, "Log verification", lead)
    if not rows[0]["intact"]:
        raise GateError("the log fails verification; restore the ledger from a backup that matches a known checkpoint")
    if not all(row["intact"] for row in rows if row["kind"] == "log of openings"):
        raise GateError(
            "the decryption log fails verification: lines were edited or are missing; restore decryptions.jsonl from a backup"
        )


@audit_app.command("erasure")
def erasure(
    who: Annotated[str, typer.Argument(help="The subject's own id, or the pseudonym.")],
    html: Html = None,
    as_json: AsJson = False,
) -> None:
    """Show the proof of an erasure; exit 3 if the proof file differs from the one the ledger recorded."""
    from bitface.bootstrap.opening import open_tools
    from bitface.steps.audits.audit_page import erasure_sections
    from bitface.steps.audits.erasure_proof import audit_erasure

    tools = open_tools()
    with tools.ledger as ledger:
        rows = audit_erasure(who, tools.keys, ledger, tools.workspace)
    lead = "What was erased, what the search afterwards found, and what remains."
    _show(rows, as_json, html, "An erasure and its proof", lead, erasure_sections(rows))
    if not all(row["proof_intact"] for row in rows):
        raise GateError("an erasure proof differs from the one the ledger recorded; restore it from a backup")


@audit_app.command("dpia")
def dpia(
    out: Annotated[Path | None, typer.Option(callback=writable_file, help="Write it to this Markdown file.")] = None,
    as_json: AsJson = False,
) -> None:
    """Draft a data protection impact assessment: facts from the ledger are filled in, open points are marked."""
    from bitface.bootstrap.opening import open_tools
    from bitface.dataset.files import write_atomically
    from bitface.steps.audits.dpia import assessment

    tools = open_tools()
    with tools.ledger as ledger:
        text = assessment(ledger, tools.now())
    if out is not None:
        write_atomically(out, text.encode())
    emit({"text": text, "file": str(out) if out else None}, f"written to {out}" if out else text.rstrip(), as_json)
