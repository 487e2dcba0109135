"""Draws a shaded mesh on the CPU: one kernel finds the nearest triangle of each sample, one lights it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import warp as wp
from numpy.typing import NDArray

from bitface.adapters.synthetic_faces import exact, kernels, lighting
from bitface.adapters.terminal.native_chatter import without_chatter

FloatArray = NDArray[np.float32]
IntArray = NDArray[np.int32]

_SAME_EVERYWHERE: Final = {"fuse_fp": False, "fast_math": False, "cpu_compiler_flags": ""}
"""Compiled for any processor of the architecture: multiply and add, fused where the processor can, differ in the last bit."""
_NO_GPU: Final = b"Could not find or load the NVIDIA CUDA driver"


@dataclass(frozen=True, kw_only=True)
class Light:
    """Directions are unit vectors towards the light, colours linear RGB."""

    key_direction: tuple[float, float, float]
    key_colour: tuple[float, float, float]
    fill_direction: tuple[float, float, float]
    fill_colour: tuple[float, float, float]
    sky_colour: tuple[float, float, float]
    ground_colour: tuple[float, float, float]


@dataclass(frozen=True, kw_only=True)
class Paint:
    """`texture` (H, W, 4) linear albedo and gloss of skin; `colours` (7, 3) linear RGB of iris, hair, lip, teeth, frame, skin and the
    white of the eye.
    """

    texture: FloatArray
    colours: FloatArray


@dataclass(frozen=True, kw_only=True)
class Surface:
    """What does not change from frame to frame of one person.

    `triangles` (F, 3) int32; `material` (F,) int32; `coordinates` (V, 2) texture coordinates, or for eyes the place on the
    eyeball in radii; `attributes` (V, 4): openness to the sky 0..1, lip 0..1, hair shade, unused; `paint` of the person's own
    colours; `strands` (256, 1024) brightness of hair; `iris_radius` in eyeball radii.
    """

    triangles: IntArray
    material: IntArray
    coordinates: FloatArray
    attributes: FloatArray
    paint: Paint
    strands: FloatArray
    iris_radius: float


def start(cache: Path) -> None:
    """Starts warp quietly with its kernel cache under `cache`."""
    wp.config.kernel_cache_dir = str(cache / "warp")
    # Output belongs to the command line, which may be printing one JSON document. First of all: options start warp.
    wp.config.log_level = wp.LOG_ERROR
    with without_chatter(_NO_GPU):
        for module in (kernels, lighting):
            wp.set_module_options(_SAME_EVERYWHERE, module=module)
        wp.init()


def vertex_normals(vertices: FloatArray, triangles: IntArray) -> FloatArray:
    """Area-weighted unit normals (V, 3)."""
    normals = wp.zeros(len(vertices), dtype=wp.vec3, device="cpu")
    _launch(
        kernels.add_normals,
        1,
        [wp.array(vertices, dtype=wp.vec3, device="cpu"), wp.array(triangles, dtype=wp.int32, device="cpu"), normals],
    )
    summed = np.asarray(normals.numpy(), dtype=np.float32)
    return np.asarray(summed / np.maximum(np.linalg.norm(summed, axis=1, keepdims=True), 1e-9), dtype=np.float32)


def openness(vertices: FloatArray, triangles: IntArray, directions: FloatArray, reach: float) -> FloatArray:
    """Ambient openness (V,) in 0..1: the cosine-weighted share of `directions` along which nothing is nearer than `reach`."""
    normals = vertex_normals(vertices, triangles)
    points = wp.array(vertices, dtype=wp.vec3, device="cpu")
    mesh = wp.Mesh(points=points, indices=wp.array(triangles.ravel(), dtype=wp.int32, device="cpu"))
    share = wp.zeros(len(vertices), dtype=wp.float32, device="cpu")
    _launch(
        kernels.open_share,
        len(vertices),
        [
            mesh.id,
            points,
            wp.array(normals, dtype=wp.vec3, device="cpu"),
            wp.array(directions, dtype=wp.vec3, device="cpu"),
            reach,
            share,
        ],
    )
    return np.asarray(share.numpy(), dtype=np.float32)


def unrolled(flat: FloatArray, triangles: IntArray, values: FloatArray, shape: tuple[int, int]) -> FloatArray:
    """Values (V, 3) spread over an image (H, W, 3) by triangles laid flat; `flat` (V, 3) is x, y in pixels and nearness > 0.

    The nearest triangle wins; pixels without one are NaN.
    """
    depth = wp.zeros(shape, dtype=wp.float32, device="cpu")
    seen = wp.full(shape, -1, dtype=wp.int32, device="cpu")
    material = wp.zeros(len(triangles), dtype=wp.int32, device="cpu")
    _launch(
        kernels.nearest,
        1,
        [
            wp.array(flat, dtype=wp.vec3, device="cpu"),
            wp.array(triangles, dtype=wp.int32, device="cpu"),
            material,
            -1,
            depth,
            seen,
        ],
    )
    rows, columns = np.nonzero(seen.numpy() >= 0)
    corners = triangles[seen.numpy()[rows, columns]]
    a, b, c = (flat[corners[:, k], :2] for k in range(3))
    point = np.stack([columns, rows], axis=1) + 0.5
    area = _cross(b - a, c - a)
    v, w = _cross(point - a, c - a) / area, _cross(b - a, point - a) / area
    image = np.full((*shape, 3), np.nan, dtype=np.float32)
    weights = np.stack([1 - v - w, v, w], axis=1)[..., None]
    a, b, c = (weights[:, k] * values[corners[:, k]] for k in range(3))
    image[rows, columns] = a + b + c
    return image


def _cross(a: FloatArray, b: FloatArray) -> FloatArray:
    return np.asarray(a[:, 0] * b[:, 1] - a[:, 1] * b[:, 0])


def _launch(kernel: Any, dim: int | tuple[int, int], inputs: list[Any]) -> None:
    wp.launch(kernel, dim=dim, inputs=inputs, device="cpu")


class Painter:
    """Holds one person's surface in warp's arrays and draws frames of it at twice the picture's size."""

    def __init__(self, surface: Surface, picture_px: int, shadow_px: int = 160) -> None:
        side = 2 * picture_px
        self._count = len(surface.coordinates)
        self._triangles = wp.array(surface.triangles, dtype=wp.int32, device="cpu")
        self._material = wp.array(surface.material, dtype=wp.int32, device="cpu")
        self._coordinates = wp.array(surface.coordinates, dtype=wp.vec2, device="cpu")
        self._attributes = wp.array(surface.attributes, dtype=wp.vec4, device="cpu")
        self._strands = wp.array(surface.strands, dtype=wp.float32, device="cpu")
        self.dress(surface.paint)
        self._iris_radius = surface.iris_radius
        self._depth = wp.zeros((side, side), dtype=wp.float32, device="cpu")
        self._seen = wp.zeros((side, side), dtype=wp.int32, device="cpu")
        self._shadow = wp.zeros((shadow_px, shadow_px), dtype=wp.float32, device="cpu")
        self._shadow_seen = wp.zeros((shadow_px, shadow_px), dtype=wp.int32, device="cpu")
        self._picture = wp.zeros((picture_px, picture_px), dtype=wp.vec3, device="cpu")
        self._normals = wp.zeros(self._count, dtype=wp.vec3, device="cpu")

    def dress(self, paint: Paint) -> None:
        """Gives the surface other colours, for all frames to come."""
        self._texture = wp.array(paint.texture, dtype=wp.vec4, device="cpu")
        self._colours = wp.array(paint.colours, dtype=wp.vec3, device="cpu")

    def draw(self, vertices: FloatArray, focal_px: float, light: Light, background: FloatArray) -> FloatArray:
        """Linear RGB (S, S, 3) of vertices (V, 3) in camera space: x right, y up, looking along -z from the origin."""
        side = self._depth.shape[0]
        inverse = 1.0 / np.maximum(-vertices[:, 2], 1e-3)
        focal = 2.0 * focal_px
        screen = np.stack(
            [side / 2 + focal * vertices[:, 0] * inverse, side / 2 - focal * vertices[:, 1] * inverse, inverse], axis=1
        )
        place = wp.array(vertices, dtype=wp.vec3, device="cpu")
        on_screen = wp.array(screen.astype(np.float32), dtype=wp.vec3, device="cpu")
        in_light, bias = self._light_map(vertices, light)
        self._normals.zero_()
        _launch(kernels.add_normals, 1, [place, self._triangles, self._normals])
        self._depth.zero_()
        self._seen.fill_(-1)
        _launch(kernels.nearest, 1, [on_screen, self._triangles, self._material, -1, self._depth, self._seen])
        lights = [
            light.key_direction,
            light.key_colour,
            light.fill_direction,
            light.fill_colour,
            light.sky_colour,
            light.ground_colour,
        ]
        _launch(
            lighting.shade,
            (side // 2, side // 2),
            [
                on_screen,
                in_light,
                place,
                self._normals,
                self._coordinates,
                self._attributes,
                self._triangles,
                self._material,
                self._texture,
                self._strands,
                self._colours,
                self._iris_radius,
                wp.array(np.array(lights, dtype=np.float32), dtype=wp.vec3, device="cpu"),
                self._shadow,
                bias,
                wp.array(np.ascontiguousarray(background, dtype=np.float32), dtype=wp.vec3, device="cpu"),
                self._depth,
                self._seen,
                self._picture,
            ],
        )
        return np.array(self._picture.numpy(), dtype=np.float32)

    def _light_map(self, vertices: FloatArray, light: Light) -> tuple[Any, float]:
        """Distances towards the key light on a plane across it, larger is nearer, and where each vertex lies on it."""
        towards = np.array(light.key_direction, dtype=np.float32)
        right = exact.unit(np.cross(np.array([0, 1, 0], dtype=np.float32), towards))
        axes = np.stack([right, np.cross(towards, right), towards])
        local = exact.turned(vertices - vertices.mean(axis=0), axes)
        pixels = self._shadow.shape[0]
        scale = pixels / 4.4
        mapped = np.stack(
            [pixels / 2 + local[:, 0] * scale, pixels / 2 - local[:, 1] * scale, local[:, 2] + 50.0], axis=1
        )
        in_light = wp.array(mapped.astype(np.float32), dtype=wp.vec3, device="cpu")
        self._shadow.zero_()
        _launch(
            kernels.nearest,
            1,
            [in_light, self._triangles, self._material, lighting.LASH, self._shadow, self._shadow_seen],
        )
        return in_light, 0.05
