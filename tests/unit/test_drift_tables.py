"""Tables of faces for drift: what may be compared with what, and what a candidate and a champion make of a window."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from scipy.stats import ks_2samp

from bitface.dataset.keys import KeyStore
from bitface.dataset.prediction_log import LoggedFace, PredictionLog
from bitface.errors import InputError
from bitface.evaluation.drift_tests import ColumnDrift
from bitface.faces.features import ClipTable
from bitface.faces.measures import MEASURE_NAMES
from bitface.faces.seen import NOTHING_SEEN
from bitface.params import DriftParams, read_params
from bitface.steps.judging.dataset_drift import DRAWN_ROWS, DriftTest, compare, report_thresholds, still_rows
from bitface.steps.judging.face_rows import person_means, row_of_face, rows_of_samples
from bitface.steps.judging.window import PRODUCTION, KeptFaces, days_of, logged_window, material_share

NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)
EMOTIONS = ("fear", "happiness")


@pytest.fixture(scope="module")
def params() -> DriftParams:
    """The project's own, with fewer draws, which still reach its threshold."""
    params = read_params(Path(__file__).resolve().parents[2] / "params.yaml").drift
    return params.model_copy(update={"permutations": 499})


def measure(reference: pd.DataFrame, current: pd.DataFrame, *_: object) -> SimpleNamespace:
    """A report that says what scipy says."""
    return SimpleNamespace(columns={name: ks_2samp(reference[name], current[name]).pvalue for name in reference})


def runtime(digest: str = "ab" * 32) -> SimpleNamespace:
    return SimpleNamespace(
        reads="landmarks",
        emotions=EMOTIONS,
        digest=digest,
        counts=lambda inputs, _: np.rint(inputs[:, :1, :8, 0] * 100).astype(np.int32),
        scores=lambda inputs, _: np.stack([inputs[:, 0, 0, 0], 1 - inputs[:, 0, 0, 0]], axis=1).astype(np.float64),
    )


def table(people: int = 3, clips: int = 2, frames: int = 3, seed: int = 0) -> ClipTable:
    rng, n = np.random.default_rng(seed), people * clips
    return ClipTable(
        landmarks=rng.random((n, frames, 478, 3), dtype=np.float32),
        blendshapes=rng.random((n, frames, 52), dtype=np.float32),
        crops=np.zeros((n, frames, 64, 64), np.uint8),
        lengths=np.full(n, frames),
        labels=np.tile([2, 3], people),
        persons=np.repeat([f"s{number:015d}" for number in range(people)], clips),
        sample_ids=np.array([f"sample-{number}" for number in range(n)]),
        splits=np.full(n, "gate"),
        quality=rng.random((n, 5), dtype=np.float32),
    )


SLICES = {f"s{number:015d}": {"gender": "female" if number % 2 else "male", "age_band": "30_44"} for number in range(9)}


def test_a_sample_is_a_row_and_its_person_the_index() -> None:
    rows = rows_of_samples(table(), SLICES, runtime())
    assert rows.shape == (6, len(MEASURE_NAMES) + 2 + 3 + 2 + 16)
    assert rows.index.tolist() == np.repeat([f"s{number:015d}" for number in range(3)], 2).tolist()
    assert rows["label/fear"].tolist() == [1, 0] * 3 and rows["mix/gender:male"].tolist() == [1, 1, 0, 0, 1, 1]
    assert (rows["prediction/fear"] + rows["prediction/happiness"]).tolist() == pytest.approx([1] * 6)
    assert person_means(rows)["label/fear"].tolist() == [0.5] * 3


def test_a_still_of_each_person_is_drawn_the_same_way_twice() -> None:
    rows = rows_of_samples(table(people=9), SLICES)
    once = still_rows(rows, 1)
    assert once.index.is_unique and len(once) == 9 and once.equals(still_rows(rows, 1))
    assert not once.equals(still_rows(rows, 2))


def test_a_face_in_a_picture_has_the_columns_of_a_dataset_s_still() -> None:
    row = row_of_face(NOTHING_SEEN, runtime())
    known = rows_of_samples(table(), {}, runtime())
    assert list(row) == [name for name in known if not name.startswith("label/")]


