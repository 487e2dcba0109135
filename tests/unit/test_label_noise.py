"""Labels that the faces contradict are doubted, by models that never saw the person."""

from __future__ import annotations

import numpy as np
import pytest

from bitface.errors import InputError
from bitface.evaluation.label_noise import doubted, flip_odds, out_of_fold


def people(count: int, seed: int, apart: float = 4.0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    labels = np.arange(count) % 3
    features = rng.normal(size=(count, 8)) + apart * np.eye(3, 8)[labels]
    return features, labels, np.array([f"p{row:04d}" for row in range(count)])


def test_a_wrong_label_is_the_one_that_is_doubted() -> None:
    features, labels, persons = people(300, 0, apart=8.0)
    labels[7], labels[100] = (labels[7] + 1) % 3, (labels[100] + 2) % 3
    likely = out_of_fold(features, labels, persons, 0)
    assert likely.sum(axis=1) == pytest.approx(np.ones(300))
    assert np.flatnonzero(doubted(likely, labels)).tolist() == [7, 100]
    assert flip_odds(likely, labels)[[7, 100]].min() > 0.9 > 0.1 > np.median(flip_odds(likely, labels))


def test_a_person_never_judges_their_own_other_sample() -> None:
    """Ten copies of one mislabelled face would vouch for each other, were they in two folds."""
    features, labels, persons = people(300, 1, apart=8.0)
    features[:10], labels[:10], persons[:10] = features[0], (labels[0] + 1) % 3, "one person"
    assert doubted(out_of_fold(features, labels, persons, 0), labels)[:10].all()


def test_the_odds_of_a_flip_are_bayes_by_hand() -> None:
    likely = np.array([[0.5, 0.3, 0.2], [0.0, 1.0, 0.0]])
    expected = [(0.1 * 0.25) / (0.9 * 0.5 + 0.1 * 0.25), 1.0]
    assert flip_odds(likely, np.array([0, 0])).tolist() == pytest.approx(expected)


@pytest.mark.parametrize("labels", [np.zeros(6, np.int64), np.array([0, 0, 0, 0, 0, 1])])
def test_labels_that_too_few_people_show_are_refused(labels) -> None:
    with pytest.raises(InputError, match="two labels or more"):
        out_of_fold(np.random.default_rng(0).normal(size=(6, 2)), labels, np.array(list("abcdef")), 0)


def test_samples_that_are_all_alike_are_not_doubted() -> None:
    """Where no face is seen anywhere every row is the same; that is no error, and says nothing of labels."""
    _, labels, persons = people(30, 2)
    likely = out_of_fold(np.zeros((30, 8)), labels, persons, 0)
    assert np.isfinite(likely).all() and likely.sum(axis=1) == pytest.approx(np.ones(30))
