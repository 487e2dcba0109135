"""`bitface keys`, `approve`, `promote`, `rollback`: what people do with a version that the gate let through."""

from __future__ import annotations

import contextlib
from dataclasses import asdict
from datetime import timedelta
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Annotated, Any

import typer

from bitface.cli.output import AsJson, emit, warn, writable_file
from bitface.surroundings import user_name

if TYPE_CHECKING:
    from bitface.flows.wiring import Tools
    from bitface.ledger.entries import Promotion

keys_app = typer.Typer(no_args_is_help=True, help="Keys of people who approve: add one, list all.")
Role = Annotated[str, typer.Option(help="engineer, reviewer or compliance.")]


@keys_app.command()
def add(
    person: Annotated[str, typer.Option(help="Whose key it is; two approvals mean two people.")],
    role: Role,
    out: Annotated[
        Path | None, typer.Option(callback=writable_file, help="New file for the private key (PERSON.ROLE.pem).")
    ] = None,
    by: Annotated[
        Path | None,
        typer.Option(
            help="File of the compliance key that answers for PERSON; the first key, of compliance, needs none."
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Makes an Ed25519 key: its public half goes on record, the private one into a file that its owner keeps."""
    from bitface.flows.wiring import open_tools
    from bitface.steps.approve import add_key

    tools = open_tools()
    path = out or Path(f"{''.join(c for c in person.lower() if c.isalnum()) or 'person'}.{role}.pem")
    with tools.ledger as ledger:
        entry = add_key(person, role, path, ledger, by)
    emit(
        {**asdict(entry), "file": str(path)},
        f"{person} may approve as {role}, with the key in {path} (id {entry.key_id[:16]}); keep it where only {person} reads it",
        as_json,
    )


@keys_app.command(name="list")
def list_keys(as_json: AsJson = False) -> None:
    """Every key on record."""
    from bitface.flows.wiring import open_tools

    with open_tools().ledger as ledger:
        keys = ledger.known_keys()
    lines = [f"{key.key_id[:16]}  {key.role:<10}  {key.person}" for key in keys]
    emit([asdict(key) for key in keys], "\n".join(lines) or "no keys; add one with `bitface keys add`", as_json)


@keys_app.command()
def rotate(as_json: AsJson = False) -> None:
    """Wraps every key by a new master key; nothing that they encrypt changes. Kill it, and the next call goes on."""
    from bitface.flows.wiring import open_tools

    count = open_tools().keys.rotate()
    text = f"{count} keys are wrapped by a new master key; where it is kept elsewhere, give the next one as the master key from now on"
    emit({"rewrapped": count}, text, as_json)


def approve(
    version: Annotated[int, typer.Argument(help="Number of the version.")],
    role: Role,
    key: Annotated[Path, typer.Option(help="File of your private key.")],
    as_json: AsJson = False,
) -> None:
    """Signs that a version may go live: this bundle, on this decision, for these consents."""
    from bitface.flows.wiring import open_tools
    from bitface.steps.approve import approve as sign

    tools = open_tools()
    with tools.ledger as ledger:
        owner, is_new = sign(version, role, key, ledger)
    said = f"{owner.person} approves version {version} as {role}" + ("" if is_new else "; it was on record already")
    emit(
        {"version": version, "person": owner.person, "role": role, "key_id": owner.key_id, "new": is_new}, said, as_json
    )


def promote(version: Annotated[int, typer.Argument(help="Number of the version.")], as_json: AsJson = False) -> None:
    """Makes a version the champion: its gate said so, people approved where params.yaml asks for it, consent still holds."""
    from bitface.flows.wiring import open_tools
    from bitface.steps.promote import promote as let_live
    from bitface.steps.promote import rule_of

    start, tools = perf_counter(), open_tools()
    with tools.ledger as ledger:
        _warn_of_other_hands(tools)
        rule, runs = rule_of(tools.params.promotion), tools.workspace.runs
        moved = let_live(version, rule, user_name(), runs, ledger, tools.keys)
        _show(moved, tools, start, as_json)


def rollback(
    to: Annotated[int | None, typer.Option(help="An earlier champion; the previous one by default.")] = None,
    as_json: AsJson = False,
) -> None:
    """Makes an earlier champion the champion again; refused where somebody in it has withdrawn."""
    from bitface.flows.wiring import open_tools
    from bitface.steps.promote import roll_back

    start, tools = perf_counter(), open_tools()
    with tools.ledger as ledger:
        _warn_of_other_hands(tools)
        _show(roll_back(to, user_name(), ledger), tools, start, as_json)


def _warn_of_other_hands(tools: Tools) -> None:
    """Puts the registry right, unless a retrain is about to: versions that it has not shown yet are then no leftovers."""
    from bitface.flows.wiring import reconciled
    from bitface.ledger.leases import LeaseHeldError
    from bitface.steps.lease import holding

    lasts = timedelta(seconds=tools.params.schedule.lease_s)
    with contextlib.suppress(LeaseHeldError), holding(tools.ledger, "retrain", lasts):
        for line in reconciled(tools):
            warn(line)


def _show(moved: Promotion, tools: Tools, start: float, as_json: bool) -> None:
    from bitface.flows.wiring import tracking
    from bitface.steps.reconcile import project_aliases

    tools.ledger.sign_end()
    project_aliases(tools.ledger, tracking(tools.workspace))
    seconds = round(perf_counter() - start, 2)
    was = "nothing" if moved.from_version is None else f"version {moved.from_version}"
    document: dict[str, Any] = {**asdict(moved), "promoted_at": moved.promoted_at.isoformat(), "seconds": seconds}
    emit(document, f"version {moved.to_version} is the champion, {was} was ({moved.kind}, {seconds:.1f} s)", as_json)
