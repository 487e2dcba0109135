"""Explains the faces of one picture, or the face of a clip, by the deployed model: what each region adds, exactly.

Values are calibrated log odds: baseline + regions = face, up to rounding, and a probability is expit(face). If the training
graph of the model is on this machine, its completed map shows where inside the regions; it is drawn on a generic mesh.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final, cast

import numpy as np
from numpy.typing import NDArray

from bitface.counted_words import counted
from bitface.errors import InputError
from bitface.explain.attributions import AttributionSummary, summarise
from bitface.explain.baselines import Baseline, Faces, baselines_of, blurred
from bitface.explain.region_shapley import RegionShapley, region_shapley, regions_of_face
from bitface.faces.alignment import pixel_owners
from bitface.faces.features import CROP_PX, LANDMARKS, FaceValues, Reads
from bitface.faces.regions import region_of_landmark, regions_of_owners
from bitface.faces.scenes import NO_FACE
from bitface.faces.seen import SeenFace
from bitface.ledger.status import ModelStatus
from bitface.models.face.training_faces import TrainingFaces
from bitface.params import ExplainParams, FeatureParams
from bitface.ports import Landmarker, ReadImage, ReadVideo, Report, Runtime
from bitface.steps.answers.frames import Frames, frames_of
from bitface.steps.people.inputs import Input
from bitface.terminal_text import printable

if TYPE_CHECKING:
    from bitface.training.trained import TrainedModel

NO_GRAPH: Final = "no map: this model's training graph is not on this machine (exact region values do not need it)"
_DECIMALS: Final = 6


@dataclass(frozen=True, kw_only=True)
class FaceExplained:
    """One face, of `frames` frames. `exact` against the training people's mean face, `second` against another baseline.

    `probabilities` float64 (E,), `in_set` bool (E,); `summary` of the completed map, None without a training graph; `crop`
    uint8 (64, 64) is the face itself (of a clip, its middle frame): callers must check that it may be shown.
    """

    frames: int
    box: tuple[float, ...]
    probabilities: NDArray[np.float64]
    in_set: NDArray[np.bool_]
    abstained: bool
    exact: RegionShapley
    second: RegionShapley | None
    summary: AttributionSummary | None
    crop: NDArray[np.uint8]
    seconds: float

    def leading(self, emotion: int) -> tuple[tuple[str, float], tuple[str, float] | None]:
        """The region with the largest absolute value for an emotion, and that value, per baseline."""
        return _leading(self.exact, emotion), None if self.second is None else _leading(self.second, emotion)

    def depends_on_baseline(self, emotion: int) -> bool:
        """Whether another region leads against the second baseline, or the same one with the other sign."""
        (region, value), second = self.leading(emotion)
        return second is not None and (second[0] != region or second[1] * value < 0)


def _leading(exact: RegionShapley, emotion: int) -> tuple[str, float]:
    index = int(np.abs(exact.values[emotion]).argmax())
    return exact.regions[index], float(exact.values[emotion, index])


@dataclass(frozen=True, kw_only=True)
class Explainer:
    """What explains a picture or a clip.

    `runtime` is the deployed model, whose values are exact; `graph` its training graph for a map, None if this machine does
    not have it; `params` and `seed` are for the map, and limit the frames read of a clip. At most `faces_max` faces of a
    picture are explained; `open_landmarker` looks for one more, so that omitted faces are reported.
    """

    runtime: Runtime
    graph: TrainedModel | None
    open_landmarker: Callable[[], Landmarker]
    features: FeatureParams
    params: ExplainParams
    seed: int
    read: ReadImage
    read_video: ReadVideo
    faces_max: int


@dataclass(frozen=True, kw_only=True)
class PictureExplained:
    """All faces of a picture, largest first, by a model of these `emotions` whose input `reads` describes.

    `lost`: frames that could not be read; `more_faces`: there were more than were explained.
    """

    path: Path
    emotions: tuple[str, ...]
    model: str
    digest: str
    reads: str
    calibration: str
    faces: tuple[FaceExplained, ...]
    more_faces: bool
    lost: tuple[Input, ...]


def region_values(runtime: Runtime, face: SeenFace) -> RegionShapley:
    """What each region of a still face adds to each calibrated log odds, against the training people's mean face.

    Raises:
        InputError: the model ships no baseline of its training people.
    """
    return _exact(runtime, (face,), baselines_of(_shipped(runtime))[0])


def explain_picture(path: Path, explainer: Explainer, report: Report, read: Frames | None = None) -> PictureExplained:
    """Explains every face of a picture, or the largest face of a clip over its frames, in time order.

    A clip is a video, or a folder of images, which are its frames by name. `read`: its frames, if they were read already.

    Raises:
        InputError: nothing readable, no face in it, or the model ships no baseline.
    """
    runtime = explainer.runtime
    shipped = _shipped(runtime)
    frames = read or frames_of(path, explainer.params.clip_frames, explainer.read, explainer.read_video)
    clips, more = _clips_of(frames, explainer)
    if not clips:
        raise InputError(f"'{printable(path.name)}': {NO_FACE}")
    faces = []
    for done, clip in enumerate(clips, start=1):
        faces.append(_explained(clip, explainer, shipped))
        report("explaining faces", done, len(clips))
    return PictureExplained(
        path=path,
        emotions=runtime.emotions,
        model=f"{runtime.name}/{runtime.version}",
        digest=runtime.digest,
        reads=_what_is_read(runtime),
        calibration=runtime.calibrator.remark,
        faces=tuple(faces),
        more_faces=more,
        lost=frames.lost,
    )


def _what_is_read(runtime: Runtime) -> str:
    if runtime.reads == "crops":
        return f"the aligned grey face, {CROP_PX} x {CROP_PX} pixels"
    return f"{runtime.landmarks} of the {LANDMARKS} landmarks of a face"


def _clips_of(frames: Frames, explainer: Explainer) -> tuple[list[tuple[SeenFace, ...]], bool]:
    """The faces of a still, each as a clip of one frame, and whether there are more; or the largest faces of several frames as one clip."""
    with explainer.open_landmarker() as landmarker:
        seen = [landmarker.see_all(picture, explainer.features) for picture in frames.pictures]
    if len(seen) == 1:
        return [(face,) for face in seen[0][: explainer.faces_max]], len(seen[0]) > explainer.faces_max
    clip = tuple(faces[0] for faces in seen if faces)
    return [clip] if clip else [], False


def picture_document(found: PictureExplained, status: ModelStatus) -> dict[str, object]:
    """JSON of INTERFACE `explain`."""
    return {
        "path": str(found.path),
        "faces": [_face_document(face, found.emotions) for face in found.faces],
        "more_faces": found.more_faces,
        "lost": [
            {"path": str(one.path), "status": one.trouble.status, "reason": one.trouble.reason}
            for one in found.lost
            if one.trouble is not None
        ],
        "model": {
            "name": status.name,
            "version": str(status.version),
            "digest": found.digest,
            "status": status.document(),
        },
    }


def regions_document(exact: RegionShapley, emotions: Sequence[str]) -> dict[str, dict[str, float]]:
    """Region -> emotion -> what it adds, in log odds."""
    return {
        region: {emotion: round(float(value), _DECIMALS) for emotion, value in zip(emotions, values, strict=True)}
        for region, values in zip(exact.regions, exact.values.T, strict=True)
    }


def picture_text(found: PictureExplained, status: ModelStatus) -> str:
    """A few lines of text per face."""
    lines = []
    for number, face in enumerate(found.faces, start=1):
        best = int(face.probabilities.argmax())
        order = np.argsort(-np.abs(face.exact.values[best]))[:3]
        top = ", ".join(f"{face.exact.regions[r]} {face.exact.values[best, r]:+.2f}" for r in order)
        _, second = face.leading(best)
        doubt = (
            f"; against the other baseline {second[0]} leads with {second[1]:+.2f}"
            if second and face.depends_on_baseline(best)
            else ""
        )
        lines.append(
            f"face {number}{_length(face)}: {found.emotions[best]} {face.probabilities[best]:.2f}; "
            f"log odds from {face.exact.at_baseline[best]:+.2f} ({face.exact.baseline}) to {face.exact.at_face[best]:+.2f} (this face), "
            f"most by {top}{doubt}"
        )
        if note := baseline_note(face, found.emotions, best):
            lines.append(f"  {note}")
    if found.path.is_dir():
        lines.append(
            "pictures of a folder are frames of one clip, of one person; if they show several people, explain one picture at a time"
        )
    if found.more_faces:
        lines.append(
            f"shows more than {counted(len(found.faces), 'face')}; only the largest are explained, see --faces"
        )
    return "\n".join([*lines, "what the model relies on, not what the person feels", status.line])


def baseline_note(face: FaceExplained, emotions: Sequence[str], index: int) -> str:
    """What to bear in mind where the baseline alone already speaks for an emotion; "" where it does not."""
    start = float(face.exact.at_baseline[index])
    if start <= 0:
        return ""
    return (
        f"The baseline alone ({face.exact.baseline}) already gets {emotions[index]} {1 / (1 + math.exp(-start)):.2f}; the regions say "
        "only what this face changes from there."
    )


def _length(face: FaceExplained) -> str:
    return f" ({counted(face.frames, 'frame')})" if face.frames > 1 else ""


def _face_document(face: FaceExplained, emotions: Sequence[str]) -> dict[str, object]:
    summary = face.summary
    return {
        "frames": face.frames,
        "box": list(face.box),
        "emotions": {name: round(float(p), _DECIMALS) for name, p in zip(emotions, face.probabilities, strict=True)},
        "set": [name for name, belongs in zip(emotions, face.in_set, strict=True) if belongs],
        "abstained": face.abstained,
        "regions": regions_document(face.exact, emotions),
        "baseline": face.exact.baseline,
        "baseline_log_odds": _by_emotion(face.exact.at_baseline, emotions),
        "log_odds": _by_emotion(face.exact.at_face, emotions),
        "gap_max": face.exact.gap,
        "second_baseline": None
        if face.second is None
        else {"baseline": face.second.baseline, "regions": regions_document(face.second, emotions)},
        "ig": None
        if summary is None
        else {"method": summary.method, "steps": summary.steps[1], "gap_median": summary.gap_median},
        "seconds": round(face.seconds, 4),
    }


def _by_emotion(values: NDArray[np.float64], emotions: Sequence[str]) -> dict[str, float]:
    return {name: round(float(value), _DECIMALS) for name, value in zip(emotions, values, strict=True)}


def _explained(frames: Sequence[SeenFace], explainer: Explainer, shipped: TrainingFaces) -> FaceExplained:
    start, runtime = time.perf_counter(), explainer.runtime
    scores = runtime.scores(_stacked(frames, runtime.reads)[None], np.array([len(frames)], dtype=np.int64))
    sets = runtime.sets(scores)
    baselines = baselines_of(shipped)
    middle = frames[len(frames) // 2]
    second = blurred(middle.crop) if runtime.reads == "crops" else baselines[1] if len(baselines) > 1 else None
    return FaceExplained(
        frames=len(frames),
        box=tuple(round(float(value), 1) for value in middle.box),
        probabilities=np.asarray(scores[0], dtype=np.float64),
        in_set=sets[0],
        abstained=bool(runtime.calibrator.abstains(sets)[0]),
        exact=_exact(runtime, frames, baselines[0]),
        second=None if second is None else _exact(runtime, frames, second),
        summary=_mapped(frames, explainer, baselines[0], shipped),
        crop=middle.crop,
        seconds=time.perf_counter() - start,
    )


def _stacked(frames: Sequence[SeenFace], reads: Reads) -> FaceValues:
    """The model's input for a clip, (T, ...)."""
    return cast("FaceValues", np.stack([face.column(reads) for face in frames]))


