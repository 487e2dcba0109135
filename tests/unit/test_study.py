"""A study compares on the same people, goes on where it stopped, and never looks at gate people."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from bitface.adapters.openvino_runtime import OneBitRuntime, export_bundle
from bitface.errors import InputError
from bitface.evaluation.paired import fused, macro_balanced_accuracies, mean_difference
from bitface.evaluation.predictions import Predictions
from bitface.faces.features import ClipTable
from bitface.models.extraction import selftest_of
from bitface.params import LatencyParams, StudyParams, read_params, variant_of
from bitface.steps.studies import study as study_step
from bitface.steps.studies.study import chosen_variants, compare, plan_jobs, run_jobs, study_table
from bitface.steps.studies.study_latency import measure_stills
from bitface.steps.studies.study_report import study_document, study_metrics, study_text
from bitface.training.trained import TrainedModel

PARAMS = read_params(Path(__file__).resolve().parents[2] / "params.yaml")
SMALL = {"channels": 32, "lstm_units": 4, "epochs": 1, "steps_per_epoch_min": 2, "batch": 16, "binary_layers": 1}
STUDY = StudyParams(
    folds=3,
    seeds=2,
    random_draws=3,
    workers=1,
    reference="base",
    landmarks=PARAMS.study.landmarks,
    variants={"base": {}, "narrow": {"lstm_units": 2}},
    fused={"both": ("base", "narrow")},
)
FEW = PARAMS.training.landmarks.model_copy(update={"choice": "uniform", "count": 32})
TRAINING = PARAMS.training.model_copy(update={**SMALL, "landmarks": FEW})


def predicted(scores: list[float], thresholds: float = 0.5, order: list[int] | None = None) -> Predictions:
    n = len(scores)
    whole = Predictions(
        sample_ids=np.array([f"s{row}" for row in range(n)]),
        persons=np.array([f"p{row // 2}" for row in range(n)]),
        labels=np.array(["happiness", "neutral"] * (n // 2)),
        emotions=("happiness",),
        scores=np.array(scores)[:, None],
        thresholds=np.array([thresholds]),
        folds=np.zeros(n, dtype=np.int64),
    )
    return whole if order is None else whole.where(np.array(order))


def people(count: int = 9, each: int = 4) -> tuple[ClipTable, dict[str, int]]:
    rng = np.random.default_rng(0)
    n = count * each
    names = np.repeat([f"p{row}" for row in range(count)], each)
    labels = np.tile([3, 6], n // 2)
    landmarks = rng.normal(size=(n, 1, 478, 3)).astype(np.float32) + labels[:, None, None, None]
    table = ClipTable(
        landmarks=landmarks.astype(np.float32),
        blendshapes=np.zeros((n, 1, 52), np.float32),
        crops=np.zeros((n, 1, 64, 64), np.uint8),
        lengths=np.ones(n, dtype=np.int64),
        labels=labels,
        persons=names,
        sample_ids=np.array([f"s{row}" for row in range(n)]),
        splits=np.full(n, "train"),
        quality=np.zeros((n, 5), np.float32),
    )
    return table, {f"p{row}": row % 3 for row in range(count)}


def test_a_difference_is_that_of_the_means_whatever_the_order_of_samples() -> None:
    """One is right 4 of 4 times, the other on 3 of 4: balanced accuracies 1 and (1/2 + 1) / 2."""
    good, worse = predicted([0.9, 0.1, 0.8, 0.2]), predicted([0.9, 0.1, 0.4, 0.2], order=[3, 1, 0, 2])
    assert mean_difference([good], [worse], 200, 0.95, 0).value == pytest.approx(0.25)
    assert mean_difference([good, worse], [worse], 200, 0.95, 0).value == pytest.approx(0.125)
    assert macro_balanced_accuracies(worse, None).tolist() == pytest.approx([0.75])


def test_a_model_does_not_differ_from_itself() -> None:
    one = predicted(np.random.default_rng(1).random(40).tolist())
    found = mean_difference([one], [one], 200, 0.95, 0)
    assert (found.value, found.lo, found.hi) == (0, 0, 0)


def test_other_samples_are_no_pair() -> None:
    with pytest.raises(InputError, match="not judged on the same samples"):
        mean_difference([predicted([0.9, 0.1])], [predicted([0.9, 0.1, 0.8, 0.2])], 200, 0.95, 0)


def test_fusion_averages_logits_relative_to_thresholds() -> None:
    """Odds 9 over threshold odds 1, and odds 1 over threshold odds 1/4: the mean logit has odds (9 * 4) ** (1/2) = 6."""
    both = fused([predicted([0.9, 0.1]), predicted([0.5, 0.1], thresholds=0.2)])
    assert both.scores[0, 0] == pytest.approx(6 / 7)
    assert both.thresholds.tolist() == [0.5]


def test_jobs_are_every_variant_seed_and_fold() -> None:
    jobs = plan_jobs(STUDY, TRAINING, seed=5)
    assert len(jobs) == 2 * 2 * 3
    assert {job.training.lstm_units for job in jobs if job.variant == "narrow"} == {2}
    assert len({(job.variant, job.seed, job.fold) for job in jobs}) == len(jobs)


def test_variants_are_chosen_by_name_with_what_they_are_fused_to() -> None:
    assert chosen_variants(STUDY, None) is STUDY
    both = chosen_variants(STUDY, "narrow, base")
    assert (list(both.variants), both.reference, list(both.fused)) == (["narrow", "base"], "base", ["both"])
    one = chosen_variants(STUDY, "narrow")
    assert (one.reference, one.fused) == ("narrow", {})
    for wrong in ("wide", ","):
        with pytest.raises(InputError, match=r"params\.yaml defines base, narrow"):
            chosen_variants(STUDY, wrong)


def test_an_unknown_reference_or_change_is_refused() -> None:
    with pytest.raises(ValueError, match="study names 'gone'"):
        StudyParams.model_validate({**STUDY.model_dump(), "reference": "gone"})
    with pytest.raises(ValueError, match="'a, b' is not a valid metric name"):
        StudyParams.model_validate({**STUDY.model_dump(), "variants": {"base": {}, "narrow": {}, "a, b": {}}})
    wrong = STUDY.model_copy(update={"variants": {"base": {"lstm_unit": 2}}, "fused": {}})
    with pytest.raises(InputError, match=r"study\.variants: base: lstm_unit: unknown parameter"):
        plan_jobs(wrong, TRAINING, seed=5)


def test_a_variant_may_change_one_number_of_a_nested_section_and_its_widths_are_checked() -> None:
    faces = {"architecture": "face_net", "face_net": {"pruned": [32, 64, 64]}}
    few = STUDY.model_copy(update={"variants": {"base": faces}, "fused": {}})
    jobs = plan_jobs(few, TRAINING, seed=5)
    assert {job.training.pruned for job in jobs} == {(32, 64, 64)}
    assert {job.training.face_net.channels for job in jobs} == {TRAINING.face_net.channels}
    wide = few.model_copy(update={"variants": {"base": {**faces, "face_net": {"pruned": [64, 64, 64]}}}})
    with pytest.raises(InputError, match=r"study\.variants: base: face_net: .*64 channels of stage 1"):
        plan_jobs(wide, TRAINING, seed=5)


def test_a_pruned_variant_is_trained_again_when_its_widths_change(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Results are kept by everything that made them."""
    table, folds = people()
    monkeypatch.setattr(study_step, "_keep", lambda *_: None)
    variants = {
        name: {"architecture": "face_net", "face_net": {"pruned": pruned}}
        for name, pruned in (("whole", None), ("base", [32, 64, 64]), ("narrow", [32, 32, 32]))
    }
    jobs = plan_jobs(STUDY.model_copy(update={"variants": variants}), TRAINING, seed=5)
    placed = run_jobs(jobs, table, folds, tmp_path, "data", 1, lambda *_: None)
    assert len(set(placed.values())) == len(jobs) == 3 * 2 * 3


