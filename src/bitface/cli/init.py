"""`bitface init`: a folder becomes a project."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from bitface.cli.output import AsJson, emit


def init(
    folder: Annotated[Path, typer.Argument(help="The project's folder; it is made where it is missing.")] = Path(),
    as_json: AsJson = False,
) -> None:
    """Write params.yaml and ignore rules into a folder, so that every other command runs there; nothing is overwritten."""
    from bitface.project import begin_project

    written = begin_project(folder)
    said = ", ".join(path.name for path in written)
    there = "params.yaml is here already; nothing was written" if not written else f"wrote {said}"
    emit(
        {"folder": folder.absolute(), "written": [path.name for path in written]},
        f"{there}\n  next: bitface retrain --profile quick",
        as_json,
    )
