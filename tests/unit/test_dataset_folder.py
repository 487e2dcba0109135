"""The dataset folder keeps people apart, unreadable without their key, and notices every changed byte."""

from __future__ import annotations

import contextlib
import stat
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime
from pathlib import Path
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bitface.dataset.decryptions import DecryptionLog, decryptions_of, problems_of, read_head
from bitface.dataset.files import write_atomically
from bitface.dataset.index import read_index, write_index
from bitface.dataset.keyring.wrapped_keys import DEMO_KEY
from bitface.dataset.keys import KeyStore
from bitface.dataset.manifest import verify_manifest, write_manifest
from bitface.dataset.master_key import given_master_keys
from bitface.dataset.shards import Shard, read_shard, seal, shard_name, unseal, write_shard
from bitface.errors import InputError, IntegrityError, RefusedError
from bitface.faces.records import Sample, SubjectRecord
from bitface.ledger.engine import sqlite_url
from bitface.ledger.ledger import Ledger
from bitface.steps.audits.diagnose import Finding, diagnose
from bitface.workspace import open_workspace
from tests import builders

SYNTHETIC = "s0123456789abcde"


def subject() -> SubjectRecord:
    return builders.adult(SYNTHETIC, self_reported=False, evidence="synthetic")


def sample(sample_id: str = "a-1", person: str = SYNTHETIC, **changes: object) -> Sample:
    return builders.sample(sample_id, person, **{"source": "synthetic", "sha256": "0" * 64, **changes})


def shard(media: bytes = b"pixels") -> Shard:
    return Shard(subject=subject(), samples={"a-1": media}, facial_actions={"a-1": b"npy"}, consent_receipts=[{"x": 1}])


def test_a_shard_gives_back_what_was_put_in(tmp_path: Path) -> None:
    key = KeyStore(tmp_path / "keys").key_of(SYNTHETIC)
    write_shard(tmp_path, shard(), key)
    assert read_shard(tmp_path, SYNTHETIC, key) == shard()


def test_a_shard_of_unchanged_content_keeps_its_bytes(tmp_path: Path) -> None:
    """Otherwise every dataset version would change for everybody."""
    key = KeyStore(tmp_path / "keys").key_of(SYNTHETIC)
    write_shard(tmp_path / "one", shard(), key)
    write_shard(tmp_path / "two", shard(), key)
    assert (tmp_path / "one" / shard_name(SYNTHETIC)).read_bytes() == (
        tmp_path / "two" / shard_name(SYNTHETIC)
    ).read_bytes()


def test_a_shard_shows_nothing_of_the_person_in_the_clear(tmp_path: Path) -> None:
    write_shard(tmp_path, shard(b"a face, in plain bytes"), KeyStore(tmp_path / "keys").key_of(SYNTHETIC))
    stored = (tmp_path / shard_name(SYNTHETIC)).read_bytes()
    assert b"a face" not in stored
    assert b"female" not in stored


@pytest.mark.parametrize("position", range(0, 900, 97))
def test_a_flipped_byte_in_a_shard_is_never_read_as_data(tmp_path: Path, position: int) -> None:
    key = KeyStore(tmp_path / "keys").key_of(SYNTHETIC)
    write_shard(tmp_path, shard(), key)
    path = tmp_path / shard_name(SYNTHETIC)
    data = bytearray(path.read_bytes())
    data[position % len(data)] ^= 1
    path.write_bytes(bytes(data))
    try:
        found = read_shard(tmp_path, SYNTHETIC, key)
    except IntegrityError:
        return
    assert found == shard()


@given(st.binary(max_size=200))
def test_an_entry_does_not_open_under_another_name_or_person(plain: bytes) -> None:
    """Swapping two people's entries, or two samples of one person, is refused."""
    key = bytes(range(64))
    sealed = seal(plain, key, SYNTHETIC, "samples/a")
    assert unseal(sealed, key, SYNTHETIC, "samples/a") == plain
    for person, name in ((SYNTHETIC, "samples/b"), ("s" + "f" * 15, "samples/a")):
        with pytest.raises(IntegrityError):
            unseal(sealed, key, person, name)


def test_a_real_person_keeps_one_pseudonym_and_key(tmp_path: Path) -> None:
    keys = KeyStore(tmp_path / "keys")
    pseudonym = keys.enrol("Alice_01")
    again = KeyStore(tmp_path / "keys")
    assert again.enrol("Alice_01") == pseudonym == again.pseudonym_of("Alice_01") == again.pseudonym_of(pseudonym)
    assert again.key_of(pseudonym) == keys.key_of(pseudonym)
    assert keys.enrol("Bob") != pseudonym


