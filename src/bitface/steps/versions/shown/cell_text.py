"""A gate's cells in words for a reader: short, with each count once. A bundle keeps its own sentences, since a replay compares them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from bitface.counted_words import counted, counted_people
from bitface.documents import Fields

_WIDE: Final = 1.0
_FEW: Final = 5
"""An interval as wide as that, or of fewer people, says nothing but that there are too few."""
_OPEN: Final = "INSUFFICIENT"
_ORDER: Final[Mapping[str, int]] = {"FAIL": 0, "NOT-RUN": 1, _OPEN: 2, "PASS": 3}
_OWN_WORDS: Final = ("latency", "consent", "drift", "window", "counterfactual")
_HIDDEN: Final = re.compile(r" (\d+) people (?:who )?did not tell.*: at worst it is ([+-]?\d\.\d+)\.$")
_RULED_OUT: Final = re.compile(r"is asked, and that (\d\.\d+) be ruled out\.")
"""What a bundle's sentences alone say, and no field of a cell: who may be in a slice too, and what its interval must leave out."""


def outcome_words(states: Sequence[str]) -> str:
    """How many required cells do not pass, and why: the same words wherever a decision is shown. `states` are of those cells."""
    if not states:
        return "every required cell passes"
    parts = [
        (states.count("FAIL"), "fails", "fail"),
        (states.count("NOT-RUN"), "could not be judged", "could not be judged"),
        (states.count(_OPEN), "is undecided", "are undecided"),
    ]
    parts_in_words = ", ".join(counted(count, one, many) for count, one, many in parts if count)
    return f"{counted(len(states), 'required cell')} {'does' if len(states) == 1 else 'do'} not pass: {parts_in_words}"


def worst_first(cells: Iterable[Fields]) -> list[Fields]:
    """Required cells first, in each part by state, worst first, then by name."""
    return sorted(cells, key=lambda cell: (not cell["required"], _ORDER[cell["state"]], cell["name"]))


def open_states(cells: Iterable[Fields]) -> list[str]:
    """The states of the required cells that do not pass."""
    return [cell["state"] for cell in cells if cell["required"] and cell["state"] != "PASS"]


def cell_sentence(cell: Fields) -> str:
    """What was measured, what is required, and how many people would decide it. `cell` as in a gate's document."""
    if cell["value"] is None:
        return _without_figure(cell)
    if _speaks_for_itself(cell):
        return str(cell["reason"])
    return "; ".join([_figure(cell), *_required(cell), *_at_worst(cell), *_needed(cell)])


def reason_sentences(cells: Iterable[Fields]) -> tuple[str, ...]:
    """Each required cell that does not pass, worst first, with its sentence."""
    shown = [cell for cell in worst_first(cells) if cell["required"] and cell["state"] != "PASS"]
    return tuple(f"{cell['name']} {cell['state']}: {cell_sentence(cell)}" for cell in shown)


def _speaks_for_itself(cell: Fields) -> bool:
    """A figure of everything, or with a unit, of which a bundle's own sentence says most."""
    return cell["kind"] in _OWN_WORDS or cell["metric"] == "unknown_share" or "completeness" in cell["metric"]


def _without_figure(cell: Fields) -> str:
    attribute, value = cell["attribute"], cell["slice"]
    if cell["state"] == "NOT-RUN" or not attribute:
        return str(cell["reason"])
    if not value:
        return f"the {attribute} of no one who was judged is known; import people whose {attribute} is known"
    if "difference" in cell["metric"] or "gap" in cell["metric"]:
        return "too few people to compare: at least 2 are needed in this group, and 2 outside it"
    if cell["emotion"] or "+" in attribute:
        return f"too few people: {_lowered(cell['reason'])}"
    return (
        f"no one who was judged has {attribute} {value}; import such people, or take {value} out of "
        f"gate.required_values.{attribute} if the model is not meant for them"
    )


def _lowered(sentence: str) -> str:
    return sentence[:1].lower() + sentence[1:].rstrip(".")


def _figure(cell: Fields) -> str:
    if is_too_few(cell):
        return f"too few people: {cell['persons']}, whose {_number(cell, 'value')} says nothing yet"
    whose = f", {counted_people(cell['persons'])}" if cell["persons"] else f", {cell['n']} measurements"
    behind = " behind all others" if cell["metric"] == "accuracy_gap" else ""
    chance = f", p = {cell['p_value']:.4f}" if cell["p_value"] is not None and cell["state"] == "FAIL" else ""
    return f"{_number(cell, 'value')}{behind} ({_number(cell, 'lo')} to {_number(cell, 'hi')}{chance}){whose}"


def is_too_few(cell: Fields) -> bool:
    """Whether a cell's figure says nothing but that there are too few people."""
    if cell["state"] != _OPEN or cell["lo"] is None or not cell["persons"]:
        return False
    return bool(cell["persons"] < _FEW or cell["hi"] - cell["lo"] >= _WIDE)


def _number(cell: Fields, field: str) -> str:
    signed = "gap" in cell["metric"] or "difference" in cell["metric"] or "loss" in cell["metric"]
    return f"{cell[field]:+.3f}" if signed else f"{cell[field]:.3f}"


def _required(cell: Fields) -> list[str]:
    if cell["limit"] is None:
        return []
    if cell["metric"] == "expected_share_difference" and cell["slice"]:
        return [f"at most {abs(cell['limit']):.3f} either way required"]
    wide = _RULED_OUT.search(cell["reason"])
    beside = f", with an upper end of at most {float(wide[1]):.3f}" if wide else ""
    return [f"{cell['bound']} {cell['limit']:.3f} required{beside}"]


def _at_worst(cell: Fields) -> list[str]:
    found = _HIDDEN.search(cell["reason"])
    if found is None or is_too_few(cell):
        return []
    return [f"at worst {found[2]}, with {counted_people(int(found[1]))} whose {cell['attribute']} is unknown"]


def _needed(cell: Fields) -> list[str]:
    if cell["state"] != _OPEN or not cell["persons"] or (is_too_few(cell) and "gap" in cell["metric"]):
        return []
    if cell["persons_needed"]:
        return [f"about {counted_people(cell['persons_needed'])} would decide it"]
    return ["the value is at the limit, so more people alone would not decide it"]
