"""Turns people's pictures into landmarks, blendshapes, aligned crops and quality, and keeps them as encrypted as the shard."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from itertools import groupby
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from bitface.dataset.files import sha256_of, write_atomically
from bitface.dataset.keys import KeyStore
from bitface.dataset.shards import read_shard, seal, unseal
from bitface.errors import IntegrityError
from bitface.faces.emotions import EMOTIONS
from bitface.faces.features import ClipTable, concatenate
from bitface.faces.quality import worst_frame
from bitface.faces.records import Sample, is_synthetic
from bitface.faces.seen import SeenFaces
from bitface.faces.splits import OWN_DIGESTS, people_by_content
from bitface.params import FeatureParams, Params
from bitface.ports import Augment, DecodeFrames, Landmarker
from bitface.steps.retrain.reuse import StageInputs, key_of

AUGMENTED = "+"
"""Stands in the sample id of an augmented copy, which is used for training only."""
INPUTS: Final = StageInputs(
    module=__name__,
    sections=("features", "seed"),
    inputs=("samples", "landmarker"),
    code=(
        "adapters.media_files",
        "adapters.mediapipe_landmarks",
        "training.image_augmentation",
        "faces.emotions",
        "faces.features",
        "faces.quality",
        "faces.seen",
        "faces.tight_crops",
    ),
    carriers=(
        "dataset.files",
        "dataset.keys",
        "dataset.shards",
        "errors",
        "faces.records",
        "faces.splits",
        "params",
        "ports",
        "steps.retrain.reuse",
    ),
)


@dataclass(frozen=True, kw_only=True)
class FeatureRef:
    """One person's encrypted features: where they lie and the SHA-256 of the ciphertext."""

    person: str
    path: Path
    sha256: str
    reused: bool


@dataclass(frozen=True, kw_only=True)
class Featuriser:
    """What featurising needs: folders, keys, and the tools behind ports."""

    data: Path
    features: Path
    keys: KeyStore
    params: Params
    decode: DecodeFrames
    augment: Augment
    landmarker: Callable[[], Landmarker]
    asset_sha256: str


def groups_of_people(
    samples: Sequence[Sample], size: int, content: Mapping[str, str] = OWN_DIGESTS
) -> list[tuple[tuple[Sample, ...], ...]]:
    """The samples by person, in groups of `size` people: one group is one mapped task."""
    people = people_of(samples, content)
    return [tuple(people[start : start + size]) for start in range(0, len(people), size)]


def groups_to_see(
    samples: Sequence[Sample], size: int, tools: Featuriser, content: Mapping[str, str] = OWN_DIGESTS
) -> list[tuple[tuple[Sample, ...], ...]]:
    """The same for features that are kept: people who have theirs and follow on each other are one group, however many.

    A mapped task costs half a second, and reading what is kept next to nothing.
    """
    groups: list[tuple[tuple[Sample, ...], ...]] = []
    for is_kept, people in groupby(people_of(samples, content), key=lambda own: place_of(own, tools).is_file()):
        together = tuple(people)
        width = len(together) if is_kept else size
        groups += [together[start : start + width] for start in range(0, len(together), width)]
    return groups


def people_of(samples: Sequence[Sample], content: Mapping[str, str] = OWN_DIGESTS) -> list[tuple[Sample, ...]]:
    """The samples by person, people and their samples in an order of their content, the same on every installation."""
    by_person: dict[str, list[Sample]] = {}
    for sample in samples:
        by_person.setdefault(sample.person, []).append(sample)
    return [_in_order(by_person[person], content) for person in people_by_content(samples, content)]


def _in_order(samples: Sequence[Sample], content: Mapping[str, str]) -> tuple[Sample, ...]:
    if is_synthetic(samples[0].person):
        return tuple(samples)  # numbered as they were drawn
    return tuple(sorted(samples, key=lambda sample: content.get(sample.sample_id, sample.sample_id)))


def featurise_people(people: Sequence[Sequence[Sample]], tools: Featuriser) -> tuple[FeatureRef, ...]:
    """Features of a group of people; those whose encrypted cache has the same key are reused, no model is opened then."""
    wanted = [(samples, place_of(samples, tools)) for samples in people]
    if all(path.is_file() for _, path in wanted):
        return tuple(_reference(samples[0].person, path, reused=True) for samples, path in wanted)
    with tools.landmarker() as landmarker:
        return tuple(_featurise(samples, path, tools, landmarker) for samples, path in wanted)


