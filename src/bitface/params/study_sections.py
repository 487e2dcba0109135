"""Sections of params.yaml about comparisons: variants in a study, speed, and a benchmark against other runtimes."""

from __future__ import annotations

import re
from collections.abc import Mapping

from pydantic import Field, model_validator

from bitface.documents import Fields
from bitface.params.section import Section


class LandmarkStudyParams(Section):
    """`counts` of landmarks to compare with all 478; controls are trained at `control_count`."""

    counts: tuple[int, ...] = Field(min_length=1)
    control_count: int
    seeds: int = Field(ge=1)
    ridge: tuple[float, ...] = Field(min_length=1)
    ranking_steps: int = Field(ge=8)
    ranking_baselines: int = Field(ge=1)

    @model_validator(mode="after")
    def _counts_are_subsets(self) -> LandmarkStudyParams:
        if any(not 8 <= count < 478 for count in self.counts) or self.control_count not in self.counts:
            raise ValueError(f"counts {self.counts} must lie from 8 to 477 and hold control_count {self.control_count}")
        return self


class StudyParams(Section):
    """`variants`: name -> changes to the section training; `fused`: name -> variants whose logits are averaged."""

    folds: int = Field(ge=3)
    seeds: int = Field(ge=1)
    random_draws: int = Field(ge=1)
    workers: int = Field(ge=1)
    reference: str
    landmarks: LandmarkStudyParams
    variants: Mapping[str, Fields]
    fused: Mapping[str, tuple[str, ...]]

    @model_validator(mode="after")
    def _names_are_known(self) -> StudyParams:
        unknown = {name for parts in self.fused.values() for name in parts} | {self.reference}
        if unknown := unknown - set(self.variants):
            raise ValueError(f"study names '{sorted(unknown)[0]}', which is not one of its variants")
        for name in (*self.variants, *self.fused):
            if not re.fullmatch(r"[\w .:/-]+", name, re.ASCII):
                raise ValueError(f"'{name}' is not a valid metric name; use letters, digits, spaces and - _ . : / only")
        return self


class LatencyParams(Section):
    rounds: int = Field(ge=1)
    warmup: int = Field(ge=0)
    attempts: int = Field(ge=1, le=20)
    slowdown_max: float = Field(ge=1)


class BenchParams(Section):
    rounds: int = Field(ge=4)
    warmup: int = Field(ge=0)
    calls: int = Field(ge=1)
    channels: int = Field(ge=32, multiple_of=32)
    calibration_faces: int = Field(ge=1)
    calibration_people: int = Field(ge=1)
    faster_than_torch: float = Field(gt=0)
    faster_than_int8: float = Field(gt=0)
    faster_than_torch_avx2: float = Field(gt=0)
    faster_than_int8_avx2: float = Field(gt=0)
    smaller_backbone: float = Field(gt=0)
    smaller_bundle: float = Field(gt=0)
