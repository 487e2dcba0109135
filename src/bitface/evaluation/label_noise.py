"""Which labels the faces contradict: each sample is judged by a simple model of all other people, and compared with what it is called.

Confident learning (Northcutt, Jiang & Chuang, 2021, JAIR 70): a label is doubted where a model that never saw the person thinks another
one at least as likely as it usually is where it stands, and likelier than any other that is. The model is a linear discriminant with a
shrunken covariance (towards the mean variance, as Ledoit & Wolf, 2004; the fewer people, the more), fitted anew for each fold of people.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from bitface.errors import InputError

FOLDS: Final = 5
_SHRINKAGE: Final = 0.05
_FLIPPED: Final = 0.1
_EACH_MIN: Final = 2
_VARIANCE_MIN: Final = 1e-9
Floats = NDArray[np.float64]
Labels = NDArray[np.int64]


def out_of_fold(features: Floats, labels: Labels, persons: NDArray[np.str_], seed: int) -> Floats:
    """The probability of each label by a model of the people of other folds: float64 (N, C) for labels 0 to C - 1 below.

    Args:
        features: float64 (N, F) of each sample.
        labels: int64 (N,), 0 to C - 1, each shown by two people or more.
        persons: str (N,).
        seed: of the folds.

    Raises:
        InputError: fewer than two labels, or one that fewer than two people show.
    """
    shown = [len(np.unique(persons[labels == label])) for label in range(int(labels.max(initial=-1)) + 1)]
    if len(shown) < 2 or min(shown) < _EACH_MIN:
        raise InputError(
            f"labels are shown by {shown} people; two labels or more that {_EACH_MIN} people show each can be doubted"
        )
    scaled = (features - features.mean(axis=0)) / np.maximum(features.std(axis=0), 1e-9)
    names, codes = np.unique(persons, return_inverse=True)
    folds = (np.random.default_rng(seed).permutation(len(names)) % FOLDS)[codes]
    found = np.zeros((len(labels), len(shown)))
    for fold in range(FOLDS):
        inside = folds == fold
        found[inside] = _discriminant(scaled[~inside], labels[~inside], scaled[inside], len(shown))
    return found


def doubted(likely: Floats, labels: Labels) -> NDArray[np.bool_]:
    """Which labels are doubted, bool (N,), of probabilities out of fold (N, C)."""
    usual = np.array([likely[labels == label, label].mean() for label in range(likely.shape[1])])
    confident = np.where(likely >= usual, likely, -1.0)
    best = confident.argmax(axis=1)
    return np.asarray((confident.max(axis=1) >= 0) & (best != labels))


def flip_odds(likely: Floats, labels: Labels) -> Floats:
    """The probability that each label is wrong, float64 (N,), if a tenth of labels were drawn at random from the others.

    It weighs what is contradicted strongly more than what is contradicted a little: the mean over a slice shows a tenth of flipped labels
    sooner than a count of doubted ones does.
    """
    own = likely[np.arange(len(labels)), labels]
    flipped = _FLIPPED * (1 - own) / (likely.shape[1] - 1)
    return np.asarray(flipped / ((1 - _FLIPPED) * own + flipped))


def _discriminant(own: Floats, labels: Labels, others: Floats, count: int) -> Floats:
    """Posterior of each label for `others`; a label that nobody of `own` shows has none."""
    shown = np.bincount(labels, minlength=count)
    sums = np.stack([own[labels == label].sum(axis=0) for label in range(count)])
    means = sums / np.maximum(shown, 1)[:, None]
    centred = own - means[labels]
    pooled = centred.T @ centred / max(1, len(own) - count)
    # Of few people a covariance is mostly chance, and a model that trusts it is sure of everything.
    share = max(_SHRINKAGE, len(pooled) / (len(pooled) + len(own)))
    # Samples that are all alike, as where no face was seen, have no variance at all.
    variance = max(float(np.trace(pooled)) / len(pooled), _VARIANCE_MIN)
    shrunk = (1 - share) * pooled + share * variance * np.eye(len(pooled))
    weights = np.linalg.solve(shrunk, means.T)
    with np.errstate(divide="ignore"):
        logits = others @ weights - (means.T * weights).sum(axis=0) / 2 + np.log(shown / len(own))
    odds = np.exp(logits - logits.max(axis=1, keepdims=True))
    return np.asarray(odds / odds.sum(axis=1, keepdims=True))
