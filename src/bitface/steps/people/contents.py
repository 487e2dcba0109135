"""What a dataset folder consists of beside its shards: the list of samples, and the licences that they were taken under."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

from bitface.consent.known_sources import SYNTHETIC_LICENCE
from bitface.consent.policy import LicenceRecord, parse_licences, render_licences
from bitface.dataset.files import write_atomically
from bitface.dataset.index import has_dataset, read_index, write_index
from bitface.dataset.keys import KeyStore
from bitface.dataset.manifest import verify_manifest
from bitface.dataset.shards import read_shard, shard_name
from bitface.dataset.swap import copy_of
from bitface.errors import InputError
from bitface.faces.media.same_picture import Marks
from bitface.faces.records import Sample, is_synthetic
from bitface.steps.people.writing import Change, Versioning, Writer

LICENCES_NAME: Final = "licences.json"


def present_contents(data: Path) -> tuple[dict[str, Sample], dict[str, LicenceRecord]]:
    """Samples by id and licences of the dataset that is there, which must be what its manifest says."""
    if not has_dataset(data):
        return {}, {}
    verify_manifest(data)
    licences = parse_licences((data / LICENCES_NAME).read_text(encoding="utf-8"))
    return {sample.sample_id: sample for sample in read_index(data)}, dict(licences)


@dataclass(frozen=True, kw_only=True)
class Staying:
    """What of the dataset stays when people are imported, and how many synthetic people make room for them."""

    samples: Mapping[str, Sample]
    licences: Mapping[str, LicenceRecord]
    replaced: int = 0


def staying(samples: Mapping[str, Sample], licences: Mapping[str, LicenceRecord], keeps_synthetic: bool) -> Staying:
    """Everything; of a dataset of synthetic people alone nothing, unless asked to keep them: they stand in until people are imported."""
    people = {sample.person for sample in samples.values()}
    if keeps_synthetic or not people or not all(map(is_synthetic, people)):
        return Staying(samples=samples, licences=licences)
    return Staying(samples={}, licences={}, replaced=len(people))


def without_people(writer: Writer, people: Collection[str], versioning: Versioning) -> str | None:
    """Writes the dataset again without these people; returns its version, None where they are not in it.

    If no one else is left, a dataset of no samples stays: a folder that is gone would be pulled or rendered again by the next retrain.

    Raises:
        IntegrityError: the folder is not what its manifest says.
    """
    data = writer.stores.data
    samples = read_index(data)
    left = [sample for sample in samples if sample.person not in people]
    if len(left) == len(samples):
        return None
    verify_manifest(data)
    licences = read_licences(data)

    def fill(folder: Path) -> None:
        for person in {sample.person for sample in left}:
            copy_of(data / shard_name(person), folder / shard_name(person))
        write_lists(folder, left, licences.values())

    return writer.change(Change(fill=fill, versioning=versioning)).version


def check_not_empty(data: Path) -> None:
    """Raises InputError where everyone has left the dataset: a model is made of people."""
    if has_dataset(data) and not read_index(data):
        raise InputError(
            "everyone in the dataset was erased and it is now empty; add people with `bitface data import`, or delete the folder "
            "and its pin file to render synthetic people"
        )


def read_licences(data: Path) -> Mapping[str, LicenceRecord]:
    """The licences of a dataset, by id."""
    return parse_licences((data / LICENCES_NAME).read_text(encoding="utf-8"))


def write_lists(folder: Path, samples: Iterable[Sample], licences: Iterable[LicenceRecord]) -> None:
    """Writes the list of samples and the licences."""
    write_index(folder, samples)
    write_atomically(folder / LICENCES_NAME, render_licences(licences).encode())


def content_of(samples: Iterable[Sample], data: Path, keys: KeyStore) -> dict[str, str]:
    """Sample id -> SHA-256 of what is stored, see `marks_of`."""
    return {name: marks.sha256 for name, marks in marks_of(samples, data, keys).items()}


def marks_of(samples: Iterable[Sample], data: Path, keys: KeyStore) -> dict[str, Marks]:
    """Sample id -> by what it is known again: of real people read out of their shards, since it stands nowhere in the clear."""
    rows = list(samples)
    found = {sample.sample_id: Marks(sha256=sample.sha256) for sample in rows}
    for person in {sample.person for sample in rows if not is_synthetic(sample.person)}:
        shard = read_shard(data, person, keys.key_of(person), media=False)
        found |= {
            name: Marks(sha256=sha256, looks=tuple(shard.looks.get(name, ()))) for name, sha256 in shard.content.items()
        }
    return found


def sample_of(name: str, person: str, sha256: str, label: str, frames: int, fps: float) -> Sample:
    """One sample with its digest (`shards.digest_of`), under the licence of synthetic people and in no split yet."""
    kind: Literal["image", "clip"] = "clip" if frames > 1 else "image"
    return Sample(
        sample_id=name,
        person=person,
        shard=shard_name(person),
        kind=kind,
        frames=frames,
        fps=fps if frames > 1 else 0.0,
        label=label,
        split="",
        source="synthetic",
        licence_id=SYNTHETIC_LICENCE.id,
        sha256=sha256,
    )
