"""Too few people are told before anything is computed, with the number that is needed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pytest

from bitface.errors import InputError
from bitface.faces.enough_people import check_enough
from bitface.faces.records import Sample
from bitface.faces.splits import fold_of_people
from tests.builders import sample

FOLDS = 5


def samples_of(shown: Sequence[Sequence[str]], splits: Sequence[str] = ()) -> tuple[Sample, ...]:
    """One person for each entry, with a picture for each emotion in it."""
    return tuple(
        sample(
            f"{number}-{emotion}",
            f"r{number:015d}",
            label=emotion,
            split=splits[number] if splits else "train",
            sha256=f"{number:032d}{emotion:>32}",
        )
        for number, own in enumerate(shown)
        for emotion in own
    )


def refusal(samples: tuple[Sample, ...], folds: Mapping[str, int]) -> str:
    with pytest.raises(InputError) as found:
        check_enough(samples, folds, FOLDS)
    assert "\n" not in str(found.value)
    return str(found.value)


def out_of_fold(shown: Sequence[Sequence[str]]) -> str:
    samples = samples_of(shown)
    return refusal(samples, fold_of_people(samples, FOLDS, 1))


BOTH = ("happiness", "neutral")


@pytest.mark.parametrize(
    ("people", "said"),
    [
        (1, "1 person may be used, but training needs at least 5"),
        (3, "3 people may be used, but training needs at least 5"),
        (4, "import 1 more"),
    ],
)
def test_fewer_people_than_folds_are_refused_with_the_number_needed(people: int, said: str) -> None:
    assert said in out_of_fold([BOTH] * people)


def test_as_many_people_as_folds_are_enough_where_each_shows_the_same_emotions() -> None:
    samples = samples_of([BOTH] * FOLDS)
    check_enough(samples, fold_of_people(samples, FOLDS, 1), FOLDS)


def test_one_emotion_is_none() -> None:
    assert "20 people show neutral, and no two emotions are shown in each of 5 folds" in out_of_fold([["neutral"]] * 20)


def test_people_who_show_one_emotion_each_need_more_of_their_kind_in_a_fold() -> None:
    """Ten who smile and ten who do not are enough only where every fold happens to get both; five people never are."""
    said = out_of_fold([["neutral"]] * 3 + [["happiness"]] * 2)
    assert "5 people show happiness, neutral, and no two emotions are shown in each of 5 folds" in said


def test_an_emotion_of_few_people_is_named_with_how_many_it_needs() -> None:
    """Learned in some folds and not in others, their scores could not be pooled; of one person it is learned nowhere, and left out."""
    samples = samples_of([(*BOTH, "fear")] * 2 + [BOTH] * 8)
    folds = {sample.person: int(sample.person[1:]) % FOLDS for sample in samples}
    said = refusal(samples, folds)
    assert "fear is shown by 2 of 10 people, and each of 5 folds needs at least one person who shows it" in said
    alone = samples_of([(*BOTH, "fear")] + [BOTH] * 9)
    check_enough(alone, folds, FOLDS)


@pytest.mark.parametrize(
    ("splits", "said"),
    [
        (["train"] * 7, "of 7 people who may be used there are 7 in train, 0 in validation, 0 in gate"),
        (["train"] * 5 + ["validation"], "5 in train, 1 in validation, 0 in gate"),
        (["gate"] * 3, "import more people for train and validation"),
        (["train", "validation", "test"], "1 in train, 1 in validation, 0 in gate"),
    ],
)
def test_a_split_without_anybody_is_named(splits: list[str], said: str) -> None:
    assert said in refusal(samples_of([BOTH] * len(splits), splits), {})


def test_one_person_in_each_split_is_enough_where_they_show_the_same_emotions() -> None:
    check_enough(samples_of([BOTH] * 3, ["train", "validation", "gate"]), {}, FOLDS)


def test_gate_people_who_show_nothing_that_was_learned_judge_nothing() -> None:
    samples = samples_of([BOTH, BOTH, ("fear", "anger")], ["train", "validation", "gate"])
    assert "no two emotions are shown in each of train, validation and gate" in refusal(samples, {})
