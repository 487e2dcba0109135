"""Synthetic adults as a dataset: fully rendered before it replaces the existing one."""

from __future__ import annotations

import io
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

import numpy as np
from numpy.typing import NDArray

from bitface.consent.known_sources import SYNTHETIC_LICENCE, synthetic_consents
from bitface.counted_words import counted
from bitface.dataset.files import sha256_of
from bitface.dataset.keys import KeyStore
from bitface.dataset.shards import Shard, digest_of, drawn_shards, shard_name, write_shard
from bitface.errors import InputError
from bitface.faces.records import Sample, is_synthetic
from bitface.ledger.ledger import Ledger
from bitface.params import SyntheticParams
from bitface.ports import EncodeFrames, PlannedPerson, RenderedSample, RenderPeople, Report
from bitface.steps.people.contents import sample_of, write_lists
from bitface.steps.people.writing import Change, Versioning, Writer


@dataclass(frozen=True, kw_only=True)
class Synthesised:
    """What was rendered, the digest of its manifest, and its version in DVC, None if it has none."""

    people: int
    samples: int
    manifest_sha256: str
    version: str | None


@dataclass(frozen=True, kw_only=True)
class Synthesis:
    """How synthetic adults are made."""

    params: SyntheticParams
    seed: int
    workers: int
    render: RenderPeople
    encode: EncodeFrames
    report: Report


def synthesise(writer: Writer, synthesis: Synthesis, versioning: Versioning) -> Synthesised:
    """Renders synthetic adults as the dataset, which replaces the previous one when it is complete.

    Raises:
        InputError: the previous one contains real people, who would be lost.
    """
    data = writer.stores.data
    real = sum(not is_synthetic(path.stem) for path in (data / "shards").glob("?" * 16 + ".*"))
    if real:
        raise InputError(
            f"the dataset contains {counted(real, 'real person', 'real people')}, who would be lost; name a new folder with --out, or "
            "set another BITFACE_DATA"
        )
    rendered: list[Sample] = []
    change = Change(
        fill=lambda folder: rendered.extend(_render(folder, synthesis)), versioning=versioning, is_drawn=True
    )
    changed = writer.change(change)
    return Synthesised(
        people=len({sample.person for sample in rendered}),
        samples=len(rendered),
        manifest_sha256=changed.manifest_sha256,
        version=changed.version,
    )


def _render(folder: Path, synthesis: Synthesis) -> list[Sample]:
    params, samples = synthesis.params, list[Sample]()
    keys = KeyStore(folder)  # synthetic keys are derived: nothing is read from or written to the folder
    people = params.training_people + params.gate_people
    for done, (person, rendered) in enumerate(synthesis.render(params, synthesis.seed, synthesis.workers), start=1):
        shard = _shard_of(person, rendered, synthesis.encode)
        write_shard(folder, shard, keys.key_of(person.record.person))
        for (name, media), item in zip(shard.samples.items(), rendered, strict=True):
            digest = digest_of(media, person.record.person, b"")
            sample = sample_of(name, person.record.person, digest, item.label, len(item.frames), params.fps)
            samples.append(replace(sample, split="gate" if person.role == "gate" else ""))
        synthesis.report("rendering synthetic adults", done, people)
    write_lists(folder, samples, [SYNTHETIC_LICENCE])
    return samples


def confirm_drawn(data: Path, people: Collection[str], synthesis: Synthesis) -> dict[str, str]:
    """Renders people again, with the current parameters; person -> SHA-256 of the shard, for those who are identical, byte for byte."""
    found: dict[str, str] = {}
    keys, recorded = KeyStore(data), drawn_shards(data)
    with TemporaryDirectory() as place:
        drawn = synthesis.render(synthesis.params, synthesis.seed, synthesis.workers, people)
        for done, (person, rendered) in enumerate(drawn, start=1):
            name = person.record.person
            write_shard(Path(place), _shard_of(person, rendered, synthesis.encode), keys.key_of(name))
            if sha256_of(Path(place) / shard_name(name)) == recorded.get(name):
                found[name] = recorded[name]
            (Path(place) / shard_name(name)).unlink()
            synthesis.report("re-rendering synthetic people", done, len(people))
    return found


def confirm(data: Path, ways: Sequence[Synthesis], ledger: Ledger) -> tuple[str, ...]:
    """Records people as synthetic if rendering them again gives the same bytes; a sentence if there was anyone to render.

    `ways`: how they may have been rendered, the likeliest first. A set that was rendered for one profile may be here while another one
    runs, and the record of it may be lost; a few people show which way it was.
    """
    claimed = not_drawn_here(data, ledger)
    if not claimed:
        return ()
    few = sorted(claimed)[:_ASKED_FIRST]
    way = ways[0] if len(ways) == 1 else next((way for way in ways if confirm_drawn(data, few, way)), ways[0])
    found = confirm_drawn(data, claimed, way)
    ledger.record_renders(found)
    others = len(claimed) - len(found)
    left_out = f"; {counted(others, 'does not and is', 'do not and are')} excluded" if others else ""
    return (
        f"{counted(len(claimed), 'person is', 'people are')} declared synthetic but not rendered here: "
        f"{counted(len(found), 'matches', 'match')} what is rendered{left_out}",
    )


# Some of them may be forged; rendering each takes a second.
_ASKED_FIRST: Final = 3


def not_drawn_here(data: Path, ledger: Ledger) -> frozenset[str]:
    """People in the dataset folder marked synthetic, but not on record as rendered by this installation."""
    known = ledger.rendered()
    return frozenset(person for person, sha256 in drawn_shards(data).items() if (person, sha256) not in known)


def _shard_of(person: PlannedPerson, rendered: Sequence[RenderedSample], encode: EncodeFrames) -> Shard:
    record = person.record
    named = {f"{record.person}-{number:02d}": item for number, item in enumerate(rendered)}
    return Shard(
        subject=record,
        samples={name: encode(item.frames, lossless=False) for name, item in named.items()},
        facial_actions={name: _npy(item.facial_actions) for name, item in named.items()},
        consent_receipts=[event.model_dump(mode="json") for event in synthetic_consents([record.person])],
    )


def _npy(values: NDArray[np.float32]) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, values, allow_pickle=False)
    return buffer.getvalue()
