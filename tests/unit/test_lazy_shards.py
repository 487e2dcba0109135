"""A shard is written in the memory of one sample, whatever is in it already, and its bytes do not show how."""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest

from bitface.dataset.shards import LazyMedia, Shard, media_in, read_shard, shard_name, write_shard
from bitface.errors import IntegrityError
from tests.builders import adult

KEY = bytes(64)
PERSON = "r0123456789abcde"
MEGABYTE = 1 << 20


def shard_of(samples: LazyMedia | dict[str, bytes]) -> Shard:
    return Shard(subject=adult(PERSON), samples=samples, facial_actions={"b": b"actions"}, consent_receipts=[])


def made(number: int) -> bytes:
    return bytes([number]) * MEGABYTE


@pytest.fixture
def reads() -> dict[str, Callable[[], bytes]]:
    return {f"{PERSON}-{number:02d}": partial(made, number) for number in range(12)}


def test_samples_that_are_read_when_they_are_written_give_the_same_bytes(tmp_path: Path, reads) -> None:
    for name, samples in (("lazy", LazyMedia(reads)), ("whole", dict(LazyMedia(reads)))):
        write_shard(tmp_path / name, shard_of(samples), KEY)
    lazy, whole = ((tmp_path / name / shard_name(PERSON)).read_bytes() for name in ("lazy", "whole"))
    assert lazy == whole
    assert read_shard(tmp_path / "lazy", PERSON, KEY) == replace(
        read_shard(tmp_path / "whole", PERSON, KEY), samples=dict(LazyMedia(reads))
    )


def test_a_shard_of_many_samples_is_written_and_added_to_in_the_memory_of_a_few(tmp_path: Path, reads) -> None:
    tracemalloc.start()
    write_shard(tmp_path / "first", shard_of(LazyMedia(reads)), KEY)
    there = media_in(tmp_path / "first", PERSON, KEY).reads
    write_shard(tmp_path / "then", shard_of(LazyMedia({**there, "new": partial(made, 99)})), KEY)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 6 * MEGABYTE
    then = read_shard(tmp_path / "then", PERSON, KEY)
    assert len(then.samples) == 13 and then.samples["new"] == made(99)
    assert dict(media_in(tmp_path / "then", PERSON, KEY, "facial_actions")) == {"b": b"actions"}


def test_a_shard_that_cannot_be_written_to_its_end_is_not_there(tmp_path: Path) -> None:
    def lost() -> bytes:
        raise OSError("the disk is gone")

    with pytest.raises(OSError, match="gone"):
        write_shard(tmp_path, replace(shard_of({"a": made(1)}), facial_actions=LazyMedia({"b": lost})), KEY)
    assert list((tmp_path / "shards").iterdir()) == []


def test_what_was_altered_is_told_when_it_is_asked_for(tmp_path: Path) -> None:
    write_shard(tmp_path, shard_of({"a": b"a" * 100}), KEY)
    path = tmp_path / shard_name(PERSON)
    data = bytearray(path.read_bytes())
    with pytest.raises(IntegrityError, match="fails authentication"):
        media_in(tmp_path, PERSON, bytes([1]) * 64)["a"]
    path.write_bytes(data[:50])
    with pytest.raises(IntegrityError, match="is not readable"):
        media_in(tmp_path, PERSON, KEY)
