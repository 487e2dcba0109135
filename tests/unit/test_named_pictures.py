"""JAFFE and KDEF: the name says person and expression, and a name that says neither is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from bitface.errors import InputError
from bitface.steps.formats import jaffe, kdef
from bitface.steps.people.sources import Brought, FolderFiles


def filled(folder: Path, *names: str) -> FolderFiles:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(b"")
    return FolderFiles(folder=folder)


def rows(brought: Brought) -> list[tuple[str, str]]:
    return [(row.values["subject_id"], row.values["label"]) for row in brought.table.rows]


def refused(brought: Brought) -> dict[int, str]:
    return {one.row: one.finding for one in brought.refused}


def test_jaffe_s_first_two_letters_are_the_person_and_the_next_the_expression(tmp_path: Path) -> None:
    names = [f"KA.{code}1.{number}.tiff" for number, code in enumerate(jaffe.EMOTIONS_BY_CODE, start=39)]
    brought = jaffe.table_of_jaffe(filled(tmp_path, *names, "sub/yM.fe3.7.TIF"))
    assert rows(brought) == [*(("jaffe-KA", label) for label in jaffe.EMOTIONS_BY_CODE.values()), ("jaffe-YM", "fear")]
    assert brought.are_people_known and not brought.refused and not brought.findings
    assert {row.values["gender"] for row in brought.table.rows} == {"female"}


@pytest.mark.parametrize(
    ("name", "finding"),
    [
        ("KA.XX1.39.tiff", "unknown_label"),
        ("KA.AN1.tiff", "unknown_name"),
        ("KAT.AN1.39.tiff", "unknown_name"),
        ("happy.png", "unknown_name"),
        ("README", "not_a_picture"),
        (".KA.AN1.39.tiff", "not_a_picture"),
        ("KA.AN1.39.bmp", "not_a_picture"),
    ],
)
def test_a_jaffe_file_of_another_name_is_refused_by_finding(tmp_path: Path, name: str, finding: str) -> None:
    brought = jaffe.table_of_jaffe(filled(tmp_path, name, "zz/KA.AN1.40.tiff"))
    assert [*refused(brought).values()] == [finding] and len(rows(brought)) == 1


def test_kdef_s_sessions_are_one_person_and_the_second_is_said(tmp_path: Path) -> None:
    names = ("AF01/AF01ANS.JPG", "AM01/AM01HAS.JPG", "BF01/BF01AFS.JPG", "BM35/bm35dis.jpg")
    brought = kdef.table_of_kdef(filled(tmp_path, *names))
    assert rows(brought) == [
        ("kdef-F01", "anger"),
        ("kdef-M01", "happiness"),
        ("kdef-F01", "fear"),
        ("kdef-M35", "disgust"),
    ]
    assert [row.values["gender"] for row in brought.table.rows] == ["female", "male", "female", "male"]
    assert [(one.name, one.rows) for one in brought.findings] == [("second_session", (3, 4))]


@pytest.mark.parametrize(
    ("view", "words"), [("HL", "half left"), ("HR", "half right"), ("FL", "full left"), ("FR", "full right")]
)
def test_of_kdef_s_views_the_straight_one_is_taken_and_each_other_is_said(
    tmp_path: Path, view: str, words: str
) -> None:
    brought = kdef.table_of_kdef(filled(tmp_path, f"AF01AN{view}.JPG", "AF01ANS.JPG"))
    assert refused(brought) == {1: "other_view"} and words in brought.refused[0].reason
    assert [row.values["path"] for row in brought.table.rows] == ["AF01ANS.JPG"]


@pytest.mark.parametrize(
    ("name", "finding"),
    [
        ("AF01XXS.JPG", "unknown_label"),
        ("AF01ANV.JPG", "unknown_name"),
        ("CF01ANS.JPG", "unknown_name"),
        ("AF31V.JPG", "unknown_name"),
        ("KDEF.txt", "not_a_picture"),
    ],
)
def test_a_kdef_file_of_another_name_is_refused_by_finding(tmp_path: Path, name: str, finding: str) -> None:
    brought = kdef.table_of_kdef(filled(tmp_path, name, "zz/AF02ANS.JPG"))
    assert [*refused(brought).values()] == [finding]


def test_a_folder_of_another_set_is_refused_with_what_to_name(tmp_path: Path) -> None:
    files = filled(tmp_path, "happy/a.png")
    with pytest.raises(InputError, match=r"1 row; row 1 \(a\.png\): .*KA\.AN1\.39\.tiff"):
        jaffe.table_of_jaffe(files)
    with pytest.raises(InputError, match=r"AF01ANS\.JPG.*docs/datasets\.md"):
        kdef.table_of_kdef(files)
