"""No message says `1 people`: what is counted is said by `counted_words`, or is no count at all."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pytest

import bitface

SOURCES = Path(bitface.__file__).parent
NOUNS = (
    "people persons adults pictures images clips videos frames faces samples rows columns cells lines files folders days months years "
    "versions models runs events records consents approvals entries labels emotions slices groups regions landmarks folds rounds calls "
    "units variants trainings copies pairs findings licences sources"
)
SMALL = "of|in|is|has|are|for|now|under|too|that|with|fit|the|these|its|and"
"""What follows a number of something that was named before, or no number at all."""
COUNTED = re.compile(rf"^(?: (?!(?:{SMALL})\b)[a-z-]+){{0,2}} (?:{NOUNS.replace(' ', '|')})\b")
REPLAYED = {f"gate/{name}.py" for name in ("cells", "champion", "disparity", "explanations", "facts", "requirements")}
"""Bundles replay these sentences byte for byte, so a new wording would make old decisions differ."""
NEVER_ONE = {
    "evaluation/label_noise.py shown": "a list of numbers",
    "faces/features.py sorted(rows)": "a list of numbers",
    "ledger/promotion.py evidence": "the word real, synthetic or mixed",
    "steps/versions/promote.py current.evidence": "the word real, synthetic or mixed",
    "steps/versions/bill_of_materials.py run.evidence": "the word real, synthetic or mixed",
    "steps/versions/gate.py role": "the word required or advisory",
    "steps/people/reading/sample_packing.py len(pictures)": "what is hashed, which must stay as it was",
}
"""Module and the expression that no number is -> what it is instead."""


def is_plural_for_certain(value: ast.expr) -> bool:
    """A constant of the program, or a word."""
    name = value.id if isinstance(value, ast.Name) else value.attr if isinstance(value, ast.Attribute) else ""
    return name.isupper()


def bare_plurals(tree: ast.AST) -> Iterator[tuple[int, str, str]]:
    """Line, expression and following words of each number that a plural follows."""
    for node in ast.walk(tree):
        parts = node.values if isinstance(node, ast.JoinedStr) else []
        for number, words in pairwise(parts):
            is_count = isinstance(number, ast.FormattedValue) and not is_plural_for_certain(number.value)
            if not (is_count and isinstance(words, ast.Constant)):
                continue
            spec = number.format_spec
            is_whole = spec is None or ast.unparse(spec) in ("f','", "f'd'", "f'5d'")
            if is_whole and (found := COUNTED.match(str(words.value))):
                yield number.lineno, ast.unparse(number.value), found.group()


def found_in(path: Path) -> list[str]:
    name = path.relative_to(SOURCES).as_posix()
    found = bare_plurals(ast.parse(path.read_text(encoding="utf-8")))
    return [f"{name}:{line} {{{what}}}{words}" for line, what, words in found if f"{name} {what}" not in NEVER_ONE]


def test_no_message_counts_with_a_bare_plural() -> None:
    files = [*SOURCES.rglob("*.py"), *(SOURCES / "flows").glob("*.py")]
    found = [one for path in sorted(files) for one in found_in(path) if one.split(":")[0] not in REPLAYED]
    assert not found, f"say it with bitface.counted_words: {found}"


@pytest.mark.parametrize(
    ("code", "is_found"),
    [
        ("f'{n} people are here'", True),
        ("f'{len(rows)} new rows'", True),
        ("f'none of {n} pictures'", True),
        ("f'over {n:,} pictures'", True),
        ("f'{n} of the pictures'", False),
        ("f'{counted(n, \"row\")} more'", False),
        ("f'at least {PEOPLE_MIN} people'", False),
        ("f'{share:.1f} times'", False),
        ("f'{name} is one of the rows'", False),
    ],
)
def test_a_bare_plural_is_found_and_other_words_are_not(code: str, is_found: bool) -> None:
    assert bool(list(bare_plurals(ast.parse(code)))) == is_found
