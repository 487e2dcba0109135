"""`bitface consent ...`: what people allowed, what they took back, what stands, and what will end."""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bitface.cli.output import AsJson, emit, warn, writable_file

if TYPE_CHECKING:
    from bitface.ledger.ledger import Ledger

consent_app = typer.Typer(no_args_is_help=True, help="Consents: record, withdraw, show, and which end soon.")
Subject = Annotated[str, typer.Argument(help="The id that its owner uses, or the pseudonym.")]


@consent_app.command()
def record(
    file: Annotated[Path, typer.Argument(help="Consent events, one JSON object a line.")],
    notices: Annotated[Path | None, typer.Option(help="Folder of the notices that they name.")] = None,
    as_json: AsJson = False,
) -> None:
    """Records the events of a file, all or none; the same file again records nothing."""
    from bitface.flows.wiring import open_tools
    from bitface.steps.consents import record_file

    tools = open_tools()
    with tools.ledger as ledger:
        done = record_file(file, notices, tools.keys, ledger, tools.now())
        _warn_of_clock(ledger, tools.now())
    text = f"{done.events} consent events, {done.new} of them new"
    if done.dated_ahead:
        text += f"; {done.dated_ahead} that close are dated ahead of this machine's clock, and count from now"
    emit(asdict(done), text, as_json)


@consent_app.command()
def withdraw(
    who: Subject,
    reason: Annotated[str, typer.Option(help="Why, shortly; name nobody.")],
    as_json: AsJson = False,
) -> None:
    """Closes every record of a person at once; no model with that person is promoted or rolled back to from now on."""
    from bitface.flows.wiring import open_tools
    from bitface.steps.consents import person_of
    from bitface.steps.consents import withdraw as close

    tools = open_tools()
    with tools.ledger as ledger:
        done = close(person_of(who, tools.keys, ledger), reason, ledger, tools.now())
        _warn_of_clock(ledger, tools.now())
    text = f"{done.subject}: {done.records} consent records withdrawn"
    emit(asdict(done), "\n".join([text, *done.models]), as_json)


@consent_app.command()
def show(who: Subject, as_json: AsJson = False) -> None:
    """Every event of a person, and what it allows now."""
    from bitface.flows.wiring import open_tools
    from bitface.steps.consents import person_of, standing_of, standing_text

    tools = open_tools()
    with tools.ledger as ledger:
        found = standing_of(person_of(who, tools.keys, ledger), ledger, tools.now())
        _warn_of_clock(ledger, tools.now())
    emit(found, standing_text(found), as_json)


@consent_app.command()
def expiring(
    days: Annotated[int, typer.Option(help="How far to look ahead.", min=0)] = 90,
    as_json: AsJson = False,
) -> None:
    """Consents that end within some days, soonest first, and the live models that hold these people."""
    from bitface.flows.wiring import open_tools
    from bitface.steps.expire import expiring as find
    from bitface.steps.expire import expiring_text

    tools = open_tools()
    with tools.ledger as ledger:
        rows = find(ledger, days, tools.now())
    emit(rows, expiring_text(rows, days), as_json)


@consent_app.command()
def schema(
    out: Annotated[Path | None, typer.Option(callback=writable_file, help="Write it to this file.")] = None,
) -> None:
    """The JSON Schema of a consent event, for whoever writes them."""
    import json
    import sys

    from bitface.consent.events import ConsentEvent
    from bitface.dataset.files import write_atomically

    text = json.dumps(ConsentEvent.model_json_schema(), indent=2) + "\n"
    if out is None:
        sys.stdout.write(text)
    else:
        write_atomically(out, text.encode())


def _warn_of_clock(ledger: Ledger, at: datetime) -> None:
    from bitface.steps.consents import clock_warning

    said = clock_warning(ledger, at)
    if said is not None:
        warn(said)
