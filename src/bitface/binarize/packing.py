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


def unpack_signs(packed: NDArray[np.uint8], shape: tuple[int, ...]) -> NDArray[np.int8]:
    """The +-1 array, int8 of `shape`, that `pack_signs` packed.

    Raises:
        InputError: the bytes are too few or too many for the shape, or an unused bit is set.
    """
    size = int(np.prod(shape))
    if packed.dtype != np.uint8 or packed.shape != ((size + 7) // 8,):
        raise InputError(f"{packed.size} bytes of {packed.dtype} do not hold {size} one-bit weights")
    bits = np.unpackbits(packed, bitorder="little")
    if bits[size:].any():
        raise InputError("unused bits of packed weights are set; the bytes are not what was packed")
    return (bits[:size].astype(np.int8) * 2 - 1).reshape(shape)