def _exact(runtime: Runtime, frames: Sequence[SeenFace], baseline: Baseline) -> RegionShapley:
    def score(inputs: FaceValues, lengths: NDArray[np.int64]) -> NDArray[np.float64]:
        return runtime.calibrator.log_odds(runtime.logits(inputs, lengths))

    region_of, names = regions_of_face(runtime.reads, np.stack([face.normalised for face in frames]))
    shown = _stacked(frames, runtime.reads)
    return region_shapley(score, shown, baseline.face, region_of, regions=names, baseline_name=baseline.name)


def _mapped(
    frames: Sequence[SeenFace], explainer: Explainer, baseline: Baseline, shipped: TrainingFaces
) -> AttributionSummary | None:
    from bitface.explain.integrated_gradients import NoisyPaths, completed_gradients

    runtime, graph, params = explainer.runtime, explainer.graph, explainer.params
    if graph is None:
        return None
    owners = pixel_owners(np.stack([face.normalised for face in frames])[None]) if runtime.reads == "crops" else None
    faces = Faces(
        inputs=_stacked(frames, runtime.reads)[None],
        lengths=np.array([len(frames)], dtype=np.int64),
        baseline=baseline,
        owners=owners,
    )
    made = completed_gradients(
        graph.network,
        faces,
        emotions=graph.emotions,
        region_of=region_of_landmark() if owners is None else regions_of_owners(owners),
        paths=NoisyPaths(
            orders=params.ig_orders,
            copies=params.ig_copies,
            noise=(params.ig_noise * shipped.deviation).astype(np.float32),
            seed=explainer.seed,
        ),
    )
    return summarise(made)


def _shipped(runtime: Runtime) -> TrainingFaces:
    if runtime.faces is None:
        raise InputError(
            f"model {runtime.name}/{runtime.version} has no mean face of its training people to compare with; they were "
            "fewer than 10, or it is older than explanations: retrain"
        )
    return runtime.faces
