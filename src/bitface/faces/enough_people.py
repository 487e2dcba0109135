"""Says before anything is computed whether there are people enough to train a model, to choose it and to judge it."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence

from bitface.counted_words import counted, counted_people
from bitface.errors import InputError
from bitface.faces.records import Sample

NEEDED = ("train", "validation", "gate")
_JUDGES = " (where a source names no gate, its test part judges)"


def check_enough(samples: Sequence[Sample], folds: Mapping[str, int], fold_count: int) -> None:
    """Refuses people of whom no model could be made; `folds` maps person -> fold where a small set is judged out of fold, else is empty.

    A model learns an emotion where both training and validation people show it and something else. Out of fold, each fold in turn is
    judged and the next one is validation, so that every fold needs a person, and the same emotions. The fewest are then as many people
    as folds, each showing the same two emotions.

    Raises:
        InputError: too few people, a split without anyone, or no emotion that can be learned, chosen and judged.
    """
    if folds:
        _check_folds(samples, folds, fold_count)
    else:
        _check_splits(samples)


def _check_folds(samples: Sequence[Sample], folds: Mapping[str, int], count: int) -> None:
    people = len(folds)
    if people < count:
        raise InputError(
            f"{counted_people(people)} may be used, but training needs at least {count} (one for each of {counted(count, 'fold')}, "
            f"each with at least two emotions); import {count - people} more with their consent"
        )
    parts = [[sample for sample in samples if folds[sample.person] == fold] for fold in range(count)]
    learned = []
    for fold in range(count):
        checked = (fold + 1) % count
        rest = [sample for other in range(count) if other not in (fold, checked) for sample in parts[other]]
        learned.append(_shown_apart(rest) & _shown_apart(parts[checked]))
    everywhere, somewhere = frozenset.intersection(*learned), frozenset.union(*learned)
    torn = sorted(somewhere - everywhere, key=lambda emotion: (_showing(samples, emotion), emotion))
    if torn:
        raise InputError(
            f"{torn[0]} is shown by {_showing(samples, torn[0])} of {counted_people(people)}, and each of "
            f"{counted(count, 'fold')} needs at least one person who shows it, and something else in the same fold; import more people "
            "who show it, or leave out its pictures"
        )
    if not everywhere:
        raise InputError(_too_few_emotions(samples, f"each of {counted(count, 'fold')}"))


def _check_splits(samples: Sequence[Sample]) -> None:
    parts = {name: [sample for sample in samples if sample.split == name] for name in NEEDED}
    counts = ", ".join(f"{len({sample.person for sample in part})} in {name}" for name, part in parts.items())
    empty = [name for name, part in parts.items() if not part]
    if empty:
        raise InputError(
            f"of {counted_people(len({sample.person for sample in samples}))} who may be used there are {counts}, and each needs one at "
            f"least; import more people for {' and '.join(empty)}{_JUDGES if 'gate' in empty else ''}, or leave the column split out"
        )
    if not frozenset.intersection(*(_shown_apart(part) for part in parts.values())):
        raise InputError(_too_few_emotions(samples, "each of train, validation and gate") + f" ({counts})")


def _too_few_emotions(samples: Iterable[Sample], where: str) -> str:
    shown = sorted({sample.label for sample in samples})
    return (
        f"{counted(len({sample.person for sample in samples}), 'person shows', 'people show')} {', '.join(shown)}, and no two emotions are "
        f"shown in {where}; "
        "import pictures in which the same people show a second one"
    )


def _shown_apart(samples: Collection[Sample]) -> frozenset[str]:
    """The emotions that some samples show and others do not."""
    shown = frozenset(sample.label for sample in samples)
    return shown if len(shown) > 1 else frozenset()


def _showing(samples: Iterable[Sample], emotion: str) -> int:
    return len({sample.person for sample in samples if sample.label == emotion})
