"""bitface as a library: an opened model that answers files, folders, pixels and frames as `bitface predict` does."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from time import monotonic
from typing import Any, Final, Self

import numpy as np
from numpy.typing import NDArray

from bitface.bootstrap.opening import open_tools
from bitface.errors import InputError
from bitface.ledger.status import ModelStatus
from bitface.ports import Landmarker, Runtime, ShownFrame, TimedFrame
from bitface.steps.answers.face_answers import FaceAnswers, Prediction
from bitface.steps.answers.predict import rows_of
from bitface.steps.answers.typed_answers import Answer, Answers
from bitface.steps.answers.video_answers import answers_of_frames
from bitface.steps.people.inputs import list_inputs, with_videos
from bitface.usecases.answers import Wanted, face_reader
from bitface.usecases.models import check_still_allowed, open_runtime, status_of
from bitface.usecases.tools import Tools

_ASKED_AGAIN_S: Final = 60.0
"""After so long the next prediction asks again whether everyone in the model still allows it."""
_GLANCE_PX: Final = 64
_FPS: Final = 25.0
_PIXELS: Final = Path("pixels")

Pixels = NDArray[np.uint8]
"""uint8 (H, W, 3) RGB or (H, W) grey; anything else that NumPy reads as such, as a picture of Pillow."""


def open_model(reference: str | None, purpose: str, context: str) -> Model:
    """See `bitface.load`."""
    tools = open_tools(quiet=True)
    runtime = open_runtime(tools, reference, purpose, context)
    return Model(tools, runtime, purpose, context)


class Model:
    """A verified model. Close it, or use it as a context manager, to end the landmarker's threads. Use it from one thread."""

    def __init__(self, tools: Tools, runtime: Runtime, purpose: str, context: str) -> None:
        """See `bitface.load`, which checks what this does not."""
        self._tools, self._runtime = tools, runtime
        self._use, self._asked = (purpose, context), monotonic()
        self._status = status_of(tools, runtime)
        self._open = ExitStack()
        self._landmarkers: dict[int, Landmarker] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<bitface model: {self.status}>"

    def close(self) -> None:
        """Closes the landmarker; the next prediction opens another one. Idempotent."""
        self._landmarkers.clear()
        self._open.close()

    @property
    def emotions(self) -> tuple[str, ...]:
        """What it answers for."""
        return tuple(self._runtime.emotions)

    @property
    def status(self) -> str:
        """Its version, the gate's decision, its evidence, and what it may be used for, in one line."""
        return self._status.line

    @property
    def standing(self) -> ModelStatus:
        """The same as fields."""
        return self._status

    def predict(
        self,
        source: Any,
        *,
        faces: int | None = None,
        every_s: float | None = None,
        explain: bool = False,
        fps: float = _FPS,
    ) -> Answers:
        """All answers at once; see `stream`."""
        answers = list(self.stream(source, faces=faces, every_s=every_s, explain=explain, fps=fps))
        return Answers(answers, self.emotions, self.status)

    def stream(
        self,
        source: Any,
        *,
        faces: int | None = None,
        every_s: float | None = None,
        explain: bool = False,
        fps: float = _FPS,
    ) -> Iterator[Answer]:
        """Answers one after another, each when it is asked for, in the memory of a few frames.

        Args:
            source: the path of a picture, a video or a folder of both, or a list of paths; the pixels of a picture, uint8 (H, W, 3) RGB or
                (H, W) grey; or an iterable of such pixels, or of (seconds, pixels), which are the frames of one video.
            faces: most faces that are answered of a picture, 1 to 100; None: as params.yaml sets.
            every_s: seconds of a video between answered frames, 0 (all) to 60; None: as params.yaml sets, and all of an iterable.
            explain: whether to report what each region of a face adds.
            fps: frames per second of an iterable that brings no times.

        Raises:
            InputError: the source is none of these, or a number is outside its range.
            RefusedError: a person in the model no longer allows this use.
        """
        self._check_still_allowed()
        _check_number("faces", faces, 1, 100)
        _check_number("every_s", every_s, 0, 60)
        return self._while_allowed(self._answered(source, Wanted(faces=faces, every_s=every_s, explain=explain), fps))

    def _answered(self, source: Any, wanted: Wanted, fps: float) -> Iterator[Answer]:
        paths = _paths(source)
        if paths:
            return self._of_files(paths, wanted)
        if isinstance(source, np.ndarray) or hasattr(source, "__array_interface__"):
            return iter([self._of_pixels(_pixels(source), wanted)])
        if isinstance(source, Iterable):
            return self._of_frames(source, replace(wanted, every_s=wanted.every_s or 0.0), fps)
        raise InputError(
            f"a {type(source).__name__} cannot be predicted; give a path, pixels as a NumPy array, or an iterable of frames"
        )

    def _check_still_allowed(self) -> None:
        if monotonic() - self._asked >= _ASKED_AGAIN_S:
            check_still_allowed(self._tools, self._runtime, *self._use)
            self._status, self._asked = status_of(self._tools, self._runtime), monotonic()

    def _while_allowed(self, answers: Iterator[Answer]) -> Iterator[Answer]:
        """The answers, as long as the use is allowed: a camera never ends."""
        for answer in answers:
            self._check_still_allowed()
            yield answer

    def _of_files(self, paths: Sequence[Path], wanted: Wanted) -> Iterator[Answer]:
        answers = self._opened(wanted)
        for one in with_videos(list_inputs(paths)).found:
            for row in rows_of(one, answers, lambda *_: None):
                yield Answer.of(row, row.path)

    def _of_pixels(self, image: Pixels, wanted: Wanted) -> Answer:
        answers = self._opened(wanted)
        seen, spent = answers.look(image)
        return Answer.of(answers.row(_PIXELS, seen, {"decode": 0.0, "landmarks": spent}), None)

    def _of_frames(self, frames: Iterable[Any], wanted: Wanted, fps: float) -> Iterator[Answer]:
        if not fps > 0:
            raise InputError(f"fps is {fps}, and must be over 0; give the rate of the frames, as in fps=25")
        rows: Iterator[Prediction] = answers_of_frames(_PIXELS, _timed(frames, fps), self._opened(wanted))
        return (Answer.of(row, None) for row in rows)

    def _opened(self, wanted: Wanted) -> FaceAnswers:
        """With a landmarker for each number of faces that was asked for: opening one takes a second."""
        reader = face_reader(self._tools, self._runtime, wanted)
        if reader.faces_max not in self._landmarkers:
            self._landmarkers[reader.faces_max] = self._open.enter_context(reader.open_landmarker())
        return FaceAnswers(reader=reader, landmarker=self._landmarkers[reader.faces_max])


