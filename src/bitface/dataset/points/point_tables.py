"""Reads a table of points, a row for each face in a frame; a row that makes no face keeps its place and the name of what is wrong."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from bitface.counted_words import counted
from bitface.dataset.incoming.oddities import SAYS, Finding, OddRowError
from bitface.dataset.incoming.packed_tables import PackedRow, packed_rows
from bitface.dataset.plain_files import opened
from bitface.dataset.points.point_columns import PAGE, PointColumns, point_columns
from bitface.dataset.points.point_frames import GroupOf, by_frames
from bitface.dataset.points.point_rows import PointRow, number_of, with_point
from bitface.errors import InputError, OverLimitError
from bitface.faces.alignment import eye_distance
from bitface.faces.points import FacePoints, is_in_order, is_upright, points_of_pixels, points_together

CONFIDENCE_MIN: Final = 0.5
"""Under it a tool is not sure of a row; OpenFace itself calls rows under about 0.7 no success."""
_SHARE_EYES_MAX: Final = 2.0
"""Eye distance up to which coordinates are shares of a frame: in pixels no face is so small."""
_NO_EYES: Final = 1e-9
"""Added to an eye distance, which is 0 where the corners of the eyes lie at one point."""
_DEPTH_MIN: Final = 0.2
"""Eye distances that a face is deep at least: meshes of rendered and of real heads had 1.5 to 2, where z is a share of the width 0.003."""
ROWS_MAX: Final = 100_000
"""Over an hour of a video, 0.6 GB of 478 points."""
_CHUNK: Final = 256
_FRAME_SIZE: Final = re.compile(r"(\d{2,5})x(\d{2,5})")
_HEADER_BYTES: Final = 1 << 16


@dataclass(frozen=True, kw_only=True)
class AskedTable:
    """How a table is read: columns that mean something beside the points, those to leave aside, and the size of its frames, if it was
    named, as width and height in pixels.
    """

    read: tuple[str, ...]
    ignored: tuple[str, ...] = ()
    frame_size: tuple[int, int] | None = None


@dataclass(frozen=True, kw_only=True, eq=False)
class PointTable:
    """The rows of a table, and the points of those that make a face."""

    name: str
    rows: tuple[PointRow, ...]
    points: FacePoints
    spaced_columns: int = 0
    """How many names in the header have space around them."""

    @property
    def findings(self) -> tuple[Finding, ...]:
        """What is odd about the whole table."""
        count = self.spaced_columns
        return (Finding(name="spaced_header", count=count, rows=(), detail=self.points.tool),) if count else ()


def frame_size_of(text: str | None) -> tuple[int, int] | None:
    """Width and height of `1280x720`; None for None. Raises InputError for another text."""
    if text is None:
        return None
    match = _FRAME_SIZE.fullmatch(text.strip().lower())
    if match is None:
        raise InputError(f"--frame-size '{text[:20]}' is not WIDTHxHEIGHT in pixels, such as 1280x720")
    return int(match[1]), int(match[2])


def read_point_table(path: Path, asked: AskedTable, group_of: GroupOf) -> PointTable:
    """All rows of a CSV table, plain or packed by gzip, 100,000 at most; `group_of`: what a row belongs to.

    Raises:
        InputError: it cannot be read, lacks a column, has one that is unknown, no row or too many, none with points, or coordinates that
            are shares of a frame whose size is not known; the message names the remedy.
    """
    header: list[str] = []
    rows: list[PointRow] = []
    faces: _Faces | None = None

    def named(cell: str) -> str:
        # OpenFace numbers the faces of one picture so.
        header.append("face_id" if cell == "face" and cell not in asked.ignored else cell)
        return header[-1]

    for packed in packed_rows(path, named, ()):
        if packed.number > ROWS_MAX:
            raise OverLimitError(f"{path.name} has over {ROWS_MAX:,} rows; import it in parts")
        if faces is None:
            columns = point_columns(path.name, header, asked.ignored, asked.read)
            faces = _Faces(name=path.name, columns=columns, asked=asked)
        row, points = _row_of(packed, faces.columns, asked.read)
        rows.append(row if points is None else faces.add(row, points))
    if faces is None:
        raise InputError(f"{path.name} has a header but no rows; write a row for each face in a frame ({PAGE})")
    found = faces.together()
    if found is None:
        fault = Counter(row.fault for row in rows).most_common(1)[0][0]
        raise OddRowError(
            fault,
            f"{path.name}: none of its {counted(len(rows), 'row')} can be taken, most of them since {SAYS[fault]} ({PAGE})",
        )
    judged = [row if row.at < 0 else replace(row, fault=faces.faults[row.at]) for row in rows]
    return PointTable(
        name=path.name,
        rows=tuple(by_frames(judged, found, group_of)),
        points=found,
        spaced_columns=_count_spaced(path),
    )


def _count_spaced(path: Path) -> int:
    """How many names of the header have space around them, as OpenFace writes them."""
    try:
        with opened(path, repr(path.name)) as file:
            line = file.readline(_HEADER_BYTES).rstrip(b"\r\n")
    except OSError:
        return 0  # the reader of the rows says what is wrong
    return sum(cell != cell.strip() for cell in line.split(b",")) if line.isascii() else 0


def _row_of(
    packed: PackedRow, columns: PointColumns, read: Collection[str]
) -> tuple[PointRow, NDArray[np.float32] | None]:
    """A row with its values in the columns that are read, and its points float32 (P, 3) where it has them."""
    values = packed.values
    # Of OpenFace's 714 columns the others would take ten times the memory of the points.
    kept = [name for name in (*read, columns.confidence) if values is not None and name in values]
    own = {} if values is None else {name: values[name] for name in kept}
    row = PointRow(number=packed.number, line=packed.line, values=own)
    if values is None:
        return replace(row, fault="damaged_row"), None
    if (number_of(own.get("success", "1")) or 0.0) == 0.0 and own.get("success", "1").lower() != "true":
        return replace(row, fault="not_tracked"), None
    sure = number_of(own.get(columns.confidence, ""))
    if columns.confidence and (sure is None or sure < CONFIDENCE_MIN):
        return replace(row, fault="unsure_points"), None
    try:
        shown = _coordinates([[values[name] for name in axis] for axis in columns.axes])
    except ValueError:
        return replace(row, fault="point_missing"), None
    if not np.isfinite(shown).all():
        return replace(row, fault="point_missing"), None
    points = np.zeros((len(shown), 3), np.float32)
    points[:, : shown.shape[1]] = shown
    return row, points


def _coordinates(cells: list[list[str]]) -> NDArray[np.float64]:
    """Numbers float64 (P, axes) of cells axis by axis. Raises ValueError where one is not a number."""
    try:
        return np.array(cells).astype(np.float64).T
    except ValueError:  # every cell is looked at for a decimal comma only where there may be one
        return np.array([[with_point(cell) for cell in axis] for axis in cells]).astype(np.float64).T


@dataclass(kw_only=True)
class _Faces:
    """Makes faces of rows, some hundred at a time, so that a table does not lie in memory twice.

    `shares`: whether coordinates are shares of a frame, as most of the first rows say; `flat`: whether z is one beside pixels.
    `faults`: what is wrong with each face, empty where nothing is.
    """

    name: str
    columns: PointColumns
    asked: AskedTable
    shares: bool | None = None
    flat: bool | None = None
    faults: list[str] = field(default_factory=list)
    _done: list[FacePoints] = field(default_factory=list)
    _waiting: list[tuple[PointRow, NDArray[np.float32]]] = field(default_factory=list)

    def add(self, row: PointRow, points: NDArray[np.float32]) -> PointRow:
        """Takes the points (P, 3) of a row; returns it with its place among the faces."""
        placed = replace(row, at=len(self.faults) + len(self._waiting))
        self._waiting.append((placed, points))
        if len(self._waiting) == _CHUNK:
            self._convert()
        return placed

    def together(self) -> FacePoints | None:
        """All faces in the order of their rows; None where there are none."""
        if self._waiting:
            self._convert()
        return points_together(self._done) if self._done else None

    def _convert(self) -> None:
        scheme, rows = self.columns.scheme, [row for row, _ in self._waiting]
        raw = np.stack([points for _, points in self._waiting])
        eyes_px = eye_distance(scheme.on_mesh(raw)) + _NO_EYES
        is_share = eyes_px < _SHARE_EYES_MAX
        if self.shares is None:
            self.shares = bool(np.median(is_share) > 0)
        if self.flat is None:
            self.flat = scheme.has_depth and bool(np.median(np.ptp(raw[..., 2], axis=1) / eyes_px) < _DEPTH_MIN)
        units = _units(rows, self.asked, self.name) if self.shares else self._units_of_pixels(rows)
        faces = points_of_pixels(raw * units[:, None], scheme, self.columns.tool)
        is_wrong = {
            "other_unit": is_share != self.shares,
            "eyes_at_one_point": faces.eye_distance_px <= 0,
            "other_depth_unit": np.ptp(faces.points[..., 2], axis=1) < (_DEPTH_MIN if scheme.has_depth else 0.0),
            "turned_over": ~is_upright(faces.landmarks),
            "no_face_shape": ~is_in_order(faces.landmarks),
        }
        self.faults += [next((name for name, those in is_wrong.items() if those[at]), "") for at in range(len(raw))]
        self._done.append(faces)
        self._waiting.clear()

    def _units_of_pixels(self, rows: Sequence[PointRow]) -> NDArray[np.float64]:
        """Pixels of one of each axis, float64 (N, 3): of z, where it was left a share of the width, as many as a frame is known to have."""
        units = np.ones((len(rows), 3))
        if self.flat:
            units[:, 2] = [_stated_size(row, self.asked)[0] or 1.0 for row in rows]
        return units


def _units(rows: Iterable[PointRow], asked: AskedTable, name: str) -> NDArray[np.float64]:
    """Pixels of one of each axis, float64 (N, 3): x is a share of the width, y of the height, and MediaPipe's z one of the width."""
    sizes = [_frame_size(row, asked, name) for row in rows]
    return np.array([(width, height, width) for width, height in sizes], dtype=np.float64)


def _frame_size(row: PointRow, asked: AskedTable, name: str) -> tuple[float, float]:
    width, height = _stated_size(row, asked)
    if width is None or height is None or width <= 0 or height <= 0:
        raise InputError(
            f"{name} line {row.line}: x and y are shares of a frame, and its size is not known, so that a face may be stretched; name it "
            f"with --frame-size 1280x720, or in columns frame_width and frame_height ({PAGE})"
        )
    return width, height


def _stated_size(row: PointRow, asked: AskedTable) -> tuple[float | None, float | None]:
    """Width and height of a row's frame, as its table says or somebody did; None where nobody does."""
    stated = (number_of(row.values.get("frame_width", "")), number_of(row.values.get("frame_height", "")))
    return stated if stated != (None, None) else (asked.frame_size or (None, None))
