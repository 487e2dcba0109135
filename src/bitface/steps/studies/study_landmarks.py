"""Asks how few landmarks do, and which: subsets screened by a head solved at once, the best of each size trained.

Every subset is chosen on the training people of its fold and judged on people whom neither the choice nor the head has seen.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Final, get_args

import numpy as np
from numpy.typing import NDArray

from bitface.counted_words import counted
from bitface.errors import InputError
from bitface.evaluation.intervals import Interval
from bitface.evaluation.paired import macro_balanced_accuracies, mean_difference
from bitface.evaluation.predictions import Predictions
from bitface.faces.emotions import EMOTIONS
from bitface.faces.features import LANDMARKS, ClipTable
from bitface.faces.splits import fold_of_people
from bitface.params import EvaluationParams, LandmarkChoice, StudyParams
from bitface.ports import Report
from bitface.steps.retrain.featurise import originals
from bitface.steps.retrain.plan import Run
from bitface.steps.retrain.reuse import key_of
from bitface.steps.retrain.run_data import Data
from bitface.steps.retrain.train import centred, with_folds
from bitface.steps.studies.ranking_sanity import RankingSanity, ranking_sanity
from bitface.steps.studies.study import (
    Job,
    Ranking,
    Study,
    StudyTools,
    compare,
    importance_of,
    plan_jobs,
    run_jobs,
    study_table,
)
from bitface.steps.studies.study_latency import measure_stills

ALL: Final = f"all {LANDMARKS}"
BY_RANK: Final = "attribution"
BY_RANK_SPREAD: Final = "attribution spread"
SINGLE: Final = ("uniform", "variance", "greedy")
"""Choices that draw nothing: one seed says all."""
CONTROLS: Final = ("random", "uniform")


@dataclass(frozen=True, kw_only=True)
class Screened:
    """One choice at one size: macro balanced accuracy of each seed out of fold, and the paired difference to all landmarks."""

    choice: str
    count: int
    values: tuple[float, ...]
    difference: Interval

    @property
    def mean(self) -> float:
        """Over seeds."""
        return float(np.mean(self.values))


@dataclass(frozen=True, kw_only=True)
class LandmarkStudy:
    """`all_value`: the screening head on all landmarks; `best`: count -> the choice that was trained; `trained`: see Study.
    `importance` float64 (E, 478), mean over trainings; `sanity`: what such a ranking speaks of.
    """

    all_value: float
    screened: tuple[Screened, ...]
    best: Mapping[int, str]
    trained: Study
    importance: NDArray[np.float64]
    sanity: RankingSanity


def study_landmarks(run: Run, data: Data, tools: StudyTools) -> LandmarkStudy:
    """Screens every choice at every size, then trains the best of each size, and the controls at one, beside all landmarks.

    Raises:
        InputError: there are fewer people than folds, or params.yaml's network does not choose landmarks.
    """
    params, asked = run.params.study, run.params.study.landmarks
    members = [sample for sample in run.members.samples if sample.split != "gate"]
    folds = fold_of_people(members, params.folds, run.params.seed, run.members.content)
    if len(folds) < params.folds:
        few = counted(len(folds), "person is", "people are")
        raise InputError(f"{few} too few for {counted(params.folds, 'fold')}; add people, or lower study.folds")
    table = study_table(data.rows)
    data_key = key_of(data.seen.digests(), sorted(map(str, table.sample_ids)))
    train_all = partial(
        run_jobs, table=table, folds=folds, place=tools.stages, data_key=data_key, workers=params.workers
    )
    ranking = Ranking(steps=asked.ranking_steps, baselines=asked.ranking_baselines)
    wanted = _variants(params, {ALL: {"landmarks": {"count": LANDMARKS}}})
    whole = plan_jobs(wanted.model_copy(update={"seeds": asked.seeds}), run.params.training, run.params.seed, ranking)
    if whole[0].training.architecture != "landmark_net" or whole[0].training.variant != "T-EMO":
        raise InputError(
            "only a landmark_net of variant T-EMO can choose landmarks; set training.architecture and training.variant"
        )
    placed = train_all(whole, report=tools.report)
    importance = {job: importance_of(placed[job]) for job in whole}
    found = screen(originals(table), folds, importance, params, run.params.seed, tools.report)
    screened = compare_screened(found, run.params.evaluation, run.params.seed)
    best = best_choices(screened)
    finalists = _variants(params, finalists_of(best, asked.control_count))
    jobs = plan_jobs(finalists, run.params.training, run.params.seed)
    placed |= train_all(jobs, report=tools.report)
    both = _variants(params, {**wanted.variants, **finalists.variants})
    sizes = {job.variant: job.training for job in (*whole, *jobs)}
    still_ms = measure_stills(sizes, run.params.latency, run.params.seed, tools.export, tools.load)
    return LandmarkStudy(
        all_value=_mean_value(found[ALL, LANDMARKS]),
        screened=screened,
        best=best,
        trained=compare((*whole, *jobs), placed, both, run.params.evaluation, run.params.seed, still_ms),
        importance=np.mean(list(importance.values()), axis=0),
        sanity=ranking_sanity(table, folds, whole[0].training, ranking, asked.seeds, run.params.seed, tools.report),
    )


def best_choices(screened: Sequence[Screened]) -> dict[int, str]:
    """Count -> the choice of the highest mean among those that a training can make by itself."""
    own = [one for one in screened if one.choice in get_args(LandmarkChoice)]
    counts = dict.fromkeys(one.count for one in own)
    return {count: max((one for one in own if one.count == count), key=lambda one: one.mean).choice for count in counts}


def _variants(params: StudyParams, variants: Mapping[str, Mapping[str, object]]) -> StudyParams:
    return params.model_copy(update={"variants": variants, "fused": {}, "reference": ALL})


def finalists_of(best: Mapping[int, str], control_count: int) -> dict[str, Mapping[str, object]]:
    """The best of each count and, at one count, the controls: changes of the section training by name."""
    pairs = [(count, choice) for count, choice in best.items()]
    pairs += [(control_count, choice) for choice in CONTROLS if best[control_count] != choice]
    return {f"{count} {choice}": {"landmarks": {"count": count, "choice": choice}} for count, choice in pairs}


def screen(
    table: ClipTable,
    folds: Mapping[str, int],
    importance: Mapping[Job, NDArray[np.float64]],
    params: StudyParams,
    seed: int,
    report: Report,
) -> dict[tuple[str, int], list[Predictions]]:
    """Out-of-fold predictions of each choice and size, one of each seed that matters."""
    parts: dict[tuple[str, int, int], list[Predictions]] = {}
    count = max(folds.values()) + 1
    for fold in range(count):
        stills = _Stills.of(with_folds(table, folds, judged=fold, validation=(fold + 1) % count))
        for number in range(params.landmarks.seeds):
            ranks = [own for job, own in importance.items() if (job.fold, job.seed) == (fold, seed + 1000 * number)]
            for (choice, size), landmarks in _subsets(stills, ranks[0], number, seed + fold, params).items():
                parts.setdefault((choice, size, number), []).append(_judged(stills, landmarks, params, fold))
        report("screening landmarks", fold + 1, count)
    found: dict[tuple[str, int], list[Predictions]] = {}
    for (choice, size, _), own in parts.items():
        found.setdefault((choice, size), []).append(_joined(own))
    return found


@dataclass(frozen=True, kw_only=True)
class _Stills:
    """A fold's apex stills: who teaches, who chooses and who is judged."""

    train: ClipTable
    validation: ClipTable
    judged: ClipTable
    emotions: tuple[str, ...]

    @classmethod
    def of(cls, part: ClipTable) -> _Stills:
        from bitface.training.batches import apex_stills
        from bitface.training.choice import trainable_emotions

        train, validation, judged = (apex_stills(part.of_split(name)) for name in ("train", "validation", "gate"))
        return cls(train=train, validation=validation, judged=judged, emotions=trainable_emotions(train, validation)[0])

    def taught(self) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        return self._of(self.train)

    def chosen_by(self) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        return self._of(self.validation)

    def _of(self, table: ClipTable) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        from bitface.training.choice import targets_of

        return table.landmarks[:, 0], targets_of(table, self.emotions)


