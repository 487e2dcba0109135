"""Each suite of the data gate lets good tables through, and fails for every kind of damage that it is there for."""

import re
from dataclasses import fields
from functools import partial
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from bitface.adapters.data_gate import great_expectations_checks
from bitface.adapters.data_gate.great_expectations_checks import judged
from bitface.adapters.data_gate.great_expectations_suites import (
    CONSENT_COLUMNS,
    DEMOGRAPHIC_COLUMNS,
    LABEL_COLUMNS,
    SCHEMA_COLUMNS,
    SPLIT_COLUMNS,
)
from bitface.adapters.report_html import write_data_docs
from bitface.errors import InputError
from bitface.faces.quality import POINT_COLUMNS, QUALITY_COLUMNS
from bitface.faces.records import Sample, SubjectRecord
from bitface.params import read_params

# Great Expectations imports them when it is imported itself.
pytestmark = pytest.mark.filterwarnings("ignore:module 'sre_(constants|parse)' is deprecated:DeprecationWarning")

PARAMS = read_params(Path(__file__).parents[2] / "params.yaml").quality
PEOPLE = ["a" * 16, "b" * 16, "c" * 16]
check_tables = partial(great_expectations_checks.check_tables, write=write_data_docs)


def good_tables():
    index = pd.DataFrame(
        {
            "sample_id": ["s1", "s2", "s3"],
            "person": PEOPLE,
            "shard": [f"shards/{person}.shard" for person in PEOPLE],
            "kind": ["clip", "image", "image"],
            "frames": [6, 1, 1],
            "fps": [12.5, 0.0, 0.0],
            "label": ["fear", "neutral", "happiness"],
            "split": ["train", "test", "gate"],
            "source": ["synthetic"] * 3,
            "licence_id": ["cc0"] * 3,
            "sha256": [digit * 64 for digit in "123"],
        }
    )
    subjects = pd.DataFrame(
        {
            "person": PEOPLE,
            "age_band": ["18_29", "60_plus", "unknown"],
            "gender": ["female", "male", "other"],
            "skin_tone": [1, None, 10],
            "ancestry": ["african", "asian", "unknown"],
            "self_reported": [True, False, True],
            "evidence": ["synthetic", "synthetic", "real"],
        }
    )
    consents = pd.DataFrame(
        {
            "person": PEOPLE,
            "event_id": ["e1", "e2", "e3"],
            "state": ["given", "reaffirmed", "given"],
            "purpose": ["train"] * 3,
            "context": ["research"] * 3,
            "valid_from": ["2026-01-01T00:00:00Z"] * 3,
            "valid_to": ["2027-01-01T00:00:00Z"] * 3,
            "notice_sha256": ["f" * 64] * 3,
        }
    )
    quality = pd.DataFrame([(1, 60, 0.7, 120, -5)] * 3, columns=list(QUALITY_COLUMNS), dtype="float32")
    quality.insert(0, "sample_id", ["s1", "s2", "s3"])
    labels = pd.DataFrame(
        [("s1", "fear", 0), ("s2", "neutral", 0), ("s3", "happiness", 0)], columns=list(LABEL_COLUMNS)
    )
    demographics = pd.DataFrame(
        [("age_band", 3, 0.0, 0.1, 0), ("gender", 3, 0.1, 0.1, 0), ("ancestry", 3, 0.9, 1.0, 0)],
        columns=list(DEMOGRAPHIC_COLUMNS),
    )
    splits = pd.DataFrame(
        [(person, split, 1, 0, 0) for person, split in zip(PEOPLE, ("train", "test", "gate"), strict=True)],
        columns=list(SPLIT_COLUMNS),
    )
    schema = pd.DataFrame(
        [("column", "sample_id", "same"), ("label", "fear", "same"), ("gender", "female", "same")],
        columns=list(SCHEMA_COLUMNS),
    )
    seen = {"index": index, "subjects": subjects, "consents": consents, "quality": quality}
    return seen | {"labels": labels, "demographics": demographics, "splits": splits, "schema": schema}


