"""Decides sample by sample what a run may use: consent and licence first, then the splits by person."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from bitface.consent.admission import Admission, Use, admit_people, consent_snapshot_sha256
from bitface.consent.events import ConsentEvent
from bitface.consent.policy import LicenceRecord, under_licence
from bitface.counted_words import counted
from bitface.errors import RefusedError
from bitface.faces.records import Kind, Sample
from bitface.faces.splits import OWN_DIGESTS, fold_of_people, named_splits, split_by_person, with_parts_of_source
from bitface.params import SplitParams


@dataclass(frozen=True, kw_only=True)
class Quarantined:
    """A sample that a run may not use, and why, in words without ids of subjects."""

    sample_id: str
    reason: str


@dataclass(frozen=True, kw_only=True)
class Members:
    """The samples that a run uses, each with its split, and the admission of each person.

    `folds` is empty unless the set is small: then it maps person -> fold, everyone's split is `train`, and each person
    is judged by models that never saw that person. `content`: sample id -> SHA-256 of what is stored, by which people are put in order.
    """

    samples: tuple[Sample, ...]
    admissions: Mapping[str, Admission]
    consent_snapshot_sha256: str
    quarantined: tuple[Quarantined, ...]
    folds: Mapping[str, int]
    content: Mapping[str, str] = field(default_factory=dict)
    parts: str = ""
    """What was made of the parts that a source names, in a sentence; empty where it names none, or all that are needed."""


def admit_members(
    samples: Sequence[Sample],
    events: Sequence[ConsentEvent],
    licences: Mapping[str, LicenceRecord],
    known_notices: Mapping[str, str],
    purpose: str,
    context: str,
    at: datetime,
) -> tuple[dict[str, Admission], tuple[Quarantined, ...]]:
    """Sample id -> admission of the admitted ones, and the rest with reasons; their counts add up to `samples`."""
    people: dict[Kind, set[str]] = {}
    for sample in samples:
        people.setdefault(sample.kind, set()).add(sample.person)
    consents = {
        kind: admit_people(events, own, Use(purpose=purpose, context=context, kind=kind), at, known_notices)
        for kind, own in people.items()
    }
    admitted: dict[str, Admission] = {}
    refused: list[Quarantined] = []
    for sample in samples:
        answer = under_licence(licences.get(sample.licence_id), consents[sample.kind][sample.person], purpose, context)
        if answer.admitted:
            admitted[sample.sample_id] = answer
        else:
            refused.append(Quarantined(sample_id=sample.sample_id, reason=answer.reason))
    return admitted, tuple(refused)


def choose_members(
    samples: Sequence[Sample],
    admissions: Mapping[str, Admission],
    refused: Sequence[Quarantined],
    params: SplitParams,
    seed: int,
    content: Mapping[str, str] = OWN_DIGESTS,
) -> Members:
    """The members of a run with their splits.

    Raises:
        RefusedError: no one is admitted; the message names the most frequent reason.
        InputError: a person is in two splits.
    """
    kept: Sequence[Sample] = [sample for sample in samples if sample.sample_id in admissions]
    if not kept:
        reasons = Counter(row.reason for row in refused)
        most = reasons.most_common(1)[0][0] if reasons else "the dataset is empty"
        raise RefusedError(
            f"none of {counted(len(samples), 'sample')} may be used: {most}; see `bitface data validate`"
        )
    people = {sample.person for sample in kept}
    usual = {"train": params.train, "validation": params.validation}
    kept, parts = with_parts_of_source(kept, usual, seed, content) if named_splits(kept) else (kept, "")
    named = named_splits(kept)
    folds: dict[str, int] = {}
    if not named and len(people) < params.cross_fit_below_people:
        folds = fold_of_people(kept, params.folds, seed, content)
        split = tuple(replace(sample, split="train") for sample in kept)
    else:
        split = split_by_person(kept, _shares(params, named), seed, content)
    by_person = {sample.person: admissions[sample.sample_id] for sample in kept}
    return Members(
        samples=tuple(sorted(split, key=lambda sample: sample.sample_id)),
        admissions=by_person,
        consent_snapshot_sha256=consent_snapshot_sha256(by_person),
        quarantined=tuple(refused),
        folds=folds,
        content=content,
        parts=parts,
    )


def _shares(params: SplitParams, named: Mapping[str, str]) -> dict[str, float]:
    """The shares of splits where the source does not name them; without gate people, the held-out ones are the gate people."""
    held_out = "test" if "gate" in named.values() else "gate"
    return {"train": params.train, "validation": params.validation, held_out: params.test}
