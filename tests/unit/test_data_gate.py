"""The data gate says what to do, and asks for the consents of everyone but those whom a licence alone admits for benchmark."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from bitface.consent.admission import Admission
from bitface.faces.features import ClipTable
from bitface.faces.records import Sample, SubjectRecord
from bitface.params import QualityParams, read_params
from bitface.steps.retrain.validate import Validation, validate_samples

PARAMS = read_params(Path(__file__).parents[2] / "params.yaml")
PEOPLE = [f"r{number:015d}" for number in range(10)]
GOOD, FAR = (1, 60, 0.7, 120, 0), (1, 12, 0.7, 120, 0)


def validated(
    folder: Path, purpose: str, events: list[str | None], far: int = 0
) -> tuple[Validation, dict[str, pd.DataFrame]]:
    """What the gate says of ten people, `far` of them too far away, and the tables that the suites were handed."""
    handed: dict[str, pd.DataFrame] = {}

    def checks(tables: dict[str, pd.DataFrame], params: QualityParams, docs: Path) -> SimpleNamespace:
        handed.update(tables)
        return SimpleNamespace(
            failures=("quality: column",) if far > 2 else (), expectations=1, docs_index=docs / "index.html", advice=()
        )

    samples = tuple(
        Sample(
            sample_id=person, person=person, shard="s", kind="image", frames=1, fps=0.0, label="fear", split="train",
            source="set", licence_id="own", sha256="0" * 64,
        )
        for person in PEOPLE
    )  # fmt: skip
    record = {"age_band": "unknown", "gender": "unknown", "skin_tone": None, "ancestry": "unknown"}
    subjects = {one: SubjectRecord(person=one, self_reported=True, evidence="real", **record) for one in PEOPLE}
    answers = [Admission(admitted=True, reason="", event_id=event) for event in events]
    members = SimpleNamespace(samples=samples, quarantined=(), admissions=dict(zip(PEOPLE, answers, strict=True)))
    run = SimpleNamespace(
        members=members, params=PARAMS, subjects=subjects, events=(), purpose=purpose, context="research", folder=folder,
        dataset=SimpleNamespace(manifest_sha256="0" * 64), started_at=datetime(2026, 6, 1, tzinfo=UTC),
        slices=lambda: {one: record.slices() for one, record in subjects.items()},
    )  # fmt: skip
    n = len(PEOPLE)
    table = ClipTable(
        landmarks=np.zeros((n, 1, 478, 3), np.float32),
        blendshapes=np.zeros((n, 1, 52), np.float32),
        crops=np.zeros((n, 1, 64, 64), np.uint8),
        lengths=np.ones(n, np.int64),
        labels=np.zeros(n, np.int64),
        persons=np.array(PEOPLE),
        sample_ids=np.array(PEOPLE),
        splits=np.array(["train"] * n),
        quality=np.array([FAR] * far + [GOOD] * (n - far), np.float32),
    )
    return validate_samples(run, table, checks), handed  # type: ignore[arg-type]


def test_whom_a_licence_admits_for_benchmark_has_no_consent_to_show(tmp_path: Path) -> None:
    _, handed = validated(tmp_path, "benchmark", [None] * 10)
    assert "consents" not in handed and handed.keys() >= {"index", "subjects", "quality", "labels", "splits"}


@pytest.mark.parametrize(
    ("purpose", "events"), [("train", [None] * 10), ("benchmark", [None] * 9 + ["e1"]), ("train", ["e1"] * 10)]
)
def test_everybody_else_s_consents_are_asked_for(tmp_path: Path, purpose: str, events: list[str | None]) -> None:
    _, handed = validated(tmp_path, purpose, events)
    assert "consents" in handed


def test_a_gate_that_fails_names_parameter_value_share_and_remedy_before_any_column(tmp_path: Path) -> None:
    found, _ = validated(tmp_path, "benchmark", [None] * 10, far=3)
    assert found.failures[0] == (
        "only 70% of the admitted samples show one good face, under 80% (quality.admitted_share_min): 30% eye distance under 18 px "
        "(quality.eye_distance_px_min; median 60); bring pictures that show one face each, larger or sharper ones, or move the limit that "
        "does not fit this source with --set"
    )
    assert found.failures[1:] == ("quality: column",)
    assert validated(tmp_path, "benchmark", [None] * 10, far=2)[0].failures == ()