def people(count: int, seed: int, shift: float = 0.0, female: float = 0.5) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    values = pd.DataFrame(rng.normal(size=(count, 6)), columns=[f"blendshape/{k}" for k in range(6)])
    values["blendshape/0"] += shift
    is_female = rng.random(count) < female
    values["mix/gender:female"], values["mix/gender:male"] = is_female.astype(float), (~is_female).astype(float)
    return values


def test_a_change_of_mix_is_seen_and_tables_of_the_same_people_are_quiet(params, tmp_path) -> None:
    quiet = compare(
        people(200, 0), people(200, 1), DriftTest(params=params, seed=0, measure=measure), tmp_path / "a.html"
    )
    assert quiet.drifted == () and quiet.share == 0 and set(quiet.slices) == {"gender:female", "gender:male"}
    mixed = compare(
        people(200, 0),
        people(200, 1, female=0.9),
        DriftTest(params=params, seed=0, measure=measure),
        tmp_path / "a.html",
    )
    assert {column.name for column in mixed.drifted} == {"mix/gender:female", "mix/gender:male"}


def test_a_group_that_only_one_table_has_is_a_change_of_mix(params, tmp_path) -> None:
    older = people(200, 1)
    older["mix/age_band:60_plus"] = 1.0
    found = compare(people(200, 0), older, DriftTest(params=params, seed=0, measure=measure), tmp_path / "a.html")
    assert [column.name for column in found.drifted] == ["mix/age_band:60_plus"]
    unknown = people(200, 1).drop(columns=["mix/gender:female", "mix/gender:male"])
    quiet = compare(people(200, 0), unknown, DriftTest(params=params, seed=0, measure=measure), tmp_path / "a.html")
    assert {column.name for column in quiet.columns} == {f"blendshape/{k}" for k in range(6)}


def test_a_slice_with_few_people_is_named_and_not_looked_into(params, tmp_path) -> None:
    found = compare(
        people(200, 0),
        people(100, 1, female=0.05),
        DriftTest(params=params, seed=0, measure=measure),
        tmp_path / "a.html",
    )
    assert found.small == ("gender:female",) and set(found.slices) == {"gender:male"}
    assert found.document()["slices_too_small"] == ["gender:female"]


def test_tables_without_a_column_that_varies_are_refused(params, tmp_path) -> None:
    with pytest.raises(InputError, match="no shared column varies"):
        compare(
            people(50, 0)[[]], people(50, 1), DriftTest(params=params, seed=0, measure=measure), tmp_path / "a.html"
        )


def test_the_report_is_given_nobody_s_pseudonym(params, tmp_path) -> None:
    given = []

    def looking(reference: pd.DataFrame, current: pd.DataFrame, *words: object) -> SimpleNamespace:
        given.extend([reference, current])
        return measure(reference, current, *words)

    one, other = (person_means(rows_of_samples(table(people=30, seed=seed), SLICES)) for seed in (1, 2))
    assert len(one) == 30 and one.index[0].startswith("s")
    compare(one, other, DriftTest(params=params, seed=0, measure=looking), tmp_path / "a.html")
    assert [list(frame.index) for frame in given] == [list(range(30))] * 2


def test_a_large_window_proves_a_difference_that_does_not_matter(params, tmp_path) -> None:
    small = compare(
        people(1500, 0),
        people(1500, 1, shift=0.2),
        DriftTest(params=params, seed=0, measure=measure),
        tmp_path / "a.html",
    )
    assert [column.name for column in small.drifted] == ["blendshape/0"] and material_share(small, params) == 0
    large = compare(
        people(1500, 0),
        people(1500, 1, shift=1),
        DriftTest(params=params, seed=0, measure=measure),
        tmp_path / "a.html",
    )
    assert material_share(large, params) == pytest.approx(1 / 8)


@pytest.fixture
def log(tmp_path: Path) -> PredictionLog:
    return PredictionLog(tmp_path / "predictions", KeyStore(tmp_path / "keys"))


def keep(log: PredictionLog, count: int, purpose: str = "infer", at: datetime = NOON, digest: str = "ab" * 32) -> None:
    kept = KeptFaces(runtime(digest), purpose, "research", log, at)
    for number in range(count):
        kept(f"{at} {purpose} {number}", 0, NOTHING_SEEN)
    assert kept.write(30) == count


