"""Answers as typed values, for programs that use bitface as a library."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Self, overload

from bitface.counted_words import counted
from bitface.documents import Document
from bitface.steps.answers.face_answers import Prediction, Status
from bitface.steps.answers.prediction_table import table_columns, table_rows

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, kw_only=True)
class FaceAnswer:
    """What a model says of one face.

    `box`: left, top, right, bottom in pixels. `probabilities`: emotion -> one-vs-rest probability, which need not add up to 1.
    `likely`: the emotions that it may show, the likeliest first, with the target coverage of the model's sets. `abstained`: that set is
    empty or too large to be an answer. `timings_ms`: decode, landmarks, model, explain. `regions`: region -> emotion -> log odds that it
    adds, empty unless asked for. Of a video, `track`: the number of the face in it; `smoothed`: probabilities averaged over time.
    """

    box: tuple[float, float, float, float]
    probabilities: Mapping[str, float]
    likely: tuple[str, ...]
    abstained: bool
    timings_ms: Mapping[str, float]
    regions: Mapping[str, Mapping[str, float]]
    track: int | None = None
    smoothed: Mapping[str, float] | None = None

    @property
    def likeliest(self) -> str:
        """The emotion with the highest probability, whether or not the model abstains."""
        return max(self.probabilities, key=lambda name: self.probabilities[name])

    @classmethod
    def of(cls, face: Document) -> Self:
        """From the JSON of `predict`."""
        left, top, right, bottom = face["box"]
        return cls(
            box=(left, top, right, bottom),
            probabilities=face["emotions"],
            likely=tuple(sorted(face["set"], key=lambda name: -face["emotions"][name])),
            abstained=face["abstained"],
            timings_ms=face["timings_ms"],
            regions=face["regions"],
            track=face.get("track"),
            smoothed=face.get("smoothed"),
        )


@dataclass(frozen=True, kw_only=True)
class Answer:
    """The result for one picture, or one frame of a video.

    `status`: answered, abstained, no_face, unreadable, not_supported or refused (over a limit); `reason`: why there is no answer, or that
    there were more faces than were answered. `path`: None for pixels. `time_s`: seconds from the first frame of a video, else None.
    """

    status: Status
    reason: str | None
    faces: tuple[FaceAnswer, ...]
    path: Path | None
    frame: int
    time_s: float | None
    prediction: Prediction = field(repr=False)
    """The same as the command line has it."""

    @classmethod
    def of(cls, row: Prediction, path: Path | None) -> Self:
        """From a row of the command line."""
        return cls(
            status=row.status,
            reason=row.reason,
            faces=tuple(map(FaceAnswer.of, row.faces)),
            path=path,
            frame=row.frame,
            time_s=row.time_s,
            prediction=row,
        )


class Answers(Sequence[Answer]):
    """The answers to all pictures and frames, in order."""

    def __init__(self, answers: Sequence[Answer], emotions: Sequence[str], model: str) -> None:
        self._answers, self._emotions, self._model = tuple(answers), sorted(emotions), model

    @overload
    def __getitem__(self, index: int) -> Answer: ...

    @overload
    def __getitem__(self, index: slice) -> Sequence[Answer]: ...

    def __getitem__(self, index: int | slice) -> Answer | Sequence[Answer]:
        return self._answers[index]

    def __len__(self) -> int:
        return len(self._answers)

    def __repr__(self) -> str:
        faces = sum(len(one.faces) for one in self._answers)
        return f"Answers({counted(len(self), 'answer')}, {counted(faces, 'face')}; {self._model})"

    def faces(self) -> Iterator[FaceAnswer]:
        """All faces of all answers."""
        return (face for one in self._answers for face in one.faces)

    def to_pandas(self) -> pd.DataFrame:
        """The table that `bitface predict --csv` writes, with NaN and None for empty cells."""
        import pandas as pd

        rows = [cells for one in self._answers for cells in self._cells(one)]
        return pd.DataFrame(rows, columns=table_columns(self._emotions))

    def _cells(self, one: Answer) -> Iterator[list[object]]:
        path = None if one.path is None else str(one.path)
        return ([path, *cells[1:]] for cells in table_rows(one.prediction, self._emotions, self._model))
