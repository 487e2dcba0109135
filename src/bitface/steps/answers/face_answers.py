"""What a model says of the faces of one picture or frame, and the row in which an input is answered."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

from bitface.counted_words import counted
from bitface.documents import Document
from bitface.faces.scenes import NO_FACE
from bitface.faces.seen import SeenFace
from bitface.params import FeatureParams
from bitface.ports import Landmarker, ReadImage, Runtime, WatchVideo
from bitface.steps.answers.explain_faces import region_values, regions_document
from bitface.steps.people.inputs import Trouble, Unread

Keep = Callable[[str, int, SeenFace], None]
"""Receives each face: the SHA-256 of its picture's file, its number in it, and what was detected."""
Status = Literal["answered", "abstained", "no_face"] | Unread
READ: Final[tuple[Status, ...]] = ("answered", "abstained", "no_face")
"""Of an input that was read."""
STATUSES: Final[tuple[Status, ...]] = (*READ, "unreadable", "not_supported", "refused")


@dataclass(frozen=True, kw_only=True)
class Reader:
    """The parts that read a picture or a video: a model, the landmarker and its parameters, and decoders.

    At most `faces_max` faces per picture are answered. `open_landmarker` looks for one more, so that omitted faces are reported. Of a video
    a frame is answered every `every_s` seconds (0: all), and a face's log odds are averaged over `smoothing_s` seconds.
    """

    runtime: Runtime
    open_landmarker: Callable[[], Landmarker]
    features: FeatureParams
    read: ReadImage
    watch: WatchVideo
    faces_max: int
    every_s: float
    smoothing_s: float
    explain: bool = False
    keep: Keep | None = None


@dataclass(frozen=True, kw_only=True)
class Prediction:
    """The result for one picture or one frame of a video: `answered` if any of its faces is, `abstained` if none is.

    `number`: of the input, from 0. `frame`: its number among the frames of the video that can be read, and `time_s` its time from the first
    one; None for a picture. `reason` states why there is no answer, or that there were more faces than were answered. `faces`, largest
    first, are as in JSON: one-vs-rest probabilities; `set`, the emotions that it may show; `abstained`, if that is empty or too large;
    timings in ms; if requested, what its regions add, see `explain_faces.region_values`; in a video, `track`, the number of the face there,
    and `smoothed`, its probabilities averaged over time. `is_loss`: it could not be read although an answer may be expected.
    """

    path: Path
    status: Status
    number: int = 0
    frame: int = 0
    time_s: float | None = None
    reason: str | None = None
    faces: tuple[Document, ...] = ()
    more_faces: bool = False
    is_loss: bool = False


def unread(path: Path, trouble: Trouble) -> Prediction:
    """The row of an input that was not read."""
    return Prediction(path=path, status=trouble.status, reason=trouble.reason, is_loss=trouble.is_loss)


@dataclass(kw_only=True)
class FaceAnswers:
    """An open landmarker and a model; the model's time by the clock is that of a loaded one, whose first call has compiled it."""

    reader: Reader
    landmarker: Landmarker
    _is_warm: bool = field(default=False, init=False)

    def look(self, image: NDArray[np.uint8]) -> tuple[tuple[SeenFace, ...], float]:
        """The faces of a picture uint8 (H, W, 3), the largest first, one more than are answered; and how many ms it took."""
        start = time.perf_counter()
        seen = self.landmarker.see_all(image, self.reader.features)
        return seen, ms_since(start)

    def row(self, path: Path, seen: tuple[SeenFace, ...], spent: Mapping[str, float]) -> Prediction:
        """The answer to a picture in which these faces were seen; `spent`: ms until then, by part."""
        if not seen:
            return Prediction(path=path, status="no_face", reason=NO_FACE)
        faces = tuple(self._face(face, spent) for face in seen[: self.reader.faces_max])
        more = len(seen) > len(faces)
        most = counted(self.reader.faces_max, "face")
        return Prediction(
            path=path,
            status="abstained" if all(face["abstained"] for face in faces) else "answered",
            reason=f"shows more than {most}; only the largest are answered, see --faces" if more else None,
            faces=faces,
            more_faces=more,
        )

    def _face(self, face: SeenFace, spent: Mapping[str, float]) -> Document:
        runtime = self.reader.runtime
        scores, on_model = self._scores(face)
        start = time.perf_counter()
        regions = regions_document(region_values(runtime, face), runtime.emotions) if self.reader.explain else {}
        on_regions = ms_since(start) if self.reader.explain else 0.0
        sets = runtime.sets(scores)
        return {
            "box": [round(float(value), 1) for value in face.box],
            "emotions": probabilities(runtime, scores[0]),
            "set": [name for name, belongs in zip(runtime.emotions, sets[0], strict=True) if belongs],
            "abstained": bool(runtime.calibrator.abstains(sets)[0]),
            "timings_ms": {**spent, "model": on_model, "explain": on_regions},
            "regions": regions,
        }

    def _scores(self, face: SeenFace) -> tuple[NDArray[np.float64], float]:
        """Probabilities float64 (1, E), and milliseconds of the network and its calibration."""
        runtime = self.reader.runtime
        values, length = face.column(runtime.reads)[None, None], np.ones(1, dtype=np.int64)
        if not self._is_warm:
            runtime.scores(values, length)
            self._is_warm = True
        start = time.perf_counter()
        scores = runtime.scores(values, length)
        return scores, ms_since(start)


def probabilities(runtime: Runtime, values: NDArray[np.float64]) -> dict[str, float]:
    """Emotion -> probability, as reports show it; `values` float64 (E,)."""
    return {name: round(float(p), 6) for name, p in zip(runtime.emotions, values, strict=True)}


def ms_since(start: float) -> float:
    """Milliseconds since a reading of `time.perf_counter`."""
    return round(1000 * (time.perf_counter() - start), 3)
