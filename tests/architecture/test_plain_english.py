"""What users read is plain English: no 'is no X', 'told', 'nobody', 'somebody' or 'whom' in help texts and messages."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

import bitface

SOURCES = Path(bitface.__file__).parent
STUMBLES = re.compile(r"(?<!there )\bis no (?!longer|more)\w+|\b(?:told|tells|nobody|somebody|whom)\b", re.IGNORECASE)
KEPT = {
    # Bundles replay these sentences byte for byte, so a new wording would make old decisions differ.
    "gate/champion.py",
    "gate/facts.py",
    "gate/requirements.py",
    # Digests of recorded consents cover these.
    "consent/known_sources.py",
}


def sentences(path: Path) -> Iterator[tuple[int, str]]:
    """Line and text of every literal of two words or more that is not a docstring."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    docstrings = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    for node in ast.walk(tree):
        is_text = isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in docstrings
        if is_text and " " in node.value.strip():
            yield node.lineno, node.value


def stumbles(text: str) -> list[str]:
    return [found.group() for found in STUMBLES.finditer(text)]


def test_messages_are_plain_english() -> None:
    """A new message in the old register fails here, with file, line and words."""
    everything = {*SOURCES.rglob("*.py"), *(SOURCES / "flows").glob("*.py")}
    files = [path for path in sorted(everything) if path.relative_to(SOURCES).as_posix() not in KEPT]
    assert len(files) > 200
    found = [
        f"{path.relative_to(SOURCES)}:{line}: {', '.join(words)}"
        for path in files
        for line, text in sentences(path)
        if (words := stumbles(text))
    ]
    assert not found, f"say it directly, as in docs/glossary.md: {found}"


def commands() -> list[list[str]]:
    from bitface.cli.app import app

    def below(command: object, words: list[str]) -> Iterator[list[str]]:
        yield words
        for name, one in getattr(command, "commands", {}).items():
            yield from below(one, [*words, name])

    return list(below(typer.main.get_command(app), []))


@pytest.mark.parametrize("words", commands(), ids=" ".join)
def test_every_help_text_is_plain_english(words: list[str]) -> None:
    """Asked of the command line itself, since help is put together from docstrings and options."""
    from bitface.cli.app import app

    shown = CliRunner().invoke(app, [*words, "--help"])
    assert shown.exit_code == 0 and not stumbles(" ".join(shown.stdout.split()))


@pytest.mark.parametrize(
    "text",
    ["'a' is no rival; use b", "nobody of that id", "it is told once", "people whom it saw", "somebody withdrew"],
)
def test_the_old_register_is_noticed(text: str) -> None:
    assert stumbles(text)


@pytest.mark.parametrize("text", ["there is no champion yet", "it is no longer approved", "'a' is not a variant"])
def test_ordinary_english_is_not(text: str) -> None:
    assert not stumbles(text)
