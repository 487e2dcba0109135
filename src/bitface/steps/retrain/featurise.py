"""Turns people's pictures into landmarks, blendshapes, aligned crops and quality, and keeps them as encrypted as the shard."""

from __future__ import annotations

import hashlib
import io
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import asdict, dataclass, field, fields
from itertools import islice, repeat
from multiprocessing.util import Finalize
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from bitface.counted_words import counted
from bitface.dataset.files import sha256_of, write_atomically
from bitface.dataset.keys import KeyStore
from bitface.dataset.points.point_container import unpack_points
from bitface.dataset.shards import read_shard, seal, unseal
from bitface.errors import IntegrityError
from bitface.faces.emotions import EMOTIONS
from bitface.faces.features import ClipTable, concatenate
from bitface.faces.points import seen_in
from bitface.faces.quality import worst_frame
from bitface.faces.records import Sample, is_synthetic
from bitface.faces.seen import SeenFaces
from bitface.faces.splits import OWN_DIGESTS, people_by_content
from bitface.params import FeatureParams, Params
from bitface.pools import worker_processes
from bitface.ports import Augment, DecodeFrames, Landmarker, Report
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
        "faces.points",
        "faces.quality",
        "faces.seen",
        "faces.tight_crops",
    ),
    carriers=(
        "dataset.files",
        "dataset.keys",
        "dataset.points.point_container",
        "dataset.shards",
        "errors",
        "faces.records",
        "faces.splits",
        "params",
        "pools",
        "ports",
        "steps.retrain.reuse",
    ),
)


# Two processes are there after as many seconds as one needs for so many frames.
_FRAMES_WORTH_PROCESSES: Final = 400
# So that no process waits long for the last job of another.
_JOBS_EACH: Final = 4


@dataclass(frozen=True, kw_only=True)
class FeatureRef:
    """One person's encrypted features: where they lie and the SHA-256 of the ciphertext."""

    person: str
    path: Path
    sha256: str
    reused: bool


@dataclass(frozen=True, kw_only=True)
class Sight:
    """What a process sees people with: their folder, parameters, and the tools behind ports, each of which can be sent to it."""

    data: Path
    params: Params
    decode: DecodeFrames
    augment: Augment
    landmarker: Callable[[], Landmarker]


@dataclass(frozen=True, kw_only=True)
class Featuriser:
    """What featurising needs: what people are seen with, their keys, and where features are kept.

    `workers` processes have a landmarker each.
    """

    sight: Sight
    features: Path
    keys: KeyStore
    asset_sha256: str
    workers: int
    report: Report


@dataclass(frozen=True, kw_only=True)
class _Person:
    """Somebody to be seen: the samples, where the features go, and the key of both."""

    samples: tuple[Sample, ...]
    path: Path
    key: bytes = field(repr=False)


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
    """Features of people, in their order; those whose encrypted cache has the same key are reused, no model is opened then.

    The same bytes whatever `workers` is. What was seen is kept where somebody ends it; the next call goes on from there.
    """
    places = [place_of(samples, tools) for samples in people]
    kept = {path for path in places if path.is_file()}
    missing = [(tuple(samples), path) for samples, path in zip(people, places, strict=True) if path not in kept]
    for done, _ in enumerate(_seen(missing, tools), start=len(kept) + 1):
        tools.report("seeing faces", done, len(people))
    return tuple(
        FeatureRef(person=samples[0].person, path=path, sha256=sha256_of(path), reused=path in kept)
        for samples, path in zip(people, places, strict=True)
    )


