"""The key of what an interrupted import leaves: wrapped by the master key of home, and gone as soon as it is in the way."""

from __future__ import annotations

from pathlib import Path

import pytest

from bitface.dataset.interrupted_import import ImportSpool, discard_interrupted
from bitface.dataset.keyring.wrapped_keys import DEMO_KEY
from bitface.dataset.keys import KeyStore
from bitface.dataset.spool import KeptSpool, Spool
from bitface.errors import IntegrityError, RefusedError


def interrupted(home: Path, keys: KeyStore) -> Path:
    """Where the pictures lie that an import leaves at Ctrl-C."""
    try:
        with ImportSpool(home, keys) as spool:
            assert isinstance(spool, KeptSpool)
            spool.put(b"a face", bytes(32), b"a note")
            raise KeyboardInterrupt
    except KeyboardInterrupt:
        return home / "importing" / "pictures"


def found(home: Path, keys: KeyStore) -> list[str]:
    """What the next import hears."""
    heard: list[str] = []
    with ImportSpool(home, keys, heard.append):
        return heard


@pytest.fixture
def keys(tmp_path: Path) -> KeyStore:
    return KeyStore(tmp_path / "keys")


def test_the_next_import_hears_how_much_there_is(tmp_path: Path, keys: KeyStore) -> None:
    place = interrupted(tmp_path, keys)
    assert found(tmp_path, keys) == ["going on from an interrupted import; samples packed so far: 1"]
    assert not place.exists() and keys.import_begun() is None


def test_without_its_key_or_under_another_nothing_is_read(tmp_path: Path, keys: KeyStore) -> None:
    """A copy of the pictures is worth nothing once the key is destroyed."""
    place = interrupted(tmp_path, keys)
    copy = place.read_bytes()
    discard_interrupted(tmp_path, keys)
    interrupted(tmp_path, keys)
    place.write_bytes(copy)
    assert found(tmp_path, keys) == []
    interrupted(tmp_path, keys)
    (tmp_path / "keys" / "master.key").write_bytes(bytes(32))
    with pytest.raises(IntegrityError, match="the key of an import cannot be decrypted"):
        found(tmp_path, keys)


def test_a_rotation_of_the_master_key_destroys_it(tmp_path: Path, keys: KeyStore) -> None:
    interrupted(tmp_path, keys)
    keys.rotate()
    assert keys.import_begun() is None
    assert found(tmp_path, keys) == []


def test_the_published_key_keeps_no_picture(tmp_path: Path) -> None:
    with pytest.raises(RefusedError, match="published demo key"):
        interrupted(tmp_path, KeyStore(tmp_path / "keys", lambda: (DEMO_KEY,)))
    assert not (tmp_path / "importing").exists()


def test_a_second_import_at_the_same_time_leaves_the_first_alone(tmp_path: Path, keys: KeyStore) -> None:
    place = interrupted(tmp_path, keys)
    with ImportSpool(tmp_path, keys) as first:
        with ImportSpool(tmp_path, keys) as second:
            assert type(second) is Spool and not second.kept
            assert second.put(b"another face")() == b"another face"
        assert place.exists() and keys.import_begun() is not None
        assert len(first.kept) == 1
    assert not place.exists() and keys.import_begun() is None
