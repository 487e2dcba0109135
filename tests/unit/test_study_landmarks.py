"""A study of landmarks: subsets are chosen without the people that judge them, and what tells most is found."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from bitface.evaluation.intervals import Interval
from bitface.explain.sanity import speaks_of_what_was_learned
from bitface.faces.features import ClipTable
from bitface.params import EvaluationParams, LandmarkStudyParams, StudyParams, read_params
from bitface.steps.studies import study_landmarks as step
from bitface.steps.studies.ranking_sanity import ranking_sanity
from bitface.steps.studies.study import Ranking, importance_of, plan_jobs, run_jobs
from bitface.steps.studies.study_landmarks import (
    ALL,
    BY_RANK,
    Screened,
    best_choices,
    compare_screened,
    finalists_of,
    screen,
)

PARAMS = read_params(Path(__file__).resolve().parents[2] / "params.yaml")
EVALUATION: EvaluationParams = PARAMS.evaluation.model_copy(update={"bootstrap_resamples": 100})
SMALL = {"channels": 32, "lstm_units": 4, "epochs": 4, "steps_per_epoch_min": 8, "batch": 16, "binary_layers": 1}
ASKED = LandmarkStudyParams(
    counts=(16, 8), control_count=8, seeds=2, ridge=(0.01,), ranking_steps=8, ranking_baselines=2
)
STUDY: StudyParams = PARAMS.study.model_copy(
    update={"folds": 3, "seeds": 1, "workers": 1, "landmarks": ASKED, "variants": {ALL: {}}, "reference": ALL}
)
TELLING = (70, 100, 300, 329)


def people(count: int = 24, each: int = 4) -> tuple[ClipTable, dict[str, int]]:
    """Faces of noise in which two pairs of landmarks, left and right alike, move with happiness."""
    rng = np.random.default_rng(0)
    n = count * each
    labels = np.tile([3, 6], n // 2)
    landmarks = 0.03 * rng.normal(size=(n, 1, 478, 3))
    landmarks[:, :, TELLING, 1] += 1.0 * (labels == 3)[:, None, None]
    table = ClipTable(
        landmarks=landmarks.astype(np.float32),
        blendshapes=np.zeros((n, 1, 52), np.float32),
        crops=np.zeros((n, 1, 64, 64), np.uint8),
        lengths=np.ones(n, dtype=np.int64),
        labels=labels,
        persons=np.repeat([f"p{row}" for row in range(count)], each),
        sample_ids=np.array([f"s{row}" for row in range(n)]),
        splits=np.full(n, "train"),
        quality=np.zeros((n, 5), np.float32),
    )
    return table, {f"p{row}": row % 3 for row in range(count)}


def screened(choice: str, count: int, mean: float) -> Screened:
    return Screened(
        choice=choice, count=count, values=(mean,), difference=Interval(value=0, lo=0, hi=0, n=4, persons=2)
    )


def test_the_best_is_one_that_a_training_can_choose_by_itself() -> None:
    """A ranking by attribution needs a net first: it is compared, and not shipped."""
    found = [screened("greedy", 8, 0.8), screened("random", 8, 0.7), screened(BY_RANK, 8, 0.9)]
    assert best_choices(found) == {8: "greedy"}


def test_finalists_are_the_best_of_each_size_and_the_controls_at_one() -> None:
    assert list(finalists_of({16: "stability", 8: "greedy"}, 8)) == [
        "16 stability",
        "8 greedy",
        "8 random",
        "8 uniform",
    ]
    assert list(finalists_of({16: "greedy", 8: "random"}, 8)) == ["16 greedy", "8 random", "8 uniform"]


def test_counts_that_are_no_subsets_are_refused() -> None:
    for change in ({"counts": (478,), "control_count": 478}, {"counts": (128,), "control_count": 64}):
        with pytest.raises(ValueError, match="control_count"):
            LandmarkStudyParams.model_validate({**ASKED.model_dump(), **change})


@pytest.mark.trains
def test_nets_rank_and_screening_finds_what_tells(tmp_path: Path) -> None:
    """From trained nets to compared subsets: the telling landmarks lead the ranking, and 8 chosen ones do as well as all.

    Random ones miss them, and guess.
    """
    table, folds = people()
    training = PARAMS.training.model_copy(update=SMALL)
    study = STUDY.model_copy(update={"seeds": 2, "landmarks": ASKED.model_copy(update={"counts": (8,)})})
    jobs = plan_jobs(study, training, 0, Ranking(steps=8, baselines=2))
    placed = run_jobs(jobs, table, folds, tmp_path, "data", 1, lambda *_: None)
    importance = {job: importance_of(placed[job]) for job in jobs}
    assert all(own.shape == (2, 478) for own in importance.values())
    mean = np.mean(list(importance.values()), axis=(0, 1))
    assert len(set(np.argsort(-mean)[:4].tolist()) & set(TELLING)) >= 3
    found = screen(table, folds, importance, study, 0, lambda *_: None)
    assert all(sorted(one.sample_ids) == sorted(table.sample_ids) for own in found.values() for one in own)
    compared = {(one.choice, one.count): one for one in compare_screened(found, EVALUATION, 0)}
    assert len(compared["random", 8].values) == len(compared[BY_RANK, 8].values) == 2
    assert len(compared["greedy", 8].values) == 1
    for choice in ("greedy", "stability"):
        assert compared[choice, 8].mean > 0.95
    assert compared[BY_RANK, 8].mean > compared["random", 8].mean
    assert compared["random", 8].mean < 0.75


@pytest.mark.trains
def test_a_ranking_speaks_of_what_was_learned_and_of_nothing_where_there_is_nothing() -> None:
    """A net without its weights, or one taught labels in a random order, ranks otherwise, as do other random convolutions."""
    table, folds = people()
    whole = PARAMS.training.landmarks.model_copy(update={"count": 478})
    training = PARAMS.training.model_copy(update={**SMALL, "landmarks": whole})
    done: list[int] = []
    found = ranking_sanity(
        table, folds, training, Ranking(steps=8, baselines=2), 2, 0, lambda _, now, of: done.append(now - of)
    )
    assert -1 <= found.kernels < 0.7
    assert found.seeds < 1
    assert speaks_of_what_was_learned(max(found.randomised, found.shuffled))
    assert "A ranking by attribution depends on training" in found.sentence()
    assert done[-1] == 0
    blind = replace(found, shuffled=0.9)
    assert "DOES NOT DEPEND" in blind.sentence()


def test_people_who_judge_choose_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """The chooser is handed the faces of training people alone, in every fold."""
    from bitface.training.landmarks import landmark_choice

    table, folds = people()
    table = replace(table, landmarks=np.arange(len(table), dtype=np.float32)[:, None, None, None] + 0 * table.landmarks)
    seen: list[set[int]] = []
    real = landmark_choice.choose_landmarks

    def watched(choice, count, stills, targets, persons, seed):  # type: ignore[no-untyped-def]
        seen.append({int(row) for row in stills[:, 0, 0]})
        return real("uniform", count, np.random.default_rng(0).random(stills.shape), targets, persons, seed)

    monkeypatch.setattr(landmark_choice, "choose_landmarks", watched)
    monkeypatch.setattr(step, "_judged", lambda *_: None)
    monkeypatch.setattr(step, "_joined", lambda _: None)
    jobs = plan_jobs(STUDY.model_copy(update={"seeds": 2}), PARAMS.training, 0)
    screen(table, folds, {job: np.ones((2, 478)) for job in jobs}, STUDY, 0, lambda *_: None)
    of_row = np.array([folds[str(person)] for person in table.persons])
    allowed = [set(np.flatnonzero(~np.isin(of_row, [fold, (fold + 1) % 3])).tolist()) for fold in range(3)]
    assert seen
    assert all(rows in allowed for rows in seen)
