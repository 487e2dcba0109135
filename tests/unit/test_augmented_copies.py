"""A small set gets changed copies of what it trains on; a large one gets fewer, and says so."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from bitface.params import read_params
from bitface.steps.retrain.featurise import fewer_copies, with_copies_for
from tests.builders import sample

PARAMS = read_params(
    Path(__file__).resolve().parents[2] / "params.yaml",
    "default",
    ["features.augmented_copies_clip=2", "features.augmented_frames_max=60"],
)


def copies(pictures: int, clips: int = 0) -> tuple[int, int]:
    one = sample("s", "r" + "0" * 15, split="train")
    judged = [replace(one, split="gate")] * 500
    brought = [*[one] * pictures, *[replace(one, kind="clip", frames=5)] * clips, *judged]
    made = with_copies_for(brought, PARAMS).features
    return made.augmented_copies_image, made.augmented_copies_clip


@pytest.mark.parametrize(("pictures", "each"), [(1, 3), (20, 3), (21, 2), (30, 2), (31, 1), (60, 1), (61, 0), (900, 0)])
def test_all_copies_of_training_pictures_are_at_most_as_many_as_the_limit(pictures: int, each: int) -> None:
    assert copies(pictures)[0] == each and pictures * each <= 60


def test_clips_count_by_their_frames_and_apart_from_pictures() -> None:
    assert copies(20, clips=6) == (3, 2)
    assert copies(20, clips=7) == (3, 1)
    assert copies(20, clips=13) == (3, 0)


def test_a_set_with_fewer_copies_than_asked_for_says_so() -> None:
    asked = PARAMS.features
    assert fewer_copies(asked, asked) == ()
    (words,) = fewer_copies(asked, asked.model_copy(update={"augmented_copies_image": 1}))
    assert (
        words.startswith("each training picture gets 1 changed copy instead of 3")
        and "augmented_frames_max is 60" in words
    )


def test_a_set_without_pictures_says_nothing_of_them() -> None:
    clips = [sample("s", "r" + "0" * 15, split="train", kind="clip", frames=5)] * 2
    assert fewer_copies(PARAMS.features, with_copies_for(clips, PARAMS).features) == ()
