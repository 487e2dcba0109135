"""Asks whether an explanation stands still where the face hardly moves: the largest change over slightly changed copies.

Max-sensitivity (Yeh et al., arXiv 1901.09392), by Captum: max over copies of |phi(x') - phi(x)| / |phi(x)|, Euclidean, of all values of
a face together. 0: nothing moves; 1: they move by as much as they are.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from bitface.faces.features import FaceValues

Explain = Callable[[FaceValues, int], NDArray[np.float64]]
"""Values (M, ...) of inputs (M, T, ...), the second argument copies of each face one after another."""


def max_sensitivity(
    explain: Explain,
    inputs: FaceValues,
    deviation: NDArray[np.float32],
    *,
    share: float,
    copies: int,
    seed: int,
) -> NDArray[np.float64]:
    """Max-sensitivity of each face, float64 (N,).

    Args:
        explain: makes the explanation of the faces that it is given.
        inputs: (N, T, ...), of any dtype; copies are rounded and cut where it is a whole number.
        deviation: of each value of a frame, (...), by which a change is measured.
        share: of it, the largest change of a value; changes are uniform up to it.
        copies: of each face.
        seed: of the changes.
    """
    # Captum takes seconds to import: only who explains pays for it.
    from captum.metrics import sensitivity_max

    rng = np.random.default_rng(seed)

    def changed(faces: Tensor, radius: float) -> Tensor:
        moved = rng.uniform(-radius, radius, tuple(faces.shape)) * deviation
        return torch.from_numpy(_as(faces.numpy() + moved, inputs.dtype).astype(np.float32))

    def explained(asked: Tensor | tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        faces = asked[0] if isinstance(asked, tuple) else asked
        found = explain(_as(faces.numpy(), inputs.dtype), len(faces) // len(inputs))
        return (torch.from_numpy(found.reshape(len(found), -1)),)

    shown = torch.from_numpy(inputs.astype(np.float32))
    found: Tensor = sensitivity_max(
        explained, shown, perturb_func=changed, perturb_radius=share, n_perturb_samples=copies
    )
    return np.asarray(found.double().numpy())


def _as(values: NDArray[Any], dtype: np.dtype[Any]) -> NDArray[Any]:
    if np.issubdtype(dtype, np.integer):
        limits = np.iinfo(dtype)
        values = np.clip(np.rint(values), limits.min, limits.max)
    return np.asarray(values, dtype)
