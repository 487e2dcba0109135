"""Eight weights in a byte: the form in which one-bit filters are stored and shipped."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from bitface.errors import InputError


def pack_signs(signs: NDArray[np.int8]) -> NDArray[np.uint8]:
    """Bits of a +-1 array in C order, +1 as 1; the first weight is the lowest bit of the first byte.

    Returns uint8 (ceil(size / 8),), unused bits of the last byte 0. Little-endian bits are what OpenVINO's `u1` reads.

    Raises:
        InputError: a value is neither +1 nor -1.
    """
    if not np.isin(signs, (-1, 1)).all():
        raise InputError("one-bit weights must be +1 or -1; binarise the weights with sign() first")
    return np.packbits(signs.reshape(-1) > 0, bitorder="little")
