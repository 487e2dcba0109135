"""Compares the people a model learned from with people it did not, one row per person, by a test that is named."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from scipy.stats import ks_2samp

from bitface.dataset.keys import KeyStore
from bitface.errors import InputError
from bitface.evaluation.drift import drifted_p_values
from bitface.evaluation.intervals import seed_for
from bitface.faces.blendshapes import BLENDSHAPE_NAMES
from bitface.faces.features import ClipTable
from bitface.faces.quality import QUALITY_COLUMNS
from bitface.ports import MeasureDrift
from bitface.steps.featurise import FeatureRef, originals
from bitface.steps.plan import Run
from bitface.steps.train import run_table, with_folds
from bitface.steps.validate import Validation

_FACES = QUALITY_COLUMNS.index("faces")
_SAME = 1e-9


@dataclass(frozen=True, kw_only=True)
class Drifted:
    """What the test found: Evidently's p-value per column, and which columns drift at a known rate of false alarms over all."""

    method: str
    columns: dict[str, float]
    drifted: tuple[str, ...]
    people_reference: int
    people_current: int
    report: Path

    @property
    def share(self) -> float:
        """Share of columns that drift."""
        return len(self.drifted) / len(self.columns)


def measure_drift(
    run: Run, features: Sequence[FeatureRef], validation: Validation, keys: KeyStore, measure: MeasureDrift
) -> Drifted:
    """Training people against held-out people of the same kind (test people, else gate people, else one fold).

    Raises:
        InputError: the report's figures are not those of our own test.
    """
    table = originals(run_table(run, features, validation, keys))
    if run.members.folds:
        table = with_folds(table, run.members.folds, judged=0, validation=1)
    held_out = "test" if (table.splits == "test").any() else "gate"
    reference, current = person_rows(table.of_split("train")), person_rows(table.of_split(held_out))
    moving = [name for name in reference if reference[name].nunique() > 1 and current[name].nunique() > 1]
    reference, current = reference[moving], current[moving]
    params, html = run.params.drift, run.folder / "reports" / "drift.html"
    figures = measure(reference, current, params.method, params.threshold, html)
    adjusted = drifted_p_values(
        reference.to_numpy(np.float64),
        current.to_numpy(np.float64),
        params.permutations,
        seed_for(run.params.seed, "drift"),
    )
    return Drifted(
        method=params.method,
        columns=_checked(dict(figures.columns), reference, current),
        drifted=tuple(name for name, p in zip(moving, adjusted, strict=True) if p <= params.threshold),
        people_reference=len(reference),
        people_current=len(current),
        report=html,
    )


def person_rows(table: ClipTable) -> pd.DataFrame:
    """One row per person: the mean over samples of each blendshape's largest value, and of the picture's quality.

    Samples of one person are no independent draws; people are.
    """
    values = pd.DataFrame(table.blendshapes.max(axis=1), columns=list(BLENDSHAPE_NAMES))
    for column, name in enumerate(QUALITY_COLUMNS):
        if column != _FACES:
            values[f"quality_{name}"] = table.quality[:, column]
    return values.groupby(table.persons).mean().astype(np.float64).reset_index(drop=True)


def _checked(columns: dict[str, float], reference: pd.DataFrame, current: pd.DataFrame) -> dict[str, float]:
    """The report's figures, if they are those of scipy's test; raises InputError otherwise."""
    for name, figure in columns.items():
        own = float(ks_2samp(reference[name], current[name]).pvalue)
        if abs(figure - own) > _SAME:
            raise InputError(f"the drift report gives p = {figure} for '{name}', scipy {own}; report this as a defect")
    return columns
