"""Pixels as int8 codes with the face's own mean and contrast removed: light and skin must not decide, and integers repeat.

    code = clip(round((x - mean) * 42 / (deviation + 4)), -127, 127), mean and deviation over the crop, in grey levels

Sums of pixels and of their squares are exact in float64, and IEEE 754 rounds quotients and roots alike everywhere, so that
`face_net` and this, its form without torch, see the same integers.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from bitface.binarize.codes import CODE_MAX, PIXEL_DEVIATION
from bitface.faces.features import CROP_PX

CONTRAST_FLOOR: Final = 4.0
"""Grey levels added to the deviation: the noise of a flat picture must not be blown up."""


def encode_crops(crops: NDArray[np.uint8]) -> NDArray[np.int8]:
    """Codes int8 (N, T, 64, 64) of grey crops uint8 (N, T, 64, 64)."""
    pixels, n = crops.astype(np.float64), CROP_PX * CROP_PX
    total, squares = (values.sum((2, 3), keepdims=True) for values in (pixels, pixels * pixels))
    deviation = np.sqrt(np.maximum(n * squares - total * total, 1.0)) / n
    real = (pixels - total / n) * PIXEL_DEVIATION / (deviation + CONTRAST_FLOOR)
    return np.asarray(np.clip(np.rint(real), -CODE_MAX, CODE_MAX), dtype=np.int8)
