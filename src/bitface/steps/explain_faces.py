"""Explains the faces of one picture, or the one of a clip, by the deployed model: what each region adds, exactly.

Values are calibrated log odds: baseline + regions = face, to rounding, and a probability is expit(face). Where the training
graph of the model is on this machine, its completed map says where inside the regions; it is drawn on a mesh of nobody.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from bitface.errors import InputError
from bitface.explain.attributions import AttributionSummary, summarise
from bitface.explain.baselines import Baseline, baselines_of, blurred
from bitface.explain.region_shapley import RegionShapley, region_shapley, regions_of_face
from bitface.faces.alignment import pixel_owners
from bitface.faces.features import Reads
from bitface.faces.regions import region_of_landmark, regions_of_owners
from bitface.faces.seen import SeenFace
from bitface.ledger.status import ModelStatus
from bitface.models.training_faces import TrainingFaces
from bitface.params import ExplainParams, FeatureParams
from bitface.ports import Landmarker, ReadFrames, Report, Runtime

if TYPE_CHECKING:
    from bitface.training.trained import TrainedModel

NO_GRAPH: Final = "no map: the training graph of this model is not on this machine; exact values of regions need none"
_DECIMALS: Final = 6


@dataclass(frozen=True, kw_only=True)
class FaceExplained:
    """One face, of `frames` frames. `exact` against the training people's mean face, `second` against another baseline.

    `probabilities` float64 (E,), `in_set` bool (E,); `summary` of the completed map, None without a training graph; `crop`
    uint8 (64, 64) is the face itself, of a clip its middle frame: whoever shows it answers for that.
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
        """The region of the largest absolute value for an emotion, with that value, by each baseline."""
        return _leading(self.exact, emotion), None if self.second is None else _leading(self.second, emotion)

    def depends_on_baseline(self, emotion: int) -> bool:
        """Whether another region leads against the second baseline, or the same one the other way."""
        (region, value), second = self.leading(emotion)
        return second is not None and (second[0] != region or second[1] * value < 0)


def _leading(exact: RegionShapley, emotion: int) -> tuple[str, float]:
    index = int(np.abs(exact.values[emotion]).argmax())
    return exact.regions[index], float(exact.values[emotion, index])


@dataclass(frozen=True, kw_only=True)
class PictureExplained:
    """All faces of a picture, largest first, by a model of these `emotions`."""

    path: Path
    emotions: tuple[str, ...]
    model: str
    digest: str
    reads: str
    calibration: str
    faces: tuple[FaceExplained, ...]


def region_values(runtime: Runtime, face: SeenFace) -> RegionShapley:
    """What each region of a still face adds to each calibrated log odds, against the training people's mean face.

    Raises:
        InputError: the model ships no faces of its training people to compare with.
    """
    return _exact(runtime, (face,), baselines_of(_shipped(runtime))[0])


def explain_picture(
    path: Path,
    runtime: Runtime,
    graph: TrainedModel | None,
    open_landmarker: Callable[[], Landmarker],
    features: FeatureParams,
    params: ExplainParams,
    seed: int,
    read: ReadFrames,
    report: Report,
) -> PictureExplained:
    """Explains every face of a picture, or the largest face of a clip's frames as one, read in the order of time.

    Args:
        path: an image, a video, or a folder of images, which are the frames of a clip in the order of their names.
        runtime: the deployed model, whose values are exact.
        graph: its training graph for a map, None where this machine does not have it.
        open_landmarker: sees faces.
        features: how they are seen.
        params: of the map, and how many frames of a clip are read at most.
        seed: of the map.
        read: reads its frames.
        report: progress.

    Raises:
        InputError: nothing there that can be read; no face in it; or the model ships nothing to compare with.
    """
    shipped = _shipped(runtime)
    frames = read(path, params.clip_frames)
    with open_landmarker() as landmarker:
        seen = [landmarker.see_all(frame, features) for frame in frames]
    clips = [(face,) for face in seen[0]] if len(seen) == 1 else [tuple(faces[0] for faces in seen if faces)]
    if not clips or not clips[0]:
        raise InputError(
            f"no face found in '{path.name}'; use a picture that shows one, upright and at least 64 pixels wide"
        )
    faces = []
    for done, clip in enumerate(clips, start=1):
        faces.append(_explained(clip, runtime, shipped, graph, params, seed))
        report("explaining faces", done, len(clips))
    return PictureExplained(
        path=path,
        emotions=runtime.emotions,
        model=f"{runtime.name}/{runtime.version}",
        digest=runtime.digest,
        reads=runtime.reads,
        calibration=runtime.calibrator.remark,
        faces=tuple(faces),
    )


