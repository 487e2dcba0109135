"""Compares ways to build a model on the same people, out of fold, over several trainings: a study and not a claim."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future, as_completed
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

from bitface.documents import Arrays
from bitface.errors import InputError
from bitface.evaluation.intervals import Interval
from bitface.evaluation.paired import fused, mean_difference
from bitface.evaluation.predictions import Predictions
from bitface.evaluation.scores import ModelScores, score_model
from bitface.faces.emotions import EMOTIONS
from bitface.faces.features import ClipTable
from bitface.params import EvaluationParams, StudyParams, TrainingParams, variant_of
from bitface.pools import worker_processes
from bitface.ports import ExportBundle, LoadRuntime, Report
from bitface.steps.retrain.featurise import originals
from bitface.steps.retrain.reuse import StageInputs, unless_made
from bitface.steps.retrain.train import PRECISIONS, centred, with_folds, without_pseudonyms

if TYPE_CHECKING:
    from bitface.training.trained import TrainedModel

_RESULT = "fold.npz"
INPUTS: Final = StageInputs(
    module=__name__,
    sections=(),
    inputs=("data", "job", "folds"),
    code=("explain.landmark_ranking", "training.loop", "training.batches", "faces.emotions", "faces.features"),
    sources=("steps.retrain.featurise", "steps.retrain.train"),
    carriers=(
        "errors",
        "evaluation.intervals",
        "evaluation.paired",
        "evaluation.predictions",
        "evaluation.scores",
        "params",
        "pools",
        "ports",
        "steps.retrain.reuse",
    ),
)


@dataclass(frozen=True, kw_only=True)
class StudyTools:
    """What a study works with: where its trainings are kept, and the deployed form of a network, to time it."""

    stages: Path
    report: Report
    export: ExportBundle
    load: LoadRuntime


@dataclass(frozen=True, kw_only=True)
class Ranking:
    """Steps of an integral, and real stills to start from, see `explain.landmark_ranking`."""

    steps: int
    baselines: int


@dataclass(frozen=True, kw_only=True)
class Job:
    """One training: a variant with a seed, judged on one fold; `ranking` asks for a ranking of landmarks by its twin."""

    variant: str
    training: TrainingParams
    seed: int
    fold: int
    ranking: Ranking | None = None


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """One variant at one precision: `scores` of each training, their mean in `difference` to the reference.

    `trainings` are out-of-fold predictions of all people, one per seed; `train_s` seconds of both precisions of a fold.
    """

    variant: str
    precision: str
    trainings: tuple[Predictions, ...]
    scores: tuple[ModelScores, ...]
    difference: Interval | None
    train_s: float


@dataclass(frozen=True, kw_only=True)
class Study:
    """What a study found. `one_bit_gain` is one-bit minus float of each variant, on the same people.

    `one_bit_bound` is the lower end that holds with `confidence` from one side. `still_ms` is the median time of a still of
    each variant's deployed one-bit model.
    """

    reference: str
    people: int
    samples: int
    folds: int
    outcomes: tuple[Outcome, ...]
    one_bit_gain: Mapping[str, Interval]
    one_bit_bound: Mapping[str, float]
    confidence: float
    still_ms: Mapping[str, float]


def chosen_variants(study: StudyParams, names: str | None) -> StudyParams:
    """The study with the variants of a comma-separated list alone, all where None; the first is the reference where that
    of the parameters is not among them.

    Raises:
        InputError: one is unknown.
    """
    if names is None:
        return study
    wanted = list(dict.fromkeys(word.strip() for word in names.split(",") if word.strip()))
    unknown = [name for name in wanted if name not in study.variants] if wanted else ["nothing"]
    if unknown:
        raise InputError(f"unknown variant '{unknown[0]}'; params.yaml defines {', '.join(study.variants)}")
    return study.model_copy(
        update={
            "variants": {name: study.variants[name] for name in wanted},
            "fused": {name: parts for name, parts in study.fused.items() if set(parts) <= set(wanted)},
            "reference": study.reference if study.reference in wanted else wanted[0],
        }
    )


def plan_jobs(
    study: StudyParams, training: TrainingParams, seed: int, ranking: Ranking | None = None
) -> tuple[Job, ...]:
    """Every training of a study: variants with random convolutions are drawn more often, since they are cheap and vary.

    Raises:
        InputError: a variant changes what there is not, or to a value out of its range.
    """
    jobs = []
    for name, changes in study.variants.items():
        changed = variant_of(training, name, changes)
        draws = study.seeds if changed.variant == "T-EMO" else study.random_draws
        jobs += [
            Job(variant=name, training=changed, seed=seed + 1000 * draw, fold=fold, ranking=ranking)
            for draw in range(draws)
            for fold in range(study.folds)
        ]
    return tuple(jobs)


def run_jobs(
    jobs: Sequence[Job],
    table: ClipTable,
    folds: Mapping[str, int],
    place: Path,
    data_key: str,
    workers: int,
    report: Report,
) -> dict[Job, Path]:
    """Trains what is not there yet, in `workers` processes, and returns where each result lies.

    Results are kept by content key, so that a study that was stopped goes on where it was. `table` must hold no person
    that a gate judges.
    """
    if "gate" in table.splits:
        raise InputError("the study's table contains gate people, who are reserved for the gate; remove them")
    count = max(folds.values()) + 1
    placed = {
        job: place / "study" / INPUTS.key(None, data=data_key, job=_facts(job), folds=sorted(folds.items()))
        for job in jobs
    }
    waiting = [job for job in jobs if not (placed[job] / _RESULT).is_file()]
    report("training for the study", len(jobs) - len(waiting), len(jobs))
    if workers == 1:
        for done, job in enumerate(waiting, start=1):
            _keep(job, table, folds, count, placed[job])
            report("training for the study", len(jobs) - len(waiting) + done, len(jobs))
        return placed
    with worker_processes(workers, _open, (table, folds)) as pool:
        running: list[Future[None]] = [pool.submit(_keep_here, job, count, placed[job]) for job in waiting]
        for done, finished in enumerate(as_completed(running), start=1):
            finished.result()
            report("training for the study", len(jobs) - len(waiting) + done, len(jobs))
    return placed


def compare(
    jobs: Sequence[Job],
    placed: Mapping[Job, Path],
    study: StudyParams,
    params: EvaluationParams,
    seed: int,
    still_ms: Mapping[str, float],
) -> Study:
    """Out-of-fold figures of every variant at both precisions, and paired differences, one-bit against one-bit.

    `still_ms` of each variant; a fused one takes the time of all its parts.
    """
    found: dict[tuple[str, str], tuple[Predictions, ...]] = {}
    seconds: dict[str, float] = {}
    for name in study.variants:
        own = [job for job in jobs if job.variant == name]
        for precision in PRECISIONS:
            found[name, precision] = tuple(
                out_of_fold([placed[job] for job in own if job.seed == one], precision)
                for one in dict.fromkeys(job.seed for job in own)
            )
        seconds[name] = float(np.mean([_seconds(placed[job]) for job in own]))
    for name, parts in study.fused.items():
        for precision in PRECISIONS:
            trainings = zip(*(found[part, precision] for part in parts), strict=False)
            found[name, precision] = tuple(fused(each) for each in trainings)
        seconds[name] = sum(seconds[part] for part in parts)

    def difference(one: tuple[str, str], other: tuple[str, str], confidence: float = params.confidence) -> Interval:
        return mean_difference(found[one], found[other], params.bootstrap_resamples, confidence, seed)

    outcomes = tuple(
        Outcome(
            variant=name,
            precision=precision,
            trainings=trainings,
            scores=tuple(score_model(one, params, seed) for one in trainings),
            difference=None if name == study.reference else difference((name, precision), (study.reference, precision)),
            train_s=seconds[name],
        )
        for (name, precision), trainings in found.items()
    )
    first, names = next(iter(found.values()))[0], tuple(dict.fromkeys(name for name, _ in found))
    return Study(
        reference=study.reference,
        people=len(np.unique(first.persons)),
        samples=len(first),
        folds=study.folds,
        outcomes=outcomes,
        one_bit_gain={name: difference((name, "one-bit"), (name, "float")) for name in names},
        # Both ends of an interval at 2c - 1 hold, each from its side, with confidence c.
        one_bit_bound={
            name: difference((name, "one-bit"), (name, "float"), 2 * params.confidence - 1).lo for name in names
        },
        confidence=params.confidence,
        still_ms={**still_ms, **{name: sum(still_ms[part] for part in parts) for name, parts in study.fused.items()}},
    )


def _facts(job: Job) -> dict[str, object]:
    ranking = None if job.ranking is None else asdict(job.ranking)
    return {"training": job.training.model_dump(mode="json"), "seed": job.seed, "fold": job.fold, "ranking": ranking}


_HERE: list[tuple[ClipTable, Mapping[str, int]]] = []


def _open(table: ClipTable, folds: Mapping[str, int]) -> None:
    _HERE[:] = [(table, folds)]


def _keep_here(job: Job, count: int, folder: Path) -> None:
    _keep(job, *_HERE[0], count, folder)


def _keep(job: Job, table: ClipTable, folds: Mapping[str, int], count: int, folder: Path) -> None:
    with unless_made(folder) as partial:
        if partial is not None:
            _train_and_judge(job, table, folds, count, partial)


def _train_and_judge(job: Job, table: ClipTable, folds: Mapping[str, int], count: int, folder: Path) -> None:
    """Scores of the judged fold's people, each as an apex still, which is what a gate judges; pseudonyms stay."""
    from bitface.training.batches import apex_stills
    from bitface.training.loop import predict_scores, train_pair

    part = with_folds(table, folds, judged=job.fold, validation=(job.fold + 1) % count)
    start = time.perf_counter()
    learned = without_pseudonyms(part.of_split("train", "validation"))
    pair = train_pair(learned, job.training, job.seed + job.fold, lambda *_: None)
    seconds = time.perf_counter() - start
    judged = apex_stills(originals(part.of_split("gate")))
    ranked = {} if job.ranking is None else {"importance": _importance(job, job.ranking, pair[1], learned)}
    scores = {
        name.replace("-", "_"): centred(predict_scores(model, judged), model.thresholds)
        for name, model in zip(PRECISIONS, pair, strict=True)
    }
    np.savez(
        folder / _RESULT,
        allow_pickle=False,
        sample_ids=judged.sample_ids,
        persons=judged.persons,
        labels=np.array([EMOTIONS[label] for label in judged.labels]),
        emotions=np.array(pair[0].emotions),
        folds=np.full(len(judged), job.fold, dtype=np.int64),
        seconds=np.array(seconds),
        **scores,
        **ranked,
    )


