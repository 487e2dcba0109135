"""Predicts expressions with a verified bundle: every input gets an answer, and a bad one does not affect the others."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Final

from bitface.dataset.plain_files import PICTURE_BYTES, read_plain
from bitface.errors import InputError
from bitface.ports import Report
from bitface.steps.answers.face_answers import FaceAnswers, Prediction, Reader, ms_since, unread
from bitface.steps.answers.video_answers import answers_of_video
from bitface.steps.people.inputs import Input, trouble_of

WHAT: Final = "predicting"
"""What a finished input is called in reports of progress."""


def predictions(inputs: Sequence[Input], reader: Reader, report: Report) -> Iterator[Prediction]:
    """A row per picture and per answered frame of a video, in order, each as soon as it is ready; `reader.keep` receives each face of a
    picture. `report` is called when an input is done.
    """
    with reader.open_landmarker() as landmarker:
        answers = FaceAnswers(reader=reader, landmarker=landmarker)
        for number, one in enumerate(inputs):
            for row in rows_of(one, answers, report):
                yield replace(row, number=number)
            report(WHAT, number + 1, len(inputs))


def rows_of(one: Input, answers: FaceAnswers, report: Report) -> Iterator[Prediction]:
    """The rows of one input: one of a picture, or of what is not read; one per answered frame of a video."""
    if one.trouble is not None:
        yield unread(one.path, one.trouble)
    elif one.is_video:
        yield from answers_of_video(one, answers, report)
    else:
        yield _of_picture(one, answers)


def _of_picture(one: Input, answers: FaceAnswers) -> Prediction:
    start = time.perf_counter()
    try:
        image = answers.reader.read(one.place, one.path.name)
        spent_on_decoding = ms_since(start)
        seen, spent_on_looking = answers.look(image)
        picture = _picture_of(one) if seen and answers.reader.keep else ""
    except InputError as error:
        return unread(one.path, trouble_of(error, one.path.name))
    if answers.reader.keep:  # whose errors are not the picture's
        for number, face in enumerate(seen[: answers.reader.faces_max]):
            answers.reader.keep(picture, number, face)
    return answers.row(one.path, seen, {"decode": spent_on_decoding, "landmarks": spent_on_looking})


def _picture_of(one: Input) -> str:
    """The SHA-256 of the file, by which the log knows a picture that it has seen before."""
    return hashlib.sha256(read_plain(one.place, repr(one.path.name), PICTURE_BYTES)).hexdigest()
