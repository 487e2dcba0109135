"""Output: one JSON document on standard output with --json, plain text otherwise."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from typing import Annotated, Any, Final

import typer

from bitface.dataset.files import naming
from bitface.surroundings import check_file
from bitface.terminal_text import shown

STDOUT: Final = Path("standard output")
_ESCAPE: Final = re.compile(r"\\(?:ud[89ab]\w\w\\ud[c-f]\w\w|(ud[89a-f]\w\w)|.)")
"""An escape in JSON: two halves of a character, one without the other (the group), or any other."""
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON document.")]


def writable_file(path: Path | None) -> Path | None:
    """Callback for options that name an output file: raises InputError before any work is done."""
    if path is not None:
        check_file(path)
    return path


def raise_exit_of(code: int) -> None:
    """Exits with a server's exit code; like a shell, with 128 plus the signal's number if a signal ended it."""
    if code:
        raise typer.Exit(code if code > 0 else 128 - code)


def emit(document: Any, text: str, as_json: bool) -> None:
    """Prints the document as ASCII-only JSON, or the text without control characters."""
    answer = _json(document) if as_json else shown(text)
    with naming(STDOUT):
        sys.stdout.write(f"{answer}\n")


def say(text: str) -> None:
    """What is going on, one line on standard error, at once."""
    sys.stderr.write(shown(f"{text}\n"))
    sys.stderr.flush()


def warn(text: str) -> None:
    """A warning, one line on standard error."""
    sys.stderr.write(shown(f"warning: {text}\n"))


def _json(document: Any) -> str:
    r"""Invalid bytes of a path are the text ``\udcff``, as in tables and on a terminal: JSON has no form for half a character."""
    return _ESCAPE.sub(
        lambda found: f"\\\\{found[1]}" if found[1] else found[0], json.dumps(document, indent=2, default=_plain)
    )


def _plain(value: object) -> object:
    if isinstance(value, Path):
        return str(value)
    if hasattr(value, "tolist"):
        return value.tolist()
    raise TypeError(f"{type(value).__name__} has no JSON form")