@pytest.fixture(scope="module")
def good_report(tmp_path_factory):
    return check_tables(good_tables(), PARAMS, tmp_path_factory.mktemp("docs"))


def failures_of(table, frame, folder):
    report = check_tables(good_tables() | {table: frame}, PARAMS, folder)
    assert report.success is (not report.failures)
    assert all(failure.startswith(f"{table}:") for failure in report.failures)
    return report.failures


def test_fixture_has_the_columns_of_the_records():
    tables = good_tables()
    assert list(tables["index"]) == [field.name for field in fields(Sample)]
    assert list(tables["subjects"]) == [field.name for field in fields(SubjectRecord)]
    assert tuple(tables["consents"]) == CONSENT_COLUMNS


def test_good_tables_pass_and_leave_a_report(good_report):
    assert good_report.failures == ()
    assert good_report.success
    assert good_report.expectations > 50
    assert good_report.docs_index.is_file()
    assert good_report.advice == ()
    page = good_report.docs_index.read_text(encoding="utf-8")
    assert "PASSED." in page and all(f"<h2>{name.capitalize()}</h2>" in page for name in good_tables())


def by_table(damage, folder):
    """The failures of each table when all are damaged alike; one run, because each takes a second."""
    tables = {name: damage(frame) for name, frame in good_tables().items()}
    failures = check_tables(tables, PARAMS, folder).failures
    return {name: [text for text in failures if text.startswith(f"{name}:")] for name in tables}


def test_empty_tables_fail(tmp_path):
    """Rules on columns all hold of a table without rows: the row count is what fails."""
    for failures in by_table(lambda frame: frame.iloc[:0], tmp_path).values():
        assert any("row count" in failure for failure in failures)


def test_missing_column_fails_and_its_rules_are_not_forgotten(tmp_path):
    for table, failures in by_table(lambda frame: frame.iloc[:, :-1], tmp_path).items():
        last = good_tables()[table].columns[-1]
        assert any("columns must match set" in failure for failure in failures)
        assert any(f"'{last}'" in failure and "could not be checked" in failure for failure in failures)


def test_extra_column_fails(tmp_path):
    """A column that nobody expects may be the name of a person."""
    for failures in by_table(lambda frame: frame.assign(subject_id="Jane"), tmp_path).values():
        (failure,) = failures
        assert "columns must match set" in failure


BAD_VALUES = {
    "index": [
        ("sample_id", "s1", "be unique"),
        ("person", "Jane Doe", "match regex"),
        ("shard", None, "not be null"),
        ("kind", "video", "be in set"),
        ("frames", 0, "be between"),
        ("fps", -1.0, "be between"),
        ("label", "joy", "be in set"),
        ("split", "", "be in set"),
        ("source", None, "not be null"),
        ("licence_id", None, "not be null"),
        ("sha256", "F" * 64, "match regex"),
    ],
    "subjects": [
        ("person", "a" * 16, "be unique"),
        ("age_band", "12_17", "be in set"),
        ("gender", "F", "be in set"),
        ("skin_tone", 11, "be between"),
        ("ancestry", None, "not be null"),
        ("self_reported", "yes", "be in set"),
        ("evidence", "mixed", "be in set"),
    ],
    "consents": [
        ("person", "Jane Doe", "match regex"),
        ("event_id", "e1", "be unique"),
        ("state", "withdrawn", "be in set"),
        ("purpose", "", "be in set"),
        ("context", "other", "be in set"),
        ("valid_from", "2026-01-01", "match regex"),
        ("valid_to", "2025-12-31T00:00:00Z", "valid_to is later than valid_from"),
        ("notice_sha256", "unknown", "match regex"),
    ],
    "quality": [("sample_id", "s1", "be unique"), *((column, None, "not be null") for column in QUALITY_COLUMNS)],
    "labels": [("sample_id", "s1", "be unique"), ("label", "joy", "be in set"), ("contradicting", None, "not be null")],
    "demographics": [
        ("attribute", "height", "be in set"),
        ("people", 0, "be between"),
        ("unknown_share", None, "not be null"),
        ("unknown_share_max", None, "not be null"),
        ("values_without_people", None, "not be null"),
    ],
    "splits": [
        ("person", "Jane Doe", "match regex"),
        ("split", "", "be in set"),
        ("splits", 2, "be between"),
        ("pictures_in_another_split", None, "not be null"),
        ("pictures_of_another_person", None, "not be null"),
    ],
    "schema": [("part", "colour", "be in set"), ("name", None, "not be null"), ("state", "lost", "be in set")],
}


