"""The readers of pictures behind `predict` and `explain`."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from bitface.dataset.prediction_log import PredictionLog
from bitface.errors import InputError
from bitface.ports import Runtime
from bitface.surroundings import trouble_with
from bitface.usecases.tools import Tools

if TYPE_CHECKING:  # explaining imports packages that prediction does not need
    from bitface.steps.answers.explain_faces import Explainer
    from bitface.steps.answers.face_answers import Reader
    from bitface.steps.answers.frames import Frames
    from bitface.steps.judging.window import KeptFaces
    from bitface.training.trained import TrainedModel


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """How a reader answers: at most so many `faces` per picture, a frame of a video `every_s` seconds (None: as params.yaml sets), and
    with what each region adds or without.
    """

    faces: int | None = None
    every_s: float | None = None
    explain: bool = False


def face_reader(tools: Tools, runtime: Runtime, wanted: Wanted, keep: KeptFaces | None = None) -> Reader:
    """The reader behind `predict`."""
    from bitface.steps.answers.face_answers import Reader

    make, _ = tools.ports.landmarker()
    own = tools.params.predict
    faces_max = wanted.faces or own.faces_max
    return Reader(
        runtime=runtime,
        open_landmarker=partial(make, faces_max=faces_max + 1),
        features=tools.params.features,
        read=tools.ports.read_image,
        watch=tools.ports.watch_video,
        faces_max=faces_max,
        every_s=own.video_every_s if wanted.every_s is None else wanted.every_s,
        smoothing_s=own.video_smoothing_s,
        explain=wanted.explain,
        keep=keep,
    )


def face_explainer(tools: Tools, runtime: Runtime, faces: int | None) -> Explainer:
    """The explainer behind `explain`; it explains `faces` per picture (None: as many as params.yaml sets)."""
    from bitface.steps.answers.explain_faces import Explainer

    make, _ = tools.ports.landmarker()
    faces_max = faces or tools.params.predict.faces_max
    return Explainer(
        runtime=runtime,
        graph=_training_graph(tools, runtime),
        open_landmarker=partial(make, faces_max=faces_max + 1),
        features=tools.params.features,
        params=tools.params.explain,
        seed=tools.params.seed,
        read=tools.ports.read_image,
        read_video=tools.ports.read_video,
        faces_max=faces_max,
    )


def frames_to_show(tools: Tools, path: Path, purpose: str, context: str) -> Frames:
    """The frames of a picture or a clip whose faces may be put on a page: these are shown, even if the file changes meanwhile.

    Raises:
        RefusedError: policy refuses purpose or context; or a recorded person in it does not allow being shown.
        InputError: there is nothing readable.
    """
    from bitface.steps.answers.frames import frames_of
    from bitface.steps.answers.showing import Album, check_shown
    from bitface.steps.people.on_record import OnRecord
    from bitface.steps.people.reentry import reentry

    ports = tools.ports
    with tools.ledger as ledger:
        ledger.check_any_use(purpose, context)
        frames = frames_of(path, tools.params.explain.clip_frames, ports.read_image, ports.read_video)
        record, erased = OnRecord(tools.workspace.data, tools.keys), reentry(tools.keys, tools.workspace.home)
        check_shown(frames.pictures, context, Album(record=record, erased=erased, ledger=ledger, encode=ports.encode))
    return frames


def prediction_log(tools: Tools) -> PredictionLog:
    """The predictions kept by `predict --log`."""
    return PredictionLog(tools.workspace.home / "predictions", tools.keys)


def kept_faces(tools: Tools, runtime: Runtime, purpose: str, context: str) -> KeptFaces:
    """Collects faces for the log.

    Raises:
        InputError: home, where the log is, cannot be written.
    """
    from bitface.steps.judging.window import KeptFaces

    if trouble := trouble_with(tools.workspace.home):
        raise InputError(f"--log: home {trouble}, or leave --log out")
    return KeptFaces(runtime, purpose, context, prediction_log(tools), tools.now())


def _training_graph(tools: Tools, runtime: Runtime) -> TrainedModel | None:
    """The network that a registered bundle was made from, if this machine trained it and still has it."""
    from bitface.steps.retrain.train import find_trained

    with tools.ledger as ledger:
        entry = next((model for model in ledger.models() if model.bundle_sha256 == runtime.digest), None)
    return None if entry is None else find_trained(tools.workspace.stages, entry.weights_sha256)