def test_keys_and_the_map_of_ids_are_unreadable_to_others_and_hold_no_id(tmp_path: Path) -> None:
    keys = KeyStore(tmp_path / "keys")
    keys.enrol("Alice_01")
    files = [path for path in (tmp_path / "keys").rglob("*") if path.is_file()]
    assert stat.S_IMODE((tmp_path / "keys").stat().st_mode) == 0o700
    assert all(stat.S_IMODE(path.stat().st_mode) == 0o600 for path in files)
    assert not any(b"Alice" in path.read_bytes() or "Alice" in path.name for path in files)


def test_a_person_without_a_key_is_refused_and_a_lost_master_key_is_not_replaced(tmp_path: Path) -> None:
    keys = KeyStore(tmp_path / "keys")
    with pytest.raises(RefusedError, match="no key for person"):
        keys.key_of("r" + "0" * 15)
    pseudonym = keys.enrol("Alice")
    (tmp_path / "keys" / "master.key").unlink()
    with pytest.raises(IntegrityError, match="master key is missing"):
        keys.key_of(pseudonym)


def test_the_index_is_a_round_trip_in_one_order(tmp_path: Path) -> None:
    samples = (sample("b-2", kind="clip", frames=6, fps=12.5), sample("a-1"))
    write_index(tmp_path, samples)
    assert read_index(tmp_path) == tuple(sorted(samples, key=lambda row: row.sample_id))


def test_an_index_with_another_column_is_refused(tmp_path: Path) -> None:
    write_index(tmp_path, [sample()])
    text = (tmp_path / "index.csv").read_text()
    (tmp_path / "index.csv").write_text(text.replace("sample_id", "Sample_ID", 1))
    with pytest.raises(InputError, match="columns are"):
        read_index(tmp_path)


@pytest.mark.parametrize("damage", ["flip", "truncate", "remove", "add"])
def test_the_manifest_finds_every_kind_of_damage(tmp_path: Path, damage: str) -> None:
    (tmp_path / "shards").mkdir()
    target = tmp_path / "shards" / "x.shard"
    target.write_bytes(b"0123456789")
    digest = write_manifest(tmp_path)
    assert verify_manifest(tmp_path) == digest
    {
        "flip": lambda: target.write_bytes(b"0123456788"),
        "truncate": lambda: target.write_bytes(b"012345678"),
        "remove": target.unlink,
        "add": lambda: (tmp_path / "extra").write_bytes(b""),
    }[damage]()
    with pytest.raises(IntegrityError):
        verify_manifest(tmp_path)


def test_a_write_that_fails_leaves_the_old_file_and_no_part(tmp_path: Path) -> None:
    path = tmp_path / "file"
    write_atomically(path, b"old")
    with pytest.raises(TypeError):
        write_atomically(path, "text")  # type: ignore[arg-type]
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def opens(keys: KeyStore, people: dict[str, bytes]) -> bool:
    return all(keys.key_of(person) == key for person, key in people.items())


@pytest.fixture
def enrolled(tmp_path: Path) -> tuple[Path, dict[str, bytes]]:
    """A key store's folder with five people, a day and a run's evidence, and the keys of the people."""
    keys = KeyStore(tmp_path / "keys")
    people = {keys.enrol(f"id-{number}"): b"" for number in range(5)}
    keys.key_of_day(date(2026, 6, 1))
    keys.key_for_evidence("run1")
    return tmp_path / "keys", {person: keys.key_of(person) for person in people}


def test_a_rotation_changes_the_master_key_and_nothing_that_it_protects(enrolled) -> None:
    folder, people = enrolled
    before, day = (folder / "master.key").read_bytes(), KeyStore(folder).key_of_day(date(2026, 6, 1))
    evidence = KeyStore(folder).key_of_evidence("run1")
    assert KeyStore(folder).rotate() == 7
    assert (folder / "master.key").read_bytes() != before and not (folder / "master.next").exists()
    keys = KeyStore(folder)
    assert opens(keys, people) and keys.key_of_day(date(2026, 6, 1)) == day and keys.key_of_evidence("run1") == evidence
    assert keys.pseudonym_of("id-3") in people and keys.enrol("id-3") == keys.pseudonym_of("id-3")
    assert keys.destroy(keys.enrol("id-4"), "e1") and keys.erasure_of("id-4") == "e1"
    assert KeyStore(folder).rotate() == 6 and KeyStore(folder).erasure_of("id-4") == "e1"
    (folder / "master.key").write_bytes(before)
    with pytest.raises(IntegrityError, match="cannot be decrypted"):
        KeyStore(folder).key_of(next(iter(people)))


