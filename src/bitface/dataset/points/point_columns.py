"""Which columns of a table are points, and of which scheme: by the names that MediaPipe users, OpenFace and Py-Feat give them."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Final

from bitface.dataset.incoming.manifest_columns import COLUMNS
from bitface.errors import InputError
from bitface.faces.blendshapes import BLENDSHAPE_NAMES
from bitface.faces.points import IBUG_68, MESH_468, MESH_478, PointScheme

PAGE: Final = "docs/datasets.md"
ABOUT_PEOPLE: Final = tuple(name for name in COLUMNS if name not in ("path", "clip", "frame"))
OF_FRAMES: Final = ("clip", "frame", "timestamp", "face_id", "confidence", "success", "frame_width", "frame_height")
"""What a table may say of a row beside its points; `timestamp` in seconds."""
_AXIS_FIRST: Final = re.compile(r"(?:(?:landmark|lmk|lm|point|p)_)?([xyz])_?(\d{1,3})")
_NUMBER_FIRST: Final = re.compile(r"(?:(?:landmark|lmk|lm|point|p)_?)?(\d{1,3})_([xyz])")
_OF_TOOLS: Final = re.compile(
    # OpenFace: gaze, points of the eyes, head pose, points in space, shape, action units; Py-Feat: box, pose, units, emotions.
    r"gaze_\w+|eye_lmk_[xyzXYZ]_\d+|pose_\w+|[XYZ]_\d+|p_(?:scale|rx|ry|rz|tx|ty|\d+)|AU\d\d(?:_[rc])?"
    r"|FaceRect(?:X|Y|Width|Height)|FaceScore|Frame(?:Height|Width)|Pitch|Roll|Yaw|X|Y|Z|approx_time|input|Identity\w*"
    r"|anger|disgust|fear|happiness|sadness|surprise|neutral|(?:visibility|presence)_\d+"
)
_SIZES: Final = {len(scheme.mesh): scheme for scheme in (MESH_478, MESH_468, IBUG_68)}


@dataclass(frozen=True, kw_only=True)
class PointColumns:
    """The columns of the points, point by point: `axes` x and y, and z where the scheme has depth; `tool` in words.

    `confidence`: the column that says how sure the tool is of a row, empty where none does.
    """

    scheme: PointScheme
    axes: tuple[tuple[str, ...], ...]
    tool: str
    confidence: str


def point_columns(name: str, columns: Sequence[str], ignored: Collection[str], read: Collection[str]) -> PointColumns:
    """The columns of a table's points.

    Args:
        name: of the table, in errors.
        columns: of its header, without space around them.
        ignored: those that are left aside because somebody said so.
        read: those that mean something beside the points.

    Raises:
        InputError: a point lacks a coordinate, there are other points than a scheme's, or a column is neither read nor ignored.
    """
    numbered: dict[str, dict[int, str]] = {"x": {}, "y": {}, "z": {}}
    for column in columns:
        axis, number = _point_of(column)
        if axis and number in numbered[axis]:
            raise InputError(f"{name}: columns '{numbered[axis][number]}' and '{column}' are one coordinate; keep one")
        if axis:
            numbered[axis][number] = column
    scheme = _scheme_of(name, numbered)
    _check_known(name, columns, ignored, read)
    axes = "xyz" if scheme.has_depth else "xy"
    return PointColumns(
        scheme=scheme,
        axes=tuple(tuple(numbered[axis][point] for point in range(len(scheme.mesh))) for axis in axes),
        tool=_tool_of(scheme, columns),
        confidence=next((known for known in ("confidence", "FaceScore") if known in columns), ""),
    )


def _point_of(column: str) -> tuple[str, int]:
    """Axis and number of a column of points; an empty axis where it is none."""
    if match := _AXIS_FIRST.fullmatch(column):
        return match[1], int(match[2])
    if match := _NUMBER_FIRST.fullmatch(column):
        return match[2], int(match[1])
    return "", 0


def _scheme_of(name: str, numbered: dict[str, dict[int, str]]) -> PointScheme:
    """The scheme that has as many points, numbered from 0."""
    points = sorted(numbered["x"].keys() | numbered["y"].keys())
    named = f"x_0, y_0, z_0 to x_477 or x_467 (MediaPipe), or x_0, y_0 to x_67 (OpenFace, Py-Feat) ({PAGE})"
    if not points:
        raise InputError(f"{name} has no columns of points; they are called {named}")
    if points[0] == 1 and len(points) in _SIZES and points[-1] == len(points):
        raise InputError(f"{name}: its points are numbered 1 to {points[-1]}; number them from 0: {named}")
    scheme = next((one for size, one in sorted(_SIZES.items()) if points[-1] < size), None)
    if scheme is None:
        raise InputError(f"{name} has a point number {points[-1]}; known are 68, 468 and 478 points: {named}")
    for axis in "xyz" if scheme.has_depth else "xy":
        missing = [point for point in range(len(scheme.mesh)) if point not in numbered[axis]]
        if missing:
            raise InputError(
                f"{name}: column '{axis}_{missing[0]}' is missing ({len(missing)} of {len(scheme.mesh)} {axis}); write all of {named}"
            )
    return scheme


def _check_known(name: str, columns: Sequence[str], ignored: Collection[str], read: Collection[str]) -> None:
    """An unread column could be the age that keeps a child out."""
    absent = [column for column in ignored if column not in columns]
    if absent:
        raise InputError(f"{name} has no column '{absent[0][:40]}' to ignore")
    known = {*read, *ignored, *BLENDSHAPE_NAMES, ""}
    unknown = [
        column
        for column in columns
        if column not in known and not _point_of(column)[0] and not _OF_TOOLS.fullmatch(column)
    ]
    if not unknown:
        return
    if unknown[0] in ABOUT_PEOPLE:
        raise InputError(
            f"{name}: column '{unknown[0]}' is not read beside a manifest; move it there, or ignore it with --ignore-column '{unknown[0]}'"
        )
    raise InputError(
        f"{name}: unknown column '{unknown[0][:40]}'; beside points it may have {', '.join(sorted(read))}; rename it, or ignore it with "
        f"--ignore-column '{unknown[0][:40]}'"
    )


def _tool_of(scheme: PointScheme, columns: Collection[str]) -> str:
    if scheme.has_depth:
        return "MediaPipe"
    return "OpenFace" if "success" in columns else "Py-Feat" if "FaceRectX" in columns else "68 points"
