"""A video in a few lines for a person: one for each face, with how often it showed what; tables have every frame."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Final

from bitface.counted_words import counted
from bitface.documents import Document
from bitface.steps.answers.face_answers import READ, Prediction

_FACES_SHOWN: Final = 20
_NO_ANSWER: Final = "no answer"


def video_lines(rows: Sequence[Prediction], name: str) -> Iterator[str]:
    """The faces of a video, those seen most often first, in how many frames there was none, and what could not be read.

    A frame counts for the emotion that is likeliest by the smoothed probabilities, or as no answer where the frame has none.
    """
    read = [row for row in rows if row.status in READ]
    faces = _faces(read)
    for track, seen in sorted(faces.items(), key=lambda item: (-len(item[1]), item[0]))[:_FACES_SHOWN]:
        yield f"{name}, face {track}, {_span(seen)}, {counted(len(seen), 'frame')}: {_shown(seen)}"
    if len(faces) > _FACES_SHOWN:
        yield f"{name}: {counted(len(faces) - _FACES_SHOWN, 'more face')}, seen more briefly; --csv and --json have all"
    empty = sum(row.status == "no_face" for row in read)
    if empty:
        yield f"{name}: no face in {empty} of {counted(len(read), 'answered frame')}"
    crowded = sum(row.more_faces for row in read)
    if crowded:
        yield f"{name}: {next(row.reason for row in read if row.more_faces)} (in {counted(crowded, 'frame')})"
    for row in rows:
        if row.status not in READ:
            yield f"{name}: {row.reason}"


def _faces(rows: Sequence[Prediction]) -> dict[int, list[tuple[float, Document]]]:
    """Track -> when its face was seen, and what was answered."""
    found: dict[int, list[tuple[float, Document]]] = {}
    for row in rows:
        for face in row.faces:
            found.setdefault(face["track"], []).append((row.time_s or 0.0, face))
    return found


def _span(seen: Sequence[tuple[float, Document]]) -> str:
    return f"{seen[0][0]:.1f} to {seen[-1][0]:.1f} s"


def _shown(seen: Sequence[tuple[float, Document]]) -> str:
    counts = Counter(_likeliest(face) for _, face in seen)
    parts = [f"{what} {count}" for what, count in counts.most_common() if what != _NO_ANSWER]
    return ", ".join(parts + [f"{_NO_ANSWER} {counts[_NO_ANSWER]}"] * (counts[_NO_ANSWER] > 0))


def _likeliest(face: Document) -> str:
    return _NO_ANSWER if face["abstained"] else str(max(face["smoothed"], key=lambda name: face["smoothed"][name]))
