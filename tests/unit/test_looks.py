"""A picture is known again that was stored anew, made smaller or trimmed, and nobody else's is."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageEnhance

from bitface.faces.media.same_picture import ALIKE_BANDS, BANDS, alike_among, bands_of, look_of, looks_asked, looks_kept

Change = Callable[[Image.Image], Image.Image]


def smooth(seed: int, side: int = 256) -> Image.Image:
    """A picture of large soft spots, as portraits are."""
    spots = np.random.default_rng(seed).integers(0, 255, (14, 14, 3), dtype=np.uint8)
    return Image.fromarray(spots).resize((side, side), Image.Resampling.BICUBIC)


def jpeg(picture: Image.Image, quality: int) -> Image.Image:
    file = io.BytesIO()
    picture.save(file, "JPEG", quality=quality)
    return Image.open(io.BytesIO(file.getvalue())).convert("RGB")


def scaled(picture: Image.Image, by: float) -> Image.Image:
    return picture.resize((int(picture.width * by), int(picture.height * by)), Image.Resampling.BICUBIC)


def trimmed(picture: Image.Image, *sides: float) -> Image.Image:
    left, top, right, bottom = (round(side * picture.width) for side in sides)
    return picture.crop((left, top, picture.width - right, picture.height - bottom))


CHANGES: dict[str, Change] = {
    "JPEG 60": lambda one: jpeg(one, 60),
    "JPEG 95": lambda one: jpeg(one, 95),
    "half": lambda one: scaled(one, 0.5),
    "twice": lambda one: scaled(one, 2),
    "darker": lambda one: ImageEnhance.Brightness(one).enhance(0.9),
    "brighter": lambda one: ImageEnhance.Brightness(one).enhance(1.1),
    "grey": lambda one: one.convert("L").convert("RGB"),
    "2 % off each side": lambda one: trimmed(one, 0.02, 0.02, 0.02, 0.02),
    "2 % off left and top": lambda one: trimmed(one, 0.02, 0.02, 0, 0),
}


def is_known(asked: Image.Image, kept: Image.Image) -> bool:
    return bool(alike_among(looks_asked([np.asarray(asked)]), looks_kept([np.asarray(kept)])))


Kept = list[tuple[Image.Image, list[bytes]]]
"""Pictures, and their looks."""


def with_looks(pictures: list[Image.Image]) -> Kept:
    return [(one, list(looks_kept([np.asarray(one)]))) for one in pictures]


@pytest.fixture(scope="module")
def spots() -> Kept:
    return with_looks([smooth(seed) for seed in range(12)])


@pytest.fixture(scope="module")
def portraits(london: Path) -> Kept:
    paths = sorted((london / "images").glob("*_neutral.jpg"))[:40]
    return with_looks([Image.open(path).convert("RGB") for path in paths])


def known_among(pictures: Kept, change: Change) -> np.ndarray:
    """Whether each picture, changed (row), is taken for each as it is kept (column)."""
    kept = [looks for _, looks in pictures]
    asked = [looks_asked([np.asarray(change(one))]) for one, _ in pictures]
    return np.array([[bool(alike_among(one, other)) for other in kept] for one in asked])


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_a_picture_that_was_changed_a_little_is_known_again_and_another_one_is_not(spots: Kept, change: Change) -> None:
    found = known_among(spots, change)
    assert np.array_equal(found, np.eye(12, dtype=bool))


@pytest.mark.tools
@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_of_real_portraits_each_is_known_again_and_no_other_person_is_taken_for_it(
    portraits: Kept, change: Change
) -> None:
    """As docs/attacks.md says, at reduced n: 40 people before one wall, in one light."""
    found = known_among(portraits, change)
    assert found.diagonal().mean() >= 0.97
    assert found.sum() == found.diagonal().sum(), "nobody else"


def test_a_plain_background_is_nothing_that_pictures_share() -> None:
    """Bands of one sign tell nothing: two faces on white would have most of them alike."""
    plain = np.full((170, 170, 3), 255, np.uint8)
    ramp = np.broadcast_to(np.arange(170, dtype=np.uint8)[None, :, None], (170, 170, 3))
    for picture in (plain, ramp):
        assert bands_of(look_of(picture)) == {}
        assert not alike_among(looks_asked([picture]), looks_kept([picture]))
    faces = [plain.copy(), plain.copy()]
    for number, face in enumerate(faces):
        face[60:110, 60:110] = np.asarray(smooth(number, 50))
    assert not is_known(Image.fromarray(faces[0]), Image.fromarray(faces[1]))


def test_twelve_equal_bands_are_alike_and_eleven_are_not() -> None:
    look = np.random.default_rng(0).bytes(2 * BANDS)
    assert len(bands_of(look)) == BANDS

    def with_equal(count: int) -> bytes:
        return look[: 2 * count] + bytes(255 - byte for byte in look[2 * count :])

    assert alike_among([with_equal(ALIKE_BANDS)], [look]) and not alike_among([with_equal(ALIKE_BANDS - 1)], [look])
    assert not alike_among([look], [])


@pytest.mark.parametrize("shape", [(1, 1), (5, 400), (17, 17), (3000, 40)])
def test_a_picture_of_any_size_has_a_look(shape: tuple[int, int]) -> None:
    picture = np.random.default_rng(1).integers(0, 255, (*shape, 3), dtype=np.uint8)
    assert {len(look) for look in looks_asked([picture])} == {2 * BANDS}


def test_of_a_clip_three_frames_are_kept_so_that_a_still_of_it_is_known() -> None:
    frames = [np.asarray(smooth(seed, 64)) for seed in range(9)]
    kept = looks_kept(frames)
    assert len(kept) == 3
    assert [bool(alike_among(looks_asked([frame]), kept)) for frame in frames] == [
        number in (0, 4, 8) for number in range(9)
    ]
