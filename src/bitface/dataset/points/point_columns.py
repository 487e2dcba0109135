"""Which columns of a table are points, and of which scheme; an unread column could be the age that keeps a child out."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Final

from bitface.dataset.incoming.manifest_columns import COLUMNS, nearest
from bitface.dataset.points.point_names import Numbered, is_of_a_tool, numbered_points, visibilities
from bitface.errors import InputError
from bitface.faces.points import IBUG_68, MESH_468, MESH_468_FLAT, MESH_478, MESH_478_FLAT, PointScheme

PAGE: Final = "docs/datasets.md"
ABOUT_PEOPLE: Final = tuple(name for name in COLUMNS if name not in ("path", "clip", "frame"))
OF_FRAMES: Final = (
    *("clip", "input", "frame", "timestamp", "face_id", "confidence", "success", "frame_width", "frame_height"),
)
"""What a table may say of a row beside its points; `timestamp` in seconds, `input` the file that a face is in."""
_SIZES: Final = {len(scheme.mesh): scheme for scheme in (MESH_478, MESH_468, IBUG_68)}
_FLAT: Final = {MESH_478: MESH_478_FLAT, MESH_468: MESH_468_FLAT}
_OF_POINTS: Final = (
    "x_0, y_0, z_0 to x_477 or x_467 (MediaPipe, with z or without), or x_0, y_0 to x_67 (OpenFace's -2Dfp, Py-Feat) "
    + f"({PAGE})"
)


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
    numbered = numbered_points(name, columns, _SIZES.keys())
    if "FaceRectX" in columns:
        # Py-Feat leaves z in the unit of a crop whose size it does not write.
        numbered["z"] = {}
    scheme = _scheme_of(name, numbered, columns)
    _check_known(name, columns, ignored, {*read, *visibilities(columns, len(scheme.mesh))})
    axes = "xyz" if scheme.has_depth else "xy"
    return PointColumns(
        scheme=scheme,
        axes=tuple(tuple(numbered[axis][point] for point in range(len(scheme.mesh))) for axis in axes),
        tool=_tool_of(scheme, columns),
        confidence=next((known for known in ("confidence", "FaceScore") if known in columns), ""),
    )


def _scheme_of(name: str, numbered: Numbered, columns: Collection[str]) -> PointScheme:
    """The scheme that has as many points, numbered from 0."""
    points = sorted(numbered["x"].keys() | numbered["y"].keys())
    if not points:
        raise InputError(f"{name} {_without_points(columns)}; they are called {_OF_POINTS}")
    scheme = next((one for size, one in sorted(_SIZES.items()) if points[-1] < size), None)
    if scheme is None:
        raise InputError(f"{name} has a point number {points[-1]}; known are 68, 468 and 478 points: {_OF_POINTS}")
    if not numbered["z"]:
        scheme = _FLAT.get(scheme, scheme)
    for axis in "xyz" if scheme.has_depth else "xy":
        missing = [point for point in range(len(scheme.mesh)) if point not in numbered[axis]]
        if missing:
            raise InputError(
                f"{name}: column '{axis}_{missing[0]}' is missing ({len(missing)} of {len(scheme.mesh)} {axis}); write all of {_OF_POINTS}"
            )
    return scheme


def _without_points(columns: Collection[str]) -> str:
    """What a table is that has no columns of points, as far as its header says."""
    if {"x", "y"} <= {column.lower() for column in columns}:
        return "has a row for each point; write a row for each face, and a column for each coordinate"
    if columns and all(column.isdigit() for column in columns if column):
        return "has numbers for names; name its columns of points"
    return "has no columns of points"


def _check_known(name: str, columns: Sequence[str], ignored: Collection[str], read: Collection[str]) -> None:
    absent = [column for column in ignored if column not in columns]
    if absent:
        raise InputError(f"{name} has no column '{absent[0][:40]}' to ignore")
    known = {*read, *ignored, ""}
    unknown = [column for column in columns if column not in known and not is_of_a_tool(column)]
    if not unknown:
        return
    if unknown[0] in ABOUT_PEOPLE:
        raise InputError(
            f"{name}: column '{unknown[0]}' is not read beside a manifest; move it there, or ignore it with --ignore-column '{unknown[0]}'"
        )
    may_have = sorted(column for column in read if column in (*ABOUT_PEOPLE, *OF_FRAMES))
    meant = nearest(unknown[0], may_have)
    advice = f"did you mean '{meant}'? " if meant else ""
    raise InputError(
        f"{name}: unknown column '{unknown[0][:40]}'; {advice}beside points it may have {', '.join(may_have)}; rename it, or ignore it "
        f"with --ignore-column '{unknown[0][:40]}'"
    )


def _tool_of(scheme: PointScheme, columns: Collection[str]) -> str:
    if "FaceRectX" in columns:
        return "Py-Feat"
    if scheme is not IBUG_68:
        return "MediaPipe"
    return "OpenFace" if {"success", "pose_Tx", "p_scale", "face_id"} & set(columns) else "68 points"
