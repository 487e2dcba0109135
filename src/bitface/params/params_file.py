"""Reads params.yaml: one profile applied, then what a command sets, and every mistake named."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, ValidationError

from bitface.documents import Document, Fields
from bitface.errors import InputError
from bitface.hand_written_yaml import line_of, parse_scalar, read_yaml
from bitface.known_words import did_you_mean
from bitface.params.judging_sections import (
    CalibrationParams,
    CounterfactualParams,
    DriftParams,
    EvaluationParams,
    ExplainParams,
    GateParams,
    TransferParams,
)
from bitface.params.network_sections import ActionUnitParams, TrainingParams
from bitface.params.operation_sections import PredictParams, PromotionParams, RetentionParams, ScheduleParams
from bitface.params.people_sections import FeatureParams, QualityParams, SplitParams, SyntheticParams, VideoParams
from bitface.params.section import Section
from bitface.params.study_sections import BenchParams, LatencyParams, StudyParams

Profile = Literal["quick", "default", "full"]
PROFILES: tuple[Profile, ...] = ("quick", "default", "full")


class Params(Section):
    """All of params.yaml, one profile applied."""

    seed: int = Field(ge=0, lt=2**32)
    synthetic: SyntheticParams
    splits: SplitParams
    quality: QualityParams
    features: FeatureParams
    video: VideoParams
    training: TrainingParams
    action_units: ActionUnitParams
    evaluation: EvaluationParams
    calibration: CalibrationParams
    transfer: TransferParams
    study: StudyParams
    latency: LatencyParams
    bench: BenchParams
    predict: PredictParams
    explain: ExplainParams
    counterfactual: CounterfactualParams
    gate: GateParams
    drift: DriftParams
    promotion: PromotionParams
    schedule: ScheduleParams
    retention: RetentionParams


def read_params(path: Path, profile: str = "default", overrides: Sequence[str] = ()) -> Params:
    """Reads params.yaml, applies a profile and then `key.sub=value` overrides (values are YAML scalars).

    Raises:
        InputError: no such file or profile, invalid YAML, another program's file, an unknown key, a value out of range.
    """
    document = _read_document(path)
    profiles = document.pop("profiles")
    if profile not in profiles:
        raise InputError(
            f"unknown profile '{profile}'; {did_you_mean(profile, tuple(profiles))}use one of {', '.join(profiles)}"
        )
    document = _merged(document, profiles[profile] or {})
    for override in overrides:
        document = _merged(document, _override(override))
    try:
        return Params.model_validate(document)
    except ValidationError as error:
        place = "" if overrides else _place_of(error, path, profile)
        raise InputError(f"{path.name}: {_first_of(error)}{place}") from error


def is_own(document: object) -> bool:
    """Whether a params.yaml is bitface's: every DVC project has a file of that name."""
    return isinstance(document, Mapping) and len(_KNOWN & document.keys()) > len(_KNOWN) / 2


def _read_document(path: Path) -> Document:
    if path.is_symlink() and not path.exists():
        raise InputError(
            f"'{path.name}' is a link that leads to no file; correct the link, or set BITFACE_PARAMS to a file"
        )
    if not path.exists():
        raise InputError(
            f"parameter file '{path.name}' does not exist; run from the project's root or set BITFACE_PARAMS"
        )
    if not path.is_file():
        raise InputError(f"'{path.name}' is not a file; run from the project's root or set BITFACE_PARAMS to a file")
    document = read_yaml(path)
    if not is_own(document):
        found = "it is empty" if document is None else "most sections are missing"
        raise InputError(
            f"this {path.name} is not bitface's ({found}); run from a bitface project's root, or set BITFACE_PARAMS"
        )
    profiles = document.get("profiles")
    if not isinstance(profiles, Mapping) or not all(isinstance(one, Mapping | None) for one in profiles.values()):
        raise InputError(f"{path.name}: profiles: give each of {', '.join(PROFILES)} its overrides, or {{}}")
    return dict(document)


_KNOWN = frozenset({*Params.model_fields, "profiles"})


def variant_of(training: TrainingParams, name: str, changes: Fields) -> TrainingParams:
    """The section training with the changes of a study's variant, which may include subsections.

    Raises:
        InputError: a key is unknown or a value out of range.
    """
    try:
        return TrainingParams.model_validate(_merged(training.model_dump(), changes))
    except ValidationError as error:
        raise InputError(f"study.variants: {name}: {_first_of(error)}") from error


def _first_of(error: ValidationError) -> str:
    first = error.errors()[0]
    where = ".".join(str(part) for part in first["loc"])
    if first["type"] == "extra_forbidden":
        return f"{where}: unknown parameter; correct its name, or remove it"
    if first["type"] == "missing":
        return f"{where}: this parameter is missing; copy it from bitface's default params.yaml"
    return f"{where}: {first['msg'].removeprefix('Value error, ')}"


def _place_of(error: ValidationError, path: Path, profile: str) -> str:
    """Where a value of the file was refused, and what it says; empty where it is not one value, or missing."""
    first = error.errors()[0]
    if isinstance(first["input"], Mapping | list | tuple):
        return ""
    lines = (line_of(path, (*above, *first["loc"])) for above in (("profiles", profile), ()))
    line = next(filter(None, lines), None)
    return f"; line {line} says {str(first['input'])[:40]}" if line else ""


def _override(text: str) -> Document:
    key, sign, value = text.partition("=")
    if not sign or not key.strip():
        raise InputError(f"--set '{text}' is not key=value, for example --set training.epochs=10")
    nested: Any = parse_scalar(value, f"--set {key.strip()}")
    for part in reversed(key.strip().split(".")):
        nested = {part: nested}
    return dict(nested)


def _merged(base: Fields, over: Fields) -> Document:
    merged = dict(base)
    for key, value in over.items():
        old = merged.get(key)
        merged[key] = _merged(old, value) if isinstance(old, Mapping) and isinstance(value, Mapping) else value
    return merged
