"""What a code of 8 bits is: the form in which everything enters a one-bit network."""

from __future__ import annotations

from typing import Final

CODE_MAX: Final = 127
"""Codes and weights of the stem lie in -127..127: int8 without the value that has no opposite."""
PIXEL_DEVIATION: Final = 42.0
"""Codes of one standard deviation of a face's pixels: -127..127 spans three to each side."""
