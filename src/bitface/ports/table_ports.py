"""Tables: what is asked of those who check one against its suite, or compare two for drift."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from bitface.params import QualityParams

if TYPE_CHECKING:
    import pandas as pd


class ChecksReport(Protocol):
    """The result of the suites: failures and advice in words, the number of expectations, and the path of the report."""

    @property
    def failures(self) -> tuple[str, ...]: ...

    @property
    def advice(self) -> tuple[str, ...]: ...

    @property
    def expectations(self) -> int: ...

    @property
    def docs_index(self) -> Path: ...


class TableChecks(Protocol):
    """Runs the suites over the tables index, subjects, consents, quality, labels, demographics, splits and schema, and keeps their report
    under `docs_folder`.
    """

    def __call__(
        self, tables: Mapping[str, pd.DataFrame], params: QualityParams, docs_folder: Path
    ) -> ChecksReport: ...


class DriftFigures(Protocol):
    """What a drift report measured: column -> p-value, not corrected for the number of columns."""

    @property
    def columns(self) -> Mapping[str, float]: ...


class MeasureDrift(Protocol):
    """Compares columns of two tables by a named test, and writes an HTML report that flags each column beyond its own threshold, and
    the whole table if at least a given share of columns is. A `remark` stands at its top.
    """

    def __call__(
        self,
        reference: pd.DataFrame,
        current: pd.DataFrame,
        method: str,
        thresholds: Mapping[str, float],
        drift_share: float,
        html: Path,
        remark: str = "",
    ) -> DriftFigures: ...
