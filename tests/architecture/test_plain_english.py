"""Plain English: no 'is no X', 'told', 'nobody', 'somebody' or 'whom' in help texts and messages, nor in what engineers read."""

from __future__ import annotations

import ast
import re
import tokenize
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import click
import pytest
import typer
from click.testing import CliRunner

import bitface

SOURCES = Path(bitface.__file__).parent
STUMBLES = re.compile(r"(?<!there )\bis no (?!longer|more)\w+|\b(?:told|tells|nobody|somebody|whom)\b", re.IGNORECASE)
STUMBLES_IN_CODE = re.compile(rf"{STUMBLES.pattern}|\bwhoever\b", re.IGNORECASE)
STUMBLES_IN_NAMES = re.compile(r"(?:^|_)(?:told|tells|said|nobody|somebody|whom|whoever)(?:_|$)", re.IGNORECASE)
WORDS = ("told", "tells", "said", "nobody", "somebody", "whom", "whoever")
IS_NO = re.compile(r"\bis\W+no\b")
KEPT = {
    # Bundles replay these sentences byte for byte, so a new wording would make old decisions differ.
    "gate/champion.py",
    "gate/facts.py",
    "gate/requirements.py",
    # Digests of recorded consents cover these.
    "consent/known_sources.py",
}
REWRITTEN = {
    "",
    "adapters/checkpoint_places",
    "adapters/mlflow_tracking",
    "adapters/servers",
    "bootstrap",
    "cli",
    "cli/commands",
    "consent",
    "dataset",
    "dataset/keyring",
    "flows",
    "ledger",
    "ledger/permissions",
    "ledger/recorded",
    "params",
    "ports",
    "steps/answers",
    "steps/audits",
    "steps/people",
    "steps/versions",
    "steps/versions/shown",
    "usecases",
}
"""Folders whose docstrings, comments and names are plain English as well; "" is the package itself. More are welcome."""
REWRITTEN_FILES = {"adapters/prefect_processes.py", "adapters/prefect_service.py"}


def sources() -> list[tuple[str, Path]]:
    """Every module with its path inside the package; `flows` is a link, which a search does not follow."""
    everything = {*SOURCES.rglob("*.py"), *(SOURCES / "flows").glob("*.py")}
    return [(path.relative_to(SOURCES).as_posix(), path) for path in sorted(everything)]


def is_rewritten(name: str) -> bool:
    folder = name.rpartition("/")[0]
    return folder in REWRITTEN or name in REWRITTEN_FILES