def read_features(references: Iterable[FeatureRef], keys: KeyStore) -> ClipTable:
    """All rows of the referenced people, augmented copies included, in the order of the references.

    Raises:
        IntegrityError: a cache file is not the one that was referenced.
    """
    tables = []
    for reference in references:
        if sha256_of(reference.path) != reference.sha256:
            raise IntegrityError(f"cached features of person {reference.person} were changed; delete .bitface/stages")
        plain = unseal(reference.path.read_bytes(), keys.key_of(reference.person), reference.person, "features")
        with np.load(io.BytesIO(plain), allow_pickle=False) as arrays:
            tables.append(ClipTable(**{field.name: arrays[field.name] for field in fields(ClipTable)}))
    return concatenate(tables)


def originals(table: ClipTable) -> ClipTable:
    """The table without augmented copies."""
    return table.where(np.char.find(table.sample_ids, AUGMENTED) < 0)


def _featurise(samples: Sequence[Sample], path: Path, tools: Featuriser, landmarker: Landmarker) -> FeatureRef:
    person = samples[0].person
    if path.is_file():
        return _reference(person, path, reused=True)
    key = tools.keys.key_of(person)
    shard, params = read_shard(tools.data, person, key), INPUTS.restricted(tools.params)
    rows = []
    for sample in samples:
        media = shard.samples[sample.sample_id]
        frames, content = tools.decode(media), hashlib.sha256(media).hexdigest()
        rows.append((sample, sample.sample_id, landmarker.see(frames, params.features)))
        for copy in range(_copies(sample, params.features)):
            seed = int(key_of(params.seed, content, copy)[:8], 16)
            copied = tools.augment(frames, seed)
            rows.append((sample, f"{sample.sample_id}{AUGMENTED}{copy}", landmarker.see(copied, params.features)))
    write_atomically(path, seal(_packed(_table(rows)), key, person, "features"))
    return _reference(person, path, reused=False)


def _copies(sample: Sample, params: FeatureParams) -> int:
    if sample.split != "train":
        return 0
    return params.augmented_copies_clip if sample.kind == "clip" else params.augmented_copies_image


def _table(rows: Sequence[tuple[Sample, str, SeenFaces]]) -> ClipTable:
    longest = max(len(seen.landmarks) for _, _, seen in rows)

    def padded(values: NDArray[np.generic]) -> NDArray[np.generic]:
        return values[np.minimum(np.arange(longest), len(values) - 1)]

    return ClipTable(
        landmarks=np.stack([padded(seen.normalised) for _, _, seen in rows]).astype(np.float32),
        blendshapes=np.stack([padded(seen.blendshapes) for _, _, seen in rows]).astype(np.float32),
        crops=np.stack([padded(seen.crops) for _, _, seen in rows]).astype(np.uint8),
        lengths=np.array([len(seen.landmarks) for _, _, seen in rows], dtype=np.int64),
        labels=np.array([EMOTIONS.index(sample.label) for sample, _, _ in rows], dtype=np.int64),
        persons=np.array([sample.person for sample, _, _ in rows]),
        sample_ids=np.array([name for _, name, _ in rows]),
        splits=np.array([sample.split for sample, _, _ in rows]),
        quality=np.stack([worst_frame(seen.quality) for _, _, seen in rows]).astype(np.float32),
    )


def _packed(table: ClipTable) -> bytes:
    buffer = io.BytesIO()
    np.savez(buffer, **{field.name: getattr(table, field.name) for field in fields(table)})
    return buffer.getvalue()


def place_of(samples: Sequence[Sample], tools: Featuriser) -> Path:
    """Where one person's features are kept: named by the samples, the settings and the code that they come from."""
    key = INPUTS.key(tools.params, samples=[asdict(sample) for sample in samples], landmarker=tools.asset_sha256)
    return tools.features / samples[0].person / f"{key}.sealed"


def _reference(person: str, path: Path, reused: bool) -> FeatureRef:
    return FeatureRef(person=person, path=path, sha256=sha256_of(path), reused=reused)
