"""`bitface data init`: drafts of what an import reads beside pictures."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from bitface.cli.output import AsJson, emit


def data_init(
    folder: Annotated[Path, typer.Argument(help="The folder with your pictures, at any depth.")],
    purpose: Annotated[
        str, typer.Option(help="train: people consent. benchmark: a published set under a licence, without consents.")
    ] = "train",
    subject_pattern: Annotated[
        str | None,
        typer.Option(help="Regular expression that finds the person in a file name or path, such as '^(S[0-9]+)_'."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Draft manifest, consents, licence and notice for a folder of pictures. Existing files are kept."""
    from bitface.bootstrap.opening import open_tools
    from bitface.dataset.incoming.folder_names import subject_pattern_of
    from bitface.steps.bringing.drafting import draft_import
    from bitface.steps.bringing.first_look import Eyes

    pattern = subject_pattern_of(subject_pattern)
    tools = open_tools()
    with tools.progress as report:
        drafts = draft_import(folder, purpose, pattern, Eyes(read=tools.ports.read_image, report=report))
    emit(asdict(drafts), drafts.text(), as_json)
