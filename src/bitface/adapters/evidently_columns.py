"""Evidently's drift of one column without its picture: the preset's table draws every column, and shows no other picture."""

from __future__ import annotations

from abc import ABC
from collections.abc import Sequence
from typing import Any

from evidently.core.report import Context
from evidently.metrics import ValueDrift
from evidently.metrics.column_statistics import ValueDriftCalculation
from evidently.presets import DataDriftPreset


class _NotDrawn(ValueDriftCalculation, ABC):  # type: ignore[misc]  # ABC: so that Evidently does not bind it to its own metric
    def _render(self, *_: object) -> list[Any]:
        return []


class UndrawnDrift(ValueDrift):  # type: ignore[misc]
    """One figure for one column, as Evidently's own metric has it."""

    __calculation_type__ = _NotDrawn


class OnceDrawnDriftPreset(DataDriftPreset):  # type: ignore[misc]
    """Evidently's drift preset, which draws each column twice and throws one drawing away: half of its time."""

    def generate_metrics(self, context: Context) -> Sequence[Any]:
        """The count of drifted columns, and one figure for each column."""
        count, *columns = super().generate_metrics(context)
        return [count, *(UndrawnDrift(column=c.column, method=c.method, threshold=c.threshold) for c in columns)]
