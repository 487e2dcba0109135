"""`bitface init`: creates a project folder."""

from __future__ import annotations

import shlex
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
        "\n".join([message, *_next_lines(folder)]),
        as_json,
    )


def _next_lines(folder: Path) -> list[str]:
    """Both ways on: with people of one's own, and without any."""
    is_here = folder.absolute() == Path.cwd()
    return [
        "Next:" if is_here else f"Next: cd {shlex.quote(str(folder))}, then",
        "  bitface data init FOLDER           your own pictures, or a public set with --purpose benchmark: drafts what an import reads",
        "  bitface retrain --profile quick    a first model of synthetic people, in two minutes",
    ]
