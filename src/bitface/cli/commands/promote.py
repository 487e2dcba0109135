"""`bitface keys`, `approve`, `promote`, `rollback`: approve a version that passed the gate, and move it live or back."""

from __future__ import annotations

import contextlib
from dataclasses import asdict
from datetime import timedelta
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from bitface.cli.output import AsJson, emit, warn, writable_file
from bitface.counted_words import counted
from bitface.surroundings import user_name

if TYPE_CHECKING:
    from bitface.ledger.entries import Promotion
    from bitface.usecases.tools import Tools

keys_app = typer.Typer(no_args_is_help=True, help="Manage the keys of people who approve, and the master key.")
VERSION_MAX: Final = 2**31 - 1
"""The largest number that every database of a ledger stores."""
Version = Annotated[int, typer.Argument(help="Version number.", min=1, max=VERSION_MAX)]
Role = Annotated[str, typer.Option(help="engineer, reviewer or compliance.")]


@keys_app.command()
def add(
    person: Annotated[str, typer.Option(help="Owner of the key; two approvals must come from two people.")],
    role: Role,
    out: Annotated[
        Path | None,
        typer.Option(callback=writable_file, help="New file for the private key. Default: PERSON.ROLE.pem."),
    ] = None,
    by: Annotated[
        Path | None,
        typer.Option(
            help="Compliance key file that endorses PERSON. The first key must be a compliance key and needs none."
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Create an Ed25519 key: the public half is recorded, the private half goes to a file that its owner keeps."""
    from bitface.bootstrap.opening import open_tools
    from bitface.steps.versions.approve import add_key

    tools = open_tools()
    path = out or Path(f"{''.join(c for c in person.lower() if c.isalnum()) or 'person'}.{role}.pem")
    with tools.ledger as ledger:
        entry = add_key(person, role, path, ledger, by)
    emit(
        {**asdict(entry), "file": str(path)},
        f"{entry.person} may approve as {role}, with the key in {path} (id {entry.key_id[:16]}); "
        f"keep it where only {entry.person} can read it",
        as_json,
    )


@keys_app.command(name="list")
def list_keys(as_json: AsJson = False) -> None:
    """List every key on record."""
    from bitface.bootstrap.opening import open_tools

    with open_tools().ledger as ledger:
        keys = ledger.known_keys()
    lines = [f"{key.key_id[:16]}  {key.role:<10}  {key.person}" for key in keys]
    emit([asdict(key) for key in keys], "\n".join(lines) or "no keys; add one with `bitface keys add`", as_json)


@keys_app.command()
def rotate(as_json: AsJson = False) -> None:
    """Re-wrap every key with a new master key; encrypted data stay unchanged. Safe to interrupt: the next call continues."""
    from bitface.bootstrap.opening import open_tools

    count = open_tools().keys.rotate()
    text = f"{counted(count, 'key is', 'keys are')} now wrapped by the new master key"
    text += "; if you keep it outside bitface, configure the new one from now on"
    emit({"rewrapped": count}, text, as_json)


def approve(
    version: Version,
    role: Role,
    key: Annotated[Path, typer.Option(help="File with your private key.")],
    as_json: AsJson = False,
) -> None:
    """Sign your approval of a version: its bundle, its gate decision and its consents."""
    from bitface.bootstrap.opening import open_tools
    from bitface.steps.versions.approve import approve as sign

    tools = open_tools()
    with tools.ledger as ledger:
        owner, is_new = sign(version, role, key, ledger)
    text = f"{owner.person} approves version {version} as {role}" + ("" if is_new else "; it was already on record")
    emit(
        {"version": version, "person": owner.person, "role": role, "key_id": owner.key_id, "new": is_new}, text, as_json
    )


def promote(version: Version, as_json: AsJson = False) -> None:
    """Make a version the champion: its gate must have passed, required approvals be given, and consent still be valid."""
    from bitface.bootstrap.opening import open_tools
    from bitface.steps.versions.promote import promote as let_live
    from bitface.steps.versions.promote import rule_of

    start, tools = perf_counter(), open_tools()
    with tools.ledger as ledger:
        _warn_of_manual_changes(tools)
        rule, runs = rule_of(tools.params.promotion), tools.workspace.runs
        moved = let_live(version, rule, user_name(), runs, ledger, tools.keys)
        _show(moved, tools, start, as_json)


def rollback(
    to: Annotated[
        int | None,
        typer.Option(min=1, max=VERSION_MAX, help="Version number of an earlier champion. Default: the previous one."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Make an earlier champion the champion again; refused if any of its people has withdrawn consent."""
    from bitface.bootstrap.opening import open_tools
    from bitface.steps.versions.promote import roll_back

    start, tools = perf_counter(), open_tools()
    with tools.ledger as ledger:
        _warn_of_manual_changes(tools)
        _show(roll_back(to, user_name(), ledger), tools, start, as_json)


def _warn_of_manual_changes(tools: Tools) -> None:
    """Corrects the registry, unless a retrain is running: versions that it has not shown yet are then not leftovers."""
    from bitface.ledger.leases import LeaseHeldError
    from bitface.steps.people.lease import holding
    from bitface.usecases.reconciling import reconciled

    lasts = timedelta(seconds=tools.params.schedule.lease_s)
    with contextlib.suppress(LeaseHeldError), holding(tools.ledger, "retrain", lasts):
        for line in reconciled(tools):
            warn(line)


def _show(moved: Promotion, tools: Tools, start: float, as_json: bool) -> None:

    from bitface.steps.versions.reconcile import project_aliases

    tools.ledger.sign_end()
    project_aliases(tools.ledger, tools.ports.tracking())
    seconds = round(perf_counter() - start, 2)
    was = "none" if moved.from_version is None else f"version {moved.from_version}"
    document: dict[str, Any] = {**asdict(moved), "promoted_at": moved.promoted_at.isoformat(), "seconds": seconds}
    emit(
        document,
        f"version {moved.to_version} is now the champion; before: {was} ({moved.kind}, {seconds:.1f} s)",
        as_json,
    )
