"""Reports the result of every input: as JSON for programs, as CSV for spreadsheets, as text with totals for people."""

from __future__ import annotations

import os
import tempfile
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from itertools import groupby
from pathlib import Path
from typing import Final

from bitface.counted_words import counted, not_read
from bitface.dataset.files import naming
from bitface.dataset.incoming.spreadsheets import write_rows
from bitface.documents import Document
from bitface.errors import InputError
from bitface.ledger.status import ModelStatus
from bitface.ports import Runtime
from bitface.steps.answers.face_answers import READ, STATUSES, Prediction, Status
from bitface.steps.answers.prediction_table import table_columns, table_rows
from bitface.steps.answers.video_summary import video_lines
from bitface.terminal_text import printable

_REGIONS_SHOWN: Final = 3
WriteRow = Callable[[Prediction], None]


def prediction_documents(rows: Sequence[Prediction], runtime: Runtime, status: ModelStatus) -> list[Document]:
    """JSON of INTERFACE `predict`. The model's `confidence` is the target coverage of its sets, if any."""
    model = {
        "name": runtime.name,
        "version": runtime.version,
        "digest": runtime.digest,
        "confidence": runtime.calibrator.confidence,
        "calibration": runtime.calibrator.remark,
        "status": status.document(),
    }
    return [
        {
            "path": str(row.path),
            "frame": row.frame,
            "time_s": row.time_s,
            "status": row.status,
            "reason": row.reason,
            "faces": list(row.faces),
            "more_faces": row.more_faces,
            "model": model,
        }
        for row in rows
    ]


@contextmanager
def prediction_table(path: Path, emotions: Sequence[str], model: str) -> Iterator[WriteRow]:
    r"""A CSV file that receives predictions one by one, and gets its name when it is complete.

    Its columns are those of `prediction_table.table_columns`, emotions in alphabetical order. A text that begins like a formula is
    prefixed by `'`, see `spreadsheets`. UTF-8; invalid bytes of a path are written as ``\udcff``. If the work ends early, the rows so
    far stay in a file `*.part` beside it.

    A device or a pipe is written directly. Raises OSError, on entry before any work.
    """
    columns = sorted(emotions)
    place = Path(os.path.realpath(path))
    part = place if place.exists() and not place.is_file() else _part_beside(place)
    with part.open("w", encoding="utf-8", errors="backslashreplace", newline="") as stream:

        def write(rows: Iterable[Sequence[object]]) -> None:
            with naming(path):
                write_rows(stream, rows)
                stream.flush()

        write([table_columns(columns)])
        yield lambda row: write(table_rows(row, columns, model))
        if part != place:
            with naming(path):
                os.fsync(stream.fileno())
    if part != place:
        part.chmod(0o644)
        part.replace(place)


def _part_beside(place: Path) -> Path:
    place.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=place.parent, prefix=f"{place.name[:40]}.", suffix=".part")
    os.close(handle)
    return Path(name)


def predictions_text(rows: Sequence[Prediction], runtime: Runtime, status: ModelStatus, left_out: int) -> str:
    """A line per face, one for an input without any, the model's status, what the answers are worth, and the counts."""
    inputs = _by_input(rows)
    names = _short_names([own[0].path for own in inputs])
    lines = [line for own, name in zip(inputs, names, strict=True) for line in _input_lines(own, name)]
    reading = f"an expression, not a feeling; {_promise(runtime)}"
    return "\n".join([*lines, status.line, reading, counts_line(rows, left_out)])


def counts_line(rows: Sequence[Prediction], left_out: int) -> str:
    """How many inputs had each status; the numbers add up to the number of inputs."""
    inputs = _by_input(rows)
    of = Counter(map(_status_of_input, inputs))
    counts = ", ".join(f"{of[status]} {status.replace('_', ' ')}" for status in STATUSES if of[status])
    hidden = f"; {counted(left_out, 'hidden or system file')} left out" if left_out else ""
    return f"{counted(len(inputs), 'input')}: {counts}{hidden}"


