"""The latest window of faces that a model read, kept by `predict --log`, and how a candidate's training people differ from it."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import pandas as pd

from bitface.counted_words import counted, counted_people
from bitface.dataset.keys import KeyStore
from bitface.dataset.prediction_log import LoggedFace, PredictionLog, distinct, first_day_kept
from bitface.errors import InputError
from bitface.faces.measures import family_of
from bitface.faces.seen import SeenFace
from bitface.gate.evidence import DriftEvidence
from bitface.params import DriftParams
from bitface.ports import MeasureDrift, Runtime
from bitface.steps.judging.dataset_drift import Drifted, DriftTest, compare, still_rows
from bitface.steps.judging.face_rows import ANSWERS, row_of_face, rows_of_samples
from bitface.steps.retrain.featurise import FeatureRef, originals, read_features
from bitface.steps.retrain.plan import Run
from bitface.steps.retrain.run_data import Data

PRODUCTION = ("infer",)
"""Purposes of predictions that a candidate is held against; a demonstration says nothing of whom a model will meet."""


NEW_SAMPLES = "new"


def days_of(window: str) -> int:
    """Days of a window such as 30d; raises InputError for anything else."""
    days = re.fullmatch(r"([1-9]\d{0,3})d", window)
    if days is None:
        raise InputError(f"--window '{window}' is neither a number of days such as 30d nor {NEW_SAMPLES}")
    return int(days[1])


class KeptFaces:
    """Collects what `predict --log` keeps of each face, and writes it when all were read: all of a call or nothing of it."""

    def __init__(self, runtime: Runtime, purpose: str, context: str, log: PredictionLog, at: datetime) -> None:
        self._runtime, self._asked, self._log, self._at = runtime, (purpose, context), log, at
        self._faces: list[LoggedFace] = []

    def __call__(self, picture_sha256: str, number: int, face: SeenFace) -> None:
        """Remembers one face of a picture."""
        purpose, context = self._asked
        self._faces.append(
            LoggedFace(
                face=self._log.pseudonym(picture_sha256, number, self._at),
                at=self._at.isoformat(timespec="seconds"),
                purpose=purpose,
                context=context,
                model=self._runtime.digest,
                values=row_of_face(face, self._runtime),
            )
        )

    def write(self, days: int) -> int:
        """Keeps them, and forgets what is older than so many days; returns how many faces were kept."""
        self._log.append(self._faces, self._at)
        self._log.forget(first_day_kept(self._at, days))
        return len(self._faces)


@dataclass(frozen=True, kw_only=True)
class Window:
    """Faces of a stretch of time, a row each. `what` says in words which."""

    what: str
    rows: pd.DataFrame


def logged_window(
    log: PredictionLog, purposes: Collection[str] | None, days: int, model: str | None, at: datetime
) -> Window | None:
    """Faces that models read for these purposes (None: any) in the last days; None where there is none.

    What a model said stays in only where all were read by `model`, a bundle's digest.
    """
    start = at - timedelta(days=days)
    faces = distinct(face for face in log.since(start) if purposes is None or face.purpose in purposes)
    if not faces:
        return None
    rows = pd.DataFrame([dict(face.values) for face in faces]).dropna(axis=1)
    if {face.model for face in faces} != {model}:
        rows = rows[[name for name in rows if family_of(name) not in ANSWERS]]
    return Window(what=f"{counted(len(faces), 'face')} predicted in the last {counted(days, 'day')}", rows=rows)


def new_samples(run: Run, features: Sequence[FeatureRef], runtime: Runtime, keys: KeyStore) -> Window | None:
    """A still of each of these people, with what the model says of it, what it is labelled and who shows it; None for nobody."""
    if not features:
        return None
    rows = still_rows(rows_of_samples(originals(read_features(features, keys)), run.slices(), runtime), run.params.seed)
    return Window(what=f"{counted_people(len(rows))} new to the champion", rows=rows)


def drift_from_window(run: Run, data: Data, window: Window | None, measure: MeasureDrift) -> DriftEvidence | None:
    """How many columns of the training people, a still of each, lie materially apart from the window; None without one.

    A large window proves any difference; one that matters is also at least `material_distance` wide. A window of fewer than
    `window_faces_min` faces is none.
    """
    params = run.params.drift
    if window is None or len(window.rows) < params.window_faces_min:
        return None
    table = data.originals
    learned_from = still_rows(rows_of_samples(table.of_split("train"), {}), run.params.seed)
    test = DriftTest(params=params, seed=run.params.seed, measure=measure)
    found = compare(learned_from, window.rows, test, _page(run.folder, "drift_from_window.html"))
    return DriftEvidence(
        share=material_share(found, params),
        share_max=params.window_share_max,
        features=len(found.columns),
        n_reference=found.people_reference,
        n_current=found.people_current,
    )


def material_share(found: Drifted, params: DriftParams) -> float:
    """Share of columns that drift by at least `material_distance`."""
    material = [column for column in found.drifted if column.distance >= params.material_distance]
    return len(material) / len(found.columns)


def _page(run_folder: Path, name: str) -> Path:
    return run_folder / "reports" / name
