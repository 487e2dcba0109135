"""Evidently's figures are scipy's figures, by a test that is named, with the rows behind them counted."""

import numpy as np
import pandas as pd
import pytest
from scipy.stats import ks_2samp, wasserstein_distance

from bitface.adapters.evidently_drift import METHODS, drift_report
from bitface.errors import InputError

# Evidently imports its own web server and an old name of numpy when it is imported.
pytestmark = [
    pytest.mark.filterwarnings("ignore:.*in litestar:DeprecationWarning"),
    pytest.mark.filterwarnings("ignore:numpy.core is deprecated:DeprecationWarning"),
]


def report(reference, current, method, threshold, html, drift_share=0.5):
    return drift_report(reference, current, method, dict.fromkeys(reference.columns, threshold), drift_share, html)


def frame(rows, seed, shift=0.0):
    values = np.random.default_rng(seed).normal(size=(rows, 3)) + np.array([0, shift, 0])
    return pd.DataFrame(values, columns=["anger", "fear", "neutral"])


@pytest.mark.parametrize(("reference_rows", "current_rows"), [(200, 150), (1_500, 1_200)])
def test_p_values_are_those_of_scipy_below_and_above_a_thousand_rows(tmp_path, reference_rows, current_rows):
    """Left alone, Evidently changes its test at 1,000 rows; named, it does not."""
    reference, current = frame(reference_rows, 1), frame(current_rows, 2, shift=0.5)
    figures = report(reference, current, "ks", 0.05, tmp_path / "drift.html")
    for name in reference:
        assert figures.columns[name] == pytest.approx(ks_2samp(reference[name], current[name]).pvalue, rel=1e-9)
    assert (figures.n_reference, figures.n_current) == (reference_rows, current_rows)


def test_shifted_column_is_the_one_that_drifts(tmp_path):
    figures = report(frame(400, 1), frame(400, 2, shift=0.5), "ks", 0.001, tmp_path / "drift.html")
    assert [name for name, p in figures.columns.items() if p < 0.001] == ["fear"]
    assert figures.share_drifted == pytest.approx(1 / 3)


def test_same_rows_do_not_drift(tmp_path):
    rows = frame(100, 1)
    figures = report(rows, rows, "ks", 0.05, tmp_path / "drift.html")
    assert figures.share_drifted == 0
    assert set(figures.columns.values()) == {1.0}


def test_distance_drifts_when_large_and_not_when_small(tmp_path):
    """Evidently divides the Wasserstein distance by the reference's standard deviation."""
    reference, current = frame(500, 1), frame(500, 2, shift=1.0)
    figures = report(reference, current, "wasserstein", 0.5, tmp_path / "drift.html")
    expected = wasserstein_distance(reference["fear"], current["fear"]) / reference["fear"].std(ddof=0)
    assert figures.columns["fear"] == pytest.approx(expected, rel=1e-2)
    assert figures.share_drifted == pytest.approx(1 / 3)


@pytest.mark.parametrize("method", METHODS)
def test_every_method_tells_a_shift_from_none_at_its_threshold(method, tmp_path):
    """The share counts the columns beyond the threshold: small p-values, or large distances."""
    reference, current = frame(300, 1), frame(300, 2, shift=2.0)
    figures = report(reference, current, method, 0.3 if method in METHODS[3:] else 1e-4, tmp_path / "d.html")
    shifted, others = figures.columns["fear"], [figures.columns["anger"], figures.columns["neutral"]]
    assert shifted > max(others) if method in METHODS[3:] else shifted < min(others)
    assert figures.share_drifted == pytest.approx(1 / 3)


def test_order_of_columns_does_not_matter(tmp_path):
    reference, current = frame(100, 1), frame(100, 2)
    straight = report(reference, current, "ks", 0.05, tmp_path / "a.html")
    turned = report(reference, current[["neutral", "fear", "anger"]], "ks", 0.05, tmp_path / "b.html")
    assert straight.columns == turned.columns


def test_report_shows_distributions_and_no_index_of_a_row(tmp_path):
    reference, current = frame(60, 1), frame(60, 2)
    reference.index = [f"person-{number}" for number in range(60)]
    html = tmp_path / "new" / "drift.html"
    report(reference, current, "ks", 0.05, html)
    text = html.read_text(encoding="utf-8")
    assert "neutral" in text
    assert "person-" not in text
    assert str(reference["fear"].iloc[7]) not in text


@pytest.mark.parametrize(
    ("reference", "current", "message"),
    [
        (frame(0, 1), frame(5, 2), "at least one row"),
        (frame(5, 1), frame(0, 2), "at least one row"),
        (frame(5, 1), frame(5, 2).drop(columns="fear"), "fear"),
        (frame(5, 1), frame(5, 2).assign(fear=np.nan), "finite"),
        (frame(5, 1), frame(5, 2).assign(fear="high"), "finite"),
    ],
    ids=["no reference", "no current", "other columns", "nan", "text"],
)
def test_what_cannot_be_compared_is_refused(reference, current, message, tmp_path):
    with pytest.raises(InputError, match=message):
        report(reference, current, "ks", 0.05, tmp_path / "drift.html")


def test_unknown_method_is_refused(tmp_path):
    with pytest.raises(InputError, match="automatic"):
        report(frame(5, 1), frame(5, 2), "automatic", 0.05, tmp_path / "drift.html")


def test_a_constant_column_is_measured_and_warns_of_nothing(tmp_path, recwarn) -> None:
    """A feature that nobody moves is common, and no news for whoever started a retrain."""
    rng = np.random.default_rng(1)
    frames = [pd.DataFrame({"moves": rng.normal(size=60), "rests": np.zeros(60)}) for _ in range(2)]
    found = report(*frames, "ks", 0.05, tmp_path / "drift.html")
    assert found.columns["rests"] == 1.0
    assert not [one for one in recwarn if issubclass(one.category, RuntimeWarning)]


def test_the_page_marks_the_columns_and_the_tables_by_the_thresholds_that_it_was_given(tmp_path):
    reference, current = frame(200, 1), frame(200, 2, shift=0.3)
    p_value = ks_2samp(reference["fear"], current["fear"]).pvalue
    html = tmp_path / "drift.html"
    for limit, share, words in (
        (p_value, 1 / 3, "is detected"),
        (p_value * 0.99, 1 / 3, "is NOT detected"),
        (p_value, 0.5, "is NOT detected"),
    ):
        figures = drift_report(reference, current, "ks", {"anger": 1e-9, "fear": limit, "neutral": 1e-9}, share, html)
        assert figures.share_drifted == pytest.approx(1 / 3 if limit == p_value else 0)
        assert f"Dataset Drift {words}" in html.read_text(encoding="utf-8")


def test_a_column_without_a_threshold_is_refused(tmp_path):
    with pytest.raises(InputError, match="no drift threshold for column fear, neutral"):
        drift_report(frame(9, 1), frame(9, 2), "ks", {"anger": 0.1}, 0.5, tmp_path / "drift.html")


def test_a_remark_stands_at_the_top_of_the_page(tmp_path):
    html = tmp_path / "drift.html"
    limits = dict.fromkeys(frame(9, 1).columns, 0.01)
    drift_report(frame(9, 1), frame(9, 2), "ks", limits, 0.5, html, "5 of 9 rows <drawn>")
    body = html.read_text(encoding="utf-8").partition("<body>")[2]
    assert body.lstrip().startswith("<p") and "5 of 9 rows &lt;drawn&gt;" in body[:200]
