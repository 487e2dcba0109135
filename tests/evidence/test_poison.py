"""How often wrong labels of a slice and copies of pictures are found in a set, and how often they are seen where there are none."""

from __future__ import annotations

import csv
import gzip
import io
import os
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import platformdirs
import pytest
from PIL import Image, ImageEnhance

from bitface.adapters.mediapipe_landmarks import FaceLandmarks
from bitface.adapters.model_assets import face_landmarker
from bitface.evaluation.intervals import wilson
from bitface.faces.media.near_copies import near_copies
from bitface.params import read_params
from bitface.steps.retrain.doubts import doubts_of
from tests.evidence.made_up_sets import TAUGHT, made_up_set

pytestmark = [pytest.mark.timeout(36000)]
PARAMS = read_params(Path(__file__).resolve().parents[2] / "params.yaml")
SLICES = ("gender:female", "age_band:18_29", "age_band:60_plus", "skin_tone:monk_8_10")
UNSEEN = 1000  # the first of the seeds that had no part in choosing the limit
OVERLAP = 2.2  # a simple model is then right on 67 of 100: people's own agreement with the labels of wild faces is 65


def rate(count: int, n: int) -> str:
    low, high = wilson(count / n, n, 0.95)
    return f"{count} of {n} ({100 * low:.0f} to {100 * high:.0f} %)"


def raised(seed: int, flipped: float, people: int = 2000) -> tuple[str, list[str]]:
    """The slice whose labels are drawn anew for a share of its people, and the sentences that name odd labels."""
    made, rng, spoiled = made_up_set(people, seed, OVERLAP), np.random.default_rng(seed), SLICES[seed % len(SLICES)]
    attribute, _, value = spoiled.partition(":")
    inside = np.array([made.slices[str(person)][attribute] == value for person in made.table.persons])
    wrong = inside & (rng.random(people) < flipped)
    moved = (made.table.labels + rng.integers(1, len(TAUGHT), people)) % len(TAUGHT)
    table = replace(made.table, labels=np.where(wrong, moved, made.table.labels))
    found = doubts_of(table, made.slices, seed)
    return spoiled, [sentence for sentence in found.sentences if sentence.startswith("labels of ")]


def test_a_tenth_of_wrong_labels_in_a_slice_is_raised(rounds, state) -> None:
    tries = rounds(2, 40)
    found = 0
    for seed in range(tries):
        spoiled, sentences = raised(UNSEEN + seed, 0.1)
        found += any(sentence.startswith(f"labels of {spoiled} ") for sentence in sentences)
    assert wilson(found / tries, tries, 0.95)[1] >= 0.9
    state("10 % wrong labels in one slice of 2,000 people: raised", rate(found, tries), tries)


def test_clean_labels_are_raised_seldom(rounds, state) -> None:
    tries = rounds(2, 200)
    found = sum(bool(raised(UNSEEN + seed, 0.0)[1]) for seed in range(tries))
    assert wilson(found / tries, tries, 0.95)[0] <= 0.05
    state("Clean labels of 2,000 people: some slice raised", rate(found, tries), tries)


def as_jpeg(image: Image.Image, quality: int) -> Image.Image:
    packed = io.BytesIO()
    image.save(packed, "JPEG", quality=quality)
    return Image.open(packed).convert("RGB")


def trimmed(image: Image.Image, rng: np.random.Generator) -> Image.Image:
    left, top, right, bottom = rng.uniform(0.01, 0.06, 4) * [*image.size, *image.size]
    return image.crop((int(left), int(top), int(image.width - right), int(image.height - bottom)))


def resized(image: Image.Image, rng: np.random.Generator) -> Image.Image:
    scale = rng.uniform(0.6, 1.8)
    return image.resize((int(image.width * scale), int(image.height * scale)), Image.Resampling.BILINEAR)


def relit(image: Image.Image, rng: np.random.Generator) -> Image.Image:
    brighter = ImageEnhance.Brightness(image).enhance(rng.uniform(0.65, 1.35))
    return ImageEnhance.Contrast(brighter).enhance(rng.uniform(0.75, 1.25))