def _subsets(
    stills: _Stills, importance: NDArray[np.float64], number: int, seed: int, params: StudyParams
) -> dict[tuple[str, int], tuple[int, ...]]:
    """The subsets of a seed; what no seed changes is made once, with the first."""
    from bitface.training.landmarks.landmark_choice import choose_landmarks, ranked_and_spread

    shown, targets = stills.taught()
    face, overall = shown.mean(axis=0, dtype=np.float64), _overall(importance)
    order = np.argsort(-overall, kind="stable")
    subsets: dict[tuple[str, int], tuple[int, ...]] = {}
    for size in params.landmarks.counts:
        for choice in get_args(LandmarkChoice):
            if number == 0 or choice not in SINGLE:
                drawn = choose_landmarks(choice, size, shown, targets, stills.train.persons, seed * 1000 + number)
                subsets[choice, size] = drawn
        subsets[BY_RANK, size] = tuple(sorted(order[:size].tolist()))
        subsets[BY_RANK_SPREAD, size] = tuple(sorted(ranked_and_spread(overall, face, size).tolist()))
    if number == 0:
        subsets[ALL, LANDMARKS] = tuple(range(LANDMARKS))
    return subsets


def _overall(importance: NDArray[np.float64]) -> NDArray[np.float64]:
    """Each emotion counts alike, float64 (478,)."""
    return np.asarray((importance / np.maximum(importance.sum(axis=1, keepdims=True), 1e-12)).mean(axis=0))


