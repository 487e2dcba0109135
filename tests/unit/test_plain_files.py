"""Whatever lies where a file of people's texts or pictures is expected, nothing but a plain file is read, and never without end."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest

from bitface.adapters.media_files import read_image
from bitface.adapters.video_files import read_video
from bitface.dataset.incoming.text_files import read_text_file
from bitface.dataset.plain_files import read_plain
from bitface.errors import InputError, NotSupportedError, OverLimitError
from bitface.steps.people.inputs import list_inputs
from bitface.steps.people.sources import read_notices

READERS = [
    pytest.param(read_text_file, id="text"),
    pytest.param(read_image, id="picture"),
    pytest.param(lambda path: read_video(path, 2), id="video"),
    pytest.param(lambda path: read_notices(path.parent), id="notice"),
]


@pytest.fixture
def place(tmp_path: Path) -> Path:
    (tmp_path / "folder").mkdir()
    (tmp_path / "secret").write_text("of this machine")
    return tmp_path / "folder" / "n1.md"


@pytest.mark.parametrize("read", READERS)
@pytest.mark.parametrize("kind", ["link", "fifo", "socket", "device"])
def test_no_link_pipe_or_device_is_read(place: Path, read, kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A pipe that nobody writes would hold the command for ever; a link could lead to any file of this machine."""
    if kind == "link":
        place.symlink_to(place.parent.parent / "secret")
    elif kind == "fifo":
        os.mkfifo(place)
    elif kind == "device":
        place.symlink_to("/dev/zero")
    else:
        monkeypatch.chdir(place.parent)
        with socket.socket(socket.AF_UNIX) as server:
            server.bind(place.name)
    with pytest.raises(InputError, match=place.name):
        read(place)


def test_a_device_itself_is_refused() -> None:
    with pytest.raises(NotSupportedError, match="neither a file nor a folder"):
        read_plain(Path("/dev/zero"), "it", 10)


def test_a_file_over_its_limit_is_not_held_in_memory(place: Path) -> None:
    with place.open("wb") as file:
        file.truncate(1 << 40)
    with pytest.raises(OverLimitError, match="over 1048576"):
        read_notices(place.parent)
    with pytest.raises(OverLimitError):
        read_image(place)


def test_a_file_that_grows_while_it_is_read_ends_at_its_limit() -> None:
    """What the kernel makes up as it is read says that it is empty."""
    with pytest.raises(OverLimitError, match="over 16"):
        read_plain(Path("/proc/self/smaps"), "it", 16)


def test_no_link_is_passed_below_a_folder(tmp_path: Path) -> None:
    """The link may have been put there after the path was looked at: what counts is how the file is reached when it is opened."""
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "a.txt").write_text("of this machine")
    (tmp_path / "source" / "sub").mkdir(parents=True)
    (tmp_path / "source" / "sub" / "a.txt").write_text("brought")
    source = tmp_path / "source"
    assert read_plain(source / "sub" / "a.txt", "it", 100, below=source) == b"brought"
    (source / "sub").rename(source / "before")
    (source / "sub").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(NotSupportedError, match="links are not followed"):
        read_plain(source / "sub" / "a.txt", "it", 100, below=source)
    (source / "notices").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(InputError, match="links are not followed"):
        read_notices(source / "notices")


def test_what_becomes_a_pipe_between_listing_and_reading_holds_up_nothing(tmp_path: Path) -> None:
    (tmp_path / "a.jpg").write_bytes(b"\xff\xd8\xff\xe0" + bytes(100))
    (one,) = list_inputs([tmp_path]).found
    (tmp_path / "a.jpg").unlink()
    os.mkfifo(tmp_path / "a.jpg")
    with pytest.raises(NotSupportedError, match="neither a file nor a folder"):
        read_image(one.place)
