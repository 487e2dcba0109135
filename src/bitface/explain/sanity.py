"""Checks that an explanation speaks of what was learned: the maps of a network without its knowledge must look different.

The model-randomisation test (Adebayo et al., arXiv 1810.03292). A method that draws the same of both, as an edge detector
would, explains the picture and not the model.
"""

from __future__ import annotations

import copy
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.stats import spearmanr
from torch import Tensor, nn

from bitface.errors import InputError
from bitface.models.clip_net import ClipNet

AGREEMENT_MAX: Final = 0.7
"""Spearman's correlation up to which maps of a network without its knowledge count as others: half of the variance of ranks."""


def randomised(network: ClipNet, inputs: Tensor, lengths: Tensor, seed: int) -> ClipNet:
    """A copy whose weights stand in a random order: sizes, signs and spread stay, what was learned is gone.

    Args:
        network: stays as it is.
        inputs: faces from which the copy's BatchNorms take their means again, as `network` reads them, 2 or more.
        lengths: int64 (N,), true frames.
        seed: of the order.
    """
    other = copy.deepcopy(network)
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in other.parameters():
            if parameter.ndim > 1:
                flat = parameter.reshape(-1)
                parameter.copy_(flat[torch.randperm(len(flat), generator=generator)].reshape(parameter.shape))
        norms = [module for module in other.modules() if isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d)]
        for norm in norms:
            norm.reset_running_stats()
            norm.momentum = None  # the plain mean of what is shown
        other.train()(inputs, lengths)
    return other.eval()


def rank_agreement(one: NDArray[np.float64], other: NDArray[np.float64]) -> float:
    """Spearman's correlation of two models' importances of landmarks, float64 (E, 478), mean over emotions.

    Landmarks that neither model reads, which have no importance for any emotion, are left out: agreement on them is none. An
    emotion without any importance in one of them agrees with nothing: 0.

    Raises:
        InputError: the shapes differ.
    """
    if one.shape != other.shape:
        raise InputError(f"importances with shapes {one.shape} and {other.shape} cannot be compared")
    is_read = ((one > 0) | (other > 0)).any(axis=0)
    found = [
        spearmanr(first, second).statistic if is_read.sum() > 1 and np.ptp(first) and np.ptp(second) else 0.0
        for first, second in zip(one[:, is_read], other[:, is_read], strict=True)
    ]
    return float(np.mean(found))


def speaks_of_what_was_learned(agreement: float) -> bool:
    """Whether a method passes: `rank_agreement` of a network and its randomised copy is not above AGREEMENT_MAX."""
    return agreement <= AGREEMENT_MAX
