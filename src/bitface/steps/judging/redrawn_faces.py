"""Renders held-out people in another skin tone, age texture and light, and runs the deployed model on each picture."""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from bitface.counted_words import counted
from bitface.dataset.files import write_atomically
from bitface.dataset.keys import KeyStore
from bitface.dataset.shards import seal, unseal
from bitface.evaluation.counterfactual import CHANGES, Change, PairedAnswers
from bitface.faces.emotions import EMOTIONS
from bitface.faces.features import FaceValues
from bitface.faces.synthetic.synthetic_people import AS_THEY_ARE, SyntheticPerson, Variation, plan_people
from bitface.gate.cells import Cell
from bitface.models.calibrator import logit_of
from bitface.params import Params
from bitface.ports import (
    DecodeFrames,
    EncodeFrames,
    Landmarker,
    LoadRuntime,
    RenderVariations,
    Report,
    Runtime,
)
from bitface.steps.retrain.export import Exported
from bitface.steps.retrain.plan import Run
from bitface.steps.retrain.reuse import StageInputs
from bitface.steps.retrain.train import centred

_IN: Final = {
    "again": "when the same picture is taken again",
    "skin_tone": "in another skin tone",
    "age_texture": "with the skin of another age",
    "light": "in another light",
}
_ENTRY: Final = "counterfactual"
INPUTS: Final = StageInputs(
    module=__name__,
    sections=("synthetic", "features", "seed", "counterfactual"),
    inputs=("landmarker",),
    code=(
        "adapters.synthetic_faces",
        "adapters.mediapipe_landmarks",
        "adapters.media_files",
        "faces.synthetic.synthetic_people",
        "faces.emotions",
    ),
    carriers=(
        "dataset.files",
        "dataset.keys",
        "dataset.shards",
        "evaluation.counterfactual",
        "gate.cells",
        "models.calibrator",
        "params",
        "ports",
        "steps.retrain.export",
        "steps.retrain.plan",
        "steps.retrain.reuse",
        "steps.retrain.train",
    ),
)
_OWN: Final = "own"
_LIGHT_TONES, _LIGHT_TONE, _DARK_TONE = 5, 3, 9
"""Monk tones up to the first are drawn again in the last, and the others in the second."""
_MIDDLE_AGE, _YOUNG, _OLD = 45.0, 25.0, 70.0


@dataclass(frozen=True, kw_only=True)
class Redrawing:
    """What drawing and seeing again needs, `stages`: where what was seen is kept, sealed."""

    render: RenderVariations
    encode: EncodeFrames
    decode: DecodeFrames
    landmarker: Callable[[], Landmarker]
    asset_sha256: str
    stages: Path
    keys: KeyStore
    workers: int


@dataclass(frozen=True, eq=False)
class Seen:
    """What was seen of n stills: landmarks (n, 478, 3), crops (n, 64, 64), and whether there was one face, bool (n,)."""

    landmarks: NDArray[np.float32]
    crops: NDArray[np.uint8]
    found: NDArray[np.bool_]
    labels: NDArray[np.int64]
    persons: NDArray[np.str_]
    changes: NDArray[np.str_]

    def of(self, change: str) -> Seen:
        """The stills of one change, `own` for people as they are, people and emotions always in the same order."""
        rows = self.changes == change
        return Seen(*(getattr(self, field.name)[rows] for field in fields(self)))


def ask_counterfactuals(
    run: Run, bundle: Exported, redrawing: Redrawing, load: LoadRuntime, report: Report
) -> tuple[PairedAnswers, ...] | None:
    """What the deployed model says of the same drawn faces before and after each change; None for a model of real people."""
    if run.evidence != "synthetic":
        return None
    people = asked_people(run)
    seen, runtime = _seen(run, people, redrawing, report), load(bundle.folder)
    own = _Answers.of(seen.of(_OWN), runtime)
    direction = _directions(people, len(run.params.synthetic.emotions))
    return tuple(_paired(change, own, _Answers.of(seen.of(change), runtime), direction[change]) for change in CHANGES)


def asked_people(run: Run) -> tuple[SyntheticPerson, ...]:
    """The first people of the plan whom nobody trains on."""
    planned = plan_people(run.params.synthetic, run.params.seed)
    return tuple(person for person in planned if person.role == "gate")[: run.params.counterfactual.people]


def changed(person: SyntheticPerson, change: Change) -> tuple[Variation, int]:
    """How a person is drawn again, and which way that goes: +1 darker, older or other, -1 lighter or younger."""
    if change == "skin_tone":
        is_light = (person.record.skin_tone or _LIGHT_TONES) <= _LIGHT_TONES
        return Variation(skin_tone=_DARK_TONE if is_light else _LIGHT_TONE), 1 if is_light else -1
    if change == "age_texture":
        is_young = person.age_years < _MIDDLE_AGE
        return Variation(texture_age=_OLD if is_young else _YOUNG), 1 if is_young else -1
    return (Variation(light=1) if change == "light" else Variation(exposure=1)), 1


def _jobs(people: Sequence[SyntheticPerson]) -> list[tuple[str, SyntheticPerson, Variation]]:
    return [(_OWN, person, AS_THEY_ARE) for person in people] + [
        (change, person, changed(person, change)[0]) for change in CHANGES for person in people
    ]