@pytest.mark.parametrize("at", range(10))
def test_a_rotation_killed_anywhere_leaves_every_key_open_and_goes_on(enrolled, at, monkeypatch) -> None:
    folder, people = enrolled
    calls, evidence = [], KeyStore(folder).key_of_evidence("run1")

    def write(path: Path, *words: object) -> None:
        calls.append(path)
        if len(calls) > at:
            raise KeyboardInterrupt
        write_atomically(path, *words)

    with monkeypatch.context() as patch:
        patch.setattr("bitface.dataset.keys.write_atomically", write)
        with contextlib.suppress(KeyboardInterrupt):
            KeyStore(folder).rotate()
    assert opens(KeyStore(folder), people) and KeyStore(folder).pseudonym_of("id-2") in people
    assert KeyStore(folder).key_of_evidence("run1") == evidence
    KeyStore(folder).rotate()
    assert KeyStore(folder).key_of_evidence("run1") == evidence
    assert opens(KeyStore(folder), people) and KeyStore(folder).pseudonym_of("id-2") in people


def test_a_master_key_that_is_kept_elsewhere_is_never_written_down(tmp_path) -> None:
    one, other = bytes(range(32)), bytes(range(1, 33))
    keys = KeyStore(tmp_path / "keys", lambda: (one,))
    person = keys.enrol("id-1")
    key = keys.key_of(person)
    with pytest.raises(InputError, match="BITFACE_MASTER_KEY_NEXT"):
        keys.rotate()
    assert KeyStore(tmp_path / "keys", lambda: (one, other)).rotate() == 1
    after = KeyStore(tmp_path / "keys", lambda: (other,))
    assert after.key_of(person) == key and after.pseudonym_of("id-1") == person
    with pytest.raises(IntegrityError):
        KeyStore(tmp_path / "keys", lambda: (one,)).key_of(person)
    written = [path.read_bytes() for path in (tmp_path / "keys").rglob("*") if path.is_file()]
    assert not [content for content in written if one in content or other in content or one.hex().encode() in content]


def test_the_published_demo_key_protects_no_real_person(tmp_path) -> None:
    """Enrolling is refused, and the doctor tells it."""
    place = open_workspace({"BITFACE_HOME": str(tmp_path / "home")}, tmp_path)

    def fails() -> tuple[bytes, ...]:
        raise InputError("the command failed")

    def said(given: Callable[[], tuple[bytes, ...]] = tuple) -> Finding:
        keys = KeyStore(place.keys, given)
        with Ledger(sqlite_url(tmp_path / "ledger.db")) as ledger:
            return next(row for row in diagnose(place, SimpleNamespace(), keys, ledger) if row.what == "keys")  # type: ignore[arg-type]

    assert said().found.startswith("none needed")
    with pytest.raises(RefusedError, match="published demo key"):
        KeyStore(place.keys, lambda: (DEMO_KEY,)).enrol("id-1")
    assert said(lambda: (DEMO_KEY,)).state == "fail" and "BITFACE_MASTER_KEY_NEXT" in said(lambda: (DEMO_KEY,)).remedy
    assert said(lambda: (bytes(32),)).found == "master key kept outside bitface, 0 people's keys in home"
    assert said(fails).state == "fail"
    KeyStore(place.keys).enrol("id-1")
    assert said().found == "master key and 1 person's keys, owner only"
    place.keys.chmod(0o755)
    assert said().state == "fail" and "chmod 700" in said().remedy


def test_a_given_master_key_has_64_digits_or_is_refused_unseen(monkeypatch) -> None:
    good = "ab" * 32
    assert given_master_keys({}) == ()
    assert given_master_keys({"BITFACE_MASTER_KEY": good}) == (bytes.fromhex(good),)
    assert given_master_keys({"BITFACE_MASTER_KEY_COMMAND": f"echo {good}"}) == (bytes.fromhex(good),)
    assert len(given_master_keys({"BITFACE_MASTER_KEY": good, "BITFACE_MASTER_KEY_NEXT": "cd" * 32})) == 2
    for bad in (
        {"BITFACE_MASTER_KEY": "secret"},
        {"BITFACE_MASTER_KEY_COMMAND": "false"},
        {"BITFACE_MASTER_KEY_COMMAND": "no-such"},
    ):
        with pytest.raises(InputError) as refused:
            given_master_keys(bad)
        assert "secret" not in str(refused.value)


def opening_log(folder: Path) -> DecryptionLog:
    moment = datetime(2026, 6, 1, tzinfo=UTC)
    return DecryptionLog(folder / "log.jsonl", folder / "head", "ada", "bitface retrain", lambda: moment)