@pytest.mark.trains
def test_stills_of_every_variant_are_timed_through_the_deployed_runtime() -> None:
    faces = {"architecture": "face_net", "face_net": {"pruned": [32, 32, 32]}}
    sizes = {name: variant_of(TRAINING, name, changes) for name, changes in {"base": {}, "pruned": faces}.items()}
    networks = []

    def export(model: TrainedModel, folder: Path) -> None:
        networks.append(model.network)
        export_bundle(model, selftest_of(model.network, 1), folder)

    taken = measure_stills(
        sizes, LatencyParams(rounds=5, warmup=1, attempts=1, slowdown_max=1.25), 1, export, OneBitRuntime.load
    )
    assert list(taken) == ["base", "pruned"] and min(taken.values()) > 0
    assert networks[1].spec.widths == (32, 32, 32)


@pytest.mark.trains
def test_a_study_judges_everybody_once_per_training_and_goes_on_where_it_stopped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    table, folds = people()
    jobs = plan_jobs(STUDY, TRAINING, seed=5)
    placed = run_jobs(jobs, table, folds, tmp_path, "data", 1, lambda *_: None)
    found = compare(jobs, placed, STUDY, PARAMS.evaluation, 1, {"base": 0.2, "narrow": 0.1})
    assert found.still_ms == pytest.approx({"base": 0.2, "narrow": 0.1, "both": 0.3})
    assert [document["precision"] for document in study_document(found)["variants"]].count("one-bit") == 3
    assert study_metrics(found)["study/narrow/one-bit/still_ms"] == 0.1
    assert "0.300 ms" in study_text(found)
    assert (found.people, found.samples) == (9, 36)
    assert {(one.variant, one.precision) for one in found.outcomes} == {
        (name, precision) for name in ("base", "narrow", "both") for precision in ("one-bit", "float")
    }
    for one in found.outcomes:
        assert len(one.trainings) == 2
        assert all(sorted(each.sample_ids) == sorted(table.sample_ids) for each in one.trainings)
        assert (one.difference is None) == (one.variant == "base")
    assert set(found.one_bit_gain) == {"base", "narrow", "both"}
    assert all(found.one_bit_bound[name] >= gain.lo for name, gain in found.one_bit_gain.items())
    monkeypatch.setattr(study_step, "_train_and_judge", lambda *_: pytest.fail("trained again"))
    assert run_jobs(jobs, table, folds, tmp_path, "data", 1, lambda *_: None) == placed


def test_gate_people_are_no_material_for_a_study(tmp_path: Path) -> None:
    table, folds = people()
    mixed = replace(table, splits=np.where(table.persons == "p0", "gate", "train"))
    with pytest.raises(InputError, match="gate people"):
        run_jobs(plan_jobs(STUDY, TRAINING, 0), mixed, folds, tmp_path, "data", 1, lambda *_: None)
    assert "p0" not in study_table(mixed).persons
