"""Says before anything is computed what cannot be learned from points that came without their pictures."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from bitface.errors import InputError
from bitface.faces.records import Sample
from bitface.params import Params, TrainingParams


def are_points(samples: Iterable[Sample]) -> bool:
    """Whether samples are points without pictures.

    Raises:
        InputError: some are and some are not; a dataset that was imported here is of one kind.
    """
    kinds = {sample.kind == "landmarks" for sample in samples}
    if len(kinds) > 1:
        raise InputError(
            "the dataset holds pictures, and points without pictures; a model reads what all of its people have: import each into a "
            "dataset of its own (BITFACE_DATA=FOLDER)"
        )
    return kinds == {True}


def check_kinds(samples: Iterable[Sample], params: Params) -> None:
    """Raises InputError where points are to be learned from by what needs pictures; the message names the parameter."""
    if not are_points(samples):
        return
    check_pictured({"training.architecture=landmark_net": params.training})
    if params.action_units.enabled:
        raise InputError(
            "action units are read off pictures, and this dataset has points alone; leave them out with --set action_units.enabled=false"
        )


def check_pictured(trainings: Mapping[str, TrainingParams]) -> None:
    """Raises InputError for a training that reads pixels; each is named by the remedy, what to write instead."""
    for remedy, training in trainings.items():
        if training.architecture == "face_net":
            raise InputError(f"a face_net reads pixels, and this dataset has points without pictures; use {remedy}")
