"""What a one-vs-rest model is asked to minimise: its labels, and what its float twin believes."""

from __future__ import annotations

from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits, logsigmoid


def one_vs_rest_loss(logits: Tensor, targets: Tensor) -> Tensor:
    """Mean binary cross-entropy of logits (N, E) and targets 0 or 1 (N, E): every emotion against the rest."""
    return binary_cross_entropy_with_logits(logits, targets)


def distillation_loss(student: Tensor, teacher: Tensor, temperature: float) -> Tensor:
    """Mean over (N, E) of temperature^2 * KL(teacher || student) of Bernoulli distributions with softened logits.

    Source: Hinton et al., arXiv 1503.02531, for one-vs-rest outputs. 0 exactly where the logits agree.
    """
    soft, believed = student / temperature, teacher.detach() / temperature
    probability = believed.sigmoid()
    divergence = probability * (logsigmoid(believed) - logsigmoid(soft)) + (1 - probability) * (
        logsigmoid(-believed) - logsigmoid(-soft)
    )
    return divergence.mean() * temperature**2