def test_one_bad_value_in_any_column_fails_by_the_rule_meant_for_it(tmp_path):
    """Every column has one bad value among good ones: each fails once, and nothing else does."""
    tables = good_tables()
    for table, changes in BAD_VALUES.items():
        tables[table] = tables[table].astype(object)
        for column, value, _ in changes:
            tables[table].loc[1, column] = value
    failures = list(check_tables(tables, PARAMS, tmp_path).failures)
    for table, changes in BAD_VALUES.items():
        assert {column for column, _, _ in changes} == set(tables[table].columns)
        for column, _, rule in changes:
            (failure,) = [text for text in failures if text.startswith(f"{table}: column '{column}':")]
            assert f": {rule}" in failure or f"must {rule}" in failure
            assert re.search(r"\(1 of 3 rows is not so\)|\(2 of 3 rows are not so\)", failure)
            failures.remove(failure)
    assert failures == []


def test_second_sample_with_the_same_bytes_fails(tmp_path):
    """The same picture twice would let a test score copy what training has seen."""
    frame = good_tables()["index"].assign(sha256=["1" * 64, "1" * 64, "2" * 64])
    (failure,) = failures_of("index", frame, tmp_path)
    assert "'sha256': values must be unique (2 of 3 rows" in failure


@pytest.mark.parametrize(
    "outside",
    [
        {"faces": 2, "eye_distance_px": 5, "sharpness": 0.001, "brightness": 1, "yaw_deg": 80},
        {"faces": 0, "eye_distance_px": 5, "sharpness": 0.001, "brightness": 254, "yaw_deg": -80},
    ],
)
def test_quality_range_fails_only_when_too_many_rows_are_outside(outside, tmp_path):
    """Of 10 rows 2 may be outside, for they are quarantined one by one; 3 are too many."""
    rows = pd.concat([good_tables()["quality"]] * 4, ignore_index=True).iloc[:10]
    rows["sample_id"] = [f"s{number}" for number in range(10)]
    rows.loc[:1, list(outside)] = list(outside.values())
    assert failures_of("quality", rows, tmp_path / "two") == ()
    rows.loc[2, list(outside)] = list(outside.values())
    assert set(failures_of("quality", rows, tmp_path / "three")) == {
        f"quality: column '{column}': values must be between (3 of 10 rows are not so)" for column in outside
    }


def test_report_holds_no_value_of_a_row(tmp_path):
    """The bad value is the very thing that must not be shown: here somebody's real name in place of a pseudonym."""
    tables = good_tables()
    tables["index"].loc[1, ["person", "label"]] = ["Jane Doe", "JaneDoeSmile"]
    report = check_tables(tables, PARAMS, tmp_path)
    assert len(report.failures) == 2
    shown = "".join(path.read_text(encoding="utf-8") for path in tmp_path.rglob("*.html")) + "".join(report.failures)
    assert "Jane" not in shown
    assert not any(person in shown for person in PEOPLE)


@pytest.mark.parametrize("table", ["index", "subjects", "quality", "labels", "demographics", "splits", "schema"])
def test_table_that_is_not_there_is_refused(table, tmp_path):
    tables = good_tables()
    del tables[table]
    with pytest.raises(InputError, match=table):
        check_tables(tables, PARAMS, tmp_path)


def points_of(rows):
    """Of points without pictures, one faces, eye distance and turn a row."""
    frame = pd.DataFrame(rows, columns=list(POINT_COLUMNS), dtype="float32")
    frame.insert(0, "sample_id", [f"s{number}" for number in range(len(rows))])
    return frame


def of_points(tmp_path, rows):
    tables = {name: frame for name, frame in good_tables().items() if name != "quality"}
    return check_tables(tables | {"points": points_of(rows)}, PARAMS, tmp_path)


