"""Pictures of what is no face, drawn by number: noise, textures, shapes, text, landscapes, houses, hands, animals seen from the side."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFilter

Picture = NDArray[np.uint8]
SIDES_PX: Final = (48, 64, 100, 128)
_LARGE_PX: Final = 256


def _plane(rng: np.random.Generator) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Rows and columns of a plane in 0..1, turned."""
    rows, columns = np.mgrid[0:_LARGE_PX, 0:_LARGE_PX] / _LARGE_PX - 0.5
    angle = rng.uniform(0, 2 * np.pi)
    return rows * np.cos(angle) + columns * np.sin(angle), columns * np.cos(angle) - rows * np.sin(angle)


def _stretched(values: NDArray[np.float64], rng: np.random.Generator) -> Image.Image:
    """Values as grey levels of a picture that is neither black nor white all over."""
    low, high = rng.uniform(0, 90), rng.uniform(140, 255)
    span = max(float(np.ptp(values)), 1e-9)
    return Image.fromarray(np.uint8(low + (values - values.min()) / span * (high - low)))


def _fractal(rng: np.random.Generator, steepness: float) -> NDArray[np.float64]:
    """Noise whose amplitude falls with frequency, as in natural pictures (about 1/f)."""
    frequency = np.hypot(*np.meshgrid(np.fft.fftfreq(_LARGE_PX), np.fft.fftfreq(_LARGE_PX)))
    frequency[0, 0] = 1
    spectrum = np.fft.fft2(rng.normal(size=(_LARGE_PX, _LARGE_PX))) / frequency**steepness
    spectrum[0, 0] = 0
    return np.asarray(np.fft.ifft2(spectrum).real)


def noise(rng: np.random.Generator) -> Image.Image:
    cells = int(rng.choice([12, 24, 48, 96]))
    grey = Image.fromarray(rng.integers(0, 256, (cells, cells)).astype(np.uint8))
    return grey.resize((_LARGE_PX, _LARGE_PX), Image.Resampling.NEAREST)


def blank(rng: np.random.Generator) -> Image.Image:
    grey = rng.integers(5, 250) + rng.normal(0, rng.uniform(0, 8), (_LARGE_PX, _LARGE_PX))
    return Image.fromarray(np.uint8(np.clip(grey, 0, 255)))


def gradient(rng: np.random.Generator) -> Image.Image:
    down, across = _plane(rng)
    return _stretched(down + rng.uniform(0, 2) * across**2 + rng.normal(0, 0.02, down.shape), rng)


def grating(rng: np.random.Generator) -> Image.Image:
    down, across = _plane(rng)
    waves = np.sin(down * rng.uniform(8, 90)) + rng.uniform(0, 1) * np.sin(across * rng.uniform(8, 90))
    return _stretched(waves, rng)


def checks(rng: np.random.Generator) -> Image.Image:
    down, across = _plane(rng)
    cells = rng.uniform(3, 14)
    return _stretched((np.floor(down * cells) + np.floor(across * cells)) % 2 + rng.normal(0, 0.05, down.shape), rng)


def rings(rng: np.random.Generator) -> Image.Image:
    down, across = _plane(rng)
    off = rng.uniform(-0.3, 0.3, 2)
    return _stretched(
        np.sin(np.hypot(down - off[0], (across - off[1]) * rng.uniform(0.6, 1)) * rng.uniform(15, 80)), rng
    )


def cloud(rng: np.random.Generator) -> Image.Image:
    return _stretched(_fractal(rng, rng.uniform(0.8, 2.2)), rng)


def blobs(rng: np.random.Generator) -> Image.Image:
    cells = int(rng.integers(4, 11))
    grey = Image.fromarray(rng.integers(0, 256, (cells, cells)).astype(np.uint8))
    return grey.resize((_LARGE_PX, _LARGE_PX), Image.Resampling.BICUBIC)


def landscape(rng: np.random.Generator) -> Image.Image:
    """Sky, and ridges one before the other, each darker and rougher."""
    canvas = np.repeat(np.linspace(rng.uniform(150, 250), rng.uniform(120, 220), _LARGE_PX)[:, None], _LARGE_PX, axis=1)
    canvas += 12 * _fractal(rng, 1.8) / 12
    for depth in range(int(rng.integers(1, 5))):
        ridge = np.cumsum(rng.normal(size=_LARGE_PX)) * rng.uniform(0.5, 3) + _LARGE_PX * rng.uniform(0.3, 0.8)
        ground = np.arange(_LARGE_PX)[:, None] > ridge[None]
        texture = rng.uniform(30, 130) - 12 * depth + 10 * rng.normal(size=canvas.shape)
        canvas = np.where(ground, texture, canvas)
    return Image.fromarray(np.uint8(np.clip(canvas, 0, 255)))


def _board(rng: np.random.Generator) -> tuple[Image.Image, ImageDraw.ImageDraw]:
    picture = _stretched(_fractal(rng, rng.uniform(1.2, 2.4)), rng) if rng.random() < 0.5 else blank(rng)
    return picture, ImageDraw.Draw(picture)


