"""Every file that is named, or lies below what is named, is an input; bytes say what it is, and nothing is followed blindly."""

from __future__ import annotations

import io
import os
import socket
from pathlib import Path

import pytest
from PIL import Image

from bitface.faces.media.file_kinds import HEAD_BYTES, READ, kind_by_name, kind_of
from bitface.steps.people.inputs import Inputs, list_inputs

PICTURE = Image.new("RGB", (8, 8))


def encoded(kind: str) -> bytes:
    file = io.BytesIO()
    PICTURE.save(file, kind)
    return file.getvalue()


JPEG = encoded("JPEG")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "f").mkdir()
    return tmp_path / "f"


def filled(folder: Path, **files: bytes) -> Path:
    for name, data in files.items():
        (folder / name).write_bytes(data)
    return folder


def by_name(inputs: Inputs) -> dict[str, str]:
    """The file's name -> `read`, or its status, with ! where it is a loss."""
    return {
        one.path.name: "read" if one.trouble is None else one.trouble.status + "!" * one.trouble.is_loss
        for one in inputs.found
    }


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", "ICO", "JPEG2000", "AVIF", "PPM"])
def test_the_first_bytes_of_a_picture_tell_its_kind(kind: str) -> None:
    found = kind_of(encoded(kind)[:HEAD_BYTES])
    assert found is not None and found.medium == "picture"
    assert found.name == {"PPM": "Netpbm", "JPEG2000": "JPEG 2000"}.get(kind, kind)


@pytest.mark.parametrize(
    ("head", "medium"),
    [
        (b"\0\0\0\x18ftypheic\0\0\0\0mif1heic", "picture"),
        (b"\0\0\0\x18ftypcrx \0\0\0\1", "picture"),
        (b"\0\0\0\x20ftypisom\0\0\2\0", "video"),
        (b"\0\0\0\x14ftypqt  \0\0\0\0", "video"),
        (b"\x1a\x45\xdf\xa3\x01\0\0\0", "video"),
        (b"RIFF\0\0\1\0AVI LIST", "video"),
        (b"RIFF\0\0\1\0WAVEfmt ", None),
        (b"BMW is a maker of cars, and this is a text", None),
        (b"MM, good", None),
        (b"%PDF-1.7", None),
        (b"PK\3\4", None),
        (b"path,face\n", None),
        (b"", None),
    ],
)
def test_what_is_neither_picture_nor_video_is_not_taken_for_one(head: bytes, medium: str | None) -> None:
    found = kind_of(head)
    assert (None if found is None else found.medium) == medium


def test_an_ending_is_a_claim_in_either_case() -> None:
    assert kind_by_name(".HEIC").medium == kind_by_name(".heic").medium == "picture"
    assert kind_by_name(".MOV").medium == "video"
    assert {
        kind_by_name(ending).name for ending in (".jpg", ".jpeg", ".JFIF", ".png", ".webp", ".tif", ".tiff")
    } == set(READ)
    assert kind_by_name(".txt") is kind_by_name("") is None


def test_a_folder_is_searched_to_its_end_by_name(folder: Path) -> None:
    (folder / "sub" / "deeper").mkdir(parents=True)
    filled(folder, **{"b.jpg": JPEG, "a.png": encoded("PNG")})
    filled(folder / "sub" / "deeper", **{"c.webp": encoded("WEBP")})
    found = list_inputs([folder])
    assert [str(one.path.relative_to(folder)) for one in found.found] == ["a.png", "b.jpg", "sub/deeper/c.webp"]
    assert all(one.trouble is None for one in found.found)


def test_hidden_and_system_files_are_counted_and_cost_nothing(folder: Path) -> None:
    """`._a.jpg` is what macOS leaves on foreign disks: a fork of a.jpg that is no picture."""
    hidden = {"._a.jpg": b"\0\5\x16\7\0\2\0\0Mac OS X        ", ".DS_Store": b"\0\0\0\1Bud1", "Thumbs.db": b"\xd0\xcf"}
    filled(folder, **hidden, **{"a.jpg": JPEG, "desktop.ini": b"[.ShellClassInfo]"})
    for name in (".git", "__MACOSX", "@eaDir"):
        (folder / name).mkdir()
        filled(folder / name, **{"x.jpg": JPEG})
    found = list_inputs([folder])
    assert by_name(found) == {"a.jpg": "read"}
    assert found.left_out == 7


def test_a_hidden_file_that_is_named_is_read(folder: Path) -> None:
    filled(folder, **{".a.jpg": JPEG})
    assert by_name(list_inputs([folder / ".a.jpg"])) == {".a.jpg": "read"}


def test_what_is_no_readable_picture_is_listed_with_the_reason(folder: Path) -> None:
    filled(
        folder,
        **{
            "heic-in-name-only.HEIC": JPEG,
            "gif-named.jpg": encoded("GIF"),
            "scan.tif": encoded("TIFF"),
            "scan.bmp": encoded("BMP"),
            "real.heic": b"\0\0\0\x18ftypheic\0\0\0\0mif1heic",
            "unknown.heic": b"\1\2\3\4",
            "clip.mp4": b"\0\0\0\x20ftypisom\0\0\2\0",
            "no-ending": JPEG,
            "empty.jpg": b"",
            "empty.mov": b"",
            "text.png": b"this is text",
            "notes.txt": b"this is text",
            "report.pdf": b"%PDF-1.7",
            "empty": b"",
        },
    )
    found = list_inputs([folder])
    assert by_name(found) == {
        "heic-in-name-only.HEIC": "read",
        "gif-named.jpg": "not_supported!",
        "scan.tif": "read",
        "scan.bmp": "not_supported!",
        "real.heic": "not_supported!",
        "unknown.heic": "not_supported!",
        "clip.mp4": "not_supported!",
        "no-ending": "read",
        "empty.jpg": "unreadable!",
        "empty.mov": "unreadable!",
        "text.png": "unreadable!",
        "notes.txt": "not_supported",
        "report.pdf": "not_supported",
        "empty": "not_supported",
    }
    why = {one.path.name: one.trouble.reason for one in found.found if one.trouble}
    assert why["gif-named.jpg"] == "is in the format GIF; export it as JPEG, PNG, WEBP or TIFF"
    assert "video" in why["clip.mp4"] and "save its frames" in why["clip.mp4"]
    assert "HEIC" in why["real.heic"] and "HEIC" in why["unknown.heic"]