def check_nothing_lost(rows: Sequence[Prediction]) -> None:
    """Raises InputError if an input that may be a picture or a video was not read, or there was none.

    Other files of a folder, such as notes beside pictures, do not count.
    """
    inputs = _by_input(rows)
    lost = [losses[0] for own in inputs if (losses := [row for row in own if row.is_loss])]
    if lost:
        first = f"{'first: ' if len(lost) > 1 else ''}'{printable(lost[0].path.name)}' {lost[0].reason}"
        raise InputError(f"{_how_many_lost(inputs)}; {first}")
    if rows and all(row.status == "not_supported" for row in rows):
        raise InputError("there are no pictures among the inputs; name pictures or a folder with some")


def _how_many_lost(inputs: Sequence[Sequence[Prediction]]) -> str:
    whole = [own for own in inputs if not any(row.is_loss for row in own)]
    parts = [own for own in inputs if own not in whole and any(row.status in READ for row in own)]
    read = sum(_status_of_input(own) in READ for own in whole)
    in_part = f"of {counted(len(parts), 'video')} a part could not be read" if parts else ""
    lost = len(inputs) - len(whole) - len(parts)
    return "; ".join(filter(None, [not_read(lost, read, len(inputs)) if lost else "", in_part]))


def _by_input(rows: Sequence[Prediction]) -> list[list[Prediction]]:
    """The rows of each input, in order: one of a picture, many of a video."""
    return [list(own) for _, own in groupby(rows, key=lambda row: row.number)]


def _status_of_input(rows: Sequence[Prediction]) -> Status:
    """The best of its rows' states: a video is answered if one of its frames is."""
    return min((row.status for row in rows), key=STATUSES.index)


def _input_lines(rows: Sequence[Prediction], name: str) -> Iterator[str]:
    if rows[0].time_s is not None:
        yield from video_lines(rows, name)
    else:
        for row in rows:
            yield from _lines(row, name)


def _lines(row: Prediction, name: str) -> Iterator[str]:
    for number, face in enumerate(row.faces, start=1):
        ranked = sorted(face["emotions"].items(), key=lambda item: -item[1])[:3]
        best = ", ".join(f"{emotion} {p:.2f}" for emotion, p in ranked)
        which = f"{name}, face {number}" if len(row.faces) > 1 else name
        yield f"{which}: {_set_words(face)}  ({best}; model {face['timings_ms']['model']:.2f} ms)"
        if face["regions"]:
            yield f"  {_region_words(face, ranked[0][0])}"
    if row.status == "no_face":
        yield f"{name}: {row.reason}"
    elif row.reason:
        yield f"{name}: {row.reason}" if row.faces else f"{name}: {row.status.replace('_', ' ')}, {row.reason}"


def _short_names(paths: Sequence[Path]) -> list[str]:
    """The shortest distinct path endings, on one line each whatever characters they contain."""
    whole = [Path(os.path.abspath(path)) for path in paths]  # noqa: PTH100 - resolve would follow links
    if not whole:
        return []
    above = os.path.commonpath([path.parent for path in whole])
    return [printable(str(path.relative_to(above))) for path in whole]


def _set_words(face: Document) -> str:
    words = " or ".join(sorted(face["set"], key=lambda emotion: -face["emotions"][emotion]))
    if not face["abstained"]:
        return words
    return f"no answer: it could be {words}" if words else "no answer: no emotion is likely enough"


def _region_words(face: Document, emotion: str) -> str:
    """The regions that count most for an emotion, in log odds."""
    values = {region: own[emotion] for region, own in face["regions"].items()}
    top = sorted(values, key=lambda region: -abs(values[region]))[:_REGIONS_SHOWN]
    listed = ", ".join(f"{region} {values[region]:+.2f}" for region in top)
    return f"{emotion} most by {listed} (log odds; --json has every region and emotion)"


def _promise(runtime: Runtime) -> str:
    calibrator = runtime.calibrator
    if calibrator.confidence is None:
        return calibrator.remark
    # The remaining clauses are for a reviewer; the JSON has them.
    people = calibrator.remark.partition(";")[0]
    share = f"{calibrator.confidence:.0%} per emotion"
    return f"sets have a target coverage of {share}, for people like the calibration people ({people})"
