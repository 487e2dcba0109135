"""Synthetic people stand in until real ones are imported: nobody means to train on both, only because a retrain came first."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from bitface.consent.policy import LicenceRecord
from bitface.faces.records import Sample, is_synthetic


@dataclass(frozen=True, kw_only=True)
class Staying:
    """What of the dataset stays when people are imported, and how many synthetic people make room for them."""

    samples: Mapping[str, Sample]
    licences: Mapping[str, LicenceRecord]
    replaced: int = 0


def staying(samples: Mapping[str, Sample], licences: Mapping[str, LicenceRecord], keeps_synthetic: bool) -> Staying:
    """Everything; of a dataset of synthetic people alone nothing, unless asked to keep them."""
    people = {sample.person for sample in samples.values()}
    if keeps_synthetic or not people or not all(map(is_synthetic, people)):
        return Staying(samples=samples, licences=licences)
    return Staying(samples={}, licences={}, replaced=len(people))
