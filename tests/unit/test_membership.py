"""Telling who trained a model: nothing where losses are alike, everything where they are not."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from bitface.errors import InputError
from bitface.evaluation.membership import membership_auc, person_losses


def test_the_figure_is_the_area_under_the_curve_of_lower_losses() -> None:
    rng = np.random.default_rng(0)
    members, others = np.round(rng.gamma(2, 0.3, 60), 2), np.round(rng.gamma(2, 0.4, 90), 2)
    known = roc_auc_score(np.r_[np.ones(60), np.zeros(90)], -np.r_[members, others])
    found = membership_auc(members, others, 300, 0.95, 1)
    assert found.value == pytest.approx(known) and found.lo < known < found.hi and found.persons == 150


def test_alike_tells_nothing_and_apart_tells_all() -> None:
    rng = np.random.default_rng(1)
    alike = membership_auc(rng.normal(size=200), rng.normal(size=200), 300, 0.95, 0)
    assert alike.lo < 0.5 < alike.hi
    apart = membership_auc(np.zeros(20), np.ones(30), 300, 0.95, 0)
    assert (apart.value, apart.lo, apart.hi) == (1, 1, 1)


def test_a_person_s_loss_is_the_mean_over_stills_and_emotions() -> None:
    scores = np.array([[0.5, 0.5], [0.25, 1.0], [1.0, 0.0]])
    truth = np.array([[True, False], [True, True], [True, False]])
    losses = person_losses(scores, truth, np.array(["b", "b", "a"]))
    assert losses == pytest.approx([0, (np.log(2) + np.log(4) / 2) / 2], abs=1e-9)


def test_nobody_on_one_side_has_no_figure() -> None:
    with pytest.raises(InputError, match="people who did not"):
        membership_auc(np.ones(3), np.ones(0), 100, 0.95, 0)
