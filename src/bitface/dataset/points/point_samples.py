"""Makes one sample of the rows of a table that belong together: one face of one moment, or the frames of a clip around its apex."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from bitface.dataset.incoming.oddities import SAYS, OddRowError
from bitface.dataset.points.point_rows import PointRow
from bitface.dataset.points.point_tables import PointTable
from bitface.faces.points import FacePoints, points_together

ChooseFrames = Callable[[Sequence[float], Sequence[float]], list[int]]
"""Which frames of a clip are kept, by their times in seconds and how much each differs from the first."""
_FPS: float = 25.0


@dataclass(frozen=True, kw_only=True, eq=False)
class TimedPoints:
    """A face in frames that have times, growing, in seconds; `remarks`: names in `oddities.SAYS` of what is odd about them."""

    points: FacePoints
    times_s: tuple[float, ...]
    remarks: tuple[str, ...] = ()

    @property
    def fps(self) -> float:
        """Frames in a second, on average."""
        lasts_s = self.times_s[-1] - self.times_s[0]
        return round((len(self.times_s) - 1) / lasts_s, 3) if lasts_s > 0 else _FPS


def of_rows(table: PointTable, rows: Iterable[PointRow]) -> TimedPoints:
    """The frames of some rows in the order of time, without those that cannot be taken.

    Raises:
        OddRowError: none can be taken; it names what keeps most of them out. Or they are of several files.
    """
    asked = list(rows)
    if len({row.input for row in asked}) > 1:
        raise OddRowError("several_inputs", SAYS["several_inputs"])
    taken = sorted((row for row in asked if not row.fault), key=lambda row: row.time_s)
    faults = Counter(row.fault for row in asked if row.fault)
    if not taken:
        name = faults.most_common(1)[0][0] if faults else "frame_missing"
        raise OddRowError(name, SAYS[name])
    return TimedPoints(
        points=table.points.at([row.at for row in taken]),
        times_s=tuple(row.time_s for row in taken),
        remarks=tuple(dict.fromkeys([*faults, *(row.remark for row in taken if row.remark)])),
    )


def joined(parts: Sequence[TimedPoints], choose: ChooseFrames) -> TimedPoints:
    """One sample of parts of one person, label and scheme; of a clip the frames that `choose` picks."""
    order = sorted(range(len(parts)), key=lambda part: parts[part].times_s[0])
    times = [time_s for part in order for time_s in parts[part].times_s]
    whole = points_together([parts[part].points for part in order])
    changes = np.abs(whole.points - whole.points[0]).mean(axis=(1, 2))
    chosen = choose(times, changes.tolist()) if len(times) > 1 else [0]
    far = ["frames_far_apart"] if len(times) > len(chosen) == 1 else []
    return TimedPoints(
        points=whole.at(chosen),
        times_s=tuple(times[index] for index in chosen),
        remarks=tuple(dict.fromkeys([*(remark for part in parts for remark in part.remarks), *far])),
    )
