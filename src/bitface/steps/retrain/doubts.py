"""What somebody should look at before a model learns from a set: pictures that stand under two people, labels that faces contradict.

It advises and stops nothing: a copy may be meant, and a label that looks odd may be right. No face is recognised: two people are
suspected to be one only where they share a picture. Synthetic people are drawn once each and have no copies.
"""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from bitface.counted_words import counted
from bitface.dataset.files import write_atomically
from bitface.dataset.incoming.spreadsheets import write_rows
from bitface.errors import InputError
from bitface.evaluation.intervals import seed_for
from bitface.evaluation.label_noise import doubted, flip_odds, out_of_fold
from bitface.evaluation.multiplicity import holm
from bitface.evaluation.resampling import sums_by_code
from bitface.faces.features import ClipTable
from bitface.faces.measures import measures_of
from bitface.faces.media.near_copies import Copies, near_copies
from bitface.faces.records import SLICE_ATTRIBUTES, is_synthetic
from bitface.gate.slice_gaps import SliceTable, nulls_of, p_values_of
from bitface.gate.unknown import UNKNOWN

REVIEW_NAME: Final = "review.csv"
_COLUMNS: Final = ("sample_id", "why", "other_sample_id", "figure")
_PERMUTATIONS: Final = 1999
_FALSE_ALARMS: Final = 0.01
"""How often clean labels raise a slice, over all slices (Holm): advice that is often wrong is not read."""
_PEOPLE_MIN: Final = 20
_LISTED_FROM: Final = 0.5
"""Odds that a label is wrong from which a doubted one is worth a person's look."""
Slices = Mapping[str, Mapping[str, str]]


@dataclass(frozen=True, kw_only=True)
class ToReview:
    """A sample to look at: `why` in words, the sample whose picture it shares ("" where none), and how sure that is, 0..1."""

    sample_id: str
    why: str
    other_sample_id: str
    figure: float


@dataclass(frozen=True, kw_only=True)
class Doubts:
    """Samples to review, and sentences for whoever runs the gate. The counts are by sample (`contradicting`) and by person."""

    review: tuple[ToReview, ...]
    sentences: tuple[str, ...]
    contradicting: Mapping[str, int]
    in_another_split: Mapping[str, int]
    of_another_person: Mapping[str, int]

    def write(self, folder: Path) -> Path:
        """Keeps the list of samples, ids only, as review.csv in a folder."""
        text = io.StringIO(newline="")
        rows = ((one.sample_id, one.why, one.other_sample_id, f"{one.figure:.3f}") for one in self.review)
        write_rows(text, [_COLUMNS, *rows])
        write_atomically(folder / REVIEW_NAME, text.getvalue().encode())
        return folder / REVIEW_NAME


def doubts_of(table: ClipTable, slices: Slices, seed: int) -> Doubts:
    """Looks at the middle frame of each sample of a table without augmented copies.

    Args:
        table: all samples that were seen.
        slices: person -> attribute -> value.
        seed: of folds and exchanges.
    """
    copies = _copies_of_others(table)
    labels = _labels_in_doubt(table, slices, seed)
    first, second = copies.first, copies.second
    apart = table.splits[first] != table.splits[second]
    differ = table.labels[first] != table.labels[second]
    both = np.concatenate([first, second])
    return Doubts(
        review=(*_review_of(copies, table), *labels.review),
        sentences=(*_words_of(copies, int(apart.sum()), int(differ.sum())), *labels.sentences),
        contradicting=_counts(table.sample_ids[both[np.tile(differ, 2)]]),
        in_another_split=_counts(table.persons[both[np.tile(apart, 2)]]),
        of_another_person=_counts(table.persons[both]),
    )


