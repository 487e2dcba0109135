"""Each dataset's stores are its own: in a store that several share, an erasure neither deletes nor searches what another needs."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from bitface.adapters.dvc_store import DvcStore
from bitface.errors import IntegrityError
from bitface.steps.audits.search import search
from bitface.workspace import Workspace

LEAVER = "s0123456789abcdef"
NAME = f"shards/{LEAVER}.shard"


def people_in(folder: Path, *names: str) -> Path:
    """A dataset folder whose people have the same bytes everywhere, as synthetic ones do."""
    for name in (NAME, *names):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"bytes of {name}")
    return folder


def everything_of(folder: Path) -> dict[str, bytes]:
    objects = folder / "files" / "md5"
    return {str(path.relative_to(objects)): path.read_bytes() for path in objects.rglob("*") if path.is_file()}


def leave(data: Path, store: DvcStore):
    """What an erasure does to a folder and its stores."""
    (data / NAME).unlink()
    (data / "shards" / "somebody-else.shard").write_text("stays")
    store.keep()
    return store.forget([NAME])


def searched(store: DvcStore, root: Path, data: Path, home: Path) -> dict:
    place = Workspace(root=root, home=home, cache=root / "none", data=data, params=root / "params.yaml")
    return search([LEAVER], set(), place, store)


def share_cache(root: Path, shared: Path) -> None:
    """As `dvc cache dir` does."""
    (root / ".dvc").mkdir(parents=True)
    (root / ".dvc" / "config").write_text(f"[core]\n    no_scm = true\n[cache]\n    dir = {shared}\n")


@pytest.mark.parametrize("homes", [("home", "home"), ("home1", "home2")], ids=["one home", "two homes"])
def test_of_two_datasets_under_one_root_one_leaves_the_other_whole(tmp_path: Path, homes) -> None:
    mine, theirs = people_in(tmp_path / "mine"), people_in(tmp_path / "theirs", "shards/other.shard")
    home, other_home = (tmp_path / "homes" / name for name in homes)
    ours, others = DvcStore(mine, tmp_path, home), DvcStore(theirs, tmp_path, other_home)
    ours.pin()
    others.pin()
    done = leave(mine, ours)
    assert done.objects > 0 and {Path(kept.dataset).name for kept in done.kept_for_others} == {"theirs"}
    shutil.rmtree(theirs)
    shutil.rmtree(tmp_path / ".dvc" / "cache")
    assert others.pull() and (theirs / NAME).is_file()


def test_the_very_same_version_stays_while_another_dataset_is_it_and_goes_when_that_one_erases_too(
    tmp_path: Path,
) -> None:
    """Two clones of the project hold equal synthetic people, and share a cache."""
    shared = tmp_path / "shared"
    stores = {}
    for name in ("one", "two"):
        share_cache(tmp_path / name, shared)
        stores[name] = DvcStore(people_in(tmp_path / name / "data"), tmp_path / name, tmp_path / name / "home")
    version = stores["one"].pin()
    assert stores["two"].pin() == version
    before = everything_of(shared)
    first = leave(tmp_path / "one" / "data", stores["one"])
    assert [(kept.store, kept.dataset) for kept in first.kept_for_others] == [
        ("DVC cache", str((tmp_path / "two" / "data").resolve()))
    ]
    assert before.items() <= everything_of(shared).items()
    found = searched(stores["one"], tmp_path / "one", tmp_path / "one" / "data", tmp_path / "one" / "home")
    assert found["found"] == [] and str(shared) in {one["place"] for one in found["searched"]}
    second = leave(tmp_path / "two" / "data", stores["two"])
    assert second.kept_for_others == ()
    assert not [path for path, content in everything_of(shared).items() if LEAVER.encode() in content]


def test_a_version_that_bitface_never_put_into_a_shared_cache_stays(tmp_path: Path) -> None:
    """Another tool's project uses the cache as well and claims nothing."""
    shared = tmp_path / "shared"
    share_cache(tmp_path / "one", shared)
    theirs = people_in(tmp_path / "two" / "data", "shards/other.shard")
    share_cache(tmp_path / "two", shared)
    DvcStore(theirs, tmp_path / "two", tmp_path / "two" / "home").pin()
    shutil.rmtree(shared / "bitface")
    before = everything_of(shared)
    ours = DvcStore(people_in(tmp_path / "one" / "data"), tmp_path / "one", tmp_path / "one" / "home")
    ours.pin()
    done = leave(tmp_path / "one" / "data", ours)
    assert [kept.dataset for kept in done.kept_for_others] == ["an unknown dataset"]
    assert before.items() <= everything_of(shared).items()


def test_what_people_track_beside_the_dataset_in_one_repository_stays(tmp_path: Path) -> None:
    from dvc.repo import Repo

    data = people_in(tmp_path / "data")
    store = DvcStore(data, tmp_path / "elsewhere", tmp_path / "home")
    store.pin()
    people_in(tmp_path / "backup", "shards/more.shard")
    with Repo(str(tmp_path)) as repo:
        repo.add([str(tmp_path / "backup")])
    done = leave(data, store)
    assert [Path(kept.dataset).name for kept in done.kept_for_others] == ["backup"]
    shutil.rmtree(tmp_path / "backup")
    with Repo(str(tmp_path)) as repo:
        repo.checkout([str(tmp_path / "backup.dvc")])
    assert (tmp_path / "backup" / NAME).is_file()