def test_links_within_a_folder_are_listed_and_lead_nowhere(folder: Path, tmp_path: Path) -> None:
    elsewhere = filled(tmp_path, **{"private.jpg": JPEG}) / "private.jpg"
    filled(folder, **{"a.jpg": JPEG})
    links = {"link.jpg": elsewhere, "dangling.png": tmp_path / "gone", "loop": folder, "self.jpg": folder / "self.jpg"}
    for name, target in {**links, "notes.txt": tmp_path / "gone"}.items():
        (folder / name).symlink_to(target)
    assert by_name(list_inputs([folder])) == {
        "a.jpg": "read",
        **dict.fromkeys(links, "not_supported!"),
        "notes.txt": "not_supported",
    }


def test_links_that_are_named_are_followed(folder: Path, tmp_path: Path) -> None:
    filled(folder, **{"a.jpg": JPEG})
    (tmp_path / "to-folder").symlink_to(folder)
    (tmp_path / "to-file").symlink_to(folder / "a.jpg")
    (tmp_path / "dangling.jpg").symlink_to(tmp_path / "gone.jpg")
    (tmp_path / "self.jpg").symlink_to(tmp_path / "self.jpg")
    names = ("to-folder", "to-file", "dangling.jpg", "self.jpg")
    found = list_inputs([tmp_path / name for name in names])
    statuses = {"a.jpg": "read", "to-file": "read", "dangling.jpg": "unreadable!", "self.jpg": "unreadable!"}
    assert by_name(found) == statuses
    assert "is a broken link" in found.found[2].trouble.reason


def test_what_is_no_file_is_never_opened(folder: Path) -> None:
    """Who opens a pipe waits for ever for somebody who writes."""
    os.mkfifo(folder / "pipe.jpg")
    with socket.socket(socket.AF_UNIX) as ear:
        ear.bind(str(folder / "ear"))
        assert by_name(list_inputs([folder])) == {"ear": "not_supported", "pipe.jpg": "not_supported"}
    assert by_name(list_inputs([folder / "pipe.jpg", Path("/dev/null")])) == {
        "pipe.jpg": "not_supported!",
        "null": "not_supported!",
    }


def test_a_path_that_is_not_there_or_holds_nothing_is_an_input_and_a_loss(folder: Path, tmp_path: Path) -> None:
    filled(folder, **{"a.jpg": JPEG})
    (tmp_path / "hollow" / "deeper").mkdir(parents=True)
    filled(tmp_path / "hollow", **{".hidden.jpg": JPEG})
    named = [tmp_path / "gone.jpg", folder, tmp_path / "hollow", folder / "a.jpg" / "x.jpg", tmp_path / ("x" * 300)]
    found = list_inputs(named)
    assert [one.trouble is None for one in found.found] == [False, True, False, False, False]
    assert all(one.trouble.status == "unreadable" and one.trouble.is_loss for one in found.found if one.trouble)
    assert found.left_out == 1
    assert "name one that exists" in found.found[0].trouble.reason


def test_a_named_file_is_a_loss_whatever_it_is(folder: Path) -> None:
    filled(folder, **{"notes.txt": b"text"})
    assert by_name(list_inputs([folder / "notes.txt"])) == {"notes.txt": "not_supported!"}


def test_what_may_not_be_opened_is_listed_and_the_rest_is_read(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Files and folders of somebody else's; told by a fake, since the superuser may open everything."""
    (folder / "closed").mkdir()
    filled(folder, **{"a.jpg": JPEG, "b.jpg": JPEG, "notes.txt": b"text"})
    open_, scandir = os.open, os.scandir

    def open_or_refuse(path: str | Path, *args: object, **more: object):
        if Path(path).name in ("b.jpg", "notes.txt"):
            raise PermissionError(13, "Permission denied", str(path))
        return open_(path, *args, **more)

    def scan_or_refuse(path: object):
        if Path(str(path)).name == "closed":
            raise PermissionError(13, "Permission denied", str(path))
        return scandir(path)

    monkeypatch.setattr(os, "open", open_or_refuse)
    monkeypatch.setattr(os, "scandir", scan_or_refuse)
    found = list_inputs([folder])
    expected = {"a.jpg": "read", "b.jpg": "unreadable!", "notes.txt": "unreadable", "closed": "unreadable!"}
    assert by_name(found) == expected
    assert "Permission denied" in found.found[1].trouble.reason


@pytest.mark.parametrize(
    "name", ["two\nlines.jpg", "😀.jpg", "-rf.jpg", " .jpg", "a;b'c\".jpg", os.fsdecode(b"\xff.jpg")]
)
def test_odd_names_are_names(folder: Path, name: str) -> None:
    filled(folder, **{name: JPEG})
    assert by_name(list_inputs([folder])) == {name: "read"}
