"""One way to speak: a JSON document on standard output with --json, text for a person otherwise."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from bitface.surroundings import check_file
from bitface.terminal_text import shown

AsJson = Annotated[bool, typer.Option("--json", help="One JSON document on standard output.")]


def writable_file(path: Path | None) -> Path | None:
    """For options that name a file to write: refused before the work is done and not after it; raises InputError."""
    if path is not None:
        check_file(path)
    return path


def raise_exit_of(code: int) -> None:
    """Hands on what a server returned; as a shell does where a signal ended it, 128 and the signal's number."""
    if code:
        raise typer.Exit(code if code > 0 else 128 - code)


def emit(document: Any, text: str, as_json: bool) -> None:
    """Prints the document as JSON, which escapes what is no ASCII, or the text without what a terminal should not get."""
    sys.stdout.write((json.dumps(document, indent=2, default=_plain) if as_json else shown(text)) + "\n")


def warn(text: str) -> None:
    """A warning, one line on standard error."""
    sys.stderr.write(shown(f"warning: {text}\n"))


def _plain(value: object) -> object:
    if isinstance(value, Path):
        return str(value)
    if hasattr(value, "tolist"):
        return value.tolist()
    raise TypeError(f"{type(value).__name__} has no JSON form")
