"""A place of the dataset that DVC or a change of the folder cannot work with is said before anything is written or lost."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from bitface.dataset.index import read_index
from tests.builders import begin_source, consent, write_consents, write_noise, write_rows

Run = Callable[..., tuple[int, Any, str]]
Bitface = Callable[..., Any]


@pytest.fixture
def source(tmp_path: Path) -> Path:
    folder = tmp_path / "source"
    begin_source(folder)
    bring(folder, 1)
    return folder


def bring(folder: Path, seed: int) -> None:
    """One picture of p1 to import."""
    write_noise(folder / f"a{seed}.png", seed)
    write_rows(folder, [f"a{seed}.png,p1,fear"])
    write_consents(folder, [consent("p1")])


def import_of(folder: Path) -> tuple[object, ...]:
    return "data", "import", folder, "--format", "folder"


@pytest.mark.parametrize(
    ("places", "name"),
    [
        ({"BITFACE_HOME": "both", "BITFACE_DATA": "both"}, "BITFACE_HOME"),
        ({"BITFACE_HOME": "data/home", "BITFACE_DATA": "data"}, "BITFACE_HOME"),
        ({"BITFACE_HOME": "link/home", "BITFACE_DATA": "data"}, "BITFACE_HOME"),
        ({"BITFACE_CACHE": "data/cache", "BITFACE_DATA": "data"}, "BITFACE_CACHE"),
    ],
)
def test_no_key_lies_in_the_folder_that_an_import_replaces(
    bitface: Bitface, source: Path, tmp_path: Path, places: dict[str, str], name: str
) -> None:
    """An import ended with 0, and every key and the ledger were gone with the folder's former contents."""
    (tmp_path / "data").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "data")
    done = bitface(tmp_path, *map(str, import_of(source)), **{key: str(tmp_path / one) for key, one in places.items()})
    assert done.returncode == 2 and f"{name} '" in done.stderr, done.stderr
    assert "lies in the dataset folder" in done.stderr and not any((tmp_path / "data").iterdir())


@pytest.mark.parametrize(
    ("leads_to", "says"),
    [("elsewhere", "is a link, and DVC keeps versions of none"), ("data", "is a link that leads nowhere")],
    ids=["a folder", "itself"],
)
def test_a_dataset_folder_that_is_a_link_is_refused_before_anything_is_written(
    run: Run, source: Path, project: Path, leads_to: str, says: str
) -> None:
    (project / "elsewhere").mkdir(parents=True)
    (project / "data").symlink_to(project / leads_to)
    code, done, error = run(*import_of(source))
    assert (code, done) == (2, None) and says in error
    assert not any((project / "elsewhere").iterdir()) and (project / "data").is_symlink()


PIN = "outs:\n- md5: 0123456789abcdef0123456789abcdef.dir\n  path: {path}\n  hash: md5\n"
PINS: dict[str, tuple[bytes, str]] = {
    "both sides of a merge": (b"<<<<<<< HEAD\nouts: []\n=======\nouts: []\n>>>>>>> theirs\n", "both sides of a merge"),
    "empty": (b"", "does not pin one version of the folder 'data'"),
    "another folder": (PIN.format(path="other").encode(), "does not pin one version of the folder 'data'"),
    "no version": (b"outs:\n- path: data\n  md5: 12\n", "does not pin one version of the folder 'data'"),
    "no list": (b"outs: 3\n", "does not pin one version of the folder 'data'"),
    "no text": (b"\x00\xff\xfe", "byte 0xff is not UTF-8"),
    "no YAML": (b"\touts: 1\n", "line 1, column 1"),
}


@pytest.mark.parametrize("kind", PINS)
def test_a_pin_file_that_cannot_be_read_is_named_and_nothing_is_written(
    run: Run, source: Path, project: Path, kind: str
) -> None:
    """Git merges it and people edit it; the next import goes on once it is restored."""
    assert run(*import_of(source))[0] == 0
    pin = project / "data.dvc"
    good, (text, says) = pin.read_bytes(), PINS[kind]
    pin.write_bytes(text)
    bring(source, 2)
    for words in (("data", "status"), import_of(source)):
        code, done, error = run(*words)
        assert (code, done) == (2, None) and says in error and "data.dvc" in error, error
    assert len(read_index(project / "data")) == 1
    pin.write_bytes(good)
    assert run(*import_of(source))[0] == 0 and len(read_index(project / "data")) == 2


def test_a_pin_file_that_is_a_folder_is_no_file(run: Run, source: Path, project: Path) -> None:
    (project / "data.dvc").mkdir(parents=True)
    code, _, error = run(*import_of(source))
    assert code == 2 and "data.dvc' is not a file, or a link to none; move it away" in error
    assert not (project / "data").exists()


@pytest.mark.parametrize(("name", "text"), [(".dvc/config", "[[[x"), (".dvcignore", "data\n")])
def test_what_dvc_refuses_is_one_line_and_the_next_import_goes_on(
    run: Run, source: Path, project: Path, name: str, text: str
) -> None:
    (project / name).parent.mkdir(parents=True, exist_ok=True)
    (project / name).write_text(text)
    code, _, error = run(*import_of(source))
    assert code == 2 and "DVC does not version '" in error, error
    (project / name).write_text("")
    code, done, error = run(*import_of(source))
    assert code == 0 and (project / "data.dvc").is_file(), error
    assert len(read_index(project / "data")) == done["samples"] == 1


def test_a_file_that_is_put_into_the_folder_during_an_import_is_not_deleted(
    run: Run, source: Path, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import bitface.steps.people.writing as writing

    assert run(*import_of(source))[0] == 0
    real = writing.write_manifest

    def write_beside(folder: Path) -> str:
        (project / "data" / "mine.txt").write_text("notes")
        return real(folder)

    monkeypatch.setattr(writing, "write_manifest", write_beside)
    bring(source, 2)
    code, _, error = run(*import_of(source))
    assert code == 2 and "files that do not belong to a dataset (1, first 'mine.txt')" in error
    monkeypatch.setattr(writing, "write_manifest", real)
    (project / "data" / "mine.txt").rename(project / "mine.txt")
    assert run(*import_of(source))[0] == 0 and len(read_index(project / "data")) == 2