def _seen(missing: Sequence[tuple[tuple[Sample, ...], Path]], tools: Featuriser) -> Iterator[None]:
    """Sees people one after another, or in processes where that is quicker; yields for each one whose features are kept."""
    # A key is looked up when its person's turn comes: each look is noted.
    jobs = (_Person(samples=samples, path=path, key=tools.keys.key_of(samples[0].person)) for samples, path in missing)
    workers = min(tools.workers, len(missing))
    if workers > 1 and _frames_of(missing, tools.sight.params.features) >= _FRAMES_WORTH_PROCESSES:
        size = min(tools.sight.params.features.people_per_task, -(-len(missing) // (_JOBS_EACH * workers)))
        yield from _seen_by_processes(jobs, size, workers, tools.sight)
    elif missing:
        with tools.sight.landmarker() as landmarker:
            for person in jobs:
                _keep(person, tools.sight, landmarker)
                yield


def _seen_by_processes(jobs: Iterator[_Person], size: int, workers: int, sight: Sight) -> Iterator[None]:
    with worker_processes(workers, _open, (sight,)) as pool:
        running: deque[Future[int]] = deque()
        while people := tuple(islice(jobs, size)):
            running.append(pool.submit(_keep_here, people))
            # Keys of people whose turn is far off lie in no queue.
            if len(running) > 2 * workers:
                yield from repeat(None, running.popleft().result())
        while running:
            yield from repeat(None, running.popleft().result())


_HERE: list[tuple[Sight, Landmarker]] = []


def _open(sight: Sight) -> None:
    import torch

    # Each process has a core; threads of two that wait for each other cost both.
    torch.set_num_threads(1)
    landmarker = sight.landmarker().__enter__()
    # Before the interpreter ends: MediaPipe closes by a thread, and at exit none can be had any more.
    Finalize(None, landmarker.__exit__, (None, None, None), exitpriority=0)
    _HERE.append((sight, landmarker))


def _keep_here(people: Sequence[_Person]) -> int:
    for person in people:
        _keep(person, *_HERE[0])
    return len(people)


def _frames_of(missing: Sequence[tuple[tuple[Sample, ...], Path]], params: FeatureParams) -> int:
    pictured = (sample for samples, _ in missing for sample in samples if sample.kind != "landmarks")
    return sum(sample.frames * (1 + _copies(sample, params)) for sample in pictured)


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


def _keep(person: _Person, sight: Sight, landmarker: Landmarker) -> None:
    """Sees a person's samples, and keeps the features encrypted as the shard is."""
    name, params = person.samples[0].person, INPUTS.restricted(sight.params)
    shard = read_shard(sight.data, name, person.key)
    rows = []
    for sample in person.samples:
        media = shard.samples[sample.sample_id]
        if sample.kind == "landmarks":
            rows.append((sample, sample.sample_id, seen_in(unpack_points(media))))
            continue
        frames, content = sight.decode(media), hashlib.sha256(media).hexdigest()
        rows.append((sample, sample.sample_id, landmarker.see(frames, params.features)))
        for copy in range(_copies(sample, params.features)):
            seed = int(key_of(params.seed, content, copy)[:8], 16)
            copied = sight.augment(frames, seed)
            rows.append((sample, f"{sample.sample_id}{AUGMENTED}{copy}", landmarker.see(copied, params.features)))
    write_atomically(person.path, seal(_packed(_table(rows)), person.key, name, "features"))


def with_copies_for(samples: Sequence[Sample], params: Params) -> Params:
    """Parameters with as many copies of each training sample as `augmented_frames_max` allows for all of them together."""
    own, frames = params.features, Counter[str]()
    for sample in samples:
        frames[sample.kind] += sample.frames if sample.split == "train" else 0
    copies = {
        "augmented_copies_clip": min(own.augmented_copies_clip, own.augmented_frames_max // max(1, frames["clip"])),
        "augmented_copies_image": min(own.augmented_copies_image, own.augmented_frames_max // max(1, frames["image"])),
    }
    return params.model_copy(update={"features": own.model_copy(update=copies)})


def fewer_copies(asked: FeatureParams, made: FeatureParams) -> tuple[str, ...]:
    """A sentence for each kind of sample that gets fewer copies than were asked for."""
    kinds = {
        "picture": (asked.augmented_copies_image, made.augmented_copies_image),
        "clip": (asked.augmented_copies_clip, made.augmented_copies_clip),
    }
    return tuple(
        f"each training {kind} gets {counted(fewer, 'changed copy', 'changed copies')} instead of {copies}: the set is large "
        f"(features.augmented_frames_max is {asked.augmented_frames_max})"
        for kind, (copies, fewer) in kinds.items()
        if fewer < copies
    )


def _copies(sample: Sample, params: FeatureParams) -> int:
    if sample.split != "train" or sample.kind == "landmarks":
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
    key = INPUTS.key(tools.sight.params, samples=[asdict(sample) for sample in samples], landmarker=tools.asset_sha256)
    return tools.features / samples[0].person / f"{key}.sealed"