def _grey(rng: np.random.Generator) -> int:
    return int(rng.integers(0, 256))


def shapes(rng: np.random.Generator) -> Image.Image:
    picture, draw = _board(rng)
    for _ in range(int(rng.integers(2, 12))):
        x, y = np.sort(rng.uniform(-20, _LARGE_PX + 20, (2, 2)), axis=1)
        box = (x[0], y[0], x[1] + 1, y[1] + 1)
        kind = rng.integers(3)
        if kind == 0:
            draw.ellipse(box, fill=_grey(rng))
        elif kind == 1:
            draw.rectangle(box, fill=_grey(rng))
        else:
            draw.polygon([tuple(point) for point in rng.uniform(0, _LARGE_PX, (3, 2))], fill=_grey(rng))
    return picture


def text(rng: np.random.Generator) -> Image.Image:
    picture, draw = _board(rng)
    letters, size = list("abcdefghijkmnopqrstuvwxyzABDEGHKMNRS0123456789   "), int(rng.integers(14, 60))
    ink = _grey(rng)
    for top in range(0, _LARGE_PX, int(size * 1.3)):
        draw.text((int(rng.integers(-20, 20)), top), "".join(rng.choice(letters, 30)), fill=ink, font_size=size)
    return picture


def head_without_features(rng: np.random.Generator) -> Image.Image:
    """An oval with light from a side, on shoulders, some with hair."""
    picture, draw = _board(rng)
    skin, x, y = int(rng.integers(60, 220)), rng.uniform(100, 156), rng.uniform(110, 140)
    wide, high = rng.uniform(55, 100), rng.uniform(80, 120)
    draw.ellipse((x - 130, y + high * 0.9, x + 130, y + 300), fill=_grey(rng))
    draw.rectangle((x - wide * 0.5, y, x + wide * 0.5, y + high * 1.2), fill=skin)
    if rng.random() < 0.5:
        draw.ellipse((x - wide * 1.15, y - high * 1.2, x + wide * 1.15, y + high * 0.5), fill=int(rng.integers(0, 90)))
    draw.ellipse((x - wide, y - high, x + wide, y + high), fill=skin)
    return picture.filter(ImageFilter.GaussianBlur(rng.uniform(0, 4)))


def house(rng: np.random.Generator) -> Image.Image:
    """A front with a roof, rows of windows and a door: two eyes and a mouth for who looks for them."""
    picture, draw = _board(rng)
    left, right, top = rng.uniform(5, 60), rng.uniform(196, 250), rng.uniform(40, 110)
    draw.rectangle((left, top, right, _LARGE_PX), fill=_grey(rng))
    draw.polygon(
        [(left - 10, top), (right + 10, top), ((left + right) / 2, top - rng.uniform(20, 80))], fill=_grey(rng)
    )
    glass, columns, rows = _grey(rng), int(rng.integers(2, 5)), int(rng.integers(1, 4))
    cell, floor = (right - left) / columns, (_LARGE_PX - top) / (rows + 1)
    for column in range(columns):
        for row in range(rows):
            x, y = left + (column + 0.5) * cell, top + (row + 0.5) * floor
            draw.rectangle((x - cell * 0.25, y - floor * 0.3, x + cell * 0.25, y + floor * 0.3), fill=glass)
    door = rng.uniform(left + 20, right - 60)
    draw.rectangle((door, _LARGE_PX - floor * 0.8, door + 40, _LARGE_PX), fill=_grey(rng))
    return picture


def hand(rng: np.random.Generator) -> Image.Image:
    """A palm and five fingers, held up."""
    picture, draw = _board(rng)
    skin, x, y, large = int(rng.integers(50, 230)), rng.uniform(100, 156), rng.uniform(150, 190), rng.uniform(40, 60)
    for angle, length in zip(
        np.linspace(-1.1, 0.7, 5) + rng.normal(0, 0.08, 5), (1.6, 2.2, 2.4, 2.2, 1.8), strict=True
    ):
        tip = (x + np.sin(angle) * large * length, y - np.cos(angle) * large * length)
        draw.line([(x, y), tip], fill=skin - 12, width=int(large * 0.42))
        draw.ellipse(
            (tip[0] - large * 0.2, tip[1] - large * 0.2, tip[0] + large * 0.2, tip[1] + large * 0.2), fill=skin
        )
    draw.ellipse((x - large, y - large, x + large, y + large), fill=skin)
    draw.rectangle((x - large * 0.6, y, x + large * 0.6, _LARGE_PX), fill=skin)
    return picture.filter(ImageFilter.GaussianBlur(rng.uniform(1, 4)))