def test_a_dataset_that_moved_is_searched_for_in_the_cache_that_it_left_behind(tmp_path: Path) -> None:
    home = tmp_path / "home"
    before = people_in(tmp_path / "old" / "data")
    DvcStore(before, tmp_path / "project", home).pin()
    data = tmp_path / "new" / "data"
    data.parent.mkdir()
    before.rename(data)
    (tmp_path / "old" / "data.dvc").rename(tmp_path / "new" / "data.dvc")
    store = DvcStore(data, tmp_path / "project", home)
    old = tmp_path / "old" / ".dvc" / "cache"
    assert str(old) in {one["place"] for one in searched(store, tmp_path / "project", data, home)["searched"]}
    done = leave(data, store)
    assert done.kept_for_others == ()
    assert not [
        path for path in (tmp_path / "old").rglob("*") if path.is_file() and LEAVER.encode() in path.read_bytes()
    ]
    assert searched(store, tmp_path / "project", data, home)["found"] == []


def test_a_cache_that_the_dataset_no_longer_uses_is_searched_and_purged_too(tmp_path: Path) -> None:
    """`dvc cache dir` moves the cache, and leaves what lay in the old one."""
    root = tmp_path / "root"
    data, home = people_in(root / "data"), root / "home"
    store = DvcStore(data, root, home)
    store.pin()
    with (root / ".dvc" / "config").open("a") as config:
        config.write(f"[cache]\n    dir = {tmp_path / 'roomy'}\n")
    leave(data, store)
    assert not [content for content in everything_of(root / ".dvc" / "cache").values() if LEAVER.encode() in content]
    assert searched(store, root, data, home)["found"] == []


def test_a_copied_project_owes_nothing_to_the_one_it_was_copied_from(tmp_path: Path) -> None:
    first = tmp_path / "first"
    original = DvcStore(people_in(first / "data"), tmp_path / "project", first / "home")
    original.pin()
    shutil.copytree(first, tmp_path / "copy")
    data, home = tmp_path / "copy" / "data", tmp_path / "copy" / "home"
    store = DvcStore(data, tmp_path / "project", home)
    assert leave(data, store).kept_for_others == ()
    assert searched(store, tmp_path / "project", data, home)["found"] == []
    shutil.rmtree(first / "data")
    assert original.pull() and (first / "data" / NAME).is_file()


def test_a_search_reads_the_stores_of_this_dataset_and_none_of_the_checkout_s_own(tmp_path: Path) -> None:
    """The project has run with its own dataset of the very same people; BITFACE_DATA and BITFACE_HOME then name others."""
    project = tmp_path / "project"
    DvcStore(people_in(project / "data"), project, project / ".bitface").pin()
    before = everything_of(project / ".dvc" / "cache")
    data, home = people_in(tmp_path / "mine" / "data"), tmp_path / "mine" / "home"
    store = DvcStore(data, project, home)
    store.pin()
    leave(data, store)
    found = searched(store, project, data, home)
    assert found["found"] == []
    assert {one["what"]: Path(one["place"]).parent.name for one in found["searched"]}["DVC cache"] == ".dvc"
    assert all(
        Path(one["place"]).is_relative_to(tmp_path / "mine") for one in found["searched"] if one["what"] != "cache"
    )
    assert everything_of(project / ".dvc" / "cache") == before


def test_a_search_finds_an_object_of_this_dataset_that_a_purge_forgot(tmp_path: Path) -> None:
    data, home = people_in(tmp_path / "data"), tmp_path / "home"
    store = DvcStore(data, tmp_path / "project", home)
    store.pin()
    (data / NAME).unlink()
    found = searched(store, tmp_path / "project", data, home)["found"]
    assert len([name for name in found if name.endswith(".dir")]) == 2


def test_a_remote_that_people_set_up_themselves_is_named_as_not_searched(tmp_path: Path) -> None:
    data = people_in(tmp_path / "data")
    store = DvcStore(data, tmp_path / "project", tmp_path / "home")
    store.pin()
    with (tmp_path / ".dvc" / "config").open("a") as config:
        config.write(f"['remote \"backup\"']\n    url = {tmp_path / 'backup'}\n")
    assert searched(store, tmp_path / "project", data, tmp_path / "home")["not_searched"] == ["DVC remote 'backup'"]


def test_an_unreadable_claim_stops_an_erasure_instead_of_counting_for_nothing(tmp_path: Path) -> None:
    store = DvcStore(people_in(tmp_path / "data"), tmp_path / "project", tmp_path / "home")
    store.pin()
    (claimed,) = (tmp_path / "home" / "dvc-remote" / "bitface").iterdir()
    assert LEAVER not in claimed.read_text() and json.loads(claimed.read_text())["versions"] == [store.pinned()]
    claimed.write_text("{")
    with pytest.raises(IntegrityError, match="records which versions a dataset needs"):
        store.forget([NAME])
