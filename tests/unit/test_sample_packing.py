"""Samples are packed the same by any number of processes, in the order of their rows; a picture that was packed before is read alone."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from bitface.adapters.media_files import encode_frames, read_image
from bitface.dataset.incoming.import_rows import ImportRow
from bitface.dataset.spool import KeptSpool, Spool
from bitface.errors import InputError, RefusedError, WorkerEndedError
from bitface.steps.people.reading import sample_packing
from bitface.steps.people.reading.sample_packing import Answer, Frame, Packing, answers
from tests.builders import read_manifest, write_noise

KEY = bytes(64)


@pytest.fixture
def samples(tmp_path: Path) -> list[list[ImportRow]]:
    """Stills, a clip, one of two sizes, one that is too large, and files that are none."""
    names = [f"{number}.png" for number in range(70)]
    for number, name in enumerate(names):
        write_noise(tmp_path / name, number)
    Image.new("RGB", (9, 8)).save(tmp_path / names[5])
    (tmp_path / names[7]).write_bytes(b"\xff\xd8\xff\xe0 no picture")
    (tmp_path / names[8]).write_text("version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 5\n")
    Image.new("1", (6000, 6000)).save(tmp_path / names[9])
    rows = [f"{name},p{number // 10},fear" for number, name in enumerate(names)]
    (tmp_path / "manifest.csv").write_text("\n".join(["path,subject_id,label", *rows]) + "\n")
    usable, _ = read_manifest(tmp_path / "manifest.csv", tmp_path)
    return [[usable[0], usable[1]], [usable[4], usable[5]], [usable[6], usable[7]], *([row] for row in usable[8:])]


def framed(rows: Sequence[ImportRow]) -> list[Frame]:
    return [Frame(row=row.row, path=row.path, label=row.label) for row in rows]


def tools(folder: Path, **changes: object) -> Packing:
    return replace(Packing(read=partial(read_image, below=folder), encode=encode_frames), **changes)


def all_of(samples: list[list[ImportRow]], folder: Path, workers: int) -> list[Answer]:
    return [answer for _, answer in answers(samples, framed, tools(folder), workers)]


@pytest.mark.tools
def test_processes_change_neither_an_answer_nor_their_order(samples, tmp_path, monkeypatch) -> None:
    alone = all_of(samples, tmp_path, 1)
    monkeypatch.setattr(sample_packing, "_FRAMES_WORTH_PROCESSES", 33)
    monkeypatch.setattr(sample_packing, "_JOB_FRAMES", 5)
    asked = []
    monkeypatch.setattr(sample_packing, "worker_processes", lambda *said: asked.append(said[0]) or real(*said))
    assert all_of(samples, tmp_path, 2) == alone
    assert asked == [2]
    assert [answer.readable for answer in alone[:5]] == [(1, 2), (), (7,), (), ()]
    reasons = [(one.row, one.finding) for answer in alone for one in answer.unread]
    assert reasons == [(5, ""), (6, ""), (8, "unreadable_picture"), (9, "lfs_pointer"), (10, "unreadable_picture")]


real = sample_packing.worker_processes


def test_one_process_or_little_to_read_starts_none(samples, tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(sample_packing, "worker_processes", None)
    assert all_of(samples, tmp_path, 2)
    monkeypatch.setattr(sample_packing, "_FRAMES_WORTH_PROCESSES", 1)
    assert all_of(samples, tmp_path, 1)


def test_a_few_large_files_are_worth_processes_too(tmp_path, samples) -> None:
    assert not sample_packing.is_large(row for rows in samples for row in rows)
    with samples[0][0].path.open("ab") as file:
        file.truncate(sample_packing._BYTES_WORTH_PROCESSES)
    assert sample_packing.is_large(samples[0])


def test_what_was_packed_before_is_not_packed_again(tmp_path: Path) -> None:
    """By its pixels, also in another file; with another encoder it is."""
    write_noise(tmp_path / "a.png", 1)
    Image.open(tmp_path / "a.png").save(tmp_path / "b.tiff", compression=None)
    first = tools(tmp_path).answer([Frame(row=1, path=tmp_path / "a.png", label="fear")])
    again = [Frame(row=1, path=tmp_path / "b.tiff", label="fear")]
    assert tools(tmp_path, known=frozenset({first.content})).answer(again) == replace(first, packed=None)
    other = tools(tmp_path, known=frozenset({first.content}), encode=partial(flipped, encode_frames))
    assert other.answer(again).packed is not None
    assert tools(tmp_path).answer([*again, *again]).content != first.content


def flipped(encode, frames, *, lossless: bool) -> bytes:
    return encode([frame[::-1] for frame in frames], lossless=lossless)


def interrupted(place: Path, doing: Callable[[KeptSpool], Any], key: bytes = KEY) -> Any:
    """What an import finds or does with a spool before Ctrl-C."""
    try:
        with KeptSpool(place, key) as spool:
            found = doing(spool)
            raise KeyboardInterrupt
    except KeyboardInterrupt:
        return found


def all_in(spool: KeptSpool) -> dict[bytes, tuple[bytes, bytes]]:
    return {content: (note, read()) for content, (note, read) in spool.kept.items()}


def three(spool: KeptSpool) -> None:
    reads = [spool.put(b"picture %d" % one * one, bytes([one]) * 32, b"note %d" % one) for one in (1, 2, 3)]
    assert [read() for read in reads] == [b"picture 1", b"picture 2" * 2, b"picture 3" * 3]


@pytest.fixture
def left(tmp_path: Path) -> Path:
    """What an interrupted import left: three pictures."""
    place = tmp_path / "importing" / "pictures"
    interrupted(place, three)
    return place


def test_an_interrupted_spool_is_there_for_the_next(left: Path) -> None:
    expected = {bytes([one]) * 32: (b"note %d" % one, b"picture %d" % one * one) for one in (1, 2, 3)}
    assert interrupted(left, all_in) == expected
    assert b"picture" not in left.read_bytes() and b"note" not in left.read_bytes()
    interrupted(left, lambda spool: spool.put(b"more", bytes([4]) * 32, b"note 4"))
    assert interrupted(left, all_in) == {**expected, bytes([4]) * 32: (b"note 4", b"more")}


@pytest.mark.parametrize("error", [None, InputError("x"), RefusedError("x"), OSError("x"), ZeroDivisionError("x")])
def test_an_import_that_comes_to_an_answer_leaves_nothing(left: Path, error: Exception | None) -> None:
    if error is None:
        with KeptSpool(left, KEY):
            pass
    else:
        with pytest.raises(type(error)), KeptSpool(left, KEY):
            raise error
    assert not left.exists()


def test_a_lost_process_is_an_interruption(left: Path) -> None:
    with pytest.raises(WorkerEndedError), KeptSpool(left, KEY):
        raise WorkerEndedError("x")
    assert len(interrupted(left, all_in)) == 3


def test_a_cut_or_altered_spool_is_read_up_to_there(left: Path) -> None:
    """At every byte: no picture that was not put comes out, none is moved to the place of another, and nothing is raised."""
    whole, expected = left.read_bytes(), interrupted(left, all_in)
    for at in range(0, len(whole), 7):
        left.write_bytes(whole[:at])
        assert interrupted(left, all_in).items() <= expected.items()
        left.write_bytes(whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :])
        found = interrupted(left, all_in)
        assert found.items() < expected.items()
    left.write_bytes(whole)
    assert interrupted(left, all_in, bytes([1]) * 64) == {}


def test_one_import_at_a_time_has_it_and_no_link_leads_elsewhere(left: Path, tmp_path: Path) -> None:
    def another(_: object) -> None:
        with pytest.raises(BlockingIOError):
            KeptSpool(left, KEY).__enter__()

    interrupted(left, another)
    left.rename(tmp_path / "elsewhere")
    left.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(OSError, match="symbolic link"):
        KeptSpool(left, KEY).__enter__()
    assert Spool.kept == {}