def sentences(path: Path) -> Iterator[tuple[int, str]]:
    """Line and text of every literal of two words or more that is not a docstring."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    docstrings = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    for node in ast.walk(tree):
        is_text = isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in docstrings
        if is_text and " " in node.value.strip():
            yield node.lineno, node.value


def may_stumble(path: Path) -> bool:
    """Holds for every source that the patterns match, texts that go on in the next line included; the others need not be parsed."""
    text = path.read_text(encoding="utf-8").lower()
    return any(word in text for word in WORDS) or IS_NO.search(text) is not None


def stumbles(text: str, of: re.Pattern[str] = STUMBLES) -> list[str]:
    return [found.group() for found in of.finditer(text)]


def stumbles_in_code(path: Path) -> Iterator[tuple[int, str]]:
    """Line and words of every docstring, comment and name in the old register."""
    with tokenize.open(path) as file:
        tokens = list(tokenize.generate_tokens(file.readline))
    docstrings = [
        (node.lineno, node.value.value)
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)
    ]
    comments = [(token.start[0], token.string) for token in tokens if token.type == tokenize.COMMENT]
    yield from ((line, ", ".join(words)) for line, text in docstrings + comments if (words := in_code(text)))
    names = {token.string: token.start[0] for token in tokens if token.type == tokenize.NAME}
    yield from ((line, name) for name, line in names.items() if is_old_name(name))


def in_code(text: str) -> list[str]:
    """Names in backticks are quoted, not written."""
    return stumbles(re.sub(r"`[^`]*`", "", text), STUMBLES_IN_CODE)


def is_old_name(name: str) -> bool:
    return STUMBLES_IN_NAMES.search(name) is not None


def test_messages_are_plain_english() -> None:
    """A new message in the old register fails here, with file, line and words."""
    files = [(name, path) for name, path in sources() if name not in KEPT]
    assert len(files) > 200
    found = [
        f"{name}:{line}: {', '.join(words)}"
        for name, path in files
        if may_stumble(path)
        for line, text in sentences(path)
        if (words := stumbles(text))
    ]
    assert not found, f"say it directly, as in docs/glossary.md: {found}"


def test_docstrings_comments_and_names_are_plain_english() -> None:
    """In the folders that were rewritten; a new one in the old register fails here, with file, line and words."""
    files = [(name, path) for name, path in sources() if is_rewritten(name)]
    assert len(files) > 150
    found = [
        f"{name}:{line}: {words}" for name, path in files if may_stumble(path) for line, words in stumbles_in_code(path)
    ]
    assert not found, f"say it directly, as in docs/glossary.md: {found}"


def test_every_rewritten_folder_and_every_exception_exists() -> None:
    names = {name for name, _ in sources()}
    assert {name.rpartition("/")[0] for name in names} >= REWRITTEN
    assert names >= REWRITTEN_FILES | KEPT


@cache
def everything() -> click.Command:
    """The command line, put together once."""
    from bitface.cli.app import app

    return typer.main.get_command(app)


def commands() -> list[list[str]]:
    def below(command: object, words: list[str]) -> Iterator[list[str]]:
        yield words
        for name, one in getattr(command, "commands", {}).items():
            yield from below(one, [*words, name])

    return list(below(everything(), []))


@pytest.mark.parametrize("words", commands(), ids=" ".join)
def test_every_help_text_is_plain_english(words: list[str]) -> None:
    """Asked of the command line itself, since help is put together from docstrings and options."""
    shown = CliRunner().invoke(everything(), [*words, "--help"])
    assert shown.exit_code == 0 and not stumbles(" ".join(shown.stdout.split()))


@pytest.mark.parametrize(
    "text",
    ["'a' is no rival; use b", "nobody of that id", "it is told once", "people whom it saw", "somebody withdrew"],
)
def test_the_old_register_is_noticed(text: str, tmp_path: Path) -> None:
    """Also where a text is put together of two lines."""
    (tmp_path / "module.py").write_text('message = ("' + text.replace(" no ", ' "\n"no ') + '")')
    assert stumbles(text) and may_stumble(tmp_path / "module.py")


@pytest.mark.parametrize("text", ["there is no champion yet", "it is no longer approved", "'a' is not a variant"])
def test_ordinary_english_is_not(text: str) -> None:
    assert not stumbles(text)


@pytest.mark.parametrize(
    "line",
    [
        '"""Whoever holds the key."""',
        "# nobody reads it",
        "told = 1",
        "def naming_nobody(): ...",
        '"""A link is no file."""',
    ],
)
def test_the_old_register_is_noticed_in_code(line: str, tmp_path: Path) -> None:
    (tmp_path / "module.py").write_text(line)
    assert len(list(stumbles_in_code(tmp_path / "module.py"))) == 1 and may_stumble(tmp_path / "module.py")


@pytest.mark.parametrize(
    "line", ['"""Calls `nobody`."""', "'nobody'", "untold = 1", "# there is no key", "'told twice'"]
)
def test_quotes_texts_and_ordinary_names_are_not(line: str, tmp_path: Path) -> None:
    """Texts of two words or more are messages, which have a test of their own."""
    (tmp_path / "module.py").write_text(f"kept = [{line}]" if line[0] == "'" else line)
    assert not list(stumbles_in_code(tmp_path / "module.py"))
