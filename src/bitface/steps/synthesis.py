"""Synthetic adults as a dataset: rendered whole before it takes the place of the one that was there."""

from __future__ import annotations

import io
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bitface.consent.known_sources import SYNTHETIC_LICENCE, synthetic_consents
from bitface.dataset.keys import KeyStore, is_synthetic
from bitface.dataset.shards import Shard, write_shard
from bitface.errors import InputError
from bitface.faces.records import Sample
from bitface.params import SyntheticParams
from bitface.ports import EncodeFrames, RenderPeople, Report
from bitface.steps.contents import sample_of, write_lists
from bitface.steps.writing import Change, Versioning, Writer


@dataclass(frozen=True, kw_only=True)
class Synthesised:
    """What was rendered, the digest of its manifest, and its version in DVC, None where it has none."""

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
    """Renders synthetic adults as the dataset, which takes the place of the one before when it is complete.

    Raises:
        InputError: the one before holds real people, who would be lost.
    """
    data = writer.stores.data
    real = sum(not is_synthetic(path.stem) for path in (data / "shards").glob("?" * 16 + ".*"))
    if real:
        raise InputError(
            f"the dataset here holds {real} real people, who would be lost; name a new folder with --out, or another BITFACE_DATA"
        )
    rendered: list[Sample] = []
    change = Change(fill=lambda folder: rendered.extend(_render(folder, synthesis)), versioning=versioning)
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
        record = person.record
        names = [f"{record.person}-{number:02d}" for number in range(len(rendered))]
        plain = {
            name: synthesis.encode(item.frames, lossless=False) for name, item in zip(names, rendered, strict=True)
        }
        actions = {name: _npy(item.facial_actions) for name, item in zip(names, rendered, strict=True)}
        receipts = [event.model_dump(mode="json") for event in synthetic_consents([record.person])]
        shard = Shard(subject=record, samples=plain, facial_actions=actions, consent_receipts=receipts)
        write_shard(folder, shard, keys.key_of(record.person))
        for (name, media), item in zip(plain.items(), rendered, strict=True):
            sample = sample_of(name, record.person, media, item.label, len(item.frames), params.fps)
            samples.append(replace(sample, split="gate" if person.role == "gate" else ""))
        synthesis.report("rendering synthetic adults", done, people)
    write_lists(folder, samples, [SYNTHETIC_LICENCE])
    return samples


def _npy(values: NDArray[np.float32]) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, values, allow_pickle=False)
    return buffer.getvalue()
