"""Draws camera, pose, light, background and sensor of one shot, because photographs differ in all of them."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from bitface.adapters.synthetic_faces import exact
from bitface.adapters.synthetic_faces.draws import Draws
from bitface.adapters.synthetic_faces.shading import Light
from bitface.params import SyntheticParams

FloatArray = NDArray[np.float32]


@dataclass(frozen=True, kw_only=True)
class Scene:
    """One shot: `turns` (T, 3) yaw, pitch, roll in radians; camera distance in decimetres; focal length in pixels;
    `shift` (T, 2) of the picture's middle in pixels; the light; `background` (S, S, 3) linear; exposure and sensor.
    """

    turns: FloatArray
    distance_dm: float
    focal_px: float
    shift: FloatArray
    light: Light
    background: FloatArray
    exposure: float
    contrast: float
    saturation: float
    balance: FloatArray
    blur_px: float
    noise: float

    def camera_space(self, vertices: FloatArray, eyes: FloatArray, frame: int) -> FloatArray:
        """Vertices (N, 3) seen by the camera at the origin, which looks along -z at a point below the eyes."""
        pivot = np.array([0.0, eyes[1] - 0.5, 0.3], dtype=np.float32)
        moved = exact.turned(vertices - pivot, _rotation(*self.turns[frame].tolist()))
        moved -= np.array([0.0, 0.28, self.distance_dm], dtype=np.float32)
        moved[:, :2] += self.shift[frame] * np.float32(self.distance_dm / self.focal_px)
        return np.asarray(moved, dtype=np.float32)

    def developed(self, radiance: FloatArray, rng: np.random.Generator) -> NDArray[np.uint8]:
        """The sensor's 8-bit sRGB picture of linear light: exposure, balance, blur, noise, tone curve."""
        light = radiance * (np.float32(self.exposure) * self.balance)
        if self.blur_px > 0.15:
            light = exact.blurred(light, self.blur_px)
        grey = (light[..., 0:1] + light[..., 1:2] + light[..., 2:3]) * np.float32(1 / 3)
        light = np.maximum(grey + (light - grey) * np.float32(self.saturation), 0.0)
        light = light + exact.normals(light.shape, rng) * (np.float32(self.noise) * np.sqrt(light + np.float32(0.02)))
        steps = np.sqrt(np.clip(light, 0.0, _BRIGHTEST)) * np.float32(_STEPS)
        return np.asarray(_tone_curve(self.contrast)[np.rint(steps).astype(np.int16)])


_BRIGHTEST: Final = 4.0
"""Linear light beyond which a sensor is full."""
_STEPS: Final = 4096
"""Steps of the tone curve in the square root of light 0 to 1; one is less than a fifth of an 8-bit step."""


def _tone_curve(contrast: float) -> NDArray[np.uint8]:
    """The 8-bit value of each step; a soft shoulder keeps highlights from clipping hard, as cameras do."""
    light = (np.arange(round(_STEPS * _BRIGHTEST**0.5) + 1) / _STEPS) ** 2
    toned = np.where(light > 0.7, 0.7 + 0.3 * np.tanh((light - 0.7) / 0.3), light)
    return np.asarray(np.rint(np.clip(toned ** (contrast / 2.2), 0.0, 1.0) * 255), dtype=np.uint8)


def draw_scene(frames: int, params: SyntheticParams, skin_luma: float, light: int, draws: Draws) -> Scene:
    """One shot of T frames; `skin_luma` is the linear luminance of the skin, which a camera exposes for in part.

    `light` counts other lights for the same shot, from 0.
    """
    side = params.image_px
    rng = draws.of("camera")
    distance = rng.uniform(9.0, 18.0)
    face_share = rng.uniform(0.56, 0.76)
    exposure = rng.uniform(0.85, 1.2) * (0.36 / skin_luma) ** 0.1
    return Scene(
        turns=_draw_turns(frames, params, draws.of("pose")),
        distance_dm=float(distance),
        focal_px=float(face_share * side / 2.35 * distance),
        shift=(rng.normal(0.0, 0.025 * side, size=2) + np.cumsum(rng.normal(0, 0.002 * side, (frames, 2)), 0)).astype(
            np.float32
        ),
        light=_draw_light(draws.of(f"light {light}")),
        background=_draw_background(side, draws.of("background")) / np.float32(exposure),
        exposure=float(exposure),
        contrast=float(rng.uniform(0.9, 1.12)),
        saturation=float(rng.uniform(0.85, 1.2)),
        balance=np.clip(rng.normal(1.0, [0.03, 0.0, 0.05]), 0.85, 1.15).astype(np.float32),
        blur_px=float(max(rng.normal(0.35, 0.3), 0.0) * side / 192),
        noise=float(params.sensor_noise * rng.uniform(0.2, 1.5)),
    )


