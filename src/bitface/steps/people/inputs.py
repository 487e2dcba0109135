"""Lists the inputs that users name, so that nothing is skipped silently: every file appears in the answer."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final, Literal

from bitface.dataset.plain_files import NO_FILE, opened
from bitface.errors import InputError, NotSupportedError, OverLimitError
from bitface.faces.media.file_kinds import (
    HEAD_BYTES,
    READ,
    VIDEO_HEAD_BYTES,
    FileKind,
    container_of,
    kind_by_name,
    kind_of,
)
from bitface.terminal_text import printable

Unread = Literal["unreadable", "not_supported", "refused"]
"""Damaged or inaccessible; a kind of file that is not supported; over a limit."""

EXPORT: Final = f"export it as {', '.join(READ[:-1])} or {READ[-1]}"
CONVERT: Final = "convert it to MP4 or WebM"
# In addition to names that begin with a dot: files that macOS, Windows and network drives leave in every folder.
_SYSTEM_NAMES: Final = frozenset(
    {
        *("thumbs.db", "ehthumbs.db", "desktop.ini", "icon\r", "__macosx", "@eadir"),
        *("$recycle.bin", "system volume information", "lost+found"),
    }
)


@dataclass(frozen=True, kw_only=True)
class Trouble:
    """Why an input is not read. `is_loss`: an answer may be expected, since it is, or may be, a picture or a video."""

    status: Unread
    reason: str
    is_loss: bool = True


@dataclass(frozen=True, kw_only=True)
class Input:
    """A file, or a path without one; `trouble` is None if it may be decoded as a picture, or is a video and videos are read too."""

    path: Path
    trouble: Trouble | None = None
    is_video: bool = False
    leads_to: Path | None = None
    """For a link that was named: the file it pointed to when checked."""

    @property
    def place(self) -> Path:
        """The file to read, which is not a link itself."""
        return self.leads_to or self.path


@dataclass(frozen=True, kw_only=True)
class Inputs:
    """All inputs in the order they were named, files of a folder by name; `hidden` are the hidden and system files and folders there."""

    found: tuple[Input, ...]
    hidden: tuple[Path, ...]

    @property
    def left_out(self) -> int:
        """How many hidden and system files and folders were left out."""
        return len(self.hidden)


def with_videos(inputs: Inputs) -> Inputs:
    """The same, for a reader of videos too."""
    return replace(inputs, found=tuple(replace(one, trouble=None) if one.is_video else one for one in inputs.found))


def list_inputs(paths: Iterable[Path]) -> Inputs:
    """Every file that the paths name, folders searched recursively; a folder without files is an input itself.

    Links are followed if they are named; within a folder they are reported, not read: they may lead anywhere, or in circles.
    Only the first bytes of files are read, and only of regular files.
    """
    found: list[Input] = []
    left_out: list[Path] = []
    for path in paths:
        mode = _mode(path)
        if not isinstance(mode, int) or not stat.S_ISDIR(mode):
            found.append(_named(path, mode))
            continue
        below, hidden = _below(path)
        found += below or [_in_trouble(path, "unreadable", "is an empty folder; name one with pictures")]
        left_out += hidden
    return Inputs(found=tuple(found), hidden=tuple(left_out))


def _mode(path: Path) -> int | OSError:
    try:
        return path.stat().st_mode
    except OSError as error:
        return error


def _in_trouble(path: Path, status: Unread, reason: str, is_loss: bool = True) -> Input:
    return Input(path=path, trouble=Trouble(status=status, reason=reason, is_loss=is_loss))


def _named(path: Path, mode: int | OSError) -> Input:
    """For a named file an answer is expected, whatever it is: all trouble is a loss."""
    if isinstance(mode, OSError):
        if isinstance(mode, FileNotFoundError) and path.is_symlink():
            return _in_trouble(path, "unreadable", "is a broken link; name the file itself")
        return _out_of_reach(path, mode, is_loss=True)
    if not stat.S_ISREG(mode):
        return _in_trouble(path, "not_supported", NO_FILE)
    found = _of_file(path, Path(os.path.realpath(path)) if path.is_symlink() else None)
    return found if found.trouble is None else replace(found, trouble=replace(found.trouble, is_loss=True))


def _below(folder: Path) -> tuple[list[Input], list[Path]]:
    """Inputs below a folder, and the hidden and system files and folders that were left out on the way."""
    found: list[Input] = []
    left_out: list[Path] = []
    closed: list[OSError] = []
    for place, folders, files in os.walk(folder, onerror=closed.append):
        parent = Path(place)
        shown = {name: parent / name for name in sorted([*folders, *files]) if not _is_hidden(name)}
        left_out += [parent / name for name in sorted([*folders, *files]) if name not in shown]
        folders[:] = [name for name in sorted(folders) if name in shown and not shown[name].is_symlink()]
        found += [_in_folder(path) for name, path in shown.items() if name not in folders]
    found += [_out_of_reach(Path(error.filename), error, is_loss=True) for error in closed]
    return found, left_out


def _is_hidden(name: str) -> bool:
    return name.startswith(".") or name.lower() in _SYSTEM_NAMES


def _in_folder(path: Path) -> Input:
    try:
        mode = path.lstat().st_mode
    except OSError as error:
        return _out_of_reach(path, error, is_loss=_may_be_picture(path))
    if stat.S_ISLNK(mode):
        reason = "is a link, and links inside folders are not followed; name it directly"
        leads_to = _mode(path)
        is_loss = _may_be_picture(path) or (isinstance(leads_to, int) and stat.S_ISDIR(leads_to))
        return _in_trouble(path, "not_supported", reason, is_loss)
    if not stat.S_ISREG(mode):
        return _in_trouble(path, "not_supported", "is neither a file nor a folder", is_loss=False)
    return _of_file(path)


def _may_be_picture(path: Path) -> bool:
    """Judged by its name alone, if its bytes are inaccessible."""
    return not path.suffix or kind_by_name(path.suffix) is not None


def _of_file(path: Path, leads_to: Path | None = None) -> Input:
    try:
        with opened(leads_to or path, "") as file:
            head = file.read(VIDEO_HEAD_BYTES)
    except OSError as error:
        return _out_of_reach(path, error, is_loss=_may_be_picture(path))
    except NotSupportedError as error:  # it was something else a moment ago
        return _in_trouble(path, "not_supported", str(error).strip(), is_loss=_may_be_picture(path))
    kind, called = kind_of(head[:HEAD_BYTES]), kind_by_name(path.suffix)
    if container_of(head) is not None:
        return Input(path=path, trouble=_of_video(kind or called), is_video=True, leads_to=leads_to)
    return Input(path=path, trouble=_trouble_with(head, kind, called), leads_to=leads_to)


def _of_video(kind: FileKind | None) -> Trouble:
    name = f" ({kind.name})" if kind is not None and kind.medium == "video" else ""
    reason = f"is a video{name}, and only pictures are read; save its frames as {READ[0]}, or use `bitface explain`"
    return Trouble(status="not_supported", reason=reason)


def _trouble_with(head: bytes, kind: FileKind | None, called: FileKind | None) -> Trouble | None:
    if kind is not None and kind.name in READ:
        return None
    if kind is None and called is None:
        return Trouble(status="not_supported", reason="is not a picture", is_loss=False)
    if not head:
        return Trouble(status="unreadable", reason="is empty; copy it again")
    if kind is None and called is not None and called.name in READ:
        return Trouble(status="unreadable", reason=f"is damaged, or not a picture despite its name; {EXPORT}")
    other = kind or called
    if other is not None and other.medium == "video":
        return Trouble(status="unreadable", reason=f"is damaged, or not a video despite its name; {CONVERT}")
    return Trouble(status="not_supported", reason=f"is in the format {other.name if other else 'unknown'}; {EXPORT}")


def _out_of_reach(path: Path, error: OSError, is_loss: bool) -> Input:
    remedy = "name one that exists" if isinstance(error, FileNotFoundError) else "check that you have read permission"
    return _in_trouble(path, "unreadable", f"cannot be opened ({error.strerror}); {remedy}", is_loss)


@contextmanager
def naming_them_first(inputs: Inputs) -> Iterator[None]:
    """While a model is opened: where none of the inputs can be read, its error begins with that, which the user can mend at once.

    Raises:
        InputError: the model cannot be opened, and no input can be read.
    """
    try:
        yield
    except InputError as error:
        first = inputs.found[0] if inputs.found else None
        if first is None or first.trouble is None or any(one.trouble is None for one in inputs.found):
            raise
        raise InputError(f"'{printable(str(first.path))}' {first.trouble.reason}; and {error}") from error


def check_spares_inputs(path: Path, inputs: Iterable[Path]) -> None:
    """Raises InputError if a file would overwrite one of the inputs, under any name."""
    place = os.path.realpath(path)
    if any(os.path.realpath(one) == place for one in inputs):
        raise InputError(f"'{path}' is one of the inputs and would be overwritten; name another file")


def trouble_of(error: InputError, label: str) -> Trouble:
    """The trouble with an input, from a decoder's error; its `label` is cut, since reports show the path."""
    status: Unread = "unreadable"
    if isinstance(error, OverLimitError):
        status = "refused"
    elif isinstance(error, NotSupportedError):
        status = "not_supported"
    return Trouble(status=status, reason=" ".join(str(error).split()).removeprefix(f"{label!r} "))
