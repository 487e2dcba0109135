"""Which project a command works on: never another one than the person in the folder expects, without a word."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from bitface.bootstrap import places
from bitface.project import begin_project, project_root

CHECKOUT = Path(__file__).resolve().parents[2]


@pytest.fixture
def begun(tmp_path: Path) -> Path:
    """A project with a folder of pictures in it."""
    begin_project(tmp_path / "project")
    (tmp_path / "project" / "photos" / "may").mkdir(parents=True)
    return tmp_path / "project"


@pytest.mark.parametrize("below", [".", "photos", "photos/may"])
def test_a_folder_of_a_project_is_of_that_project(begun: Path, below: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(begun / below)
    assert project_root() == begun


def test_the_nearest_project_counts(begun: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    begin_project(begun / "photos")
    monkeypatch.chdir(begun / "photos" / "may")
    assert project_root() == begun / "photos"


def test_a_params_file_of_another_tool_above_makes_no_project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "params.yaml").write_text("lr: 0.1\n")
    (tmp_path / "photos").mkdir()
    monkeypatch.chdir(tmp_path / "photos")
    assert project_root() == CHECKOUT
    (tmp_path / ".bitface").mkdir()
    assert project_root() == tmp_path, "now it was used as one"


def test_a_folder_for_all_in_which_another_user_began_one_is_passed_over(
    begun: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 4242)
    monkeypatch.setattr("bitface.project._ROOT", 4243)
    monkeypatch.chdir(begun / "photos")
    assert project_root() == CHECKOUT


def test_work_on_a_project_elsewhere_is_said_once_unless_its_places_are_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    places._say_where.cache_clear()
    for name in ("BITFACE_HOME", "BITFACE_DATA"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)
    for _ in range(2):
        assert places.workspace().root == CHECKOUT
    assert (
        capsys.readouterr().err
        == f"note: this folder is in no project, so the command works on the one in {CHECKOUT}\n"
    )
    places._say_where.cache_clear()
    monkeypatch.setenv("BITFACE_HOME", str(tmp_path / "home"))
    places.workspace()
    assert capsys.readouterr().err == ""
    monkeypatch.delenv("BITFACE_HOME")
    begin_project(tmp_path)
    monkeypatch.chdir(tmp_path)
    assert places.workspace().root == tmp_path and capsys.readouterr().err == ""