def _draw_turns(frames: int, params: SyntheticParams, rng: np.random.Generator) -> FloatArray:
    """Yaw, pitch, roll in radians (T, 3): mostly small, never beyond the limits, drifting a little within a clip."""
    limits = np.array([params.yaw_deg, params.pitch_deg, params.roll_deg])
    middle = rng.normal(0.0, limits / 3)
    ramp = np.linspace(-0.5, 0.5, frames)[:, None] * rng.normal(0.0, limits / 10)
    turns = np.clip(middle + ramp + rng.normal(0.0, limits / 80, size=(frames, 3)), -limits, limits)
    return np.radians(turns).astype(np.float32)


def _rotation(yaw: float, pitch: float, roll: float) -> FloatArray:
    (cy, sy), (cp, sp), (cr, sr) = ((math.cos(angle), math.sin(angle)) for angle in (yaw, pitch, roll))
    about_y = np.array([[cy, 0, sy], [0, 1, 0], [-sy, 0, cy]])
    about_x = np.array([[1, 0, 0], [0, cp, -sp], [0, sp, cp]])
    about_z = np.array([[cr, -sr, 0], [sr, cr, 0], [0, 0, 1]])
    return exact.turned(exact.turned(about_y.T, about_x), about_z).T.astype(np.float32)


def _draw_light(rng: np.random.Generator) -> Light:
    turn, rise = np.radians(rng.normal(0, 32)), np.radians(rng.uniform(8, 50))
    flat = rng.random() < 0.45
    key = rng.uniform(0.35, 0.6) if flat else rng.uniform(0.6, 1.0)
    fill = rng.uniform(0.25, 0.45) if flat else rng.uniform(0.08, 0.3)
    sky = rng.uniform(0.35, 0.5) if flat else rng.uniform(0.18, 0.38)
    warm = rng.normal(0.0, 0.08)
    return Light(
        key_direction=_towards(turn, rise),
        key_colour=_tinted(key, warm),
        fill_direction=_towards(-np.sign(turn) * rng.uniform(0.4, 1.2), rng.uniform(-0.1, 0.5)),
        fill_colour=_tinted(fill, -warm * 0.7),
        sky_colour=_tinted(sky, rng.normal(-0.03, 0.04)),
        ground_colour=_tinted(sky * rng.uniform(0.5, 0.85), rng.normal(0.05, 0.04)),
    )


def _towards(turn: float, rise: float) -> tuple[float, float, float]:
    return float(np.sin(turn) * np.cos(rise)), float(np.sin(rise)), float(np.cos(turn) * np.cos(rise))


def _tinted(strength: float, warm: float) -> tuple[float, float, float]:
    return strength * (1 + warm), strength, strength * (1 - 1.3 * warm)


def _draw_background(side: int, rng: np.random.Generator) -> FloatArray:
    """Linear RGB (S, S, 3): a plain wall with a soft gradient, or a blurred room."""
    y, x = np.mgrid[0:side, 0:side].astype(np.float32) / side
    if rng.random() < 0.6:
        colour = rng.uniform(0.15, 0.9) * np.clip(rng.normal(1.0, 0.06, size=3), 0.7, 1.2)
        slope = rng.normal(0.0, 0.25, size=2)
        wall = 1 + slope[0] * (x - 0.5) + slope[1] * (y - 0.5) - 0.35 * rng.random() * ((x - 0.5) ** 2 + (y - 0.5) ** 2)
        return np.asarray(colour * wall[..., None], dtype=np.float32)
    cells = int(rng.integers(3, 9))
    tones = rng.uniform(0.05, 0.7) * exact.exp(rng.normal(0.0, 0.4, size=(cells, cells, 1)))
    coarse = tones * np.clip(rng.normal(1.0, 0.1, size=(cells, cells, 3)), 0.6, 1.4)
    along = _spline(side, cells)
    smooth = exact.mixed(along, np.moveaxis(exact.mixed(along, coarse.astype(np.float32)), 1, 0))
    return np.asarray(np.clip(np.moveaxis(smooth, 1, 0), 0.0, 1.0), dtype=np.float32)


def _spline(fine: int, coarse: int) -> FloatArray:
    """Weights (fine, coarse) of a quadratic B-spline, which blurs as a lens does; the outermost values go on beyond the edge."""
    at = np.clip((np.arange(fine) + 0.5) * (coarse / fine) - 0.5, 0, coarse - 1)
    away = np.abs(at[:, None] - np.arange(coarse))
    weights = np.where(away < 0.5, 0.75 - away**2, 0.5 * np.maximum(1.5 - away, 0) ** 2)
    return np.asarray(weights / weights.sum(axis=1, keepdims=True), dtype=np.float32)
