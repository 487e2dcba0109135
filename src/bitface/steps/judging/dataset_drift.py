"""Compares tables of people for drift, by a test that is named, at a known rate of false alarms over all columns together."""

from __future__ import annotations

import math
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

import numpy as np
import pandas as pd

from bitface.counted_words import counted
from bitface.errors import InputError
from bitface.evaluation.drift_tests import ColumnDrift, columns_of, exchange, slices_that_drift
from bitface.evaluation.intervals import seed_for
from bitface.faces.measures import family_of
from bitface.params import DriftParams
from bitface.ports import MeasureDrift
from bitface.steps.judging.face_rows import one_of_each_person, person_means, rows_of_samples, slices_in
from bitface.steps.retrain.plan import Run
from bitface.steps.retrain.run_data import Data
from bitface.steps.retrain.train import with_folds

_SAME = 1e-9
_MIX = "mix"
DRAWN_ROWS: Final = 5000
"""Of each table, at most, that the report's pictures and figures are of: pages of more take longer and show the same."""


@dataclass(frozen=True, kw_only=True)
class Drifted:
    """What the test found of two tables with a row per person, over all of them and in each slice that is large enough.

    `columns` hold adjusted p-values; `small` the slices with too few people to look.
    """

    method: str
    threshold: float
    columns: tuple[ColumnDrift, ...]
    slices: dict[str, tuple[ColumnDrift, ...]]
    small: tuple[str, ...]
    people_reference: int
    people_current: int
    report: Path

    @property
    def drifted(self) -> tuple[ColumnDrift, ...]:
        """The columns that drift, farthest first."""
        return self._beyond(self.columns)

    @property
    def share(self) -> float:
        """Share of columns that drift."""
        return len(self.drifted) / len(self.columns)

    def drifted_in_slices(self) -> dict[str, tuple[ColumnDrift, ...]]:
        """Slice -> the columns that drift in it; slices without any are left out."""
        return {slice_: found for slice_, own in self.slices.items() if (found := self._beyond(own))}

    def document(self) -> dict[str, object]:
        """As plain JSON values."""
        return {
            "method": self.method,
            "threshold": self.threshold,
            "people_reference": self.people_reference,
            "people_current": self.people_current,
            "columns": len(self.columns),
            "families": sorted({family_of(column.name) for column in self.columns}),
            "drifted": [asdict(column) for column in self.drifted],
            "slices": {name: [asdict(one) for one in found] for name, found in self.drifted_in_slices().items()},
            "slices_looked_at": sorted(self.slices),
            "slices_too_small": list(self.small),
        }

    def _beyond(self, columns: Sequence[ColumnDrift]) -> tuple[ColumnDrift, ...]:
        found = [column for column in columns if column.p_value <= self.threshold]
        return tuple(sorted(found, key=lambda column: (-column.distance, column.name)))


@dataclass(frozen=True, kw_only=True)
class DriftTest:
    """The test that tables are compared by: its limits, the seed of its permutations, and the tool that draws its report."""

    params: DriftParams
    seed: int
    measure: MeasureDrift


def measure_drift(run: Run, data: Data, measure: MeasureDrift) -> Drifted:
    """Training people against held-out people of the same kind (test people, else gate people, else one fold).

    What a model says is left out: of people that it learned from it says other things.
    """
    table = data.originals
    if run.members.folds:
        table = with_folds(table, run.members.folds, judged=0, validation=1)
    held_out = "test" if (table.splits == "test").any() else "gate"
    reference, current = (
        person_means(rows_of_samples(table.of_split(split), run.slices())) for split in ("train", held_out)
    )
    test = DriftTest(params=run.params.drift, seed=run.params.seed, measure=measure)
    return compare(reference, current, test, run.folder / "reports" / "drift.html")


