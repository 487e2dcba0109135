"""Reads the frames of a picture, a video or a folder, and lists those that could not be read."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bitface.counted_words import counted
from bitface.errors import InputError
from bitface.faces.media.frame_choice import evenly_spread
from bitface.ports import ReadImage, ReadVideo
from bitface.steps.people.inputs import Input, Trouble, list_inputs, trouble_of
from bitface.terminal_text import printable


@dataclass(frozen=True, kw_only=True)
class Frames:
    """Pictures uint8 (H, W, 3) RGB in time order, at least one; and the inputs that should be frames but could not be read."""

    pictures: tuple[NDArray[np.uint8], ...]
    lost: tuple[Input, ...] = ()


def frames_of(path: Path, count: int, read: ReadImage, read_video: ReadVideo) -> Frames:
    """At most `count` frames, evenly spread, of an image, a video, or a folder of images by name.

    Other files of the folder are left out: hidden files and other kinds silently, unreadable pictures as `lost`.

    Raises:
        InputError: there is no frame, or the folder contains several folders of frames.
    """
    found = list_inputs([path]).found
    if not path.is_dir():
        return Frames(pictures=_of_file(found[0], count, read, read_video))
    good = [one for one in found if one.trouble is None]
    lost = [one for one in found if one.trouble is not None and one.trouble.is_loss]
    folders = {one.path.parent for one in good}
    if len(folders) > 1:
        raise InputError(
            f"'{printable(path.name)}' holds pictures in {counted(len(folders), 'folder')}; name the one folder of the clip"
        )
    pictures, damaged = _read([good[index] for index in evenly_spread(len(good), count)], read)
    lost += damaged
    if not pictures:
        why = f"; '{printable(lost[0].path.name)}' {_why(lost[0])}" if lost else "; name one that holds pictures"
        raise InputError(f"no frames in folder '{printable(path.name)}'{why}")
    return Frames(pictures=tuple(pictures), lost=tuple(lost))


def _of_file(one: Input, count: int, read: ReadImage, read_video: ReadVideo) -> tuple[NDArray[np.uint8], ...]:
    if one.is_video:
        return tuple(read_video(one.place, count))
    if one.trouble is not None:
        raise InputError(f"'{printable(one.path.name)}' {one.trouble.reason}")
    return (read(one.place, printable(one.path.name)),)


def _read(inputs: Sequence[Input], read: ReadImage) -> tuple[list[NDArray[np.uint8]], list[Input]]:
    pictures, damaged = [], []
    for one in inputs:
        try:
            pictures.append(read(one.place, one.path.name))
        except InputError as error:
            damaged.append(Input(path=one.path, trouble=trouble_of(error, one.path.name)))
    return pictures, damaged


def _why(one: Input) -> str:
    return one.trouble.reason if isinstance(one.trouble, Trouble) else ""


def check_no_frame_lost(lost: Sequence[Input]) -> None:
    """Raises InputError if any frame could not be read."""
    if lost:
        first = f"'{printable(lost[0].path.name)}' {_why(lost[0])}"
        raise InputError(
            f"{counted(len(lost), 'frame')} could not be read, the rest could; {'first: ' if len(lost) > 1 else ''}{first}"
        )
