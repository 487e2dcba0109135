"""Reads the points of an import's rows into samples, in the place of pictures."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence

from bitface.dataset.incoming.import_rows import ImportRow, QuarantinedRow, grouped
from bitface.dataset.incoming.import_rules import Picture
from bitface.dataset.incoming.lfs_pointers import unread_file
from bitface.dataset.incoming.oddities import finding_of
from bitface.dataset.points.point_container import pack_points
from bitface.dataset.points.point_samples import ChooseFrames, TimedPoints, joined
from bitface.dataset.spool import Spool
from bitface.errors import InputError

ReadPoints = Callable[[ImportRow], TimedPoints]
"""The points of a row, where a source has no pictures; raises InputError for a row without any that can be taken."""


def samples_of_points(
    rows: Sequence[ImportRow],
    read: ReadPoints,
    choose: ChooseFrames,
    spool: Spool,
    report: Callable[[str, int, int], None],
) -> tuple[list[Picture], list[QuarantinedRow]]:
    """The samples whose points can be read, packed, and the rows of the others."""
    brought: list[Picture] = []
    rejected: list[QuarantinedRow] = []
    people = grouped(rows)
    for done, samples in enumerate(people.values(), start=1):
        for members in samples.values():
            parts, unread = _points_of(members, read)
            rejected += unread
            if len({member.label for member, _ in parts}) > 1:
                rejected += [
                    member.refused("the frames of this clip differ in label; make them the same") for member, _ in parts
                ]
            elif parts:
                sample = joined([points for _, points in parts], choose)
                brought.append(_packed_points([member for member, _ in parts], sample, spool))
        report("reading points", done, len(people))
    return brought, rejected


def _points_of(
    members: Sequence[ImportRow], read: ReadPoints
) -> tuple[list[tuple[ImportRow, TimedPoints]], list[QuarantinedRow]]:
    """The rows of a sample that have points, with them, and those that have none."""
    parts: list[tuple[ImportRow, TimedPoints]] = []
    rejected: list[QuarantinedRow] = []
    for member in members:
        try:
            parts.append((member, read(member)))
        except InputError as error:
            name = finding_of(error) or unread_file(member.path, "unreadable_table")
            rejected.append(member.refused(str(error), name))
    return parts, rejected


def _packed_points(rows: Sequence[ImportRow], sample: TimedPoints, spool: Spool) -> Picture:
    media = pack_points(sample.points)
    return Picture(
        rows=tuple(rows),
        sha256=hashlib.sha256(media).hexdigest(),
        media=spool.put(media),
        frames=len(sample.points),
        fps=sample.fps,
        remarks=sample.remarks,
        scheme=sample.points.scheme.name,
    )
