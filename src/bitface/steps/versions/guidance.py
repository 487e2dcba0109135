"""The last lines of a held or blocked run: what it means, why, what to do next, and how to try the version anyway."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from bitface.gate.cells import State
from bitface.gate.decision import GateDecision
from bitface.gate.kinds import KINDS
from bitface.ledger.status import ModelStatus

_SHOWN: Final = 6
_FIELDS: Final = ("name", "kind", "emotion", "attribute", "slice", "metric", "value", "lo", "hi", "limit", "bound")
_COUNTS: Final = ("n", "persons", "n_needed", "persons_needed", "reason")


def causes_of(decision: GateDecision) -> list[dict[str, Any]]:
    """The required cells that do not pass, as plain values: first those that block, then those left open by too few people."""
    order = {State.FAIL: 0, State.NOT_RUN: 1, State.INSUFFICIENT: 2}
    found = [cell for cell in decision.cells if cell.required and cell.state in order]
    return [
        {"state": cell.state.value} | {name: getattr(cell, name) for name in (*_FIELDS, *_COUNTS)}
        for cell in sorted(found, key=lambda cell: order[cell.state])
    ]


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
    blocking = [one for one in causes if one["state"] != "INSUFFICIENT"]
    shown = blocking or causes
    lines = ["What this means", f"  {_meaning(summary, causes, blocking)}", "", "Why"]
    width = max((len(one["name"]) for one in shown[:_SHOWN]), default=0)
    lines += [f"  {one['name']:<{width}}  {_figure(one)}" for one in shown[:_SHOWN]]
    lines += [f"  and {len(shown) - _SHOWN} more"] if len(shown) > _SHOWN else []
    lines += ["  no required cell was judged"] if not shown else []
    lines += ["", "What to do next", *(f"  - {step}" for step in summary["next_steps"])]
    return "\n".join([*lines, "", "How to try this version anyway", f"  {summary['use']}"])


def _meaning(
    summary: Mapping[str, Any], causes: Sequence[Mapping[str, Any]], blocking: Sequence[Mapping[str, Any]]
) -> str:
    where = f"bitface/{summary['version']}"
    done = "The run completed normally and all results are recorded; this is the gate's decision, not an error."
    if blocking or not causes:
        return f"{done} {where} does not go live, because {_counted(len(blocking), 'required cell')} not pass."
    left = f"too few people were judged to decide {_counted(len(causes), 'required cell', verb='')}"
    if summary["alias"] == "demo":
        return f"{done} No required cell fails, but {left}. So {where} is not the champion; it is the demo, for --purpose demo only."
    return f"{done} {where} does not go live: no required cell fails, but {left}."


def _counted(count: int, what: str, verb: str = "do") -> str:
    plural = f"{what}s" if count != 1 else what
    if not verb:
        return f"{count} {plural}"
    return f"{count} {plural} {verb if count != 1 else 'does'}"


def _figure(cause: Mapping[str, Any]) -> str:
    if cause["value"] is None or cause["limit"] is None or cause["metric"] == "unknown_share":
        return f"{cause['state']}: {cause['reason']}"
    spread = "" if cause["lo"] is None else f" ({cause['lo']:.3f} to {cause['hi']:.3f})"
    people = f", {cause['persons']} people" if cause["persons"] else ""
    figure = f"{cause['state']}: {cause['value']:.3f}{spread}; {cause['bound']} {cause['limit']:.3f} required{people}"
    if cause["state"] != "INSUFFICIENT":
        return figure
    needed = cause["persons_needed"]
    if not cause["persons"]:
        return figure
    return f"{figure}; about {needed} people would decide" if needed else f"{figure}; the value is at the limit"


def _mended(causes: Iterable[Mapping[str, Any]]) -> list[str]:
    """A remedy for each kind of cell that blocks, with its subject, and for each group without people."""
    by_kind: dict[str, list[Mapping[str, Any]]] = {}
    for one in causes:
        if one["state"] == "FAIL":
            by_kind.setdefault(one["kind"], []).append(one)
    steps = [
        KINDS[kind].remedy.format(what=", ".join(dict.fromkeys(_about(one) for one in own)))
        or f"see what {', '.join(one['name'] for one in own)} requires and why it fails"
        for kind, own in by_kind.items()
    ]
    unseen = [
        one for one in causes if one["state"] == "INSUFFICIENT" and one["kind"] == "slice" and one["value"] is None
    ]
    not_run = [f"{one['name']}: {one['reason']}" for one in causes if one["state"] == "NOT-RUN"]
    return [*steps, *not_run, *(one["reason"] for one in unseen)]


def _about(cause: Mapping[str, Any]) -> str:
    named = f"{cause['attribute'].replace('_', ' ')} {cause['slice'].replace('_', ' ')}".strip()
    return cause["emotion"] or named or cause["name"]


def _more_people(causes: Iterable[Mapping[str, Any]], people_judged: int) -> list[str]:
    """How many people would decide the open cells: half of those that more people can decide, and nine in ten."""
    open_ = [one for one in causes if one["state"] == "INSUFFICIENT" and one["persons"] and one["persons_needed"]]
    if not open_ or any(one["state"] == "FAIL" for one in causes):
        return []
    times = sorted(one["persons_needed"] / one["persons"] for one in open_)
    half, most = (math.ceil(people_judged * times[math.ceil(share * len(times)) - 1]) for share in (0.5, 0.9))
    advice = f"judge more than {people_judged} people: about {half} would decide half of the open cells, about {most} nine in ten"
    slices = [one for one in open_ if one["slice"]]
    if not slices:
        return [advice]
    least = min(slices, key=lambda one: one["persons"])
    return [f"{advice}; {_about(least)} had {least['persons']}, and about {least['persons_needed']} would decide it"]
