"""`bitface init`: creates a project folder."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from bitface.cli.output import AsJson, emit


def init(
    folder: Annotated[Path, typer.Argument(help="The project folder; created if missing.")] = Path(),
    as_json: AsJson = False,
) -> None:
    """Create a project: write params.yaml and .gitignore to a folder. Existing files are kept."""
    from bitface.project import begin_project

    written = begin_project(folder)
    names = ", ".join(path.name for path in written)
    message = "params.yaml already exists; nothing was written" if not written else f"wrote {names}"
    emit(
        {"folder": folder.absolute(), "written": [path.name for path in written]},
        f"{message}\n  next: bitface retrain --profile quick",
        as_json,
    )
