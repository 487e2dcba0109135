"""Sections of params.yaml about judging a version: its figures, its explanations, drift, and the limits of the gate."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from bitface.params.section import Section


class EvaluationParams(Section):
    bootstrap_resamples: int = Field(ge=100)
    confidence: float = Field(gt=0.5, lt=1)
    intraclass_correlation: float = Field(ge=0, le=1)
    reliability_bins: int = Field(ge=2, le=50)


class CalibrationParams(Section):
    alpha: float = Field(gt=0, lt=0.5)
    set_size_max: int = Field(ge=1)
    slope_min: float = Field(gt=0, lt=1)


class TransferParams(Section):
    london: str | None


class ExplainParams(Section):
    ig_steps: int = Field(ge=8)
    ig_steps_max: int = Field(ge=8)
    ig_gap: float = Field(gt=0, lt=1)
    ig_orders: int = Field(ge=2, multiple_of=2)
    ig_copies: int = Field(ge=1)
    ig_noise: float = Field(ge=0)
    samples: int = Field(ge=1)
    crop_samples: int = Field(ge=1)
    region_samples: int = Field(ge=1)
    crop_region_samples: int = Field(ge=1)
    path_steps: int = Field(ge=2)
    random_orders: int = Field(ge=1)
    perturbed: int = Field(ge=1)
    perturbation: float = Field(gt=0)
    clip_frames: int = Field(ge=1, le=64)


class CounterfactualParams(Section):
    people: int = Field(ge=2)


GateKind = Literal[
    "emotion",
    "slice",
    "disparity",
    "binarization",
    "latency",
    "explanation",
    "consent",
    "drift",
    "window",
    "counterfactual",
    "champion",
]


class GateParams(Section):
    context: str
    confidence: float = Field(gt=0.5, lt=1)
    alpha: float = Field(gt=0, lt=0.5)
    bootstrap_resamples: int = Field(ge=200)
    permutations: int = Field(ge=999)
    intraclass_correlation: float = Field(ge=0, le=1)
    required: tuple[GateKind, ...] = Field(min_length=1)
    required_attributes: tuple[str, ...] = Field(min_length=1)
    required_values: dict[str, tuple[str, ...]]
    unknown_share_max: float = Field(ge=0, lt=1)
    emotion_balanced_accuracy_floor: float = Field(gt=0, lt=1)
    slice_accuracy_floor: float = Field(gt=0, lt=1)
    disparity_max: float = Field(gt=0, lt=1)
    disparity_open_max: float = Field(gt=0, lt=1)
    disparity_power: float = Field(ge=0.5, lt=1)
    binarization_loss_max: float = Field(gt=0, lt=1)
    champion_margin: float = Field(gt=0, lt=1)
    champion_slice_margin: float = Field(gt=0, lt=1)
    latency_p50_budget_ms: float = Field(gt=0)
    latency_p95_budget_ms: float = Field(gt=0)
    latency_samples_min: int = Field(ge=20)
    explanation_gap_max: float = Field(gt=0, lt=1)
    explanation_outside_max: float = Field(gt=0, lt=1)
    explanation_mass_ratio_min: float = Field(gt=0)
    explanation_slice_margin: float = Field(gt=0, lt=1)
    explanation_champion_margin: float = Field(gt=0, lt=1)
    counterfactual_changed_max: float = Field(gt=0, lt=1)
    counterfactual_shift_max: float = Field(gt=0)


class DriftParams(Section):
    method: Literal["ks"]
    threshold: float = Field(gt=0, lt=1)
    permutations: int = Field(ge=999)
    share_max: float = Field(ge=0, lt=1)
    slice_people_min: int = Field(ge=5)
    window_days: int = Field(ge=1, le=36_500)
    window_faces_min: int = Field(ge=20)
    material_distance: float = Field(gt=0, lt=1)
    window_share_max: float = Field(ge=0, lt=1)
    log_days: int = Field(ge=1, le=36_500)
