"""A person is in one split, also over several imports: with the real command on a fresh installation."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from bitface.dataset.index import read_index
from tests.builders import begin_source, consent, write_consents, write_noise

Run = Callable[..., tuple[int, Any, str]]
Take = Callable[..., tuple[int, Any, str]]
COLUMNS = "path,subject_id,label,split,clip,frame"


@pytest.fixture
def take(run: Run, tmp_path: Path) -> Take:
    """`take("a1.png,p1,fear,gate")` imports these rows; picture `a3.png` is of seed 3."""
    folder = tmp_path / "source"
    begin_source(folder)

    def import_(*rows: str) -> tuple[int, Any, str]:
        (folder / "manifest.csv").write_text("\n".join([COLUMNS, *(f"{row},,,".rsplit(",", 1)[0] for row in rows)]))
        for name, _ in (row.split(",")[:2] for row in rows):
            write_noise(folder / name, int("".join(filter(str.isdigit, name))))
        write_consents(folder, [consent(who) for who in sorted({row.split(",")[1] for row in rows})])
        return run("data", "import", folder, "--format", "folder")

    return import_


def splits(project: Path) -> list[str]:
    return sorted(sample.split for sample in read_index(project / "data"))


def test_a_later_row_puts_nobody_into_a_second_split(take: Take, project: Path) -> None:
    """No retrain could begin afterwards, and whoever is learned from would be judged by."""
    assert take("a1.png,p1,fear,gate", "b2.png,p2,fear,train")[0] == 0
    code, done, error = take("a3.png,p1,fear,train", "b4.png,p2,anger,train", "a5.png,p1,anger,")
    assert code == 0, error
    assert (done["admitted"], [row["row"] for row in done["quarantined"]]) == (2, [1])
    assert "the person has samples on record in split gate" in done["quarantined"][0]["reason"]
    assert splits(project) == ["", "gate", "train", "train"]


def test_a_person_moves_with_every_sample(take: Take, project: Path) -> None:
    take("a1.png,p1,fear,gate", "a2.png,p1,fear,gate")
    assert take("a1.png,p1,fear,train")[0] == 2
    assert splits(project) == ["gate", "gate"]
    code, done, error = take("a1.png,p1,fear,train", "a2.png,p1,fear,train", "a3.png,p1,fear,train")
    assert (code, done["corrected"]) == (0, 2), error
    assert splits(project) == ["train"] * 3


def test_a_clip_is_in_the_split_that_any_of_its_frames_names(take: Take, project: Path) -> None:
    assert take("a1.png,p1,fear,,c,0", "a2.png,p1,fear,gate,c,1")[0] == 0
    assert splits(project) == ["gate"]
