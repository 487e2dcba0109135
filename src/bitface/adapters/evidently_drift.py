"""Draws the drift report with Evidently and hands on its numbers; whether they mean drift is decided by our own rules."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from bitface.counted_words import counted
from bitface.documents import Fields
from bitface.errors import InputError

if TYPE_CHECKING:
    import pandas as pd
    from evidently import Report

METHODS: Final = ("ks", "cramer_von_mises", "mannw", "wasserstein", "psi", "jensenshannon")
"""Evidently's names: three tests, whose figure is a p-value, and three distances, whose figure is large where there is
drift."""


@dataclass(frozen=True, kw_only=True)
class DriftFigures:
    """What Evidently measured: `columns` name -> p-value or distance, uncorrected for the number of columns.

    `share_drifted` is the share of columns beyond their threshold (p-value at or below it, distance at or above it);
    `n_reference` and `n_current` are the rows behind it.
    """

    method: str
    columns: Mapping[str, float]
    share_drifted: float
    n_reference: int
    n_current: int


def drift_report(
    reference: pd.DataFrame,
    current: pd.DataFrame,
    method: str,
    thresholds: Mapping[str, float],
    drift_share: float,
    html: Path,
    remark: str = "",
) -> DriftFigures:
    """Compares each column by one test and keeps the report, which shows distributions and no rows.

    Args:
        reference: rows to compare with, numerical columns only, such as scores or features of the champion's data.
        current: the rows in question, the same columns.
        method: the test by name, for example `ks` (two-sample Kolmogorov-Smirnov). It is never left to the tool, whose
            own choice changes at 1,000 rows.
        thresholds: of the p-value or the distance, for each column by its name.
        drift_share: share of columns beyond theirs from which the report says that the tables drift, above 0 and up to 1.
        html: receives the report, 4 to 10 MB, readable without a network.
        remark: what a reader must know of the tables; it stands at the top.

    Raises:
        InputError: an unknown method; no rows; columns that differ, are not numbers, hold values that are not finite, or have no
            threshold.
    """
    if method not in METHODS:
        raise InputError(f"unknown drift method '{method}'; use one of {', '.join(METHODS)}")
    _check(reference, current)
    if missing := [name for name in reference if name not in thresholds]:
        raise InputError(f"no drift threshold for column {', '.join(missing)}; give one for each")
    report = _report(method, thresholds, drift_share)
    snapshot = _run(report, reference, current[list(reference.columns)])
    document = snapshot.dict()
    html.parent.mkdir(parents=True, exist_ok=True)
    snapshot.save_html(str(html))
    if remark:
        _begin_with(html, remark)
    return DriftFigures(
        method=method,
        columns=_figures(document, list(reference.columns)),
        share_drifted=_share(document),
        n_reference=len(reference),
        n_current=len(current),
    )


def _begin_with(page: Path, remark: str) -> None:
    """Evidently's pages have no place for a sentence of ours."""
    head, body, rest = page.read_text(encoding="utf-8").partition("<body>")
    page.write_text(
        f'{head}{body}<p style="margin: 1em; font: 1rem sans-serif">{escape(remark)}</p>{rest}', encoding="utf-8"
    )


def _check(reference: pd.DataFrame, current: pd.DataFrame) -> None:
    if reference.empty or current.empty:
        raise InputError(
            f"drift of {counted(len(current), 'row')} against {len(reference)}: both tables need at least one row and one column"
        )
    if set(reference.columns) != set(current.columns) or not reference.columns.is_unique:
        apart = sorted(set(map(str, reference.columns)) ^ set(map(str, current.columns)))
        raise InputError(
            f"columns {', '.join(apart) or 'are duplicated'}: reference and current must have the same ones"
        )
    for frame in (reference, current):
        for name in frame.columns:
            kind = frame[name].dtype.kind
            if kind not in "fiu" or not np.isfinite(frame[name].to_numpy(dtype=np.float64)).all():
                raise InputError(
                    f"column '{name}' holds values that are not finite numbers, so its drift cannot be measured"
                )


def _report(method: str, thresholds: Mapping[str, float], drift_share: float) -> Report:
    from evidently import Report

    from bitface.adapters.evidently_columns import OnceDrawnDriftPreset

    return Report([OnceDrawnDriftPreset(method=method, drift_share=drift_share, per_column_threshold=dict(thresholds))])


def _run(report: Report, reference: pd.DataFrame, current: pd.DataFrame) -> Any:
    from evidently import DataDefinition, Dataset

    definition = DataDefinition(numerical_columns=list(reference.columns))
    datasets = [Dataset.from_pandas(frame, data_definition=definition) for frame in (current, reference)]
    with warnings.catch_warnings():
        # Evidently also correlates every pair of columns, which nobody asked for; one that is constant divides by zero there.
        warnings.filterwarnings("ignore", "invalid value encountered in divide", RuntimeWarning)
        # Of thousands of rows scipy may find the exact p-value too long to compute, and takes the asymptotic one.
        warnings.filterwarnings("ignore", "ks_2samp: Exact calculation unsuccessful", RuntimeWarning)
        return report.run(*datasets)


def _figures(document: Fields, columns: list[str]) -> dict[str, float]:
    """One figure for each column; that one is missing means that the report was not made as asked."""
    found = {
        metric["config"]["column"]: float(metric["value"])
        for metric in document["metrics"]
        if metric["config"]["type"].endswith(":UndrawnDrift")
    }
    missing = [name for name in columns if not np.isfinite(found.get(name, np.nan))]
    if missing:
        raise InputError(
            f"drift could not be measured for {', '.join(missing)}; give more rows, or use another drift.method"
        )
    return {name: found[name] for name in columns}


def _share(document: Fields) -> float:
    (count,) = (m for m in document["metrics"] if m["config"]["type"].endswith(":DriftedColumnsCount"))
    return float(count["value"]["share"])
