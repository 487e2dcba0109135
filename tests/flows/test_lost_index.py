"""A dataset whose index another program has removed."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.builders import begin_source, consent, write_consents, write_noise

Run = Callable[..., tuple[int, Any, str]]


def brought(folder: Path, *people: str) -> Path:
    """A source with a picture of each."""
    begin_source(folder)
    rows = [f"{who}.png,{who},fear" for who in people]
    (folder / "manifest.csv").write_text("\n".join(["path,subject_id,label", *rows]) + "\n")
    for who in people:
        write_noise(folder / f"{who}.png", int(who[1:]))
    write_consents(folder, [consent(who) for who in people])
    return folder


@pytest.fixture
def taken(run: Run, tmp_path: Path, project: Path) -> Path:
    """A project whose dataset holds two people."""
    assert run("data", "import", brought(tmp_path / "first", "p1", "p2"), "--format", "folder")[0] == 0
    return project


@pytest.mark.parametrize("lost", [("index.csv",), ("index.csv", "manifest.json")])
def test_a_dataset_without_its_index_is_not_replaced_by_the_next_import(
    lost: tuple[str, ...], run: Run, taken: Path, tmp_path: Path
) -> None:
    """It passed for no dataset: the import wrote a new one in its place, without the people who were there, and ended with 0."""
    kept = {name: (taken / "data" / name).read_bytes() for name in lost}
    for name in lost:
        (taken / "data" / name).unlink()
    second = brought(tmp_path / "second", "p3")
    code, _, error = run("data", "import", second, "--format", "folder")
    assert code == 2 and "holds files of 2 people and no index.csv; restore it" in error, error
    assert len(list((taken / "data" / "shards").iterdir())) == 2
    rows = {row["what"]: row for row in run("doctor")[1]}
    assert rows["dataset"]["state"] == "fail" and "2 people" in rows["dataset"]["found"]
    for name, data in kept.items():
        (taken / "data" / name).write_bytes(data)
    assert run("data", "import", second, "--format", "folder")[0] == 0
    assert run("data", "status")[1]["people"] == 3
