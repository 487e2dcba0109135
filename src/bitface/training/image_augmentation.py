"""Shows the landmarker each training clip as other cameras might have: it then errs on training faces as on new ones."""

from __future__ import annotations

import io
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

from bitface.errors import InputError
from bitface.training.torchvision_cpu import load_torchvision

# Bounds of uniform draws. Shares are of the frame's longer side, so that they mean the same at every size. Mild: a face
# must stay one that the landmarker finds, and its expression the one of its label.
ROTATION_DEG: Final = 12.0
SHIFT_SHARE: Final = 0.04
SCALE: Final = (0.9, 1.1)
SHEAR_DEG: Final = 4.0
CORNER_SHIFT_SHARE: Final = 0.04
BRIGHTNESS: Final = (0.6, 1.4)
CONTRAST: Final = (0.7, 1.3)
SATURATION: Final = (0.6, 1.4)
HUE_TURNS: Final = 0.03
BLUR_SIGMA_SHARE: Final = (0.001, 0.008)
JPEG_QUALITY: Final = (40, 95)

# Beyond what rotation, shift and perspective can bring into view from outside.
_BORDER_SHARE: Final = 0.3


def augmented(frames: NDArray[np.uint8], seed: int) -> NDArray[np.uint8]:
    """One clip as another camera might have seen it: the same change for all its frames.

    Mirroring, mild rotation, shift, scale, shear and perspective, then brightness, contrast, saturation, hue, blur and
    JPEG. Every draw comes from `seed`, never from torch's global generator, which threads share; so equal arguments give
    equal pixels. About 15 ms a frame of 192 px on one core.

    Args:
        frames: uint8 (T, H, W, 3) RGB, T at least 1.
        seed: not negative.

    Returns:
        uint8 (T, H, W, 3).

    Raises:
        InputError: the frames have another shape or type.
    """
    if frames.dtype != np.uint8 or frames.ndim != 4 or frames.shape[3] != 3 or not frames.size:
        raise InputError(f"frames of {frames.dtype} {frames.shape} are not uint8 (frames, height, width, 3)")
    load_torchvision()
    random = np.random.default_rng(seed)
    images = torch.from_numpy(np.ascontiguousarray(frames)).permute(0, 3, 1, 2)
    images = _moved(images, random)
    images = _recoloured(images, random)
    images = _blurred(images, random)
    pixels = np.ascontiguousarray(images.permute(0, 2, 3, 1).numpy())
    return _through_jpeg(pixels, random)


def _moved(images: torch.Tensor, random: np.random.Generator) -> torch.Tensor:
    from torchvision.transforms.v2 import InterpolationMode
    from torchvision.transforms.v2 import functional as change

    height, width = images.shape[-2:]
    side = max(height, width)
    if random.random() < 0.5:
        images = change.horizontal_flip(images)
    # Continues the edge: black corners would be darker than any background and would tell augmented frames apart.
    border = round(_BORDER_SHARE * side)
    images = change.pad(images, [border] * 4, padding_mode="edge")
    images = change.affine(
        images,
        angle=random.uniform(-ROTATION_DEG, ROTATION_DEG),
        translate=[round(value) for value in random.uniform(-SHIFT_SHARE, SHIFT_SHARE, 2) * side],
        scale=random.uniform(*SCALE),
        shear=list(random.uniform(-SHEAR_DEG, SHEAR_DEG, 2)),
        interpolation=InterpolationMode.BILINEAR,
    )
    corners = np.array([[0, 0], [width, 0], [width, height], [0, height]], np.float64) + border
    seen_at = corners + random.uniform(-CORNER_SHIFT_SHARE, CORNER_SHIFT_SHARE, (4, 2)) * side
    images = change.perspective(images, corners.tolist(), seen_at.tolist(), interpolation=InterpolationMode.BILINEAR)
    moved: torch.Tensor = change.center_crop(images, [height, width])
    return moved


def _recoloured(images: torch.Tensor, random: np.random.Generator) -> torch.Tensor:
    from torchvision.transforms.v2 import functional as change

    images = change.adjust_brightness(images, random.uniform(*BRIGHTNESS))
    images = change.adjust_contrast(images, random.uniform(*CONTRAST))
    images = change.adjust_saturation(images, random.uniform(*SATURATION))
    recoloured: torch.Tensor = change.adjust_hue(images, random.uniform(-HUE_TURNS, HUE_TURNS))
    return recoloured


def _blurred(images: torch.Tensor, random: np.random.Generator) -> torch.Tensor:
    from torchvision.transforms.v2 import functional as change

    sigma = random.uniform(*BLUR_SIGMA_SHARE) * max(images.shape[-2:])
    kernel = 2 * int(np.ceil(3 * sigma)) + 1
    # A reflected border must be smaller than the frame.
    if kernel // 2 >= min(images.shape[-2:]):
        return images
    blurred: torch.Tensor = change.gaussian_blur(images, [kernel, kernel], [sigma, sigma])
    return blurred


def _through_jpeg(frames: NDArray[np.uint8], random: np.random.Generator) -> NDArray[np.uint8]:
    # With Pillow, because torchvision's own JPEG is in its compiled part, which does not load everywhere.
    quality = int(random.integers(JPEG_QUALITY[0], JPEG_QUALITY[1] + 1))
    return np.stack([_jpeg(frame, quality) for frame in frames])


def _jpeg(frame: NDArray[np.uint8], quality: int) -> NDArray[np.uint8]:
    file = io.BytesIO()
    Image.fromarray(frame).save(file, "JPEG", quality=quality)
    return np.array(Image.open(file, formats=("JPEG",)), dtype=np.uint8)
