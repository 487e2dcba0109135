"""Squares of a picture that networks look at, tilted as a head is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from bitface.faces import scenes

Points = NDArray[np.float32]
"""Landmarks float32 (478, 3) in pixels, z in the same unit."""
# Outer corners of the eyes, by which MediaPipe's tracker tilts its region, and how much around a mesh it looks at.
_RIGHT_EYE, _LEFT_EYE = 33, 263
_AROUND: Final = 1.5
_SURROUNDINGS: Final = 2.5
# A look that shrinks more is made from a smaller picture, or it would leap over pixels.
_SHRINKING_MAX: Final = 2.0


@dataclass(frozen=True, kw_only=True)
class Region:
    """Centre and side in pixels of the picture, and tilt in radians."""

    x: float
    y: float
    side: float
    tilt: float = 0.0

    @classmethod
    def of_mesh(cls, points: Points) -> Region:
        """Around landmarks, upright as the eyes are."""
        across = points[_LEFT_EYE, :2] - points[_RIGHT_EYE, :2]
        tilt = float(np.arctan2(across[1], across[0]))
        upright = points[:, :2] @ _turn(tilt)
        low, high = upright.min(axis=0), upright.max(axis=0)
        x, y = _turn(tilt) @ ((low + high) / 2)
        return cls(x=float(x), y=float(y), side=_AROUND * float((high - low).max()), tilt=tilt)

    def mirrored(self, width: int) -> Region:
        """The same square of the mirrored picture."""
        return Region(x=width - 1 - self.x, y=self.y, side=self.side, tilt=-self.tilt)

    def moved(self, step: float, grown: float, turned: float) -> Region:
        """Moved by a share of its side, grown and turned."""
        x, y = self.x + step * self.side, self.y + abs(step) * self.side
        return Region(x=x, y=y, side=self.side * grown, tilt=self.tilt + turned)

    def is_like(self, other: Region) -> bool:
        """Whether two squares show about the same: a second look tells nothing new."""
        larger, smaller = max(self.side, other.side), min(self.side, other.side)
        near = np.hypot(self.x - other.x, self.y - other.y) < 0.05 * larger
        return bool(near) and larger < 1.15 * smaller and abs(self.tilt - other.tilt) < 0.2

    def surroundings(self, height: int, width: int) -> scenes.Box:
        """The part of a picture that shows a face whole: its box, two and a half times as large."""
        half = _SURROUNDINGS / _AROUND * self.side / 2
        left, top = max(0, int(self.x - half)), max(0, int(self.y - half))
        return left, top, min(width, int(self.x + half) + 1), min(height, int(self.y + half) + 1)

    def has_in_its_middle(self, points: Points) -> bool:
        """Whether landmarks are of this face, and not of a neighbour's."""
        x, y = (points[:, :2].min(axis=0) + points[:, :2].max(axis=0)) / 2
        return bool(np.hypot(x - self.x, y - self.y) < self.side / (2 * _AROUND))

    def scaled(self, scale: float) -> Region:
        """The same square of the picture at another size."""
        return Region(x=self.x * scale, y=self.y * scale, side=self.side * scale, tilt=self.tilt)

    def places(self, size: float) -> NDArray[np.float64]:
        """The affine map (2, 3) from pixels of a look of this size to pixels of the picture."""
        step = _turn(self.tilt) * (self.side / size)
        return np.column_stack([step, np.array([self.x, self.y]) - step @ np.full(2, size / 2)])


def cut(picture: NDArray[np.uint8], region: Region, size: int) -> NDArray[np.float32]:
    """What lies in a region, float32 (size, size, 3) of 0..255; beyond the picture its edge goes on."""
    import cv2

    places = region.places(size)
    shrinking = region.side / size
    if shrinking > _SHRINKING_MAX:
        share = _SHRINKING_MAX / shrinking
        picture = resized(picture, share)
        places = places * share
    smooth = cv2.INTER_CUBIC if shrinking < 1 else cv2.INTER_LINEAR
    look = cv2.warpAffine(
        picture, places, (size, size), flags=smooth | cv2.WARP_INVERSE_MAP, borderMode=cv2.BORDER_REPLICATE
    )
    return np.asarray(look, np.float32)


def resized(picture: NDArray[np.uint8], scale: float) -> NDArray[np.uint8]:
    """A picture of another size, at least one pixel wide and high."""
    import cv2

    height, width = (max(1, round(side * scale)) for side in picture.shape[:2])
    smooth = cv2.INTER_CUBIC if scale > 1 else cv2.INTER_AREA
    return np.asarray(cv2.resize(picture, (width, height), interpolation=smooth), np.uint8)


def evened(picture: NDArray[np.uint8], parts: int) -> NDArray[np.uint8]:
    """The picture with contrast evened out in so many parts of a side (CLAHE), colours kept."""
    import cv2

    lab = cv2.cvtColor(picture, cv2.COLOR_RGB2LAB)
    lab[..., 0] = cv2.createCLAHE(2.0, (parts, parts)).apply(np.ascontiguousarray(lab[..., 0]))
    return np.asarray(cv2.cvtColor(lab, cv2.COLOR_LAB2RGB), np.uint8)


def _turn(angle: float) -> NDArray[np.float64]:
    cos, sin = np.cos(angle), np.sin(angle)
    return np.array([[cos, -sin], [sin, cos]])
