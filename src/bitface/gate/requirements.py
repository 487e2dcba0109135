"""The cells that every model must pass, champion or not: emotions, slices, cost of binarization, speed, maps, consent."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from bitface.errors import InputError
from bitface.evaluation.intervals import (
    Interval,
    effective_n,
    percentile_interval,
    proportion_interval,
    seed_for,
    widened,
    wilson,
)
from bitface.evaluation.predictions import Predictions, problem_with
from bitface.evaluation.resampling import Rows, person_resamples, sums_by_code
from bitface.evaluation.scores import balanced_accuracy_interval, balanced_accuracy_of
from bitface.faces.records import SLICE_ATTRIBUTES
from bitface.gate.cells import (
    Cell,
    CellKind,
    Question,
    State,
    at_least,
    at_most,
    judged,
    not_run,
    slice_question,
    stated,
    too_few,
)
from bitface.gate.evidence import RULES, GateEvidence
from bitface.gate.unknown import UNKNOWN, lowest_mean
from bitface.params import GateParams


def emotion_cells(evidence: GateEvidence, params: GateParams, seed: int) -> Iterator[Cell]:
    """Balanced accuracy of each one-vs-rest decision over all gate people, against the floor."""
    predictions = sound(evidence.one_bit, evidence.emotions)
    weights = person_resamples(predictions.persons, params.bootstrap_resamples, seed_for(seed, "emotion"))
    truth, decided = predictions.truth(), predictions.decisions()
    for column, emotion in enumerate(evidence.emotions):
        question = emotion_question(emotion, params)
        if not 0 < truth[:, column].sum() < len(truth):
            yield not_run(question, f"{int(truth[:, column].sum())} of {len(truth)} gate samples show {emotion}")
            continue
        interval = balanced_accuracy_interval(
            truth[:, column],
            decided[:, column],
            predictions.persons,
            weights,
            params.confidence,
            params.intraclass_correlation,
        )
        yield judged(question, interval, at_least(params.emotion_balanced_accuracy_floor))


def emotion_question(emotion: str, params: GateParams) -> Question:
    """The cell of an emotion over all gate people."""
    return Question(
        name=f"emotion/{emotion}",
        kind="emotion",
        metric="balanced_accuracy",
        emotion=emotion,
        required="emotion" in params.required,
    )


def slice_cells(evidence: GateEvidence, params: GateParams, seed: int) -> Iterator[Cell]:
    """Top-1 accuracy of each slice, then balanced accuracy of each emotion within it, which only advises.

    People of value `unknown` are shown and never required, but a slice passes only if it would with those of them whom the model
    serves worst. A declared value that no gate person has is INSUFFICIENT; an attribute that some people lack altogether is NOT-RUN.

    Raises:
        InputError: predictions that are not sound.
    """
    predictions = sound(evidence.one_bit, evidence.emotions)
    right = predictions.correct().astype(np.float64)
    for attribute in judged_attributes(params):
        question = attribute_question(attribute, params)
        try:
            values = slice_values(predictions, evidence, attribute)
        except InputError as error:
            yield not_run(question, str(error))
            continue
        if (values == UNKNOWN).all():
            yield too_few(question, f"The {attribute} of none of the gate people is known; bring people whose is.")
        if question.required and evidence.rules >= RULES:
            yield _coverage_cell(predictions, values, attribute, params)
        for value in declared_and_found(attribute, values, params):
            inside = values == value
            asked = slice_question("slice", "accuracy", attribute, value, question.required and value != UNKNOWN)
            if not inside.any():
                yield too_few(asked, _no_people(attribute, value))
                continue
            part = predictions.where(inside)
            weights = person_resamples(part.persons, params.bootstrap_resamples, seed_for(seed, asked.name))
            worst = part
            if asked.required and evidence.rules >= RULES:
                worst = predictions.where(at_worst(predictions.persons, right, inside, values == UNKNOWN))
            yield _pooled_cell(part, worst, weights, asked, params)
            yield from _emotions_of_slice(part, weights, asked, params)


def judged_attributes(params: GateParams) -> tuple[str, ...]:
    """The attributes that are required, then those that advise."""
    return tuple(dict.fromkeys((*params.required_attributes, *SLICE_ATTRIBUTES)))


def attribute_question(attribute: str, params: GateParams) -> Question:
    """The cell that stands for an attribute that cannot be looked into."""
    return Question(
        name=f"slice/{attribute}",
        kind="slice",
        metric="accuracy",
        attribute=attribute,
        required="slice" in params.required and attribute in params.required_attributes,
    )


def declared_and_found(attribute: str, values: NDArray[np.str_], params: GateParams) -> list[str]:
    """The values for which a model is meant, and any other that a person has, in the order of their names."""
    return sorted({*np.unique(values).tolist(), *params.required_values.get(attribute, ())})


def slice_values(predictions: Predictions, evidence: GateEvidence, attribute: str) -> NDArray[np.str_]:
    """The value of an attribute for each sample, str (N,). Raises InputError where a person has none."""
    people, codes = np.unique(predictions.persons, return_inverse=True)
    found = [evidence.slices.get(person, {}).get(attribute) or "" for person in people.tolist()]
    values = np.array(found, dtype=np.str_)[codes]
    missing = int((values == "").sum())
    if missing:
        raise InputError(
            f"{missing} of {len(values)} gate samples have no value of '{attribute}'; `unknown` is a value"
        )
    return values


def binarization_cells(evidence: GateEvidence, params: GateParams, seed: int) -> Iterator[Cell]:
    """Macro balanced accuracy that one bit costs against the float twin, paired by person, against what is tolerated."""
    one_bit, twin = paired(evidence.one_bit, evidence.twin, "the float twin")
    sound(twin, one_bit.emotions)
    truth = one_bit.truth()
    if not ((truth.sum(axis=0) > 0) & (truth.sum(axis=0) < len(truth))).all():
        raise InputError(
            "an emotion has no positive or no negative gate sample; macro balanced accuracy does not exist"
        )
    weights = person_resamples(one_bit.persons, params.bootstrap_resamples, seed_for(seed, "binarization"))

    def loss(rows: Rows | None) -> NDArray[np.float64]:
        lost = balanced_accuracy_of(truth, twin.decisions(), rows) - balanced_accuracy_of(
            truth, one_bit.decisions(), rows
        )
        return np.asarray(lost.mean(axis=1))

    people = len(np.unique(one_bit.persons))
    drawn = percentile_interval(
        float(loss(None)[0]), loss(weights), params.confidence, len(truth), people, least=-1.0, most=1.0
    )
    least = unseen_discordance(len(truth), people, params)
    interval = widened(drawn, drawn.value - least, drawn.value + least)
    yield judged(binarization_question(params), interval, at_most(params.binarization_loss_max))


def binarization_question(params: GateParams) -> Question:
    """The cell of the tolerated accuracy loss."""
    return Question(
        name="binarization/loss",
        kind="binarization",
        metric="macro_balanced_accuracy_loss",
        required="binarization" in params.required,
    )


def unseen_discordance(n: int, persons: int, params: GateParams) -> float:
    """Half-width that a paired difference keeps even when two models agree on all n samples: Wilson's bound of none seen.

    Samples of a person count as correlated by `intraclass_correlation`, because agreement everywhere cannot show it.
    """
    independent = n / max(1.0, 1 + (n / persons - 1) * params.intraclass_correlation)
    return wilson(0.0, independent, params.confidence)[1]


def sound(predictions: Predictions | None, emotions: tuple[str, ...] | None = None) -> Predictions:
    """The predictions; raises InputError where they are missing, not sound, or of other emotions than agreed."""
    if predictions is None:
        raise InputError("its predictions are missing; run the evaluation again")
    problem = problem_with(predictions)
    if problem or emotions not in (None, predictions.emotions):
        raise InputError(problem or f"emotions {predictions.emotions} are not the agreed {emotions}")
    return predictions


def paired(one: Predictions | None, other: Predictions | None, name: str) -> tuple[Predictions, Predictions]:
    """Both predictions, sound and of the same samples in the same order; raises InputError otherwise."""
    first, second = sound(one), sound(other)
    same = all(
        np.array_equal(getattr(first, column), getattr(second, column))
        for column in ("sample_ids", "persons", "labels")
    )
    if not same:
        raise InputError(f"{name} was not judged on the same samples in the same order; evaluate both again")
    return first, second


def _coverage_cell(predictions: Predictions, values: NDArray[np.str_], attribute: str, params: GateParams) -> Cell:
    """The share of gate people of whom an attribute is not known: what the data leave out is said, and much of it holds."""
    persons, first = np.unique(predictions.persons, return_index=True)
    unknown = int((values[first] == UNKNOWN).sum())
    share = unknown / len(persons)
    question = Question(
        name=f"coverage/{attribute}",
        kind="slice",
        metric="unknown_share",
        attribute=attribute,
        required=True,
    )
    state = State.PASS if share <= params.unknown_share_max else State.INSUFFICIENT
    interval = Interval(value=share, lo=share, hi=share, n=len(values), persons=len(persons))
    sentence = (
        f"The {attribute} of {unknown} of {len(persons)} gate people ({share:.1%}) is not known; at most {params.unknown_share_max:.0%} is "
        "asked."
    )
    return replace(
        stated(question, interval, at_most(params.unknown_share_max), state, sentence=sentence),
        n_needed=None,
        persons_needed=None,
    )


def _no_people(attribute: str, value: str) -> str:
    return (
        f"No gate person's {attribute} is {value}, so that nothing is known of them: bring people of whom it is, or take it out of "
        f"gate.required_values.{attribute} if the model is not meant for them."
    )


def at_worst(
    persons: NDArray[np.str_], averaged: NDArray[np.float64], inside: NDArray[np.bool_], hidden: NDArray[np.bool_]
) -> NDArray[np.bool_]:
    """The samples of a slice and of those hidden people who would lower the mean of `averaged` most, bool (n,); all columns (n,)."""
    names, first, codes = np.unique(persons, return_index=True, return_inverse=True)
    sums, counts = (sums_by_code(column, codes, len(names)) for column in (averaged, np.ones(len(codes))))
    return lowest_mean(sums, counts, inside[first], hidden[first])[codes]


def _pooled_cell(part: Predictions, worst: Predictions, weights: Rows, question: Question, params: GateParams) -> Cell:
    """Accuracy of a slice against the floor, as it is known and as it would be at worst."""
    pooled = proportion_interval(
        part.correct(), part.persons, weights, params.confidence, params.intraclass_correlation
    )
    hidden = len(np.unique(worst.persons)) - pooled.persons
    if not hidden:
        return judged(question, pooled, at_least(params.slice_accuracy_floor))
    least = float(worst.correct().mean())
    independent = effective_n(worst.correct(), worst.persons, params.intraclass_correlation)
    low = min(pooled.lo - (pooled.value - least), wilson(least, independent, params.confidence)[0])
    note = f" {hidden} people who did not tell may belong to it: at worst it is {least:.3f}."
    return judged(question, widened(pooled, max(0.0, low), pooled.hi), at_least(params.slice_accuracy_floor), note)


def _emotions_of_slice(part: Predictions, weights: Rows, of: Question, params: GateParams) -> Iterator[Cell]:
    truth, decided = part.truth(), part.decisions()
    for column, emotion in enumerate(part.emotions):
        question = replace(of, name=f"{of.name}/{emotion}", metric="balanced_accuracy", emotion=emotion, required=False)
        if not 0 < truth[:, column].sum() < len(truth):
            yield too_few(
                question, f"{int(truth[:, column].sum())} of {len(truth)} samples of the slice show {emotion}."
            )
            continue
        interval = balanced_accuracy_interval(
            truth[:, column],
            decided[:, column],
            part.persons,
            weights,
            params.confidence,
            params.intraclass_correlation,
        )
        yield judged(question, interval, at_least(params.emotion_balanced_accuracy_floor))


def _emotion_questions(evidence: GateEvidence, params: GateParams) -> list[Question]:
    return [emotion_question(emotion, params) for emotion in evidence.emotions or ("none",)]


EMOTION: Final = CellKind(
    name="emotion",
    caption="balanced accuracy",
    cells=emotion_cells,
    questions=_emotion_questions,
    limits=("emotion_balanced_accuracy_floor",),
    remedy="look at the pictures and labels of {what}; then train with more people who show it, or longer (training.epochs)",
)
SLICE: Final = CellKind(
    name="slice",
    caption="accuracy",
    cells=slice_cells,
    questions=lambda _, params: [attribute_question(one, params) for one in judged_attributes(params)],
    limits=("slice_accuracy_floor",),
    remedy="train with more people of {what}: they are few, and the model is wrong too often for them",
    remedy_of_many="the model is wrong too often for {what} although they are as many as others: look at their pictures (light, pose, "
    "sharpness) and labels, or train longer (training.epochs)",
)
BINARIZATION: Final = CellKind(
    name="binarization",
    caption="cost of one bit",
    cells=binarization_cells,
    questions=lambda _, params: [binarization_question(params)],
    limits=("binarization_loss_max",),
    remedy="train longer (training.epochs) or wider (training.channels): one bit costs too much against the float twin",
)
