"""One writer at a time, whole or not at all: whatever fails in between, the dataset is the old one or the new one."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from bitface.consent.known_sources import SYNTHETIC_LICENCE, packaged_notice, synthetic_consents
from bitface.dataset import swap
from bitface.dataset.index import read_index
from bitface.dataset.keys import KeyStore
from bitface.dataset.locks import BusyError, exclusive
from bitface.dataset.manifest import verify_manifest
from bitface.dataset.shards import Shard, write_shard
from bitface.dataset.swap import check_replaceable, put_in_place, read_unchanged, version_of
from bitface.errors import InputError, IntegrityError
from bitface.faces.records import Sample, SubjectRecord
from bitface.ledger.engine import sqlite_url
from bitface.ledger.ledger import Ledger
from bitface.steps.people.contents import sample_of, write_lists
from bitface.steps.people.synthesis import synthesise
from bitface.steps.people.writing import Change, Stores, writing


class Store:
    """Pins by a file; the disk may be full for it."""

    def __init__(self, data: Path) -> None:
        self.data, self.path = data, data.with_name("pin")

    def pinned(self) -> str | None:
        return self.path.read_text() if self.path.is_file() else None

    def version(self) -> str:
        return version_of(self.data)

    def pin(self) -> str:
        self.path.write_text(self.version())
        return self.version()

    keep = version


@pytest.fixture
def stores(tmp_path: Path) -> Iterator[Stores]:
    with Ledger(sqlite_url(tmp_path / "home" / "ledger.db")) as ledger:
        yield Stores(
            data=tmp_path / "data",
            home=tmp_path / "home",
            keys=KeyStore(tmp_path / "home" / "keys"),
            ledger=ledger,
            store=Store(tmp_path / "data"),
        )


def of(stores: Stores, *subjects: str, label: str = "fear") -> Change:
    """A dataset of these subjects, with a picture each and their consents."""
    enrolments = [stores.keys.foreseen(subject) for subject in subjects]
    samples: list[Sample] = []

    def fill(folder: Path) -> None:
        for one in enrolments:
            record = SubjectRecord(
                person=one.pseudonym, age_band="18_29", gender="other", skin_tone=None, ancestry="unknown",
                self_reported=True, evidence="real",
            )  # fmt: skip
            name = f"{one.pseudonym}-1"
            shard = Shard(subject=record, samples={name: b"x"}, facial_actions={}, consent_receipts=[])
            write_shard(folder, shard, one.key or stores.keys.key_of(one.pseudonym))
            samples.append(sample_of(name, one.pseudonym, "a" * 64, label, 1, 0.0))
        write_lists(folder, samples, [SYNTHETIC_LICENCE])

    (model,) = synthetic_consents(["s" * 16])
    events = [
        model.model_copy(
            update={"subject": one.pseudonym, "event_id": f"e-{subject}-{one.pseudonym}", "record_id": subject}
        )
        for subject, one in zip(subjects, enrolments, strict=True)
    ]
    return Change(
        fill=fill, versioning="pin", enrolments=enrolments, notices=[packaged_notice("synthetic-1")], events=events
    )


def change(stores: Stores, *subjects: str, label: str = "fear") -> None:
    with writing(stores, "test", 0) as writer:
        writer.change(of(stores, *subjects, label=label))


def seen(stores: Stores) -> tuple[int, int, int, bool, list[str]]:
    """People in the dataset, with a key, with consents; whether the version is pinned; what lies about."""
    verify_manifest(stores.data)
    people = {sample.person for sample in read_index(stores.data)}
    assert all(stores.keys.key_of(person) for person in people)
    consenting = {one.subject for one in stores.ledger.consents()}
    here = {path.name for path in stores.data.parent.iterdir()} - {"data", "home", "pin"}
    lies = sorted(here | {path.name for path in (stores.home / "unfinished").iterdir()})
    return len(people), stores.keys.people(), len(consenting), stores.store.pinned() == stores.store.version(), lies


class Full:
    """A disk that fails at its n-th write, and at every one after it until it is mended."""

    def __init__(self, patch: pytest.MonkeyPatch, number: int, code: int) -> None:
        self.left, self.code, self.is_mended = number, code, False
        for name in ("fsync", "mkdir", "rename", "link"):
            patch.setattr(os, name, self.failing(getattr(os, name)))

    def failing(self, call: Callable[..., object]) -> Callable[..., object]:
        def fails(*words: object, **named: object) -> object:
            self.left -= 1
            if self.left < 0 and not self.is_mended:
                raise OSError(self.code, os.strerror(self.code))
            return call(*words, **named)

        return fails


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EIO])
def test_a_disk_that_fails_at_any_write_leaves_the_old_dataset_or_the_new_one(stores, code: int) -> None:
    """One line each time, and the next command goes on from there; the last round has no failure left."""
    change(stores, "a")
    for number in range(0, 100, 1 if code == errno.ENOSPC else 3):
        before = seen(stores)
        with pytest.MonkeyPatch.context() as patch:
            disk = Full(patch, number, code)
            try:
                change(stores, "a", f"b{number}", label="anger")
                failed = ""
            except InputError as error:
                failed = str(error)
            disk.is_mended = True
        if not failed:
            break
        assert "\n" not in failed and os.strerror(code) in failed, failed
        verify_manifest(stores.data)
        with writing(stores, "test", 0):
            pass
        after = seen(stores)
        assert after[3:] == (True, []) and after[1] == after[2]
        if after[0] == 1:
            assert after == before
        else:
            # The failure came after the point of no return: everything is there.
            assert after[:3] == (2, before[1] + 1, before[2] + 1)
            change(stores, "a")
    assert number > 12 and disk.left >= 0


def test_an_event_that_contradicts_the_record_takes_back_all_that_was_prepared(stores) -> None:
    change(stores, "a")
    before = seen(stores)
    (event,) = of(stores, "a").events
    wrong = of(stores, "a", "b")
    contradicting = [event.model_copy(update={"storage": "elsewhere"})]
    doubtful = Change(fill=wrong.fill, versioning="pin", enrolments=wrong.enrolments, events=contradicting)
    with writing(stores, "test", 0) as writer, pytest.raises(IntegrityError, match="different content"):
        writer.change(doubtful)
    assert seen(stores) == before and stores.keys.pseudonym_of("b") is None


def test_a_second_writer_waits_or_says_who_writes_and_since_when(tmp_path: Path) -> None:
    told: list[str] = []
    with exclusive(tmp_path / "data", "bitface data import", 0):
        says = rf"bitface data import \(process {os.getpid()} on .*\) since 20"
        with pytest.raises(BusyError, match=says), exclusive(tmp_path / "data", "other", 0):
            pass
        with exclusive(tmp_path / "elsewhere", "other", 0):
            pass
    order: list[str] = []

    def second() -> None:
        with exclusive(tmp_path / "data", "second", 30, told.append):
            order.append("second")

    with exclusive(tmp_path / "data", "first", 0):
        other = threading.Thread(target=second)
        other.start()
        while not told:
            threading.Event().wait(0.01)
        order.append("first")
    other.join()
    assert order == ["first", "second"] and "written by first" in told[0]
    assert list(tmp_path.iterdir()) == []


def test_a_writer_that_is_killed_keeps_nobody_out(tmp_path: Path) -> None:
    words = (
        "import sys\nfrom pathlib import Path\nfrom bitface.dataset.locks import exclusive\n"
        "with exclusive(Path(sys.argv[1]), 'x', 0):\n    print('has it', flush=True)\n    input()"
    )
    command = [sys.executable, "-c", words, str(tmp_path / "data")]
    child = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert child.stdout.readline() == "has it\n"
    with pytest.raises(BusyError), exclusive(tmp_path / "data", "y", 0):
        pass
    child.kill()
    child.wait()
    for stream in (child.stdin, child.stdout):
        stream.close()
    with exclusive(tmp_path / "data", "y", 0):
        assert [path.name for path in tmp_path.iterdir()] == [".data.lock"]


def test_two_installations_that_share_a_dataset_lose_nobody(stores, tmp_path: Path) -> None:
    """What the first had prepared from a state that the second has changed is given up, not put over it."""
    change(stores, "a")
    with Ledger(sqlite_url(tmp_path / "other" / "ledger.db")) as ledger:
        home = tmp_path / "other"
        other = Stores(
            data=stores.data, home=home, keys=KeyStore(home / "keys"), ledger=ledger, store=Store(stores.data)
        )
        with writing(stores, "test", 0) as writer, pytest.MonkeyPatch.context() as patch:
            patch.setattr("bitface.steps.people.writing.put_in_place", _killed)
            with pytest.raises(SystemExit):
                writer.change(of(stores, "a", "b"))
        change(other, "c", "d", "e")
        with writing(stores, "test", 0):
            pass
        assert len(read_index(stores.data)) == 3 and not list(tmp_path.glob(".data*"))
        assert not list((stores.home / "unfinished").iterdir())


def _killed(*_: object) -> None:
    raise SystemExit(1)


@pytest.mark.parametrize("exchanges", [True, False])
def test_a_folder_takes_the_place_of_another_also_where_the_system_cannot_exchange_them(
    tmp_path: Path, exchanges: bool, monkeypatch
) -> None:
    if not exchanges:
        monkeypatch.setattr(swap, "_exchanged", lambda *_: False)
    for name in ("new", "data"):
        (tmp_path / name).mkdir()
        (tmp_path / name / name).touch()
    put_in_place(tmp_path / "new", tmp_path / "data")
    assert [path.name for path in (tmp_path / "data").iterdir()] == ["new"]
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["data"]


@pytest.mark.parametrize("renames", [1, 2])
def test_without_an_exchange_a_kill_between_the_renames_is_mended(stores, renames: int, monkeypatch) -> None:
    change(stores, "a")
    monkeypatch.setattr(swap, "_exchanged", lambda *_: False)
    done = []
    rename = Path.rename

    def dies(path: Path, to: Path) -> Path:
        if len(done) == renames:
            raise SystemExit(1)
        done.append(path)
        return rename(path, to)

    with monkeypatch.context() as patch, writing(stores, "test", 0) as writer:
        patch.setattr(Path, "rename", dies)
        with pytest.raises(SystemExit):
            writer.change(of(stores, "a", "b"))
    with writing(stores, "test", 0):
        pass
    assert seen(stores) == (2, 2, 2, True, [])


def test_files_that_are_not_of_a_dataset_are_never_replaced(tmp_path: Path, stores) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "holiday.jpg").write_bytes(b"x")
    with pytest.raises(InputError, match=r"do not belong to a dataset .*holiday.jpg"):
        change(stores, "a")
    assert (tmp_path / "data" / "holiday.jpg").read_bytes() == b"x" and stores.keys.people() == 0
    (tmp_path / "file").write_text("mine")
    with pytest.raises(InputError, match="not a dataset folder"):
        check_replaceable(tmp_path / "file")


def test_a_rendering_does_not_replace_real_people(stores) -> None:
    change(stores, "a", "b")
    before = seen(stores)
    with writing(stores, "test", 0) as writer, pytest.raises(InputError, match="2 real people"):
        synthesise(writer, None, "pin")  # type: ignore[arg-type]  # nothing is rendered
    assert seen(stores) == before


def test_a_reader_sees_one_state_of_a_dataset_that_is_changed_meanwhile(stores) -> None:
    change(stores, "a")
    reads: list[int] = []

    def read() -> int:
        reads.append(len(read_index(stores.data)))
        if len(reads) == 1:
            change(stores, "a", "b")
            raise IntegrityError("a shard of the state before")
        return len(read_index(stores.data))

    assert read_unchanged(stores.data, read) == 2 and reads == [1, 2]
    with pytest.raises(IntegrityError, match="altered"):
        read_unchanged(stores.data, _altered)


def _altered() -> None:
    raise IntegrityError("altered")
