"""`bitface doctor`: finds missing or broken parts before a run does."""

from __future__ import annotations

from dataclasses import asdict

import typer

from bitface.cli.output import AsJson, emit

_SIGNS = {"ok": "ok  ", "warn": "warn", "fail": "FAIL"}


def doctor(as_json: AsJson = False) -> None:
    """Check versions, model assets, disk, keys, stores and open ports. Each row is ok, warn or fail, with a remedy."""
    from bitface.bootstrap.orchestrator import quieten
    from bitface.bootstrap.places import open_checkpoints, open_doors, open_keys, open_ledger, open_store, workspace
    from bitface.steps.audits.diagnose import diagnose

    quieten()
    place = workspace()
    with open_ledger(place) as ledger:
        rows = diagnose(place, open_store(place), open_keys(place), ledger, open_doors, open_checkpoints(place))
    width = max(len(row.what) for row in rows)
    lines = [f"{_SIGNS[row.state]}  {row.what:<{width}}  {row.found}" for row in rows]
    lines = [
        f"{line}\n      remedy: {row.remedy}" if row.remedy else line for line, row in zip(lines, rows, strict=True)
    ]
    emit([asdict(row) for row in rows], "\n".join(lines), as_json)
    if any(row.state == "fail" for row in rows):
        raise typer.Exit(2)
