"""FER2013 and FERPlus as they are published: every row is taken or refused under a name, and none is repaired."""

from __future__ import annotations

import gzip
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from bitface.dataset.incoming import packed_tables
from bitface.dataset.incoming.oddities import SAYS
from bitface.dataset.incoming.votes import COLUMNS, EMOTION_COLUMNS, votes_of
from bitface.errors import InputError
from bitface.steps.formats.fer2013_table import table_of_pixels
from bitface.steps.people.sources import Brought, FolderFiles

SIDE = 16


def pixels(seed: int, side: int = SIDE) -> str:
    return " ".join(map(str, np.random.default_rng(seed).integers(0, 256, side * side)))


def written(folder: Path, lines: Sequence[str], header: str = "emotion,pixels,Usage", name: str = "fer.csv") -> Path:
    text = "\n".join([header, *lines]) + "\n"
    path = folder / name
    path.write_bytes(gzip.compress(text.encode()) if name.endswith(".gz") else text.encode())
    return path


def read(path: Path, votes: Path | None = None, ignored: tuple[str, ...] = ()) -> Brought:
    return table_of_pixels(FolderFiles(folder=path.parent, table=path, votes=votes, ignored_columns=ignored))


def rows(brought: Brought) -> list[tuple[int, str, str]]:
    return [(row.number, row.values["label"], row.values["split"]) for row in brought.table.rows]


def findings(brought: Brought) -> dict[str, int]:
    return {one.name: one.count for one in brought.findings}


GOOD = [f"0,{pixels(1)},Training", f"6,{pixels(2)},PublicTest", f"3,{pixels(3)},PrivateTest"]
TAKEN = [(1, "anger", "train"), (2, "neutral", "validation"), (3, "happiness", "test")]


@pytest.mark.parametrize("name", ["fer.csv", "fer.csv.gz"])
def test_a_table_plain_or_packed_gives_labels_parts_and_pixels(tmp_path: Path, name: str) -> None:
    brought = read(written(tmp_path, GOOD, name=name))
    assert rows(brought) == TAKEN and not brought.refused and not brought.are_people_known
    assert brought.read is not None and brought.find is not None
    frame = brought.read(brought.find(brought.table.rows[1].values["path"]), "row 2")
    assert frame.shape == (SIDE, SIDE, 3) and (frame[..., 0] == frame[..., 2]).all()
    assert " ".join(map(str, frame[..., 0].ravel())) == pixels(2)


def test_headers_are_read_in_the_spellings_and_orders_that_copies_have(tmp_path: Path) -> None:
    lines = [",".join([line.split(",")[0], line.split(",")[2], line.split(",")[1]]) for line in GOOD]
    assert rows(read(written(tmp_path, lines, "emotion, Usage, pixels"))) == TAKEN


def test_the_same_pixels_are_the_same_person_in_every_file_and_copies_in_one_file_are_two(tmp_path: Path) -> None:
    first = read(written(tmp_path, [*GOOD, GOOD[0]]))
    again = read(written(tmp_path, [GOOD[2], GOOD[0]]))
    ids = [row.values["subject_id"] for row in first.table.rows]
    assert [row.values["subject_id"] for row in again.table.rows] == [ids[2], ids[0]]
    assert len(set(ids)) == 4


@pytest.mark.parametrize(
    ("line", "name"),
    [
        (f"7,{pixels(4)},Training", "unknown_label"),
        (f"-1,{pixels(4)},Training", "unknown_label"),
        (f"happy,{pixels(4)},Training", "unknown_label"),
        (f"0,{pixels(4)},Holdout", "unknown_part"),
        (f"0,{pixels(4)} 3,Training", "damaged_pixels"),
        (f"0,{pixels(4, side=8)},Training", "damaged_pixels"),
        (f"0,{pixels(4)[:-4]} 256,Training", "damaged_pixels"),
        (f"0,{pixels(4)[:-4]} x,Training", "damaged_pixels"),
        ("0,,Training", "damaged_pixels"),
        (f"0,{' '.join(['0'] * SIDE**2)},Training", "blank_picture"),
        (f"0,{' '.join(['255'] * SIDE**2)},Training", "blank_picture"),
        ("0", "damaged_row"),
        (f"0,{pixels(4)},Training,more", "damaged_row"),
    ],
)
def test_a_faulty_row_is_refused_by_name_with_its_line_and_the_others_stay(
    tmp_path: Path, line: str, name: str
) -> None:
    brought = read(written(tmp_path, [GOOD[0], line, *GOOD[1:]]))
    assert [number for number, *_ in rows(brought)] == [1, 3, 4]
    assert [(one.row, one.line, one.finding, one.reason) for one in brought.refused] == [(2, 3, name, SAYS[name])]


def test_rows_of_no_part_are_taken_and_said(tmp_path: Path) -> None:
    brought = read(written(tmp_path, [f"0,{pixels(1)},", f"1,{pixels(2)},Training"]))
    assert rows(brought) == [(1, "anger", ""), (2, "disgust", "train")] and findings(brought)["no_part"] == 1
    assert findings(read(written(tmp_path, [f"0,{pixels(1)}"], "emotion,pixels")))["no_part"] == 1


def test_pictures_without_an_age_may_show_children_and_the_report_says_so(tmp_path: Path) -> None:
    assert findings(read(written(tmp_path, GOOD))) == {"children_among_them": 3}
    aged = [f"0,{pixels(1)},Training,34", f"0,{pixels(2)},Training,"]
    assert findings(read(written(tmp_path, aged, "emotion,pixels,Usage,age"))) == {"children_among_them": 1}