def test_every_opening_of_a_real_person_s_key_is_noted_once_a_process(tmp_path) -> None:
    log = opening_log(tmp_path)
    keys = KeyStore(tmp_path / "keys", on_open=log.opened)
    anna, ben = keys.enrol("anna"), keys.enrol("ben")
    for person in (anna, anna, ben, SYNTHETIC):
        keys.key_of(person)
    (entry,) = decryptions_of(tmp_path / "log.jsonl", anna)
    assert (entry["who"], entry["purpose"], entry["at"]) == ("ada", "bitface retrain", "2026-06-01T00:00:00+00:00")
    assert (
        len((tmp_path / "log.jsonl").read_text().splitlines()) == 2
        and "anna" not in (tmp_path / "log.jsonl").read_text()
    )


@pytest.fixture
def five_openings(tmp_path) -> tuple[KeyStore, Path]:
    """A log of five openings, after two lines of a version that authenticated nothing."""
    path = tmp_path / "log.jsonl"
    path.write_text("".join(f'{{"at": "then", "who": "ada", "person": "r{number:015d}"}}\n' for number in range(2)))
    keys = KeyStore(tmp_path / "keys", on_open=opening_log(tmp_path).opened)
    for number in range(5):
        keys.key_of(keys.enrol(f"id-{number}"))
    return keys, path


def damaged_logs(lines: list[str]) -> dict[str, list[str]]:
    """What somebody may do to a log, by what it is; the first two lines are old ones."""
    return {
        "an edited line": [*lines[:4], lines[4].replace("ada", "eve"), *lines[5:]],
        "an edited old line": [lines[0].replace("ada", "eve"), *lines[1:]],
        "a line less": [*lines[:4], *lines[5:]],
        "an old line less": lines[1:],
        "two lines swapped": [*lines[:3], lines[4], lines[3], *lines[5:]],
        "a line twice": [*lines[:4], lines[3], *lines[4:]],
        "an unauthenticated line more": [*lines, lines[0]],
        "a mac less": [*lines[:6], lines[6].replace('"mac"', '"max"')],
        "the end cut": lines[:-1],
        "all cut": [],
        "no JSON": [*lines[:5], "{", *lines[6:]],
    }


def test_a_line_of_the_log_of_openings_that_is_edited_or_missing_is_found(five_openings, tmp_path) -> None:
    keys, path = five_openings
    head = read_head(tmp_path / "head")
    assert head is not None and head.size == 5 and problems_of(path, keys.access_key(), head) == []
    assert stat.S_IMODE(path.stat().st_mode) == stat.S_IMODE((tmp_path / "head").stat().st_mode) == 0o600
    whole = path.read_text().splitlines()
    for what, lines in damaged_logs(whole).items():
        path.write_text("".join(f"{line}\n" for line in lines))
        assert problems_of(path, keys.access_key(), head), what
    path.write_text("".join(f"{line}\n" for line in whole))
    assert problems_of(path, KeyStore(tmp_path / "others").access_key(), head), "another installation's key"


def test_a_log_of_openings_that_was_deleted_does_not_begin_anew(five_openings, tmp_path) -> None:
    keys, path = five_openings
    path.unlink()
    KeyStore(tmp_path / "keys", on_open=opening_log(tmp_path).opened).key_of(keys.enrol("id-0"))
    assert read_head(tmp_path / "head").size == 6
    assert problems_of(path, keys.access_key(), read_head(tmp_path / "head"))


def test_openings_by_several_processes_at_once_are_one_chain(tmp_path) -> None:
    people = [KeyStore(tmp_path / "keys").enrol(f"id-{number}") for number in range(8)]

    def open_all(_: int) -> None:
        keys = KeyStore(tmp_path / "keys", on_open=opening_log(tmp_path).opened)
        for person in people:
            keys.key_of(person)

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(open_all, range(4)))
    head = read_head(tmp_path / "head")
    assert head.size == 32 and problems_of(tmp_path / "log.jsonl", KeyStore(tmp_path / "keys").access_key(), head) == []


def test_a_master_key_that_another_process_makes_meanwhile_is_taken(tmp_path, monkeypatch) -> None:
    """Between this process's look for the key and its look for what is wrapped by it, the other one makes both."""
    folder = tmp_path / "keys"
    is_file, looks = Path.is_file, []

    def first_look_is_early(path: Path) -> bool:
        if path.name == "master.key" and not looks:
            looks.append(path)
            there = is_file(path)
            KeyStore(folder).enrol("id-1")
            return there
        return is_file(path)

    monkeypatch.setattr(Path, "is_file", first_look_is_early)
    late = KeyStore(folder).enrol("id-2")
    monkeypatch.undo()
    assert looks and KeyStore(folder).key_of(late)
    assert KeyStore(folder).pseudonym_of("id-1") is not None