def _copies_of_others(table: ClipTable) -> Copies:
    """Pairs of samples of two real people that show one picture."""
    # Points have no picture; the same points of two people were refused when they were imported.
    real = np.flatnonzero([not is_synthetic(str(person)) for person in table.persons] & ~table.are_points)
    found = near_copies(table.crops[real, table.lengths[real] // 2])
    first, second = real[found.first], real[found.second]
    others = table.persons[first] != table.persons[second]
    return Copies(first=first[others], second=second[others], alike=found.alike[others])


def _review_of(copies: Copies, table: ClipTable) -> list[ToReview]:
    found = []
    for first, second, alike in zip(copies.first, copies.second, copies.alike, strict=True):
        why = ["the picture of another person"]
        why += ["in another part"] if table.splits[first] != table.splits[second] else []
        why += ["under another label"] if table.labels[first] != table.labels[second] else []
        found.append(
            ToReview(
                sample_id=str(table.sample_ids[first]),
                why=", ".join(why),
                other_sample_id=str(table.sample_ids[second]),
                figure=float(alike),
            )
        )
    return found


def _words_of(copies: Copies, apart: int, differ: int) -> list[str]:
    if not len(copies):
        return []
    return [
        f"{counted(len(copies), 'pair of samples shows', 'pairs of samples show')} one picture under two people, who may be one: "
        f"{counted(apart, 'stands', 'stand')} in two parts, {differ} under two labels; see {REVIEW_NAME} beside the Data Docs"
    ]


@dataclass(frozen=True, kw_only=True)
class _LabelDoubts:
    review: tuple[ToReview, ...]
    sentences: tuple[str, ...]


def _labels_in_doubt(table: ClipTable, slices: Slices, seed: int) -> _LabelDoubts:
    middle = np.arange(len(table)), table.lengths // 2
    features = measures_of(table.blendshapes[middle], table.landmarks[middle], table.quality)
    features = features[:, ~np.isnan(features).any(axis=0)]
    _, labels = np.unique(table.labels, return_inverse=True)
    try:
        likely = out_of_fold(features, labels.astype(np.int64), table.persons, seed_for(seed, "label folds"))
    except InputError as error:
        return _LabelDoubts(review=(), sentences=(f"labels were not held against faces: {error}",))
    odds = flip_odds(likely, labels)
    suspects = np.flatnonzero(doubted(likely, labels) & (odds >= _LISTED_FROM))
    review = tuple(
        ToReview(
            sample_id=str(table.sample_ids[row]),
            why="the face contradicts the label",
            other_sample_id="",
            figure=float(odds[row]),
        )
        for row in suspects[np.argsort(-odds[suspects], kind="stable")]
    )
    return _LabelDoubts(review=review, sentences=slices_with_odd_labels(odds, table.persons, slices, seed))


def slices_with_odd_labels(
    odds: NDArray[np.float64], persons: NDArray[np.str_], slices: Slices, seed: int
) -> tuple[str, ...]:
    """A sentence for each slice whose labels are odder than everybody else's, by exchanging people (Holm over slices).

    `odds` float64 (N,): that a label is wrong; 20 people at least are asked of both sides.
    """
    names, codes = np.unique(persons, return_inverse=True)
    asked = [
        (attribute, value)
        for attribute in SLICE_ATTRIBUTES
        for value in sorted({slices.get(str(name), {}).get(attribute, UNKNOWN) for name in names} - {UNKNOWN})
    ]
    inside = np.array([[slices.get(str(name), {}).get(one) == value for one, value in asked] for name in names])
    enough = [
        column for column in range(len(asked)) if _PEOPLE_MIN <= inside[:, column].sum() <= len(names) - _PEOPLE_MIN
    ]
    if not enough:
        return ()
    sums = sums_by_code(1 - odds, codes, len(names)), sums_by_code(np.ones(len(codes)), codes, len(names))
    people = SliceTable(*sums, inside[:, enough].astype(np.float64))
    nulls = nulls_of(people, [[column] for column in range(len(enough))], _PERMUTATIONS, seed_for(seed, "odd labels"))
    right, others = people.accuracies()[0], people.accuracies()[0] + people.gaps()[0]
    adjusted = holm(p_values_of(people.gaps()[0], nulls.gaps))
    return tuple(
        f"labels of {':'.join(asked[column])} fit their faces less often than all others': about {1 - own:.0%} may be wrong against "
        f"{1 - rest:.0%} (p = {p:.4f}); look at who labelled them and how, see {REVIEW_NAME}"
        for column, own, rest, p in zip(enough, right, others, adjusted, strict=True)
        if p <= _FALSE_ALARMS
    )


def _counts(names: Sequence[str] | NDArray[np.str_]) -> dict[str, int]:
    found, counts = np.unique(np.asarray(names, dtype=np.str_), return_counts=True)
    return dict(zip(found.tolist(), counts.tolist(), strict=True))
