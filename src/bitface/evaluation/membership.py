"""How well membership in the training set can be inferred from a model's answers: the privacy cost of accuracy."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from bitface.errors import InputError
from bitface.evaluation.intervals import Interval, percentile_interval, seed_for

Floats = NDArray[np.float64]
_LEAST: float = 1e-12


def person_losses(scores: Floats, truth: NDArray[np.bool_], persons: NDArray[np.str_]) -> Floats:
    """Mean one-vs-rest log loss of each person, float64 (P,), people in the order of their names.

    Args:
        scores: probabilities float64 (N, E).
        truth: bool (N, E).
        persons: str (N,).
    """
    likely = np.clip(np.where(truth, scores, 1 - scores), _LEAST, 1)
    _, codes = np.unique(persons, return_inverse=True)
    return np.asarray(np.bincount(codes, -np.log(likely).mean(axis=1)) / np.bincount(codes))


def membership_auc(members: Floats, others: Floats, resamples: int, confidence: float, seed: int) -> Interval:
    """The chance that a person who trained the model has a lower loss than one who did not; 0.5 means nothing is revealed.

    The loss-threshold attack (Yeom et al., arXiv 1709.01604), by person, with an interval over people of both kinds. `members`: mean
    loss of each training person, float64 (P,); `others`: of each person whom the model never saw, (Q,).

    Raises:
        InputError: one of the groups is empty.
    """
    if not len(members) or not len(others):
        raise InputError("a membership figure needs people who trained the model and people who did not")
    rng = np.random.default_rng(seed_for(seed, "membership"))
    draws = np.array(
        [_auc(rng.choice(members, len(members)), rng.choice(others, len(others))) for _ in range(resamples)]
    )
    people = len(members) + len(others)
    return percentile_interval(_auc(members, others), draws, confidence, people, people, least=0.0, most=1.0)


def _auc(members: Floats, others: Floats) -> float:
    from scipy.stats import rankdata

    ranks = rankdata(np.concatenate([members, others]))[: len(members)]
    above = ranks.sum() - len(members) * (len(members) + 1) / 2
    return 1 - float(above / (len(members) * len(others)))