def compare(reference: pd.DataFrame, current: pd.DataFrame, test: DriftTest, html: Path) -> Drifted:
    """Compares the columns that both tables know and that vary over both of them; keeps the report at `html`.

    Raises:
        InputError: no row, or no such column.
    """
    params, (reference, current) = test.params, _aligned(reference, current)
    names = [name for name in reference if pd.concat([reference[name], current[name]]).nunique() > 1]
    if not names:
        raise InputError(
            f"drift of {counted(len(current), 'row')} against {len(reference)}: no shared column varies; add more people"
        )
    slices = slices_in(reference), slices_in(current)
    counts = {name: (int(slices[0][name].sum()), int(slices[1][name].sum())) for name in slices[0] if name in slices[1]}
    small = tuple(name for name, both in counts.items() if 0 < min(both) < params.slice_people_min)
    large = [name for name, both in counts.items() if min(both) >= params.slice_people_min]
    inner = [name for name in names if family_of(name) != _MIX]
    own, other = reference[names].to_numpy(np.float64), current[names].to_numpy(np.float64)
    exchanged = exchange(own, other, params.permutations, seed_for(test.seed, "drift"))
    columns = columns_of(names, own, other, exchanged)
    _draw_report((reference[names], current[names]), columns, exchanged.single_threshold(params.threshold), test, html)
    return Drifted(
        method=params.method,
        threshold=params.threshold,
        columns=columns,
        slices=slices_that_drift(
            inner,
            {
                name: (
                    reference.loc[slices[0][name], inner].to_numpy(np.float64),
                    current.loc[slices[1][name], inner].to_numpy(np.float64),
                )
                for name in large
            },
            params.permutations,
            seed_for(test.seed, "drift in slices"),
        ),
        small=small,
        people_reference=len(reference),
        people_current=len(current),
        report=html,
    )


def still_rows(reference: pd.DataFrame, seed: int) -> pd.DataFrame:
    """One still of each person of a table with a row per sample."""
    return one_of_each_person(reference, seed_for(seed, "one still of each person"))


def _aligned(reference: pd.DataFrame, current: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Both tables with the columns that both have; a label or slice that only one of them has is 0 in the other, if it has any."""
    families = {family_of(name) for name in reference} & {family_of(name) for name in current}
    open_ended = families & {"label", _MIX}
    names = [
        name
        for name in dict.fromkeys([*reference, *current])
        if family_of(name) in open_ended or (name in reference and name in current)
    ]
    return reference.reindex(columns=names, fill_value=0.0), current.reindex(columns=names, fill_value=0.0)


def _draw_report(
    tables: tuple[pd.DataFrame, pd.DataFrame],
    columns: Sequence[ColumnDrift],
    single: float,
    test: DriftTest,
    html: Path,
) -> None:
    """The report calls those columns drifted that the decision does, and the tables where the gate's share is passed. Of large tables
    it shows some rows, and says so.
    """
    from scipy.stats import ks_2samp

    params, seed = test.params, seed_for(test.seed, "drift report")
    reference, current = (_some_rows(table, seed) for table in tables)
    with warnings.catch_warnings():
        # As the report's own test: of thousands of rows scipy takes the asymptotic p-value where the exact one is too long to compute.
        warnings.filterwarnings("ignore", "ks_2samp: Exact calculation unsuccessful", RuntimeWarning)
        own = {name: float(ks_2samp(reference[name], current[name]).pvalue) for name in reference}
    thresholds = report_thresholds(columns, own, single, params.threshold)
    least = (math.floor(params.share_max * len(columns) + _SAME) + 1) / len(columns)
    test.measure(reference, current, params.method, thresholds, least, html, _remark(tables, (reference, current)))


def _some_rows(table: pd.DataFrame, seed: int) -> pd.DataFrame:
    if len(table) > DRAWN_ROWS:
        table = table.sample(n=DRAWN_ROWS, random_state=seed % 2**32)
    return table.reset_index(drop=True)


def _remark(tables: tuple[pd.DataFrame, pd.DataFrame], drawn: tuple[pd.DataFrame, pd.DataFrame]) -> str:
    if tuple(map(len, tables)) == tuple(map(len, drawn)):
        return ""
    (reference, current), (own, other) = map(len, tables), map(len, drawn)
    return (
        f"Figures and pictures on this page are of {own} of {counted(reference, 'reference row')} and {other} of "
        f"{counted(current, 'current row')}, drawn at random. Whether a column drifts was decided on all of them."
    )


def report_thresholds(
    columns: Sequence[ColumnDrift], own: Mapping[str, float], single: float, alpha: float
) -> dict[str, float]:
    """For each column the p-value of its own test at which it counts as drifted: `single`, which holds the false alarms over all
    columns. Where the decision, which asks the rank sum as well and steps down, says otherwise, the limit lies beside the figure.
    """
    limits = {}
    for column in columns:
        p, drifted = own[column.name], column.p_value <= alpha
        limits[column.name] = max(single, p) if drifted else min(single, np.nextafter(p, 0.0).item())
    return limits