def _directions(people: Sequence[SyntheticPerson], emotions: int) -> dict[Change, NDArray[np.int64]]:
    return {change: np.repeat([changed(person, change)[1] for person in people], emotions) for change in CHANGES}


def _seen(run: Run, people: Sequence[SyntheticPerson], tools: Redrawing, report: Report) -> Seen:
    """What the landmarker sees of every picture, kept under a key of all that it comes from."""
    key = INPUTS.key(run.params, landmarker=tools.asset_sha256)
    params = INPUTS.restricted(run.params)
    path, holder = tools.stages / _ENTRY / f"{key}.sealed", people[0].record.person
    if not path.is_file():
        made = _look(_jobs(people), params, tools, report)
        buffer = io.BytesIO()
        np.savez(buffer, allow_pickle=False, **{field.name: getattr(made, field.name) for field in fields(made)})
        write_atomically(path, seal(buffer.getvalue(), tools.keys.key_of(holder), holder, _ENTRY))
    with np.load(io.BytesIO(unseal(path.read_bytes(), tools.keys.key_of(holder), holder, _ENTRY))) as arrays:
        return Seen(**{field.name: arrays[field.name] for field in fields(Seen)})


def _look(
    jobs: Sequence[tuple[str, SyntheticPerson, Variation]], params: Params, tools: Redrawing, report: Report
) -> Seen:
    drawn = tools.render([(person, how) for _, person, how in jobs], params.synthetic, tools.workers)
    rows = []
    with tools.landmarker() as looking:
        for done, ((change, _, _), (person, samples)) in enumerate(zip(jobs, drawn, strict=True), start=1):
            # Encoded and decoded as the dataset's pictures are: the codec is part of what a model sees.
            for sample in samples:
                seen = looking.see(tools.decode(tools.encode(sample.frames, lossless=False)), params.features)
                rows.append((change, person.record.person, sample.label, seen))
            report("evaluating changed faces", done, len(jobs))
    return Seen(
        landmarks=np.stack([seen.normalised[0] for *_, seen in rows]).astype(np.float32),
        crops=np.stack([seen.crops[0] for *_, seen in rows]).astype(np.uint8),
        found=np.array([seen.faces[0] == 1 for *_, seen in rows]),
        labels=np.array([EMOTIONS.index(label) for _, _, label, _ in rows], dtype=np.int64),
        persons=np.array([person for _, person, _, _ in rows]),
        changes=np.array([change for change, *_ in rows]),
    )


@dataclass(frozen=True, eq=False)
class _Answers:
    """The emotion that is answered (n,), -1 where no face was found, and the log odds of the one that is shown, NaN there."""

    persons: NDArray[np.str_]
    answer: NDArray[np.int64]
    log_odds: NDArray[np.float64]

    @classmethod
    def of(cls, seen: Seen, runtime: Runtime) -> _Answers:
        known = np.array([EMOTIONS[label] in runtime.emotions for label in seen.labels])
        shown = seen.crops if runtime.reads == "crops" else np.nan_to_num(seen.landmarks)
        inputs: FaceValues = shown[:, None]
        scores = runtime.scores(inputs, np.ones(len(inputs), dtype=np.int64))
        columns = [
            runtime.emotions.index(EMOTIONS[label]) if ok else 0 for label, ok in zip(seen.labels, known, strict=True)
        ]
        log_odds = logit_of(scores)[np.arange(len(scores)), columns]
        answer = centred(scores, runtime.thresholds).argmax(axis=1)
        return cls(
            persons=seen.persons,
            answer=np.where(seen.found, answer, -1),
            log_odds=np.where(seen.found & known, log_odds, np.nan),
        )


def _paired(change: Change, own: _Answers, other: _Answers, direction: NDArray[np.int64]) -> PairedAnswers:
    """Faces that are found as they are; a changed picture without a face is a changed answer."""
    asked = own.answer >= 0
    return PairedAnswers(
        change=change,
        persons=own.persons[asked],
        changed=(own.answer != other.answer)[asked],
        shift=((other.log_odds - own.log_odds) * direction)[asked],
    )


def counterfactual_summary(cells: Sequence[Cell]) -> dict[str, Any] | None:
    """What the gate found of changed faces, for a run's summary; None where nobody was asked."""
    asked = {
        cell.name.split("/", 1)[1]: cell for cell in cells if cell.kind == "counterfactual" and cell.value is not None
    }
    if not asked:
        return None
    return {
        "sentence": _sentence(asked),
        "cells": {
            name: {"state": cell.state.value, "value": cell.value, "lo": cell.lo, "hi": cell.hi}
            for name, cell in asked.items()
        },
    }


def _sentence(asked: Mapping[str, Cell]) -> str:
    parts = [
        f"{cell.value:.1%} ({cell.lo:.1%} to {cell.hi:.1%}) {_IN[change]}"
        for change in CHANGES
        if (cell := asked.get(f"{change}/changed")) is not None
    ]
    people = max(cell.persons for cell in asked.values())
    return f"answers that change: {', '.join(parts)}, {counted(people, 'synthetic person', 'synthetic people')}"
