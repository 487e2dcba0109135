"""Every finding has a meaning and stands in the page that errors send people to."""

from __future__ import annotations

import re
from pathlib import Path

from bitface.dataset.incoming.oddities import EXAMPLES, SAYS, findings_of, found, merged

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/datasets.md").read_text(encoding="utf-8")


def test_the_page_explains_every_finding_and_no_other() -> None:
    table = PAGE.partition("## Findings")[2].partition("## An example")[0]
    cells = [line.split("|")[1] for line in table.splitlines() if line.startswith("| `")]
    assert {name for cell in cells for name in re.findall(r"`(\w+)`", cell)} == SAYS.keys()


def test_findings_count_every_row_and_name_the_first() -> None:
    rows = [("same_picture", row) for row in range(9, 0, -1)] + [("", 50), ("blank_picture", 7)]
    same, blank = findings_of(rows)
    assert (same.name, same.count, same.rows) == ("same_picture", 9, (1, 2, 3, 4, 5)) and len(same.rows) == EXAMPLES
    assert blank.text == "blank_picture: 1, first rows 7: every pixel has one grey level"
    assert found("blank_picture", []) == ()


def test_one_oddity_of_rows_that_are_taken_and_of_others_that_are_not_is_one_finding() -> None:
    taken, refused = found("not_tracked", [4, 2]), found("not_tracked", [9, 3, 7, 8])
    (both,) = merged((*taken, *refused))
    assert (both.count, both.rows) == (6, (2, 3, 4, 7, 8))
    told = found("label_as_acted", [1], "anger 0.5"), found("label_as_acted", [2], "fear 0.5")
    assert len(merged((*told[0], *told[1]))) == 2
