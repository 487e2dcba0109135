"""How many wild faces of 48 pixels are found, and how often something that is no face is taken for one."""

from __future__ import annotations

import csv
import gzip
import os
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import platformdirs
import pytest
from PIL import Image

from bitface.adapters.mediapipe_landmarks import FaceLandmarks
from bitface.adapters.model_assets import face_landmarker
from bitface.evaluation.intervals import wilson
from bitface.params import read_params
from tests.evidence.not_faces import KINDS, Picture, drawn, parts_of, scrambled

pytestmark = [pytest.mark.timeout(36000)]
PARAMS = read_params(Path(__file__).resolve().parents[2] / "params.yaml").features


@pytest.fixture(scope="module")
def seer() -> Iterator[FaceLandmarks]:
    asset = face_landmarker(platformdirs.user_cache_path("bitface"), os.environ)
    with FaceLandmarks(asset.path) as landmarks:
        yield landmarks


@pytest.fixture(scope="module")
def wild(london: Path) -> np.ndarray:
    """Every second of the wild faces, (n, 48, 48, 3): the rule for tight crops was chosen on the others."""
    table = london.parent / "fer2013" / "fer2013_dev.csv.gz"
    if not table.is_file():
        pytest.skip("fer2013 is not beside the London Set")
    with gzip.open(table, "rt") as lines:
        rows = [row["pixels"] for number, row in enumerate(csv.DictReader(lines)) if number % 2]
    grey = np.stack([np.array(row.split(), dtype=np.uint8).reshape(48, 48) for row in rows])
    return np.repeat(grey[..., None], 3, axis=3)


def rate(count: int, n: int) -> str:
    low, high = wilson(count / n, n, 0.95)
    return f"{100 * count / n:.1f} % ({100 * low:.1f} to {100 * high:.1f})"


def is_found(seer: FaceLandmarks, picture: Picture) -> bool:
    return bool(seer.see(picture[None], PARAMS).faces[0])


def test_wild_faces_are_found(seer, wild, rounds, state) -> None:
    """Of all, and of each third by mean grey level: what is dark must not be lost first."""
    pictures = wild[:: len(wild) // rounds(60, len(wild))]
    found = np.array([is_found(seer, picture) for picture in pictures])
    assert wilson(found.mean(), len(found), 0.95)[1] >= 0.965
    thirds = np.array_split(np.argsort(pictures.mean(axis=(1, 2, 3)), kind="stable"), 3)
    dark, middle, bright = (rate(int(found[third].sum()), len(third)) for third in thirds)
    figure = f"{rate(int(found.sum()), len(found))}; by light, a third each: {dark}, {middle}, {bright}"
    state("Wild faces of 48 pixels, half of which no limit was chosen on: found", figure, len(found))


def test_what_is_drawn_and_no_face_is_seldom_taken_for_one(seer, rounds, state) -> None:
    """17 kinds, as many of each; numbers that no limit was chosen on."""
    numbers = range(101, 101 + 2 * rounds(3, 60), 2)
    taken = Counter(kind.__name__ for kind in KINDS for number in numbers if is_found(seer, drawn(kind, number)))
    n = len(KINDS) * len(numbers)
    assert wilson(taken.total() / n, n, 0.95)[0] <= 0.02
    most = "; ".join(f"{kind.replace('_', ' ')} {count}" for kind, count in taken.most_common())
    figure = rate(taken.total(), n) + (f": {most}" if most else "")
    state(
        "Drawn noise, textures, shapes, text, houses, hands, animals: taken for a face",
        figure,
        n,
    )


def test_parts_of_portraits_beside_the_face_are_seldom_taken_for_one(seer, london, rounds, state) -> None:
    portraits = [np.asarray(Image.open(path).convert("RGB")) for path in sorted((london / "images").glob("*.jpg"))]
    taken, n = 0, 0
    for seed, portrait in enumerate(portraits[:: len(portraits) // rounds(6, len(portraits))]):
        face = seer.see(portrait[None], PARAMS).landmarks[0]
        box = (*face[:, :2].min(axis=0), *face[:, :2].max(axis=0))
        found = [is_found(seer, part) for part in parts_of(portrait, box, 2, seed)]
        taken, n = taken + sum(found), n + len(found)
    assert n and wilson(taken / n, n, 0.95)[0] <= 0.01
    state("Background, hair, neck and clothes in portraits: taken for a face", rate(taken, n), n)


def test_faces_in_pieces_are_seldom_taken_for_one(seer, wild, rounds, state) -> None:
    pieces = [scrambled(picture, seed) for seed, picture in enumerate(wild[:: len(wild) // rounds(12, 400)])]
    taken = sum(is_found(seer, picture) for picture in pieces)
    assert wilson(taken / len(pieces), len(pieces), 0.95)[0] <= 0.06
    state("Wild faces cut in nine and put together otherwise: taken for a face", rate(taken, len(pieces)), len(pieces))
