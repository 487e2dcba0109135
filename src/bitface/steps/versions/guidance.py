"""The last lines of a held or blocked run: what it means, why, what to do next, and how to try the version anyway."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from bitface.counted_words import counted_people
from bitface.gate.cells import Cell, State
from bitface.gate.decision import GateDecision
from bitface.gate.kinds import KINDS
from bitface.ledger.status import ModelStatus
from bitface.steps.versions.shown.cell_text import cell_sentence, is_too_few, outcome_words

_SHOWN: Final = 6
_COLUMNS: Final = 100
_FAR_FEWER: Final = 2
"""A group is small, so that more of its people may help, where the largest of its attribute has more than so many times its people."""
_FIELDS: Final = (
    "name",
    "kind",
    "required",
    "emotion",
    "attribute",
    "slice",
    "metric",
    "value",
    "lo",
    "hi",
    "limit",
    "bound",
    "p_value",
)
_COUNTS: Final = ("n", "persons", "n_needed", "persons_needed", "reason")


def causes_of(decision: GateDecision) -> list[dict[str, Any]]:
    """The required cells that do not pass, as plain values: first those that block, then those left open by too few people.

    `most_persons`: how many people the largest group of the same attribute has, 0 where a cell is not about a group.
    """
    order = {State.FAIL: 0, State.NOT_RUN: 1, State.INSUFFICIENT: 2}
    found = [cell for cell in decision.cells if cell.required and cell.state in order]
    return [
        {"state": cell.state.value, "most_persons": _most_persons(cell, decision)}
        | {name: getattr(cell, name) for name in (*_FIELDS, *_COUNTS)}
        for cell in sorted(found, key=lambda cell: (order[cell.state], cell.name))
    ]


def _most_persons(cell: Cell, decision: GateDecision) -> int:
    alike = [
        one.persons for one in decision.cells if (one.kind, one.attribute) == (cell.kind, cell.attribute) and one.slice
    ]
    return max(alike, default=0) if cell.slice else 0


def next_steps(causes: Sequence[Mapping[str, Any]], status: ModelStatus, people_judged: int, profile: str) -> list[str]:
    """What a user can do after a run of this profile, a sentence each. `people_judged`: the number of held-out people of its version."""
    steps = [*_mended(causes), *_more_people(causes, people_judged)]
    if profile == "quick" and status.evidence == "synthetic":
        steps.append("run the default profile, which trains and judges on more people: `make retrain`")
    return [*steps, f"see every figure: `bitface gate show {status.run_id}`, or `make ui` and then run {status.run_id}"]


def guidance_text(summary: Mapping[str, Any]) -> str:
    """The last lines of a held or blocked run; empty for any other."""
    gate, status = summary["gate"], summary.get("status")
    if gate["decision"] == "promote" or status is None:
        return ""
    causes = gate["causes"]
    meaning = textwrap.wrap(_meaning(summary, causes), _COLUMNS, initial_indent="  ", subsequent_indent="  ")
    lines = ["What this means", *meaning, "", "Why"]
    for one in causes[:_SHOWN]:
        lines += [f"  {one['name']} {one['state']}", *_wrapped(cell_sentence(_as_recorded(one)))]
    if len(causes) > _SHOWN:
        lines.append(f"  and {len(causes) - _SHOWN} more: bitface gate show {summary['run_id']}")
    lines += ["  no required cell was judged"] if not causes else []
    lines += ["", "What to do next"]
    for step in summary["next_steps"]:
        lines += textwrap.wrap(step, _COLUMNS, initial_indent="  - ", subsequent_indent="    ", break_on_hyphens=False)
    return "\n".join([*lines, "", "How to try this version anyway", f"  {summary['use']}"])


def _wrapped(sentence: str) -> list[str]:
    return textwrap.wrap(sentence, _COLUMNS, initial_indent="      ", subsequent_indent="      ")


def _as_recorded(cause: Mapping[str, Any]) -> Mapping[str, Any]:
    """A cause with the fields that summaries of earlier versions lack."""
    return {"required": True, "p_value": None, "most_persons": 0, **cause}


def _meaning(summary: Mapping[str, Any], causes: Sequence[Mapping[str, Any]]) -> str:
    where = f"bitface/{summary['version']}"
    done = "The run completed normally and all results are recorded; this is the gate's decision, not an error."
    outcome = outcome_words([one["state"] for one in causes])
    if any(one["state"] != "INSUFFICIENT" for one in causes):
        return f"{done} {where} does not go live: {outcome}."
    if not causes:
        return f"{done} {where} does not go live, because nothing that is required was judged."
    left = f"No required cell fails, but {outcome}, most often because too few people were judged."
    if summary["alias"] == "demo":
        return f"{done} {left} So {where} is not the champion; it is the demo, for --purpose demo only."
    return f"{done} {left} {where} does not go live."


def _mended(causes: Iterable[Mapping[str, Any]]) -> list[str]:
    """A remedy for each kind of cell that blocks, with its subject, and for each group without people."""
    by_kind: dict[str, list[Mapping[str, Any]]] = {}
    for one in causes:
        if one["state"] == "FAIL":
            by_kind.setdefault(one["kind"], []).append(one)
    steps = [step for kind, own in by_kind.items() for step in _remedies(kind, own)]
    unseen = [
        one for one in causes if one["state"] == "INSUFFICIENT" and one["kind"] == "slice" and one["value"] is None
    ]
    not_run = [f"{one['name']}: {one['reason']}" for one in causes if one["state"] == "NOT-RUN"]
    return [*steps, *not_run, *(cell_sentence(one) for one in unseen)]


def _remedies(kind: str, causes: Sequence[Mapping[str, Any]]) -> list[str]:
    """What mends these cells: more people only where they are fewer than others."""
    few = [one for one in causes if not one["slice"] or _FAR_FEWER * one["persons"] < one["most_persons"]]
    enough = [one for one in causes if one not in few]
    asked = [(KINDS[kind].remedy, few), (KINDS[kind].remedy_of_many or KINDS[kind].remedy, enough)]
    return [
        remedy.format(what=", ".join(dict.fromkeys(_about(one) for one in own)))
        or f"see what {', '.join(one['name'] for one in own)} requires and why it fails"
        for remedy, own in asked
        if own
    ]


def _about(cause: Mapping[str, Any]) -> str:
    named = f"{cause['attribute'].replace('_', ' ')} {cause['slice'].replace('_', ' ')}".strip()
    return cause["emotion"] or named or cause["name"]


def _more_people(causes: Iterable[Mapping[str, Any]], people_judged: int) -> list[str]:
    """How many people would decide the open cells: half of those that more people can decide, and nine in ten."""
    open_ = [
        one
        for one in causes
        if one["state"] == "INSUFFICIENT" and one["persons"] and one["persons_needed"] and not is_too_few(one)
    ]
    if not open_:
        return []
    times = sorted(one["persons_needed"] / one["persons"] for one in open_)
    half, most = (math.ceil(people_judged * times[math.ceil(share * len(times)) - 1]) for share in (0.5, 0.9))
    advice = f"judge more than {counted_people(people_judged)}: about {half} would decide half of the open cells, about {most} nine in ten"
    slices = [one for one in open_ if one["slice"]]
    if not slices:
        return [advice]
    least = min(slices, key=lambda one: one["persons"])
    return [f"{advice}; {_about(least)} had {least['persons']}, and about {least['persons_needed']} would decide it"]