def test_an_age_is_read_and_a_column_that_nobody_reads_is_refused(tmp_path: Path) -> None:
    header = "emotion,pixels,Usage,age"
    aged = read(written(tmp_path, [f"{GOOD[0]},12"], header))
    assert aged.table.rows[0].values["age"] == "12"
    path = written(tmp_path, [f"{GOOD[0]},12"], "emotion,pixels,Usage,years")
    with pytest.raises(InputError, match=r"unknown column 'years'.*--ignore-column 'years'"):
        read(path)
    assert len(rows(read(path, ignored=("years",)))) == 1


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "no column 'emotion'"),
        (b"emotion,Usage\n0,Training\n", "no column 'pixels'"),
        (b"emotion,pixels,Usage\n", "has a header but no rows"),
        (b"emotion,pixels,pixels\n", "column 'pixels' occurs twice"),
        (b"emotion,pixels,Usage\n0,\xff,Training\n", "a byte after line [01] is not UTF-8"),
        (b'emotion,pixels,Usage\n0,"1 2,Training\n', "quotes do not match"),
        (gzip.compress(b"emotion,pixels,Usage\n" * 90, mtime=0)[:-9], "not a whole gzip file"),
        (b"\x1f\x8b" + b"\0" * 99, "not a whole gzip file"),
    ],
)
def test_a_table_that_is_none_is_refused_in_one_line(tmp_path: Path, content: bytes, words: str) -> None:
    path = tmp_path / "fer.csv"
    path.write_bytes(content)
    with pytest.raises(InputError, match=words):
        read(path)


def test_a_bomb_is_refused_before_it_is_unpacked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(packed_tables, "UNPACKED_BYTES", 1 << 20)
    path = tmp_path / "fer.csv.gz"
    path.write_bytes(gzip.compress(b"emotion,pixels,Usage\n" + (b"0," + b"0 " * 500 + b",Training\n") * (1 << 11)))
    with pytest.raises(InputError, match="over 1 MiB unpacked"):
        read(path)
    monkeypatch.setattr(packed_tables, "LINE_CHARACTERS", 1 << 10)
    path.write_bytes(gzip.compress(b"emotion,pixels,Usage\n0," + b"0 " * (1 << 18)))
    with pytest.raises(InputError, match="line 2 has over 1,024 characters"):
        read(path)


def test_a_link_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "link.csv").symlink_to(written(tmp_path, GOOD))
    with pytest.raises(InputError, match="links are not followed"):
        read(tmp_path / "link.csv")


def voted(usage: str = "Training", name: str = "fer0.png", **counts: int) -> str:
    return ",".join([usage, name, *(str(counts.get(column, 0)) for column in COLUMNS[2:])])


HEADER = "Usage,Image name,neutral,happiness,surprise,sadness,anger,disgust,fear,contempt,unknown,NF"


def test_votes_give_labels_and_each_oddity_has_a_name(tmp_path: Path) -> None:
    odd = [
        (voted(happiness=8, neutral=2), "happiness", ""),
        (voted(nf=6, neutral=4), "", "not_a_face"),
        (voted(unknown=7, anger=3), "", "unknown_majority"),
        (voted(anger=5, fear=5), "", "tied_votes"),
        (voted(name="", anger=10), "", "unnamed_by_votes"),
        (voted(name="", nf=10), "", "not_a_face"),
        (voted(anger=9), "anger", ""),
        (voted(anger=4, fear=3, sadness=3), "anger", ""),
        (voted(contempt=10), "contempt", ""),
    ]
    table = written(tmp_path, [f"0,{pixels(seed)},Training" for seed in range(len(odd))])
    brought = read(table, written(tmp_path, [line for line, *_ in odd], HEADER, "votes.csv"))
    labels = {number: label for number, label, _ in rows(brought)}
    assert labels == {number: label for number, (_, label, _) in enumerate(odd, start=1) if label}
    assert {one.row: one.finding for one in brought.refused} == {
        number: name for number, (*_, name) in enumerate(odd, start=1) if name
    }
    assert findings(brought) == {
        "label_by_votes": 4,
        "other_vote_count": 1,
        "no_majority": 1,
        "other_label_by_votes": 2,
        "children_among_them": 4,
    }
    agreed = next(one for one in brought.findings if one.name == "label_by_votes")
    assert agreed.detail == "anger 0.70 of 2, contempt 1.00 of 1, happiness 0.80 of 1"


def test_votes_of_other_rows_are_refused(tmp_path: Path) -> None:
    table = written(tmp_path, GOOD)
    short = written(tmp_path, [voted(anger=10)], HEADER, "short.csv")
    with pytest.raises(InputError, match=r"short.csv has 1 row and fer.csv has 3"):
        read(table, short)
    moved = written(tmp_path, [voted("PublicTest", anger=10)] * 3, HEADER, "moved.csv")
    with pytest.raises(InputError, match=r"moved.csv row 1 is of part 'PublicTest' and the picture's is 'Training'"):
        read(table, moved)
    words = written(tmp_path, [voted(anger=10).replace("10", "ten")], HEADER, "words.csv")
    with pytest.raises(InputError, match=r"words.csv line 2: its votes are not whole numbers"):
        read(table, words)


def test_nobody_s_votes_are_a_tie() -> None:
    said = votes_of(dict.fromkeys((*EMOTION_COLUMNS, "unknown", "nf"), 0), {"image name": "a"})
    assert (said.label, said.finding, said.remarks) == ("", "tied_votes", ("other_vote_count",))
