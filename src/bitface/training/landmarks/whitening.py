"""Lets the stem learn in the directions in which faces really differ: 1,434 coordinates that move together learn badly.

The stem's weight is trained as `mix @ basis`, where the basis whitens the first principal components of augmented
training frames; afterwards the product is an ordinary weight again. It is a preconditioner and a bound on capacity, and
nothing of it is left in the model. Why it is needed: raw landmarks have eigenvalues from head turns of hundreds of
times those of a raised brow, and a step of Adam that suits the first drowns the second.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize

from bitface.models.landmark.landmark_net import CODE_UNIT, LandmarkNet


class Whitened(nn.Module):
    """weight (outputs, C) = mix (outputs, components) @ basis (components, C), C the coordinates that are read."""

    basis: Tensor

    def __init__(self, basis: Tensor) -> None:
        super().__init__()
        self.register_buffer("basis", basis)

    def forward(self, mix: Tensor) -> Tensor:
        return torch.matmul(mix, self.basis)

    def right_inverse(self, weight: Tensor) -> Tensor:
        """Random mixes of variance 1 / components, for any weight: the stem starts afresh in its new coordinates."""
        components = self.basis.shape[0]
        mix: Tensor = nn.init.normal_(weight.new_empty(weight.shape[0], components), std=1 / math.sqrt(components))
        return mix


def whitening_basis(frames: Tensor, components: int) -> Tensor:
    """Rows that map frames (M, C) to uncorrelated values of variance 1, float32 (components, C).

    Fewer rows where the frames span fewer dimensions.
    """
    centred = (frames - frames.mean(0)).double()
    values, vectors = torch.linalg.eigh(centred.T @ centred / len(centred))
    kept = min(components, int((values > values[-1] * 1e-6).sum()))
    first = slice(len(values) - kept, None)
    basis: Tensor = (vectors[:, first] / values[first].sqrt()).T.float().contiguous()
    return basis


def whiten_stem(network: LandmarkNet, frames: Tensor, components: int) -> None:
    """Trains the stem in the whitened coordinates of code frames (M, C) from now on."""
    # Counts are scaled as if codes were standard deviations, so the basis is fitted to them in that unit.
    basis = whitening_basis(frames * CODE_UNIT, components)
    parametrize.register_parametrization(network.stem, "weight", Whitened(basis), unsafe=True)


def bake_stem(network: LandmarkNet) -> None:
    """Makes the stem's weight an ordinary parameter again, of the same values."""
    parametrize.remove_parametrizations(network.stem, "weight", leave_parametrized=True)
