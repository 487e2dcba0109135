"""How much of a video is read, and what is said of the parts that could not be."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, kw_only=True)
class VideoLimits:
    """So that one file takes neither the memory nor the day; `pixels_max` is of one frame as it is shown."""

    bytes_max: int = 4 << 30
    seconds_max: float = 3600.0
    frames_max: int = 250_000
    pixels_max: int = 25_000_000


@dataclass(frozen=True, kw_only=True)
class Span:
    """Which seconds of a video are meant, from its first frame on; `end_s` None: to its end."""

    start_s: float = 0.0
    end_s: float | None = None

    def reaches(self, time_s: float) -> bool:
        """Whether it lasts until then."""
        return self.end_s is None or time_s <= self.end_s

    def meets(self, gap: Gap) -> bool:
        """Whether a part that cannot be read is, in part, of these seconds."""
        return self.reaches(gap.start_s) and (gap.end_s is None or gap.end_s > self.start_s)


WHOLE: Final = Span()


@dataclass(frozen=True, kw_only=True)
class Gap:
    """A part of a video that cannot be read, in seconds from the first frame: the last good frame before it, and the next one.

    `end_s` is None where no further frame can be read.
    """

    start_s: float
    end_s: float | None