def animal(rng: np.random.Generator) -> Image.Image:
    """Body, legs, neck and tail, and a head from the side with one eye."""
    picture, draw = _board(rng)
    coat, x, y = _grey(rng), rng.uniform(90, 140), rng.uniform(110, 150)
    long, high = rng.uniform(50, 85), rng.uniform(25, 50)
    draw.ellipse((x - long, y - high, x + long, y + high), fill=coat)
    for leg in (-0.7, -0.4, 0.4, 0.7):
        draw.line([(x + leg * long, y), (x + leg * long + rng.normal(0, 8), y + high + 60)], fill=coat, width=12)
    head = (x + long + rng.uniform(0, 25), y - high - rng.uniform(0, 40))
    draw.line([(x + long * 0.6, y), head], fill=coat, width=int(high * 0.8))
    draw.ellipse((head[0] - 28, head[1] - 18, head[0] + 34, head[1] + 18), fill=coat)
    draw.ellipse((head[0] + 4, head[1] - 10, head[0] + 11, head[1] - 3), fill=(coat + 128) % 256)
    draw.line([(x - long, y), (x - long - 30, y - rng.uniform(-40, 60))], fill=coat, width=8)
    turned = picture if rng.random() < 0.5 else picture.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    return turned.filter(ImageFilter.GaussianBlur(rng.uniform(0, 3)))


def fur(rng: np.random.Generator) -> Image.Image:
    """Short strokes in about one direction: hair, grass, fur."""
    picture, draw = _board(rng)
    angle = rng.uniform(0, np.pi)
    for x, y in rng.uniform(-10, _LARGE_PX + 10, (600, 2)):
        turn, length = angle + rng.normal(0, 0.3), rng.uniform(8, 40)
        draw.line([(x, y), (x + np.cos(turn) * length, y + np.sin(turn) * length)], fill=_grey(rng), width=2)
    return picture


def pebbles(rng: np.random.Generator) -> Image.Image:
    """Round stones, shaded, one over the other."""
    picture, draw = _board(rng)
    for x, y in rng.uniform(-10, _LARGE_PX + 10, (int(rng.integers(15, 90)), 2)):
        radius, grey = rng.uniform(8, 40), int(rng.integers(40, 200))
        draw.ellipse((x - radius, y - radius * 0.8, x + radius, y + radius * 0.8), fill=grey // 2)
        draw.ellipse((x - radius * 0.8, y - radius * 0.75, x + radius * 0.7, y + radius * 0.5), fill=grey)
    return picture.filter(ImageFilter.GaussianBlur(rng.uniform(0, 3)))


KINDS: Final[tuple[Callable[[np.random.Generator], Image.Image], ...]] = (
    noise, blank, gradient, grating, checks, rings, cloud, blobs, landscape, shapes, text, head_without_features, house, hand, animal,
    fur, pebbles,
)  # fmt: skip


def drawn(kind: Callable[[np.random.Generator], Image.Image], number: int) -> Picture:
    """Picture `number` of a kind, uint8 (side, side, 3): grey, or in tones of one hue, and half of them stored as JPEG would."""
    rng = np.random.default_rng([number, [own.__name__ for own in KINDS].index(kind.__name__)])
    side = SIDES_PX[number % len(SIDES_PX)]
    small = np.asarray(kind(rng).convert("L").resize((side, side), Image.Resampling.LANCZOS), np.float64)
    tint = rng.uniform(0.6, 1, 3) if rng.random() < 0.5 else np.ones(3)
    return np.uint8(np.clip(small[..., None] * tint, 0, 255))


def parts_of(portrait: Picture, face: tuple[float, float, float, float], most: int, seed: int) -> Iterator[Picture]:
    """Squares of a portrait that hold at most a tenth of the box of its face: background, hair, ears, neck and clothes."""
    rng, (left, top, right, bottom) = np.random.default_rng(seed), face
    height, width = portrait.shape[:2]
    found = 0
    for _ in range(40 * most):
        side = int(rng.uniform(0.2, 0.45) * min(height, width))
        x, y = int(rng.integers(0, width - side + 1)), int(rng.integers(0, height - side + 1))
        shared = max(0.0, min(right, x + side) - max(left, x)) * max(0.0, min(bottom, y + side) - max(top, y))
        if shared > 0.1 * side * side:
            continue
        own = SIDES_PX[found % len(SIDES_PX)]
        part = Image.fromarray(portrait[y : y + side, x : x + side])
        yield np.asarray(part.resize((own, own), Image.Resampling.LANCZOS))
        found += 1
        if found == most:
            return


def scrambled(picture: Picture, seed: int) -> Picture:
    """A picture cut into three by three tiles in another order: all that a face is made of, and none of its places."""
    rng, side = np.random.default_rng(seed), picture.shape[0] // 3
    tiles = [picture[r * side : (r + 1) * side, c * side : (c + 1) * side] for r in range(3) for c in range(3)]
    order = np.arange(9)
    while (order == np.arange(9)).any():
        order = rng.permutation(9)
    return np.concatenate([np.concatenate([tiles[at] for at in order[3 * r : 3 * r + 3]], axis=1) for r in range(3)])
