"""A row of a table of points: which frame of which file it is of, and when that was."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from math import isfinite
from typing import Final

_FPS: Final = 25.0
"""Of a clip whose table has frame numbers and no times."""


@dataclass(frozen=True, kw_only=True, slots=True)
class PointRow:
    """A row of the table. `fault`: the name in `oddities.SAYS` of what keeps it out, `remark` of what does not; `at`: its place among the
    points, -1 where it has none.
    """

    number: int
    line: int
    values: Mapping[str, str]
    fault: str = ""
    remark: str = ""
    at: int = -1

    @property
    def frame(self) -> Hashable:
        """The frame that the row is of, 7 as 7.0; None where the table does not name it."""
        named = self.values.get("frame", "") or self.values.get("timestamp", "")
        number = number_of(named)
        return (named or None) if number is None else number

    @property
    def input(self) -> str:
        """The file that the row is of, empty where the table does not say; each has frames of its own."""
        return self.values.get("input", "")

    @property
    def time_s(self) -> float:
        """Seconds, by its time, else by its frame number, else by its place in the table."""
        seconds, frame = (number_of(self.values.get(name, "")) for name in ("timestamp", "frame"))
        return seconds if seconds is not None else (self.number if frame is None else frame) / _FPS


def with_point(text: str) -> str:
    """A number with a decimal point where it has a decimal comma, as many spreadsheets save it."""
    return text.replace(",", ".") if text.count(",") == 1 and "." not in text else text


def number_of(text: str) -> float | None:
    """The number that a cell holds; None where it holds none."""
    try:
        value = float(with_point(text))
    except ValueError:
        return None
    return value if isfinite(value) else None
