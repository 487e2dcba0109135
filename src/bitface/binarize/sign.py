"""The two symbols of a one-bit network, and the gradients that stand in for sign's own, which is 0 almost everywhere.

    sign(x) = +1 if x >= 0 else -1        (0 is +1: a zero would need a third symbol)

| function | forward | pseudo-gradient | used for |
|---|---|---|---|
| `approx_sign` | sign(x) | max(2 - 2|x|, 0), Bi-Real Net (arXiv 1808.00278) | activations |
| `clipped_sign` | sign(x) | 1 if |x| <= clip else 0, BinaryNet (arXiv 1602.02830) | latent weights |
| `straight_round` | round half to even | 1 | codes and weights of the 8-bit stem |
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable


def sign(x: Tensor) -> Tensor:
    """+1 or -1, of x's shape and dtype; never 0. Idempotent; no gradient."""
    return (x >= 0).to(x.dtype).mul_(2).sub_(1)


class _ApproxSign(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        ctx.save_for_backward(x)
        return sign(x)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        (x,) = ctx.saved_tensors
        slope: Tensor = x.abs().mul_(-2).add_(2).clamp_min_(0)
        return slope.mul_(gradient)


class _ClippedSign(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, clip: float) -> Tensor:
        ctx.save_for_backward(x.abs() <= clip)
        return sign(x)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:
        (inside,) = ctx.saved_tensors
        return gradient * inside, None


def approx_sign(x: Tensor) -> Tensor:
    """sign(x) with the triangular pseudo-gradient max(2 - 2|x|, 0)."""
    result: Tensor = _ApproxSign.apply(x)  # type: ignore[no-untyped-call]
    return result


def clipped_sign(x: Tensor, clip: float) -> Tensor:
    """sign(x) with pseudo-gradient 1 where |x| <= clip and 0 outside, so that a latent weight far away rests."""
    result: Tensor = _ClippedSign.apply(x, clip)  # type: ignore[no-untyped-call]
    return result


def straight_round(x: Tensor) -> Tensor:
    """round(x), half to even as in numpy.rint, with pseudo-gradient 1."""
    return x + (x.round() - x).detach()