def test_a_window_holds_the_faces_of_its_days_and_purposes(log) -> None:
    keep(log, 3, at=NOON - timedelta(days=9))
    keep(log, 4)
    keep(log, 5, purpose="demo")
    assert logged_window(log, {"fairness_test"}, 30, None, NOON) is None
    lengths = {
        (days, purposes): len(window.rows)
        for days, purposes in ((30, ("infer",)), (5, ("infer",)), (5, None))
        if (window := logged_window(log, purposes, days, None, NOON))
    }
    assert lengths == {(30, ("infer",)): 7, (5, ("infer",)): 4, (5, None): 9}


def test_a_demonstration_with_the_same_picture_takes_none_of_production(log) -> None:
    for purpose in ("infer", "demo"):
        kept = KeptFaces(runtime(), purpose, "research", log, NOON)
        kept("same picture", 0, NOTHING_SEEN)
        kept.write(30)
    assert {
        len(window.rows) for purposes in (PRODUCTION, None) if (window := logged_window(log, purposes, 9, None, NOON))
    } == {1}


def test_what_a_model_said_is_compared_with_the_same_model_only(log) -> None:
    keep(log, 3)
    own = logged_window(log, None, 30, "ab" * 32, NOON)
    assert own is not None and "prediction/fear" in own.rows and "embedding/00" in own.rows
    keep(log, 1, at=NOON - timedelta(hours=1), digest="cd" * 32)
    mixed = logged_window(log, None, 30, "ab" * 32, NOON)
    assert mixed is not None and list(mixed.rows) == list(MEASURE_NAMES)


def test_writing_forgets_what_is_too_old(log) -> None:
    keep(log, 2, at=NOON - timedelta(days=40))
    keep(log, 1)
    assert [face.at[:10] for face in log.since(NOON - timedelta(days=99))] == ["2026-06-01"]
    assert isinstance(log.since(NOON - timedelta(days=1))[0], LoggedFace)


@pytest.mark.parametrize("window", ["30", "0d", "d", "-3d", "newest", "99999d"])
def test_a_window_that_is_none_is_refused(window) -> None:
    with pytest.raises(InputError, match="neither a number of days"):
        days_of(window)
    assert days_of("7d") == 7


def test_the_report_marks_the_columns_that_the_decision_calls_drifted(params, tmp_path) -> None:
    """Its own limit for a column, whatever the rank sum or the stepping down decided beside it."""
    marked = {}

    def looking(reference, current, method, thresholds, drift_share, *_):
        found = measure(reference, current)
        marked.update({name: p <= thresholds[name] for name, p in found.columns.items()})
        assert drift_share == pytest.approx(1 / len(found.columns))
        return found

    for shift in (0.0, 0.35, 0.5, 0.8):
        found = compare(
            people(60, 0),
            people(60, 1, shift=shift),
            DriftTest(params=params, seed=0, measure=looking),
            tmp_path / "a.html",
        )
        assert {name for name, is_marked in marked.items() if is_marked} == {one.name for one in found.drifted}


def test_the_reports_limit_is_the_calibrated_one_save_where_the_decision_says_otherwise() -> None:
    columns = [ColumnDrift(name=name, distance=0.1, p_value=p) for name, p in (("a", 0.5), ("b", 0.004), ("c", 0.03))]
    limits = report_thresholds(columns, {"a": 0.2, "b": 0.002, "c": 0.0002}, 0.0005, 0.01)
    assert limits["a"] == 0.0005 and limits["b"] == 0.002 and 0.00019 < limits["c"] < 0.0002


def test_of_large_tables_the_report_shows_some_rows_and_says_so_while_all_of_them_decide(params, tmp_path) -> None:
    asked: list[tuple[int, int, str]] = []

    def measured(reference: pd.DataFrame, current: pd.DataFrame, *rest: object) -> SimpleNamespace:
        asked.append((len(reference), len(current), str(rest[-1])))
        return measure(reference, current)

    few = params.model_copy(update={"permutations": 199})
    test = DriftTest(params=few, seed=0, measure=measured)
    found = compare(people(DRAWN_ROWS + 1, 0), people(300, 1), test, tmp_path / "a.html")
    assert (found.people_reference, found.people_current) == (DRAWN_ROWS + 1, 300)
    compare(people(300, 0), people(300, 1), test, tmp_path / "a.html")
    (large, other, remark), (small, _, nothing) = asked
    assert (large, other, small) == (DRAWN_ROWS, 300, 300)
    assert remark.startswith("Figures and pictures on this page are of 5000 of 5001 reference rows") and nothing == ""
