"""`bitface consent ...`: record, withdraw and look up consent."""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bitface.cli.output import AsJson, emit, warn, writable_file
from bitface.counted_words import counted

if TYPE_CHECKING:
    from bitface.ledger.ledger import Ledger

consent_app = typer.Typer(no_args_is_help=True, help="Record, withdraw and show consents; list those that expire soon.")
Subject = Annotated[str, typer.Argument(help="The subject's own id, or the pseudonym.")]


@consent_app.command()
def record(
    file: Annotated[Path, typer.Argument(help="Consent events, one JSON object per line.")],
    notices: Annotated[Path | None, typer.Option(help="Folder with the notices that the events refer to.")] = None,
    as_json: AsJson = False,
) -> None:
    """Record all consent events of a file, or none if any is invalid. Recording the same file twice is safe."""
    from bitface.bootstrap.opening import open_tools
    from bitface.dataset.interrupted_import import discard_interrupted
    from bitface.steps.people.consents import record_file

    tools = open_tools()
    with tools.ledger as ledger:
        done = record_file(file, notices, tools.keys, ledger, tools.now())
        discard_interrupted(tools.workspace.home, tools.keys)
        _warn_of_clock(ledger, tools.now())
    text = f"{counted(done.events, 'consent event')}, {done.new} of them new"
    if done.dated_ahead:
        text += f"; {done.dated_ahead} that end a consent are dated in the future by this machine's clock, and take effect now"
    emit(asdict(done), text, as_json)


@consent_app.command()
def withdraw(
    who: Subject,
    reason: Annotated[str, typer.Option(help="A short reason. Do not name anyone.")],
    as_json: AsJson = False,
) -> None:
    """Withdraw all consents of a person, effective now: no model trained on that person can be promoted or rolled back to."""
    from bitface.bootstrap.opening import open_tools
    from bitface.dataset.interrupted_import import discard_interrupted
    from bitface.steps.people.consents import person_of
    from bitface.steps.people.consents import withdraw as close

    tools = open_tools()
    with tools.ledger as ledger:
        done = close(person_of(who, tools.keys, ledger), reason, ledger, tools.now())
        discard_interrupted(tools.workspace.home, tools.keys)
        _warn_of_clock(ledger, tools.now())
    text = f"{done.subject}: {counted(done.records, 'consent record')} withdrawn"
    emit(asdict(done), "\n".join([text, *done.models]), as_json)


@consent_app.command()
def show(who: Subject, as_json: AsJson = False) -> None:
    """Show a person's consent events and what they currently allow."""
    from bitface.bootstrap.opening import open_tools
    from bitface.steps.people.consents import person_of, standing_of, standing_text

    tools = open_tools()
    with tools.ledger as ledger:
        found = standing_of(person_of(who, tools.keys, ledger), ledger, tools.now())
        _warn_of_clock(ledger, tools.now())
    emit(found, standing_text(found), as_json)


@consent_app.command()
def expiring(
    days: Annotated[int, typer.Option(help="How many days to look ahead.", min=0, max=36_500)] = 90,
    as_json: AsJson = False,
) -> None:
    """List consents that expire soon, soonest first, and the live models trained on these people."""
    from bitface.bootstrap.opening import open_tools
    from bitface.steps.people.expire import expiring as find
    from bitface.steps.people.expire import expiring_text

    tools = open_tools()
    with tools.ledger as ledger:
        rows = find(ledger, days, tools.now())
    emit(rows, expiring_text(rows, days), as_json)


@consent_app.command()
def schema(
    out: Annotated[
        Path | None, typer.Option(callback=writable_file, help="Write to this file instead of standard output.")
    ] = None,
) -> None:
    """Print the JSON Schema of a consent event."""
    import json

    from bitface.consent.events import ConsentEvent
    from bitface.dataset.files import write_atomically

    text = json.dumps(ConsentEvent.model_json_schema(), indent=2)
    if out is None:
        emit(None, text, as_json=False)
    else:
        write_atomically(out, f"{text}\n".encode())


def _warn_of_clock(ledger: Ledger, at: datetime) -> None:
    from bitface.steps.people.consents import clock_warning

    warning = clock_warning(ledger, at)
    if warning is not None:
        warn(warning)
