"""DVC versions the dataset folder by its content, and a retrain never moves the pin."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from bitface.adapters.dvc_store import DvcStore
from bitface.errors import InputError


@pytest.fixture
def store(tmp_path: Path) -> DvcStore:
    (tmp_path / "data" / "shards").mkdir(parents=True)
    (tmp_path / "data" / "index.csv").write_text("a")
    (tmp_path / "data" / "shards" / "x").write_text("b")
    return DvcStore(tmp_path / "data", tmp_path / "elsewhere", tmp_path / "home")


def test_a_pinned_version_comes_back_after_the_folder_and_cache_are_gone(store: DvcStore, tmp_path: Path) -> None:
    version = store.pin()
    assert version == store.pinned() == store.version()
    shutil.rmtree(tmp_path / "data")
    shutil.rmtree(tmp_path / ".dvc" / "cache")
    assert store.pull()
    assert (tmp_path / "data" / "shards" / "x").read_text() == "b"
    assert store.version() == version


def test_keeping_a_version_leaves_the_pin_alone(store: DvcStore, tmp_path: Path) -> None:
    pinned = store.pin()
    (tmp_path / "data" / "index.csv").write_text("changed")
    assert store.keep() == store.version() != pinned
    assert store.pinned() == pinned
    kept = [path.read_bytes() for path in (tmp_path / "home" / "dvc-remote").rglob("*") if path.is_file()]
    assert {b"changed", b"a", b"b"} <= set(kept)


def test_a_pinned_version_is_restorable_exactly_while_the_cache_holds_all_of_it(
    store: DvcStore, tmp_path: Path
) -> None:
    assert not store.restorable()
    store.pin()
    assert store.restorable()
    cache = next(tmp_path.rglob(".dvc/cache"))
    listed = [path for path in cache.rglob("*") if path.is_file() and path.suffix != ".dir"]
    listed[0].unlink()
    assert not store.restorable()


def test_equal_content_has_one_version(store: DvcStore, tmp_path: Path) -> None:
    shutil.copytree(tmp_path / "data", tmp_path / "other" / "data")
    assert DvcStore(tmp_path / "other" / "data", tmp_path / "p", tmp_path / "home2").version() == store.version()


def test_a_pull_says_no_where_the_remote_has_nothing(store: DvcStore, tmp_path: Path) -> None:
    store.pin()
    for folder in (tmp_path / "data", tmp_path / ".dvc" / "cache", tmp_path / "home" / "dvc-remote"):
        shutil.rmtree(folder)
    assert not store.pull()


def test_nothing_pinned_is_nothing_to_pull(store: DvcStore) -> None:
    with pytest.raises(InputError, match="nothing to pull"):
        store.pull()


def test_a_rotten_remote_is_not_served(store: DvcStore, tmp_path: Path) -> None:
    """verify = true: bytes that are not their digest are refused instead of checked out."""
    store.pin()
    for path in (tmp_path / "home" / "dvc-remote").rglob("*"):
        if path.is_file() and path.read_bytes() == b"b":
            path.chmod(0o644)
            path.write_bytes(b"c")
    shutil.rmtree(tmp_path / "data")
    shutil.rmtree(tmp_path / ".dvc" / "cache")
    assert not store.pull() or (tmp_path / "data" / "shards" / "x").read_text() == "b"


def test_versions_that_hold_a_file_are_deleted_and_the_present_one_stays_whole(store: DvcStore, tmp_path: Path) -> None:
    folder = tmp_path / "data"
    store.pin()
    (folder / "shards" / "x").write_text("b2")
    store.keep()
    (folder / "shards" / "x").unlink()
    (folder / "shards" / "y").write_text("c")
    present = store.pin()
    stores = (tmp_path / ".dvc" / "cache", tmp_path / "home" / "dvc-remote")
    contents = {path.read_bytes() for root in stores for path in root.rglob("*") if path.is_file()}
    assert {b"b", b"b2", b"a", b"c"} <= contents
    # In cache and in remote: two listings and two contents; index.csv is shared with the present version.
    assert store.forget(["shards/x"]).objects == 8
    left = [path for root in stores for path in root.rglob("*") if path.is_file()]
    assert not [path for path in left if path.read_bytes() in (b"b", b"b2") or b"shards/x" in path.read_bytes()]
    shutil.rmtree(folder)
    shutil.rmtree(tmp_path / ".dvc" / "cache")
    assert store.pull() and store.version() == present
    assert store.forget(["shards/x"]).objects == 0


def test_a_project_from_an_archive_without_git_is_pinned(tmp_path: Path) -> None:
    """The checked-in DVC settings say nothing of that, and DVC refuses to open them outside git."""
    (tmp_path / ".dvc").mkdir()
    (tmp_path / ".dvc" / "config").write_text("[core]\n    remote = local\n")
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "index.csv").write_text("a")
    store = DvcStore(tmp_path / "data", tmp_path, tmp_path / "home")
    assert store.pin() == store.pinned() == store.version()
