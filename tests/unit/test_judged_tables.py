"""Tables of the data gate that no file holds: who is missing, who is in two parts, and what is new since the last version."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace

import pytest

from bitface.errors import IntegrityError
from bitface.faces.records import Sample, SubjectRecord
from bitface.params import read_params
from bitface.steps.retrain.doubts import Doubts
from bitface.steps.retrain.judged_tables import judged_tables, schema_sentences, schema_table

PARAMS = read_params(Path(__file__).resolve().parents[2] / "params.yaml")
NOBODY = Doubts(review=(), sentences=(), contradicting={}, in_another_split={}, of_another_person={})
NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)


def subject(number: int, age: str = "30_44", gender: str = "female") -> SubjectRecord:
    return SubjectRecord(
        person=f"r{number:015d}",
        age_band=age,
        gender=gender,
        skin_tone=None,
        ancestry="unknown",
        self_reported=True,
        evidence="real",
    )


def sample(number: int, person: int, label: str = "fear", split: str = "train") -> Sample:
    return Sample(
        sample_id=f"s{number}",
        person=f"r{person:015d}",
        shard="",
        kind="image",
        frames=1,
        fps=0.0,
        label=label,
        split=split,
        source="mine",
        licence_id="own",
        sha256=f"{number:064d}",
    )


def run(folder: Path, samples, people, manifest="a", at=NOON) -> SimpleNamespace:
    return SimpleNamespace(
        folder=folder,
        members=SimpleNamespace(samples=tuple(samples)),
        slices=lambda: {one.person: one.slices() for one in people},
        params=PARAMS,
        dataset=SimpleNamespace(manifest_sha256=manifest),
        started_at=at,
    )


def test_whoever_is_missing_is_counted(tmp_path) -> None:
    people = [subject(0), subject(1, age="unknown"), subject(2), subject(3)]
    found = judged_tables(run(tmp_path / "r", [sample(k, k) for k in range(4)], people), NOBODY)["demographics"]
    rows = {row["attribute"]: row for row in found.to_dict("records")}
    assert rows["age_band"]["unknown_share"] == 0.25 and rows["age_band"]["unknown_share_max"] == 0.1
    assert rows["age_band"]["values_without_people"] == 3, "18 to 29, 45 to 59, and 60 and above"
    assert rows["gender"]["values_without_people"] == 1 and rows["ancestry"]["unknown_share_max"] == 1.0


def test_a_person_in_two_parts_and_copies_of_pictures_are_counted(tmp_path) -> None:
    samples = [sample(0, 0), sample(1, 0, split="test"), sample(2, 1)]
    doubts = Doubts(
        review=(),
        sentences=(),
        contradicting={"s2": 1},
        in_another_split={},
        of_another_person={f"r{1:015d}": 2},
    )
    found = judged_tables(run(tmp_path / "r", samples, [subject(0), subject(1)]), doubts)
    assert found["splits"]["splits"].tolist() == [2, 1]
    assert found["splits"]["pictures_of_another_person"].tolist() == [0, 2]
    assert found["labels"]["contradicting"].tolist() == [0, 0, 1]


def test_words_are_held_against_the_latest_version_that_was_judged_here(tmp_path) -> None:
    """And not against the run of the same data, nor an older version."""
    people = [subject(0), subject(1)]
    oldest = [sample(0, 0, label="anger"), sample(1, 1)]
    later = [sample(0, 0), sample(1, 1)]
    newest = [sample(0, 0), sample(1, 1, label="surprise", split="gate")]
    first = judged_tables(run(tmp_path / "1", oldest, people, "a", NOON), NOBODY)["schema"]
    judged_tables(run(tmp_path / "2", later, people, "b", NOON + timedelta(days=1)), NOBODY)
    judged_tables(run(tmp_path / "3", newest, people, "c", NOON + timedelta(days=2)), NOBODY)
    again = judged_tables(run(tmp_path / "4", newest, people, "c", NOON + timedelta(days=3)), NOBODY)["schema"]
    assert set(first["state"]) == {"same"}, "there is nothing before the first"
    assert schema_sentences(again) == (
        "since the last version: label 'surprise' is new",
        "since the last version: split 'gate' is new",
    )


def test_a_name_that_is_gone_is_a_row_too() -> None:
    found = schema_table({"label": ["fear"]}, {"label": ["anger", "fear"]})
    assert found.to_dict("records") == [
        {"part": "label", "name": "anger", "state": "gone"},
        {"part": "label", "name": "fear", "state": "same"},
    ]


def test_what_is_kept_of_a_version_names_nobody(tmp_path) -> None:
    judged_tables(run(tmp_path / "r", [sample(0, 0)], [subject(0)]), NOBODY)
    text = (tmp_path / "r" / "schema.json").read_text(encoding="utf-8")
    assert json.loads(text)["names"]["label"] == ["fear"] and "r000000000000000" not in text and "s0" not in text


@pytest.mark.parametrize("broken", ["", "{"])
def test_a_file_of_an_earlier_version_that_broke_is_told_and_not_taken_for_none(tmp_path, broken) -> None:
    (tmp_path / "1").mkdir()
    (tmp_path / "1" / "schema.json").write_text(broken)
    with pytest.raises(IntegrityError, match=r"1/schema\.json of an earlier run is broken; delete that file"):
        judged_tables(run(tmp_path / "r", [sample(0, 0)], [subject(0)]), NOBODY)
