"""What the purpose of a run changes: a benchmark compares methods on people of whom little is known, and goes nowhere."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Final

from bitface.counted_words import counted
from bitface.params import GateParams
from bitface.steps.retrain.plan import Run
from bitface.steps.retrain.without_pictures import are_points

UNKNOWN: Final = "unknown"
NO_PICTURES: Final = (
    "points of faces without pictures: sharpness, brightness, blendshapes, copies of pictures and changed faces were "
    "not measured"
)
_NEED_ATTRIBUTES: Final = ("slice", "disparity")


def unknown_attributes(run: Run, judged: Collection[str]) -> tuple[str, ...]:
    """The required attributes of which more judged people than `gate.unknown_share_max` say nothing."""
    slices = run.slices()
    return unknown_of([slices[person] for person in judged], run.params.gate)


def unknown_of(judged: Sequence[Mapping[str, str]], params: GateParams) -> tuple[str, ...]:
    """The same of judged people by their slices, attribute -> value."""
    silent = {name: sum(own.get(name, UNKNOWN) == UNKNOWN for own in judged) for name in params.required_attributes}
    return tuple(name for name, count in silent.items() if count > params.unknown_share_max * len(judged))


def gate_params_of(run: Run, judged: Collection[str]) -> GateParams:
    """What the gate asks of a run. Of a benchmark, cells of attributes that are not known advise; of any other run nothing changes."""
    params = run.params.gate
    return advising(unknown_attributes(run, judged), params) if run.purpose == "benchmark" else params


def advising(unknown: Collection[str], params: GateParams) -> GateParams:
    """What the gate asks of a benchmark where attributes are unknown."""
    known = tuple(name for name in params.required_attributes if name not in unknown)
    if known:
        return params.model_copy(update={"required_attributes": known})
    required = tuple(kind for kind in params.required if kind not in _NEED_ATTRIBUTES)
    return params.model_copy(update={"required": required}) if required else params


def notes_of(run: Run, judged: Collection[str]) -> tuple[str, ...]:
    """What a reader of the result must know of how it was made, in sentences."""
    unknown = unknown_attributes(run, judged) if run.purpose == "benchmark" else ()
    said = [f"purpose {run.purpose}, context {run.context}: never promoted"] if run.purpose != "train" else []
    said += [run.members.parts] if run.members.parts else []
    if unknown:
        said.append(f"{', '.join(unknown)} of the judged people are not known: cells that need them advise")
    licensed = sum(answer.event_id is None for answer in run.members.admissions.values())
    said += (
        [f"{counted(licensed, 'person is', 'people are')} in it by a licence alone, without personal consent"]
        if licensed
        else []
    )
    if are_points(run.members.samples):
        said.append(NO_PICTURES)
    return tuple(said)