def _check_number(name: str, value: float | None, least: float, most: float) -> None:
    if value is not None and not least <= value <= most:
        raise InputError(f"{name} is {value}, and must be {least:g} to {most:g}")


def _paths(source: Any) -> list[Path]:
    """The paths that a source is, or lists; empty where it is something else."""
    named = [source] if isinstance(source, str | Path) else source if isinstance(source, list | tuple) else []
    return list(map(Path, named)) if all(isinstance(one, str | Path) for one in named) else []


@dataclass(frozen=True)
class _Frame:
    """Pixels as a frame of a video."""

    image: Pixels

    def pixels(self) -> Pixels:
        return self.image

    def glance(self) -> Pixels:
        step = max(1, max(self.image.shape[:2]) // _GLANCE_PX)
        return np.asarray(self.image[::step, ::step].mean(axis=2), np.uint8)


def _timed(frames: Iterable[Any], fps: float) -> Iterator[TimedFrame]:
    before = -1.0
    for number, one in enumerate(frames):
        time_s, image = one if isinstance(one, tuple) and len(one) == 2 else (number / fps, one)
        if not float(time_s) > before:
            raise InputError(f"frame {number} is at {time_s} s, not after the frame before it; give times that grow")
        before = float(time_s)
        shown: ShownFrame = _Frame(_pixels(image))
        yield before, shown


def _pixels(source: Any) -> Pixels:
    """Pixels uint8 (H, W, 3) of an array or a picture of Pillow.

    Raises:
        InputError: it has another type or shape.
    """
    image = np.asarray(source)
    if (
        image.dtype != np.uint8
        or image.ndim not in (2, 3)
        or (image.ndim == 3 and image.shape[2] != 3)
        or not image.size
    ):
        raise InputError(
            f"pixels of {image.dtype} {image.shape} are not uint8 (height, width, 3) in RGB or (height, width) in grey; convert them"
        )
    return np.ascontiguousarray(image if image.ndim == 3 else np.repeat(image[..., None], 3, axis=2))
