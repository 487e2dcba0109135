"""Paired tests by person: exact where they can be counted by hand, and rarely wrong where nothing differs."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import binom

from bitface.evaluation.multiplicity import holm
from bitface.gate.paired_tests import by_person_sums, mcnemar_p_value, sign_flip_p_values
from bitface.gate.requirements import unseen_discordance
from tests.draws import draws


def test_holm_by_hand() -> None:
    """0.01, 0.04, 0.03 of three tests: 3 x 0.01, then 2 x 0.03, and 0.04 may not be below it."""
    assert holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])
    assert holm([0.6, 0.9]) == [1.0, 1.0]
    assert holm([]) == []


def test_mcnemar_by_hand() -> None:
    """1 win and 9 losses: (1 + 10) of 1,024 coin sequences have at most one win. No discordance is no evidence."""
    assert mcnemar_p_value(1, 9) == pytest.approx(11 / 1024)
    assert mcnemar_p_value(0, 0) == 1.0


def test_sign_flips_agree_with_mcnemar_where_each_person_has_one_sample() -> None:
    sums = np.array([[1.0]] * 3 + [[-1.0]] * 12 + [[0.0]] * 40)
    assert sign_flip_p_values(sums, 20000, seed=0)[0] == pytest.approx(mcnemar_p_value(3, 12), abs=0.005)


def test_a_person_who_is_wrong_ten_times_is_one_loss() -> None:
    """All losses from one person of ten: by flips of one sign, p cannot be under one half."""
    persons = np.repeat(np.arange(10), 10).astype(str)
    sums = by_person_sums(np.where(persons == "0", -1.0, 0.0)[:, None], persons)
    assert sums[:, 0].tolist() == [-10.0] + [0.0] * 9
    assert sign_flip_p_values(sums, 2000, seed=0)[0] == pytest.approx(0.5, abs=0.05)


def test_a_p_value_is_never_zero() -> None:
    assert sign_flip_p_values(np.full((200, 1), -1.0), 999, seed=0)[0] == 1 / 1000


def test_agreement_of_few_people_is_not_proof_of_sameness(gate_params) -> None:
    few, many = (unseen_discordance(7 * people, people, gate_params) for people in (5, 120))
    assert few > 0.2
    assert many < 0.02


def drawn_difference(rng, people, gap=0.0):
    """Candidate minus champion of 7 stills a person: 15 % discordant, clustered within a person, the candidate `gap` worse."""
    lean = np.repeat(rng.normal(0, 0.6, size=people), 7)
    discordant = rng.random(7 * people) < 0.15
    worse = rng.random(7 * people) < 1 / (1 + np.exp(-lean))
    lost = rng.random(7 * people) < gap
    return np.where(lost, -1.0, np.where(discordant, np.where(worse, -1.0, 1.0), 0.0))


def blocked_share(people, gap, trials):
    """How often a candidate is blocked in 12 slices of `people` x 7 stills, the first slice worse by `gap`."""
    rng, blocked = np.random.default_rng(2), 0
    of_slice = np.repeat(np.arange(12), people)[:, None] == np.arange(12)
    for trial in range(trials):
        first, others = drawn_difference(rng, people, gap), drawn_difference(rng, 11 * people)
        by_person = np.concatenate([first, others]).reshape(-1, 7).sum(axis=1)
        p_values = sign_flip_p_values(np.where(of_slice, by_person[:, None], 0.0), 999, seed=trial)
        blocked += (
            min(1.0, p_values.min() * len(p_values)) < 0.05
        )  # Holm's smallest, without his adjustments of the others
    return blocked / trials


def test_an_equally_good_model_is_rarely_blocked() -> None:
    """Asked for: 5 % over all 12 slices. More than the 99 % limit of so many trials would be beyond it: 8 % of 300, 9 % of 200."""
    trials = draws(300, 200)
    assert blocked_share(people=30, gap=0.0, trials=trials) <= binom.ppf(0.99, trials, 0.05) / trials


def test_ten_points_in_one_slice_are_seen_with_enough_people() -> None:
    """75 people of 7 stills each see it in 97 % of 300 trials (n = 525 paired, clustered); 30 people in 47 %."""
    trials = draws(100, 40)
    assert blocked_share(people=75, gap=0.10, trials=trials) >= 0.90
    assert blocked_share(people=30, gap=0.10, trials=trials) >= 0.30