CHANGES: dict[str, Callable[[Image.Image, np.random.Generator], Image.Image]] = {
    "trimmed": trimmed,
    "stored anew": lambda image, rng: as_jpeg(image, int(rng.integers(35, 76))),
    "mirrored": lambda image, _: image.transpose(Image.Transpose.FLIP_LEFT_RIGHT),
    "resized": resized,
    "relit": relit,
}


def portraits(folder: Path, most: int) -> list[tuple[str, Image.Image]]:
    paths = sorted((folder / "images").iterdir())[:most]
    return [(path.stem.partition("_")[0], Image.open(path).convert("RGB")) for path in paths]


def wild(folder: Path, most: int) -> list[tuple[str, Image.Image]]:
    """Faces of 48 x 48 pixels, each of a person of its own."""
    with gzip.open(folder.parent / "fer2013" / "fer2013_dev.csv.gz", "rt") as lines:
        rows = [row["pixels"] for _, row in zip(range(most), csv.DictReader(lines), strict=False)]
    pixels = [np.array(row.split(), dtype=np.uint8).reshape(48, 48) for row in rows]
    return [(str(number), Image.fromarray(own).convert("RGB")) for number, own in enumerate(pixels)]


SETS = {"portraits by one camera": portraits, "wild faces of 48 pixels": wild}


def crops_of(images: Sequence[Image.Image], seen: FaceLandmarks) -> list[np.ndarray | None]:
    """The aligned crop of each picture; None where no face is found, which the data gate quarantines."""
    found = [seen.see(np.asarray(image)[None], PARAMS.features) for image in images]
    return [one.crops[0] if one.faces[0] else None for one in found]


@pytest.mark.parametrize("whose", SETS)
def test_copies_are_found_and_others_are_not_merged(whose, london, rounds, state) -> None:
    if whose.startswith("wild") and not (london.parent / "fer2013").is_dir():
        pytest.skip("fer2013 is not beside the London Set")
    people, rng = SETS[whose](london, rounds(24, 1500)), np.random.default_rng(7)
    asset = face_landmarker(platformdirs.user_cache_path("bitface"), os.environ)
    with FaceLandmarks(asset.path, faces_max=2) as seen:
        there = [
            (who, image, crop)
            for (who, image), crop in zip(people, crops_of([p for _, p in people], seen), strict=True)
            if crop is not None
        ]
        chosen = rng.permutation(len(there))[: rounds(10, 200)].tolist()
        kinds = [list(CHANGES)[number % len(CHANGES)] for number in range(len(chosen))]
        changed = [CHANGES[kind](there[row][1], rng) for row, kind in zip(chosen, kinds, strict=True)]
        copied = crops_of(changed, seen)
    own = np.stack([crop for _, _, crop in there])
    kept = [(row, crop) for row, crop in zip(chosen, copied, strict=True) if crop is not None]
    exact = near_copies(np.concatenate([own, own[chosen]]))
    near = near_copies(np.concatenate([own, np.stack([crop for _, crop in kept])]))
    n, pairs = len(own), set(zip(near.first.tolist(), near.second.tolist(), strict=True))
    all_exact = set(zip(exact.first.tolist(), exact.second.tolist(), strict=True))
    assert all((row, n + place) in all_exact for place, row in enumerate(chosen))
    found = sum((row, n + place) in pairs for place, (row, _) in enumerate(kept))
    assert wilson(found / len(kept), len(kept), 0.95)[1] >= 0.95
    merged = {row for pair in pairs if max(pair) < n and there[pair[0]][0] != there[pair[1]][0] for row in pair}
    if whose.startswith("portraits"):  # of wild faces nobody knows: the set has copies of its own
        assert wilson(len(merged) / n, n, 0.95)[0] <= 0.01
    figure = f"{rate(found, len(kept))}; of exact ones all {len(chosen)}; of {n} others {len(merged)} taken for a copy"
    state(f"Copies among {whose}, trimmed, stored anew, mirrored, resized, relit: found", figure, len(kept))
