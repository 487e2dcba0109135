"""Takes names out of evidence before a gate decides: people are numbers, samples digests, and rows lie in an order that a key draws.

What a gate decides depends on the order of people, since it draws them: renamed before, a replay gives the same decision to the last
digit. Names and order are those of one bundle; without the key nobody lines its rows up with another bundle's, or with a list of
people.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from bitface.evaluation.counterfactual import PairedAnswers
from bitface.evaluation.predictions import Predictions
from bitface.gate.evidence import ExplanationEvidence, GateEvidence, RegionEvidence

Token = Callable[[str], str]
"""A keyed digest of a text: nobody without the key tells it, or guesses a text by it."""


def unnamed(evidence: GateEvidence, token: Token) -> GateEvidence:
    """The same evidence of people whom nobody names, in another order."""
    numbers = _numbers(evidence, token)
    return replace(
        evidence,
        one_bit=_predictions(evidence.one_bit, numbers, token),
        twin=_predictions(evidence.twin, numbers, token),
        champion=_predictions(evidence.champion, numbers, token),
        slices={numbers[person]: values for person, values in evidence.slices.items()},
        explanations=tuple(
            _explanation(map_, numbers, _order(f"explanation {index}", len(map_.persons), token))
            for index, map_ in enumerate(evidence.explanations)
        ),
        regions=_regions(evidence.regions, numbers, token),
        counterfactuals=None
        if evidence.counterfactuals is None
        else tuple(_answers(asked, numbers, token) for asked in evidence.counterfactuals),
    )


def sample_token(sample_id: str, token: Token) -> str:
    """What stands for a sample in a bundle."""
    return token(f"sample {sample_id}")


def _numbers(evidence: GateEvidence, token: Token) -> dict[str, str]:
    """Person -> number, as text that sorts as numbers do."""
    columns = [model.persons for model in (evidence.one_bit, evidence.twin, evidence.champion) if model is not None]
    columns += [map_.persons for map_ in evidence.explanations]
    columns += [asked.persons for asked in evidence.counterfactuals or ()]
    columns += [evidence.regions.persons] if evidence.regions is not None else []
    people = {str(person) for column in columns for person in np.unique(column)} | set(evidence.slices)
    drawn = sorted(people, key=lambda person: token(f"person {person}"))
    return {person: f"{number:0{len(str(len(drawn)))}d}" for number, person in enumerate(drawn)}


def _predictions(model: Predictions | None, numbers: Mapping[str, str], token: Token) -> Predictions | None:
    if model is None:
        return None
    tokens = _texts(sample_token(str(name), token) for name in model.sample_ids)
    named = replace(model, sample_ids=tokens, persons=_renamed(model.persons, numbers))
    return named.where(np.argsort(tokens, kind="stable"))


def _explanation(map_: ExplanationEvidence, numbers: Mapping[str, str], order: NDArray[np.intp]) -> ExplanationEvidence:
    return replace(map_, gaps=map_.gaps[order], persons=_renamed(map_.persons, numbers)[order])


def _regions(found: RegionEvidence | None, numbers: Mapping[str, str], token: Token) -> RegionEvidence | None:
    if found is None:
        return None
    order = _order("regions", len(found.persons), token)
    champion = found.champion_expected_share
    return replace(
        found,
        persons=_renamed(found.persons, numbers)[order],
        labels=found.labels[order],
        expected_share=found.expected_share[order],
        expected_area=found.expected_area[order],
        outside_share=found.outside_share[order],
        champion_expected_share=None if champion is None else champion[order],
    )


def _answers(asked: PairedAnswers, numbers: Mapping[str, str], token: Token) -> PairedAnswers:
    order = _order(f"counterfactual {asked.change}", len(asked.persons), token)
    return replace(
        asked,
        persons=_renamed(asked.persons, numbers)[order],
        changed=asked.changed[order],
        shift=asked.shift[order],
    )


def _order(part: str, rows: int, token: Token) -> NDArray[np.intp]:
    return np.argsort(_texts(token(f"{part} {row}") for row in range(rows)), kind="stable")


def _renamed(persons: NDArray[np.str_], numbers: Mapping[str, str]) -> NDArray[np.str_]:
    return _texts(numbers[str(person)] for person in persons)


def _texts(texts: Iterable[str]) -> NDArray[np.str_]:
    return np.array(list(texts), dtype=np.str_)
