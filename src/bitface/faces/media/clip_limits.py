"""How much one sample may hold, so that a few rows of a manifest cannot fill the memory."""

from __future__ import annotations

from typing import Final

from bitface.counted_words import counted
from bitface.errors import OverLimitError

FRAMES_MAX: Final = 512
CLIP_PIXELS_MAX: Final = 64_000_000
"""Of all frames of a clip: 192 MB as RGB."""


def check_clip(frames: int, pixels: int) -> None:
    """Raises OverLimitError for more frames, or more pixels in all of them, than a sample may have."""
    if frames > FRAMES_MAX or pixels > CLIP_PIXELS_MAX:
        limit = f"{FRAMES_MAX} frames and {CLIP_PIXELS_MAX} pixels"
        raise OverLimitError(
            f"a sample of {counted(frames, 'frame')} and {pixels} pixels is over {limit}; cut or shrink it"
        )
