"""What is odd about the frames of a table of points: one that stands twice, several faces in one, times that stand or run backwards."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator, Sequence
from dataclasses import replace

from bitface.dataset.points.point_rows import PointRow, number_of
from bitface.faces.points import FacePoints

GroupOf = Callable[[PointRow], Hashable]
"""What a row belongs to; in it, two rows of one frame are two faces, or one row twice."""


def by_frames(rows: Sequence[PointRow], points: FacePoints, group_of: GroupOf) -> Iterator[PointRow]:
    """The rows with what is odd about their frames; `points`: those of the table, to tell a face that was written twice."""
    rows = list(_with_times(rows, group_of))
    frames: dict[Hashable, list[PointRow]] = {}
    latest: dict[Hashable, float] = {}
    backwards: set[int] = set()
    for row, frame in zip(rows, _frames_of(rows), strict=True):
        if row.fault:
            continue
        group = (group_of(row), row.input)
        frames.setdefault((group, frame), []).append(row)
        if row.time_s < latest.setdefault(group, row.time_s):
            backwards.add(row.number)
        latest[group] = max(latest[group], row.time_s)
    faults = {number: fault for alike in frames.values() for number, fault in _of_one_frame(alike, points)}
    for row in rows:
        remark = "time_backwards" if row.number in backwards else row.remark
        yield replace(row, fault=faults.get(row.number, row.fault), remark=remark)


def _with_times(rows: Sequence[PointRow], group_of: GroupOf) -> Iterator[PointRow]:
    """The rows without their times where one time stands in all of a group, which OpenFace writes of a folder of pictures: 0."""
    times: dict[Hashable, set[float | None]] = {}
    frames: dict[Hashable, set[Hashable]] = {}
    for row in rows:
        group = (group_of(row), row.input)
        times.setdefault(group, set()).add(number_of(row.values.get("timestamp", "")))
        frames.setdefault(group, set()).add(row.values.get("frame"))
    for row in rows:
        group = (group_of(row), row.input)
        stands = len(times[group] - {None}) == 1 and len(frames[group] - {None, ""}) > 1
        others = {name: value for name, value in row.values.items() if name != "timestamp"}
        yield replace(row, values=others, remark="one_timestamp") if stands else row


def _frames_of(rows: Sequence[PointRow]) -> Iterator[Hashable]:
    """The frame of each row; where a table has none, as of OpenFace's pictures, a new one begins with each face that is not numbered on."""
    picture, last = 0, 0.0
    for row in rows:
        face = number_of(row.values.get("face_id", ""))
        if row.frame is not None:
            yield row.frame
        elif face is None or "subject_id" in row.values:
            yield ("row", row.number)
        else:
            picture += face <= last
            last = face
            yield ("picture", picture)


def _of_one_frame(rows: Sequence[PointRow], points: FacePoints) -> Iterator[tuple[int, str]]:
    """Which rows of one frame are not taken: the same face again, or all of them, since it is not known which face is meant."""
    first, *others = rows
    again = [row for row in others if (points.points[row.at] == points.points[first.at]).all()]
    # `face_id` 0 beside 0 is one face that was written twice; without the column two rows are two faces.
    again += [
        row for row in others if row not in again and row.values.get("face_id") == first.values.get("face_id", "")
    ]
    several = len(again) < len(others)
    yield from ((row.number, "frame_again") for row in again)
    if several:
        yield from ((row.number, "several_faces") for row in rows if row not in again)
