"""A video is answered frame by frame: faces keep their numbers, what they showed is averaged over time, and damage is said where it is."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from scipy.special import logit

from bitface.errors import InputError, OverLimitError
from bitface.faces.media.video_limits import Gap
from bitface.steps.answers.face_answers import Prediction, Reader
from bitface.steps.answers.predict import predictions
from bitface.steps.answers.prediction_report import check_nothing_lost, counts_line, predictions_text
from bitface.steps.people.inputs import Input
from tests.builders import BLOCKED
from tests.unit.test_predict import LOGITS, Looking, runtime

CLIP = Path("f") / "clip.mp4"


class Shown:
    """A frame whose pixels are the logits of the faces in it."""

    def __init__(self, *faces: str) -> None:
        self.faces = faces

    def pixels(self) -> list[tuple[float, ...]]:
        return [LOGITS[one] for one in self.faces]

    def glance(self) -> np.ndarray:
        return np.zeros((8, 8), np.uint8)


class LookingAside(Looking):
    """Each face of a frame beside the others."""

    def see_all(self, image, params):
        seen = super().see_all(image, params)
        return tuple(
            SimpleNamespace(box=np.array([at * 50, 0, at * 50 + 40, 40], np.float32), column=one.column)
            for at, one in enumerate(seen)
        )


def answered(frames, every_s: float = 0.0, smoothing_s: float = 0.5, error=None, reports=None) -> list[Prediction]:
    """Rows of a video with these (seconds, Shown), or Gap where a part cannot be read."""

    def watch(_path, on_gap):
        for one in frames:
            if isinstance(one, Gap):
                on_gap(one)
            else:
                yield one
        if error:
            raise error

    reader = Reader(
        runtime=runtime(),
        open_landmarker=LookingAside,
        features=SimpleNamespace(),
        read=None,
        watch=watch,
        faces_max=4,
        every_s=every_s,
        smoothing_s=smoothing_s,
    )
    report = (lambda *_: None) if reports is None else (lambda *said: reports.append(said))
    return list(predictions([Input(path=CLIP, is_video=True)], reader, report))


def steady(count: int, *faces: str) -> list[tuple[float, Shown]]:
    return [(index / 25, Shown(*faces)) for index in range(count)]


@pytest.mark.parametrize(("every_s", "frames"), [(0.2, [0, 5, 10, 15, 20]), (0.0, list(range(25))), (0.5, [0, 13])])
def test_a_frame_is_answered_every_so_often_with_its_own_number_and_time(every_s: float, frames: list[int]) -> None:
    rows = answered(steady(25, "sure"), every_s)
    assert [row.frame for row in rows] == frames
    assert [row.time_s for row in rows] == [pytest.approx(frame / 25) for frame in frames]


def test_smoothed_probabilities_follow_slowly_and_the_frame_s_own_do_not_change() -> None:
    frames = [*steady(5, "sure"), *((0.2 + index / 25, Shown("none")) for index in range(50))]
    rows = answered(frames)
    own = [row.faces[0]["emotions"]["happiness"] for row in rows]
    smooth = [row.faces[0]["smoothed"]["happiness"] for row in rows]
    assert own[4] == own[0] and own[5] == own[-1] < 0.5
    assert smooth[0] == own[0] and own[5] < smooth[5] < own[0]
    assert np.all(np.diff(smooth[5:]) <= 0) and smooth[-1] == pytest.approx(own[-1], abs=0.01)
    kept = np.exp(-0.04 / 0.5)
    assert logit(smooth[5]) == pytest.approx(kept * logit(own[4]) + (1 - kept) * logit(own[5]), abs=1e-4)
    assert [row.faces[0]["smoothed"] == row.faces[0]["emotions"] for row in answered(frames, smoothing_s=0.0)] == [
        True
    ] * 55


def test_each_face_is_smoothed_by_itself() -> None:
    rows = answered([*steady(3, "sure", "none"), (0.2, Shown("sure", "none", "torn"))])
    assert [face["track"] for face in rows[-1].faces] == [1, 2, 3]
    assert all(face["smoothed"] == pytest.approx(face["emotions"], abs=1e-6) for row in rows for face in row.faces), (
        "nobody's answer changed"
    )


def test_a_person_reads_a_line_per_face_with_what_it_showed_how_often() -> None:
    rows = answered([*steady(3, "sure", "torn"), (0.5, Shown()), (0.6, Shown("sure")), (0.7, Shown("lost"))])
    lines = predictions_text(rows, runtime(), BLOCKED, 0).splitlines()
    assert lines[0] == "clip.mp4, face 1, 0.0 to 0.7 s, 5 frames: happiness 4, no answer 1"
    assert lines[1].startswith("clip.mp4, face 2, 0.0 to 0.1 s, 3 frames: ")
    assert lines[2] == "clip.mp4: no face in 1 of 6 answered frames"
    assert lines[-1] == "1 input: 1 answered"


def test_a_part_that_cannot_be_read_is_said_in_its_place_and_costs_no_other_answer() -> None:
    gap = Gap(start_s=0.1, end_s=0.4)
    rows = answered([*steady(3, "sure"), gap, (0.4, Shown("sure")), Gap(start_s=0.4, end_s=None)])
    assert [row.status for row in rows] == [*["answered"] * 3, "unreadable", "answered", "unreadable"]
    assert rows[3].time_s == 0.1 and "is damaged from 0.1 to 0.4 s" in str(rows[3].reason)
    assert counts_line(rows, 0) == "1 input: 1 answered"
    with pytest.raises(
        InputError, match=r"of 1 video a part could not be read; 'clip.mp4' is damaged from 0.1 to 0.4 s"
    ):
        check_nothing_lost(rows)


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (InputError("'clip.mp4' has no readable frame; convert it"), "unreadable"),
        (OverLimitError("'clip.mp4' lasts too long; cut it"), "refused"),
    ],
)
def test_a_video_that_cannot_be_read_has_one_row(error: InputError, status: str) -> None:
    (row,) = answered([], error=error)
    assert (row.status, row.time_s, row.is_loss) == (status, None, True)
    with pytest.raises(InputError, match="the input could not be read"):
        check_nothing_lost([row])
    rows = answered(steady(2, "sure"), error=error)
    assert [one.status for one in rows] == ["answered", "answered", status]


def test_progress_counts_frames_of_a_video_whose_length_nobody_knows() -> None:
    reports: list[tuple[str, int, int]] = []
    answered(steady(25, "sure"), reports=reports)
    assert reports == [
        *(("frames of clip.mp4", count, -1) for count in (10, 20)),
        ("frames of clip.mp4", 25, 25),
        ("predicting", 1, 1),
    ]
