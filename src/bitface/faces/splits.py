"""Splits faces so that no person is in two splits: a face seen in training makes a test score a lie."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType
from typing import Final

from bitface.counted_words import counted
from bitface.errors import InputError
from bitface.faces.records import Sample

OWN_DIGESTS: Final[Mapping[str, str]] = MappingProxyType({})
"""Where the digests of the samples themselves say what they show."""


def split_by_person(
    samples: Sequence[Sample], shares: Mapping[str, float], seed: int, content: Mapping[str, str] = OWN_DIGESTS
) -> tuple[Sample, ...]:
    """Gives every sample without a split that of its person; a split named by the source is honoured.

    People are ordered by a hash of the seed and their pictures, so that one more person moves few others and everyone
    who holds the same pictures gets the same splits; `shares` (split -> share, adding up to 1) cuts that order. `content`
    is sample id -> digest of the picture, where the samples' own do not tell. A person with some samples named and
    others not takes the named split.

    Raises:
        InputError: a person is named in two splits.
    """
    named = named_splits(samples)
    people = [person for person in _hash_order(samples, seed, content) if person not in named]
    assigned: dict[str, str] = {}
    start, share_so_far = 0, 0.0
    for split, share in shares.items():
        share_so_far += share
        stop = round(share_so_far * len(people))
        assigned |= dict.fromkeys(people[start:stop], split)
        start = stop
    splits = assigned | named
    return tuple(replace(sample, split=splits[sample.person]) for sample in samples)


def with_parts_of_source(
    samples: Sequence[Sample], shares: Mapping[str, float], seed: int, content: Mapping[str, str] = OWN_DIGESTS
) -> tuple[tuple[Sample, ...], str]:
    """The parts that a source names, as a run needs them, and a sentence on what was made of them, empty where nothing was.

    The test people of a source that names nobody for the gate judge. Where everybody is named and nobody for validation, a share of the
    training people chooses the model: `shares` (split -> share) tells of how many. Order, seed and content as in `split_by_person`.
    """
    named = named_splits(samples)
    said: list[str] = []
    with_gate = {sample.source for sample in samples if sample.split == "gate"}
    judging = {sample.person for sample in samples if sample.split == "test" and sample.source not in with_gate}
    if judging:
        named |= dict.fromkeys(judging, "gate")
        said.append("its test part judges")
    if len(named) == len({sample.person for sample in samples}) and "validation" not in named.values():
        learning = [person for person in _hash_order(samples, seed, content) if named[person] == "train"]
        count = round(len(learning) * shares["validation"] / (shares["train"] + shares["validation"]))
        named |= dict.fromkeys(learning[:count], "validation")
        choosing = counted(count, "person of its training part chooses", "people of its training part choose")
        said.append(f"it has no validation part, so {choosing} the model")
    if "test" not in named.values() and "validation" in named.values():
        said.append("validation people also calibrate")
    split = tuple(replace(sample, split=named.get(sample.person, sample.split)) for sample in samples)
    return split, f"parts of the source: {'; '.join(said)}" if said else ""


def named_splits(samples: Iterable[Sample]) -> dict[str, str]:
    """The split that the source names for each person; raises InputError where it names two for one person."""
    named: dict[str, set[str]] = {}
    for sample in samples:
        if sample.split:
            named.setdefault(sample.person, set()).add(sample.split)
    torn = sorted(person for person, splits in named.items() if len(splits) > 1)
    if torn:
        both = " and ".join(sorted(named[torn[0]]))
        raise InputError(
            f"{counted(len(torn), 'person is', 'people are')} in two splits (person {torn[0]}: {both}); split by person"
        )
    return {person: next(iter(splits)) for person, splits in named.items()}


def fold_of_people(
    samples: Iterable[Sample], folds: int, seed: int, content: Mapping[str, str] = OWN_DIGESTS
) -> dict[str, int]:
    """A fold 0 to folds - 1 for each person, sizes differing by one at most, for cross-fitting."""
    return {person: position % folds for position, person in enumerate(_hash_order(samples, seed, content))}


def people_by_content(samples: Iterable[Sample], content: Mapping[str, str] = OWN_DIGESTS) -> tuple[str, ...]:
    """The people in an order that depends on their pictures alone.

    Pseudonyms of real people are random on every installation: an order by them would be another run everywhere.
    """
    first = _first_digests(samples, content)
    return tuple(sorted(first, key=lambda person: first[person]))


def _hash_order(samples: Iterable[Sample], seed: int, content: Mapping[str, str]) -> list[str]:
    first = _first_digests(samples, content)
    return sorted(first, key=lambda person: hashlib.sha256(f"{seed}:{first[person][0]}".encode()).digest())


def _first_digests(samples: Iterable[Sample], content: Mapping[str, str]) -> dict[str, tuple[str, str]]:
    """Person -> the smallest digest of a sample; the pseudonym only tells people with the same pictures apart."""
    first: dict[str, tuple[str, str]] = {}
    for sample in samples:
        mine = (content.get(sample.sample_id, sample.sha256), sample.person)
        first[sample.person] = min(first.get(sample.person, mine), mine)
    return first