def _importance(job: Job, ranking: Ranking, twin: TrainedModel, learned: ClipTable) -> NDArray[np.float64]:
    from bitface.explain.landmark_ranking import landmark_importance
    from bitface.training.batches import apex_stills

    stills = apex_stills(originals(learned.of_split("train")))
    return landmark_importance(twin, stills, ranking.steps, ranking.baselines, job.seed + job.fold)


def importance_of(folder: Path) -> NDArray[np.float64]:
    """The ranking that a job was asked for, float64 (E, 478), see `landmark_importance`."""
    return next(_arrays([folder]))["importance"]


def out_of_fold(folders: Sequence[Path], precision: str) -> Predictions:
    """What all folds of one training say of all people, `precision` one-bit or float."""
    parts = list(_arrays(folders))
    emotions = {tuple(map(str, arrays["emotions"])) for arrays in parts}
    if len(emotions) != 1:
        raise InputError("the folds do not contain the same emotions; add more people per emotion")
    (names,) = emotions
    joined = {
        name: np.concatenate([arrays[name] for arrays in parts])
        for name in ("sample_ids", "persons", "labels", "folds", precision.replace("-", "_"))
    }
    scores: NDArray[np.float64] = joined.pop(precision.replace("-", "_"))
    return Predictions(**joined, emotions=names, scores=scores, thresholds=np.full(len(names), 0.5))


def _seconds(folder: Path) -> float:
    return float(next(_arrays([folder]))["seconds"])


def _arrays(folders: Sequence[Path]) -> Iterator[Arrays]:
    for folder in folders:
        with np.load(folder / _RESULT, allow_pickle=False) as arrays:
            yield {name: arrays[name] for name in arrays.files}


def study_table(table: ClipTable) -> ClipTable:
    """The people a study may use: everyone but those that gates judge, their splits forgotten."""
    allowed = table.where(table.splits != "gate")
    return replace(allowed, splits=np.full(len(allowed), "train"))