def picture_document(found: PictureExplained, status: ModelStatus) -> dict[str, Any]:
    """JSON of INTERFACE `explain`."""
    model = {"name": status.name, "version": str(status.version), "digest": found.digest, "status": status.document()}
    faces = [_face_document(face, found.emotions) for face in found.faces]
    return {"path": str(found.path), "faces": faces, "model": model}


def regions_document(exact: RegionShapley, emotions: Sequence[str]) -> dict[str, dict[str, float]]:
    """Region -> emotion -> what it adds, in log odds."""
    return {
        region: {emotion: round(float(value), _DECIMALS) for emotion, value in zip(emotions, values, strict=True)}
        for region, values in zip(exact.regions, exact.values.T, strict=True)
    }


def picture_text(found: PictureExplained, status: ModelStatus) -> str:
    """A few lines a face for a person."""
    lines = []
    for number, face in enumerate(found.faces, start=1):
        best = int(face.probabilities.argmax())
        order = np.argsort(-np.abs(face.exact.values[best]))[:3]
        told = ", ".join(f"{face.exact.regions[r]} {face.exact.values[best, r]:+.2f}" for r in order)
        _, second = face.leading(best)
        doubt = (
            f"; against the other baseline {second[0]} leads with {second[1]:+.2f}"
            if second and face.depends_on_baseline(best)
            else ""
        )
        lines.append(
            f"face {number}{_length(face)}: {found.emotions[best]} {face.probabilities[best]:.2f}; "
            f"log odds {face.exact.at_baseline[best]:+.2f} of the {face.exact.baseline} to {face.exact.at_face[best]:+.2f}: {told}{doubt}"
        )
    return "\n".join([*lines, "what the model rests on, not what anybody feels", status.line])


def _length(face: FaceExplained) -> str:
    return f" ({face.frames} frames)" if face.frames > 1 else ""


def _face_document(face: FaceExplained, emotions: Sequence[str]) -> dict[str, Any]:
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


def _explained(
    frames: Sequence[SeenFace],
    runtime: Runtime,
    shipped: TrainingFaces,
    graph: TrainedModel | None,
    params: ExplainParams,
    seed: int,
) -> FaceExplained:
    start = time.perf_counter()
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
        summary=None if graph is None else _mapped(frames, runtime, graph, baselines[0], shipped, params, seed),
        crop=middle.crop,
        seconds=time.perf_counter() - start,
    )


def _stacked(frames: Sequence[SeenFace], reads: Reads) -> NDArray[Any]:
    """What the model reads of a clip, (T, ...)."""
    return np.stack([face.column(reads) for face in frames])


def _exact(runtime: Runtime, frames: Sequence[SeenFace], baseline: Baseline) -> RegionShapley:
    def score(inputs: NDArray[Any], lengths: NDArray[np.int64]) -> NDArray[np.float64]:
        return runtime.calibrator.log_odds(runtime.logits(inputs, lengths))

    region_of, names = regions_of_face(runtime.reads, _stacked(frames, "landmarks"))
    shown = _stacked(frames, runtime.reads)
    return region_shapley(score, shown, baseline.face, region_of, regions=names, baseline_name=baseline.name)


def _mapped(
    frames: Sequence[SeenFace],
    runtime: Runtime,
    graph: TrainedModel,
    baseline: Baseline,
    shipped: TrainingFaces,
    params: ExplainParams,
    seed: int,
) -> AttributionSummary:
    from bitface.explain.integrated_gradients import Faces, completed_gradients

    owners = pixel_owners(_stacked(frames, "landmarks")[None]) if runtime.reads == "crops" else None
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
        orders=params.ig_orders,
        copies=params.ig_copies,
        noise=(params.ig_noise * shipped.deviation).astype(np.float32),
        seed=seed,
    )
    return summarise(made)


def _shipped(runtime: Runtime) -> TrainingFaces:
    if runtime.faces is None:
        raise InputError(
            f"model {runtime.name}/{runtime.version} ships no mean face of its training people to compare with; they were "
            "fewer than 10, or it is older than explanations: retrain"
        )
    return runtime.faces