def test_points_without_pictures_are_checked_by_what_is_measured_of_them(tmp_path):
    """The turn of a head is unknown of points without depth; too small a face is too small; no picture's limit is asked."""
    assert of_points(tmp_path / "deep", [(1, 60, 5)] * 5).success
    assert of_points(tmp_path / "flat", [(1, 60, np.nan)] * 5).success
    report = of_points(tmp_path / "small", [(1, 5, np.nan)] * 5)
    assert [failure.partition(" must")[0] for failure in report.failures] == [
        "points: column 'eye_distance_px': values"
    ]
    (failure,) = of_points(tmp_path / "none", [(1, np.nan, 5), *[(1, 60, 5)] * 4]).failures
    assert "points: column 'eye_distance_px': values must not be null" in failure


def test_unknown_table_is_refused(tmp_path):
    with pytest.raises(InputError, match="extra"):
        check_tables(good_tables() | {"extra": pd.DataFrame()}, PARAMS, tmp_path)


def test_run_on_licences_alone_shows_no_consents(tmp_path, good_report):
    tables = good_tables()
    del tables["consents"]
    report = check_tables(tables, PARAMS, tmp_path)
    assert report.success
    assert report.expectations < good_report.expectations


def result(success):
    config = SimpleNamespace(type="expect_column_values_to_be_unique", kwargs={"column": "c"})
    return SimpleNamespace(success=success, expectation_config=config, result={}, exception_info={})


@pytest.mark.parametrize(
    ("results", "failures"), [([True, True], 0), ([True], 1), ([], 1), ([True, None], 1), ([True] * 3, 1)]
)
def test_a_check_that_gave_no_result_is_a_failure(results, failures):
    assert len(judged("t", 2, [result(success) for success in results])) == failures


ADVICE = {
    "labels": ("contradicting", 1),
    "demographics": ("unknown_share", 0.4),
    "splits": ("pictures_in_another_split", 2),
    "schema": ("state", "new"),
}


def test_what_only_advises_is_said_and_stops_nothing(tmp_path):
    """A copy in another part, a contradicted label, people who do not tell, a new word: somebody should look, and the run goes on."""
    tables = good_tables()
    for table, (column, value) in ADVICE.items():
        tables[table].loc[1, column] = value
    report = check_tables(tables, PARAMS, tmp_path)
    assert report.success and report.failures == ()
    assert [text.partition(":")[0] for text in report.advice] == list(ADVICE)
    page = report.docs_index.read_text(encoding="utf-8")
    assert "PASSED." in page and page.count('<span class="badge ADVICE">') == 2 * len(ADVICE) + 2


def test_an_advice_that_could_not_be_checked_is_a_failure(tmp_path):
    """A gate that cannot run is not a pass, whatever it would have said."""
    failures = failures_of("splits", good_tables()["splits"].drop(columns="pictures_of_another_person"), tmp_path)
    assert any("'pictures_of_another_person'" in text and "could not be checked" in text for text in failures)


def test_one_label_tells_nothing_apart(tmp_path):
    (failure,) = failures_of("labels", good_tables()["labels"].assign(label="fear"), tmp_path)
    assert "unique value count must be between (found 1)" in failure


def test_what_stops_the_run_stands_first_with_what_to_do_and_the_page_opens_without_a_network(tmp_path):
    tables = good_tables()
    tables["schema"].loc[0, "state"] = "gone"
    tables["splits"].loc[2, "splits"] = 2
    page = check_tables(tables, PARAMS, tmp_path).docs_index.read_text(encoding="utf-8")
    assert "STOPPED." in page and [path.name for path in tmp_path.rglob("*") if path.is_file()] == ["index.html"]
    rows = page.partition("What does not hold")[2]
    fail, advice = rows.index("a person is in one part only"), rows.index("is new or gone since the last version")
    assert fail < advice and "Divide the source by person" in rows[fail:advice]
    assert not re.search(r"""(?:https?:)?//|\b(?:src|href|action)\s*=|@import|url\(""", page)
    assert "<script" not in page and "default-src 'none'" in page
