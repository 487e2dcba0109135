"""What stages that judge cost as a set grows: nothing grows faster than the people in it. Seconds of one core, told and not asserted.

Each part is timed alone, on made-up people with a still each, everyone of whom is judged; the time is that of the processor, which
neighbours cannot add to.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from time import process_time
from types import SimpleNamespace
from typing import TypeVar

import numpy as np
import pytest

from bitface.adapters.data_gate.great_expectations_checks import check_tables
from bitface.adapters.evidently_drift import drift_report
from bitface.adapters.report_html import write_data_docs
from bitface.consent.known_sources import synthetic_consents
from bitface.evaluation.by_group import group_report
from bitface.evaluation.coverage import SetPredictions, calibration_report
from bitface.evaluation.predictions import Predictions
from bitface.evaluation.scores import score_model
from bitface.faces.emotions import EMOTIONS
from bitface.faces.records import Sample, SubjectRecord
from bitface.gate.decision import evaluate_gate
from bitface.gate.evidence import ConsentEvidence, DriftEvidence, ExplanationEvidence, GateEvidence, RegionEvidence
from bitface.params import Params, read_params
from bitface.steps.judging.dataset_drift import Drifted, DriftTest, compare, still_rows
from bitface.steps.judging.face_rows import person_means, rows_of_samples
from bitface.steps.retrain.validate import Validation, validate_samples
from tests.evidence.made_up_sets import TAUGHT, MadeUpSet, made_up_answers, made_up_set

T = TypeVar("T")
pytestmark = [
    pytest.mark.long,
    pytest.mark.timeout(36000),
    pytest.mark.filterwarnings("ignore:module 'sre_(constants|parse)' is deprecated:DeprecationWarning"),
]
ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def params() -> Params:
    return read_params(ROOT / "params.yaml")


def seconds_of(work: Callable[[], T]) -> tuple[float, T]:
    start = process_time()
    done = work()
    return process_time() - start, done


def drift_of(people: MadeUpSet, params: Params, folder: Path) -> Drifted:
    """Training people against test people, as a retrain compares them."""
    reference, current = (
        person_means(rows_of_samples(people.of_splits(split), people.slices)) for split in ("train", "test")
    )
    test = DriftTest(params=params.drift, seed=params.seed, measure=drift_report)
    return compare(reference, current, test, folder / "drift.html")


def window_of(people: MadeUpSet, params: Params, folder: Path) -> Drifted:
    """Training people against as many faces that were predicted: nothing is known of who is in a picture."""
    reference = still_rows(rows_of_samples(people.of_splits("train"), {}), params.seed)
    current = rows_of_samples(people.of_splits("train", "test", "validation"), {}).reset_index(drop=True)
    test = DriftTest(params=params.drift, seed=params.seed, measure=drift_report)
    return compare(reference, current, test, folder / "window.html")


def evidence_of(people: MadeUpSet) -> GateEvidence:
    """A candidate, its twin and a champion, asked of everyone."""
    candidate, twin, champion = (
        made_up_answers(people.table, skill, seed) for seed, skill in enumerate((0.8, 0.82, 0.8))
    )
    few = people.table.persons[:200]
    return GateEvidence(
        emotions=TAUGHT,
        one_bit=candidate,
        twin=twin,
        champion_version="1",
        champion=champion,
        slices=people.slices,
        latency_ms={"one-bit": np.linspace(0.08, 0.09, 300)},
        explanations=(
            ExplanationEvidence(method="exact", baseline="mean", additive=True, gaps=np.zeros(len(few)), persons=few),
        ),
        regions=RegionEvidence(
            reads="landmarks",
            persons=few,
            labels=candidate.labels[: len(few)],
            expected_share=np.full(len(few), 0.4),
            expected_area=np.full(len(few), 0.3),
            outside_share=np.zeros(len(few)),
            champion_expected_share=np.full(len(few), 0.4),
        ),
        consent=ConsentEvidence(members=len(people.table), admitted=len(people.table)),
        drift=DriftEvidence(share=0.0, share_max=0.1, features=10, n_reference=100, n_current=100),
        window=None,
    )


def evaluated(people: MadeUpSet, answers: Predictions, params: Params) -> None:
    """All figures of a model."""
    sets = answers.decisions()
    stills = SetPredictions(
        persons=answers.persons,
        labels=answers.labels,
        emotions=answers.emotions,
        before=answers.scores,
        after=answers.scores,
        sets=sets,
        abstained=~sets.any(axis=1),
    )
    score_model(answers, params.evaluation, params.seed)
    group_report(answers, people.slices, params.evaluation, params.seed)
    calibration_report(stills, 0.9, "test people", people.slices, params.evaluation, params.seed)


def data_gate_of(people: MadeUpSet, params: Params, folder: Path) -> Validation:
    """Suites, doubts and page of the data gate, of people who are said to be real, so that copies are looked for."""
    table = replace(
        people.table,
        persons=np.char.replace(people.table.persons, "s0", "r0", count=1),
        crops=np.random.default_rng(0).integers(0, 255, people.table.crops.shape, dtype=np.uint8),
    )
    subjects = {
        str(person): SubjectRecord(
            person=str(person),
            age_band=values["age_band"],
            gender=values["gender"],
            skin_tone=2,
            ancestry="unknown",
            self_reported=True,
            evidence="real",
        )
        for person, values in zip(table.persons, people.slices.values(), strict=True)
    }
    samples = [
        Sample(
            sample_id=str(name),
            person=str(person),
            shard=f"shards/{person}.shard",
            kind="image",
            frames=1,
            fps=0.0,
            label=EMOTIONS[label],
            split=str(split),
            source="made up",
            licence_id="own",
            sha256=f"{row:064x}",
        )
        for row, (name, person, label, split) in enumerate(
            zip(table.sample_ids, table.persons, table.labels, table.splits, strict=True)
        )
    ]
    admissions = {person: SimpleNamespace(event_id=f"synthetic-{person}-1") for person in subjects}
    events = synthetic_consents(subjects)
    run = SimpleNamespace(
        members=SimpleNamespace(samples=samples, quarantined=(), admissions=admissions),
        subjects=subjects,
        slices=lambda: {person: record.slices() for person, record in subjects.items()},
        events=events,
        purpose="train",
        context="research",
        params=params,
        folder=folder / "runs" / "r",
        dataset=SimpleNamespace(manifest_sha256="0"),
        started_at=datetime(2026, 6, 1, tzinfo=UTC),
    )
    return validate_samples(run, table, partial(check_tables, write=write_data_docs))


def growth(small: tuple[int, float], large: tuple[int, float]) -> float:
    """The power of the number of people that seconds grow by: 1 is as fast as the people."""
    return math.log(large[1] / small[1]) / math.log(large[0] / small[0])


@pytest.fixture
def costs(params: Params, tmp_path: Path) -> Callable[[int], dict[str, float]]:
    """`costs(people)`: seconds of each part."""

    def measured(count: int) -> dict[str, float]:
        people = made_up_set(count, params.seed)
        evidence = evidence_of(people)
        found = {}
        found["drift"], drifted = seconds_of(lambda: drift_of(people, params, tmp_path))
        found["window"], _ = seconds_of(lambda: window_of(people, params, tmp_path))
        found["gate"], decision = seconds_of(lambda: evaluate_gate(evidence, params.gate, params.seed))
        found["evaluate"], _ = seconds_of(lambda: evaluated(people, made_up_answers(people.table, 0.8, 0), params))
        found["data gate"], checked = seconds_of(lambda: data_gate_of(people, params, tmp_path / str(count)))
        assert checked.failures == () and checked.admitted == count
        assert drifted.share == 0, "people of one kind, divided at random"
        assert not decision.counts()["not_run"] and decision.counts()["pass"]
        return found

    return measured


def warmed(params: Params, folder: Path) -> None:
    """Tools are imported before anything is timed."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        few = made_up_set(60, 0)
        drift_of(few, params, folder)
        data_gate_of(few, params, folder)
        evaluated(few, made_up_answers(few.table, 0.8, 0), params)


def test_parts_run_on_a_small_set(costs) -> None:
    assert set(costs(200)) == {"drift", "window", "gate", "evaluate", "data gate"}


def test_nothing_grows_faster_than_the_people(costs, params, tmp_path, state) -> None:
    warmed(params, tmp_path)
    sizes = (1000, 3500, 9000)
    found = {size: costs(size) for size in sizes}
    parts = []
    for part in found[sizes[0]]:
        power = growth((sizes[1], found[sizes[1]][part]), (sizes[2], found[sizes[2]][part]))
        parts.append(f"{part} " + ", ".join(f"{found[size][part]:.1f}" for size in sizes) + f" (power {power:.2f})")
    claim = "Seconds of one core at 1,000, 3,500 and 9,000 people, and the power of people that they grow by"
    state(claim, "; ".join(parts), sizes[-1])
