"""Changes crops as other cameras and another alignment would: one affine sampling of the whole batch, then light."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from bitface.params import CropAugmentation

_BLUR_TAPS = 5


def augmented_crops(clips: NDArray[np.uint8], params: CropAugmentation, rng: np.random.Generator) -> NDArray[np.uint8]:
    """Changed copies of clips uint8 (N, T, 64, 64): one change per clip, the same in all its frames, but for noise.

    In this order: mirror, rotation, scale and shift (bilinear, the border repeated), blur, contrast and brightness,
    noise. Every draw comes from `rng`.
    """
    count, frames = clips.shape[:2]
    grid = functional.affine_grid(_affines(params, count, rng), [count, frames, *clips.shape[2:]], align_corners=False)
    pictures = torch.from_numpy(clips).float()
    pictures = functional.grid_sample(pictures, grid, "bilinear", "border", align_corners=False)
    pictures = _blurred(pictures, params.blur_px * rng.uniform(0, 1, (count, 1)))
    contrast = torch.from_numpy(rng.uniform(1 - params.contrast, 1 + params.contrast, (count, 1, 1, 1))).float()
    brightness = torch.from_numpy(rng.uniform(-params.brightness, params.brightness, (count, 1, 1, 1)) * 255).float()
    pictures = (pictures - 128) * contrast + 128 + brightness
    strength = rng.uniform(0, params.noise * 255, (count, 1, 1, 1)).astype(np.float32)
    pictures += torch.from_numpy(rng.standard_normal(clips.shape, dtype=np.float32) * strength)
    return np.asarray(pictures.round().clamp(0, 255).to(torch.uint8).numpy())


def _affines(params: CropAugmentation, count: int, rng: np.random.Generator) -> Tensor:
    """Where each pixel of the changed crop comes from, float32 (N, 2, 3), in half sides of the crop."""
    angle = np.radians(rng.uniform(-params.rotation_deg, params.rotation_deg, count))
    scale = rng.uniform(1 - params.scale, 1 + params.scale, count)
    shift = rng.uniform(-2 * params.shift, 2 * params.shift, (count, 2))
    side = np.where(rng.uniform(0, 1, count) < params.mirror_share, -1.0, 1.0)
    cos, sin = np.cos(angle) / scale, np.sin(angle) / scale
    rows = np.stack([np.stack([side * cos, -side * sin, shift[:, 0]], 1), np.stack([sin, cos, shift[:, 1]], 1)], 1)
    return torch.from_numpy(rows).float()


def _blurred(pictures: Tensor, deviations_px: NDArray[np.float64]) -> Tensor:
    """Each clip under a Gaussian of its own deviation float64 (N, 1), separably; the border is repeated."""
    count, frames, height, width = pictures.shape
    offsets = np.arange(_BLUR_TAPS) - _BLUR_TAPS // 2
    taps = np.exp(-0.5 * (offsets / np.maximum(deviations_px, 1e-3)) ** 2)
    kernel = torch.from_numpy(taps / taps.sum(1, keepdims=True)).float()
    reach = _BLUR_TAPS // 2
    layers = pictures.transpose(0, 1)
    for shape, pad in (((_BLUR_TAPS, 1), (0, 0, reach, reach)), ((1, _BLUR_TAPS), (reach, reach, 0, 0))):
        padded = functional.pad(layers, pad, mode="replicate")
        layers = functional.conv2d(padded, kernel.view(count, 1, *shape), groups=count)
    return layers.transpose(0, 1).reshape(count, frames, height, width)
