"""How much of a video is read, which frames of it, and what is said of the parts that could not be."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

_ROUNDING_S: Final = 5e-4
"""Times are multiples of a file's own unit, mostly 1/90000 s or 1/1000 s, and a thirtieth is none."""


@dataclass(frozen=True, kw_only=True)
class VideoLimits:
    """So that one file takes neither the memory nor the day; `pixels_max` is of one frame as it is shown."""

    bytes_max: int = 4 << 30
    seconds_max: float = 3600.0
    frames_max: int = 250_000
    pixels_max: int = 25_000_000


@dataclass(frozen=True, kw_only=True)
class Sampling:
    """Which frames are wanted: for each multiple of `every_s` seconds the first one at or after it (0: all), from `begin_s` on.

    Where that is not 0, decoding begins at a key frame before it, which gives the same frames only of a video that `VideoFacts.can_jump`.
    """

    every_s: float = 0.0
    begin_s: float = 0.0

    def is_due(self, time_s: float, due_s: float) -> bool:
        """Whether a frame of this time is wanted, where one is due at `due_s`."""
        return time_s >= due_s - _ROUNDING_S

    def due_after(self, time_s: float) -> float:
        """When the next one is due; it does not depend on where decoding began, since any frame tells it."""
        return (int((time_s + _ROUNDING_S) / self.every_s) + 1) * self.every_s if self.every_s > 0 else 0.0


ALL: Final = Sampling()


@dataclass(frozen=True, kw_only=True)
class VideoFacts:
    """What is known of a video before its frames are decoded.

    `sha256` is that of its bytes and of what decodes them. `can_jump`: decoding can begin in the middle, since each part of it has a time,
    these only grow, and key frames are close together. `is_hdr`: it is made for screens with a high dynamic range (ITU-R BT.2100), and
    others show it dull.
    """

    sha256: bytes
    can_jump: bool
    is_hdr: bool


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

    @property
    def text(self) -> str:
        """`2.4 to 3.1 s`."""
        return f"{self.start_s:.1f} s to its end" if self.end_s is None else f"{self.start_s:.1f} to {self.end_s:.1f} s"
