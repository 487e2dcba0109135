"""What columns of points are called: axis and number, as people who use MediaPipe, OpenFace and Py-Feat write them."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from typing import Final

from bitface.errors import InputError
from bitface.faces.blendshapes import BLENDSHAPE_NAMES

Numbered = dict[str, dict[int, str]]
"""Axis -> number of a point, from 0 -> its column."""
_PREFIX: Final = r"(?:landmark|lmk|lm|point|face|mesh|p)"
_AXIS_FIRST: Final = re.compile(rf"(?:{_PREFIX}_)?([xyz])_?(\d{{1,3}})")
_NUMBER_FIRST: Final = re.compile(rf"(?:{_PREFIX}_?)?(\d{{1,3}})_([xyz])")
_OWN_MESH: Final = re.compile(r"mesh_[xyz]_\d{1,3}")
_OF_TOOLS: Final = re.compile(
    # OpenFace: gaze, points of the eyes, head pose, points in space, shape, action units; Py-Feat: box, pose, units, emotions;
    # MediaPipe: how visible a point is; pandas: the index of a table that was written twice.
    r"gaze_\w+|eye_lmk_[xyzXYZ]_\d+|pose_\w+|[XYZ]_\d+|p_(?:scale|rx|ry|rz|tx|ty|\d+)|AU\d\d(?:_[rc])?"
    r"|FaceRect(?:X|Y|Width|Height)|FaceScore|Frame(?:Height|Width)|Pitch|Roll|Yaw|X|Y|Z|approx_time|Identity\w*"
    r"|anger|disgust|fear|happiness|sadness|surprise|neutral|Anger|Disgust|Fear|Happy|Sad|Surprise|Neutral|Contempt|valence|arousal"
    r"|(?:visibility|presence)_\d+|Unnamed: 0(?:\.\d+)?"
)
_SEEN: Final = re.compile(
    rf"(?:{_PREFIX}_)?(?:v|vis|visibility)_?\d{{1,3}}|(?:{_PREFIX}_?)?\d{{1,3}}_(?:v|vis|visibility)"
)


def is_of_a_tool(column: str) -> bool:
    """Whether a column is one that these tools write beside points; none of them is read, and none can tell an age."""
    return column in BLENDSHAPE_NAMES or _OF_TOOLS.fullmatch(column) is not None or bool(_point_of(column)[0])


def visibilities(columns: Collection[str], points: int) -> frozenset[str]:
    """The columns that say how visible each point is, one for every point; fewer of such names mean something else."""
    found = frozenset(column for column in columns if _SEEN.fullmatch(column))
    return found if len(found) == points else frozenset()


def numbered_points(name: str, columns: Sequence[str], sizes: Collection[int]) -> Numbered:
    """The columns of points, numbered from 0; those that a table numbers from 1 to one of `sizes` count from 1 there.

    Py-Feat 2 writes 68 points as `x_0` and those of the mesh, which they are taken from, as `mesh_x_0`: the mesh is read.

    Raises:
        InputError: two columns are one coordinate.
    """
    own = [column for column in columns if _OWN_MESH.fullmatch(column)]
    numbered: Numbered = {"x": {}, "y": {}, "z": {}}
    for column in own or columns:
        axis, number = _point_of(column)
        if axis and number in numbered[axis]:
            raise InputError(f"{name}: columns '{numbered[axis][number]}' and '{column}' are one coordinate; keep one")
        if axis:
            numbered[axis][number] = column
    return _from_zero(numbered, sizes)


def _from_zero(numbered: Numbered, sizes: Collection[int]) -> Numbered:
    points = numbered["x"].keys() | numbered["y"].keys()
    first = 1 if points and min(points) == 1 and max(points) == len(points) and len(points) in sizes else 0
    return {axis: {number - first: column for number, column in own.items()} for axis, own in numbered.items()}


def _point_of(column: str) -> tuple[str, int]:
    """Axis and number of a column of points; an empty axis where it is none."""
    if match := _AXIS_FIRST.fullmatch(column):
        return match[1], int(match[2])
    if match := _NUMBER_FIRST.fullmatch(column):
        return match[2], int(match[1])
    return "", 0