def _judged(stills: _Stills, landmarks: tuple[int, ...], params: StudyParams, fold: int) -> Predictions:
    from bitface.training.landmarks.landmark_screening import screened_scores

    judged = stills.judged
    scores, thresholds = screened_scores(
        landmarks, stills.taught(), stills.chosen_by(), judged.landmarks[:, 0], params.landmarks.ridge
    )
    return Predictions(
        sample_ids=judged.sample_ids,
        persons=judged.persons,
        labels=np.array([EMOTIONS[label] for label in judged.labels]),
        emotions=stills.emotions,
        scores=centred(scores, thresholds),
        thresholds=np.full(len(stills.emotions), 0.5),
        folds=np.full(len(judged), fold, dtype=np.int64),
    )


def _joined(parts: Sequence[Predictions]) -> Predictions:
    if len({part.emotions for part in parts}) != 1:
        raise InputError("the folds do not contain the same emotions; add more people per emotion")
    columns: dict[str, NDArray[Any]] = {
        name: np.concatenate([getattr(part, name) for part in parts])
        for name in ("sample_ids", "persons", "labels", "scores", "folds")
    }
    return Predictions(**columns, emotions=parts[0].emotions, thresholds=parts[0].thresholds)


def compare_screened(
    found: Mapping[tuple[str, int], list[Predictions]], params: EvaluationParams, seed: int
) -> tuple[Screened, ...]:
    """Every choice and size with its paired difference to all landmarks."""
    whole = found[ALL, LANDMARKS]
    return tuple(
        Screened(
            choice=choice,
            count=size,
            values=tuple(float(macro_balanced_accuracies(one, None)[0]) for one in own),
            difference=mean_difference(own, whole, params.bootstrap_resamples, params.confidence, seed),
        )
        for (choice, size), own in found.items()
        if choice != ALL
    )


def _mean_value(trainings: Sequence[Predictions]) -> float:
    return float(np.mean([macro_balanced_accuracies(one, None)[0] for one in trainings]))
