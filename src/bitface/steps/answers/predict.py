"""Predicts expressions with a verified bundle: every input gets an answer, and a bad one does not affect the others."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

from bitface.counted_words import counted
from bitface.dataset.plain_files import PICTURE_BYTES, read_plain
from bitface.documents import Document
from bitface.errors import InputError
from bitface.faces.scenes import NO_FACE
from bitface.faces.seen import SeenFace
from bitface.params import FeatureParams
from bitface.ports import Landmarker, ReadImage, Report, Runtime
from bitface.steps.answers.explain_faces import region_values, regions_document
from bitface.steps.people.inputs import Input, Trouble, Unread, trouble_of

Keep = Callable[[str, int, SeenFace], None]
"""Receives each face: the SHA-256 of its picture's file, its number in it, and what was detected."""
Status = Literal["answered", "abstained", "no_face"] | Unread
READ: Final[tuple[Status, ...]] = ("answered", "abstained", "no_face")
"""Of an input that was read."""
STATUSES: Final[tuple[Status, ...]] = (*READ, "unreadable", "not_supported", "refused")


@dataclass(frozen=True, kw_only=True)
class Reader:
    """The parts that read a picture: a model, the landmarker and its parameters, and a decoder.

    At most `faces_max` faces per picture are answered. `open_landmarker` looks for one more, so that omitted faces are reported.
    """

    runtime: Runtime
    open_landmarker: Callable[[], Landmarker]
    features: FeatureParams
    read: ReadImage
    faces_max: int
    explain: bool = False
    keep: Keep | None = None


@dataclass(frozen=True, kw_only=True)
class Prediction:
    """The result for one input: `answered` if any of its faces is, `abstained` if none is.

    `reason` states why there is no answer, or that there were more faces than were answered. `faces`, largest first, are as in
    JSON: one-vs-rest probabilities; `set`, the emotions that it may show; `abstained`, if that is empty or too large; timings in
    ms; and, if requested, what its regions add, see `explain_faces.region_values`. `is_loss`: it could not be read although an
    answer may be expected.
    """

    path: Path
    status: Status
    reason: str | None = None
    faces: tuple[Document, ...] = ()
    more_faces: bool = False
    is_loss: bool = False


@dataclass(kw_only=True)
class _TimedModel:
    """The model with the time that it takes by the clock, loaded: its first call compiles what the calls after it use."""

    runtime: Runtime
    is_warm: bool = False

    def scores(self, face: SeenFace) -> tuple[NDArray[np.float64], float]:
        """Probabilities float64 (1, E), and milliseconds of the network and its calibration."""
        values, length = face.column(self.runtime.reads)[None, None], np.ones(1, dtype=np.int64)
        if not self.is_warm:
            self.runtime.scores(values, length)
            self.is_warm = True
        start = time.perf_counter()
        scores = self.runtime.scores(values, length)
        return scores, _ms(start, time.perf_counter())


def predictions(inputs: Sequence[Input], reader: Reader, report: Report) -> Iterator[Prediction]:
    """One prediction per input, in order, each as soon as it is ready; `reader.keep` receives each face."""
    model = _TimedModel(runtime=reader.runtime)
    with reader.open_landmarker() as landmarker:
        for done, one in enumerate(inputs, start=1):
            yield _predict(one, reader, landmarker, model)
            report("predicting", done, len(inputs))


def _predict(one: Input, reader: Reader, landmarker: Landmarker, model: _TimedModel) -> Prediction:
    path = one.path
    if one.trouble is not None:
        return _unread(path, one.trouble)
    start = time.perf_counter()
    try:
        image = reader.read(one.place, path.name)
        decoded = time.perf_counter()
        seen = landmarker.see_all(image, reader.features)
        looked = time.perf_counter()
        picture = _picture_of(one) if seen and reader.keep else ""
    except InputError as error:
        return _unread(path, trouble_of(error, path.name))
    if reader.keep:  # whose errors are not the picture's
        for number, face in enumerate(seen[: reader.faces_max]):
            reader.keep(picture, number, face)
    if not seen:
        return Prediction(path=path, status="no_face", reason=NO_FACE)
    shared = {"decode": _ms(start, decoded), "landmarks": _ms(decoded, looked)}
    answered = seen[: reader.faces_max]
    faces = tuple(_face(face, model, shared, reader.explain) for face in answered)
    more = len(seen) > len(answered)
    return Prediction(
        path=path,
        status="abstained" if all(face["abstained"] for face in faces) else "answered",
        reason=f"shows more than {counted(reader.faces_max, 'face')}; only the largest are answered, see --faces"
        if more
        else None,
        faces=faces,
        more_faces=more,
    )


def _unread(path: Path, trouble: Trouble) -> Prediction:
    return Prediction(path=path, status=trouble.status, reason=trouble.reason, is_loss=trouble.is_loss)


def _picture_of(one: Input) -> str:
    """The SHA-256 of the file, by which the log knows a picture that it has seen before."""
    return hashlib.sha256(read_plain(one.place, repr(one.path.name), PICTURE_BYTES)).hexdigest()


def _face(face: SeenFace, model: _TimedModel, shared: dict[str, float], explain: bool) -> Document:
    runtime = model.runtime
    scores, spent_on_model = model.scores(face)
    read = time.perf_counter()
    regions = regions_document(region_values(runtime, face), runtime.emotions) if explain else {}
    spent = _ms(read, time.perf_counter()) if explain else 0.0
    timings = {**shared, "model": spent_on_model, "explain": spent}
    sets = runtime.sets(scores)
    return {
        "box": [round(float(value), 1) for value in face.box],
        "emotions": {name: round(float(p), 6) for name, p in zip(runtime.emotions, scores[0], strict=True)},
        "set": [name for name, belongs in zip(runtime.emotions, sets[0], strict=True) if belongs],
        "abstained": bool(runtime.calibrator.abstains(sets)[0]),
        "timings_ms": timings,
        "regions": regions,
    }


def _ms(start: float, stop: float) -> float:
    return round(1000 * (stop - start), 3)
