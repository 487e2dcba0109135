"""The only reader of params.yaml: every number that a user may change is there, and a typo in its name is refused."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from bitface.documents import Document, Fields
from bitface.errors import InputError
from bitface.hand_written_yaml import parse_scalar, read_yaml

Profile = Literal["quick", "default", "full"]
PROFILES: tuple[Profile, ...] = ("quick", "default", "full")
LandmarkChoice = Literal["random", "uniform", "variance", "greedy", "stability"]


class Section(BaseModel):
    """A frozen section of params.yaml; unknown keys are refused, and there are no defaults: the file states every number."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=False)

    def digest(self) -> str:
        """SHA-256 of the section as canonical JSON: the parameters' part of a stage's key."""
        return hashlib.sha256(json.dumps(self.model_dump(mode="json"), sort_keys=True).encode()).hexdigest()


class SyntheticParams(Section):
    training_people: int = Field(ge=10)
    gate_people: int = Field(ge=4)
    emotions: tuple[str, ...] = Field(min_length=2)
    clips_per_emotion: int = Field(ge=1, le=10)
    frames_per_clip: int = Field(ge=3, le=64)
    fps: float = Field(gt=0)
    image_px: int = Field(ge=96, le=1024)
    label_noise: float = Field(ge=0, lt=0.5)
    intensity_min: float = Field(gt=0, le=1)
    action_gain: float = Field(ge=0.5, le=2)
    weak_share: float = Field(ge=0, le=1)
    missing_unit_share: float = Field(ge=0, lt=1)
    blend_share: float = Field(ge=0, le=1)
    speech_share: float = Field(ge=0, le=1)
    asymmetry: float = Field(ge=0, le=0.5)
    habit: float = Field(ge=0, le=0.5)
    shape_spread: float = Field(ge=0, le=1)
    yaw_deg: float = Field(ge=0, le=45)
    pitch_deg: float = Field(ge=0, le=30)
    roll_deg: float = Field(ge=0, le=30)
    glasses_share: float = Field(ge=0, le=0.6)
    other_tone_share: float = Field(ge=0, le=1)
    sensor_noise: float = Field(ge=0, le=0.2)


class SplitParams(Section):
    train: float = Field(gt=0, lt=1)
    validation: float = Field(gt=0, lt=1)
    test: float = Field(gt=0, lt=1)
    cross_fit_below_people: int = Field(ge=0)
    folds: int = Field(ge=3)

    @model_validator(mode="after")
    def _shares_add_up(self) -> SplitParams:
        if abs(self.train + self.validation + self.test - 1) > 1e-9:
            raise ValueError("splits.train + validation + test must be 1")
        return self


class QualityParams(Section):
    faces: int = Field(ge=1, le=1)
    eye_distance_px_min: float
    sharpness_min: float
    brightness_min: float
    brightness_max: float
    yaw_deg_max: float
    admitted_share_min: float = Field(gt=0, le=1)


class FeatureParams(Section):
    upscale_below_px: int = Field(ge=64)
    pad_share: float = Field(ge=0, le=1)
    augmented_copies_clip: int = Field(ge=0)
    augmented_copies_image: int = Field(ge=0)
    augmented_frames_max: int = Field(ge=0)
    people_per_task: int = Field(ge=1)
    workers: int = Field(ge=1)


class VideoParams(Section):
    frames: int = Field(ge=2, le=64)
    window_s: float = Field(gt=0, le=60)
    every_s: float = Field(ge=0.01, le=1)


class LandmarkAugmentation(Section):
    still_share: float = Field(ge=0, le=1)
    frame_dropout: float = Field(ge=0, lt=1)
    mirror_share: float = Field(ge=0, le=1)
    identity_share: float = Field(ge=0, le=1)
    yaw_deg: float = Field(ge=0, le=45)
    pitch_deg: float = Field(ge=0, le=45)
    roll_deg: float = Field(ge=0, le=45)
    scale: float = Field(ge=0, lt=0.5)
    jitter: float = Field(ge=0, le=0.2)


class CropAugmentation(Section):
    mirror_share: float = Field(ge=0, le=1)
    rotation_deg: float = Field(ge=0, le=45)
    scale: float = Field(ge=0, lt=0.5)
    shift: float = Field(ge=0, lt=0.5)
    brightness: float = Field(ge=0, lt=1)
    contrast: float = Field(ge=0, lt=1)
    blur_px: float = Field(ge=0, le=4)
    noise: float = Field(ge=0, lt=0.5)


class FaceAugmentation(CropAugmentation):
    still_share: float = Field(ge=0, le=1)
    frame_dropout: float = Field(ge=0, lt=1)


class FaceNetParams(Section):
    """`pruned`: channels kept per stage after training; None keeps all."""

    channels: int = Field(ge=32, multiple_of=32)
    stages: int = Field(ge=1, le=4)
    blocks: int = Field(ge=1)
    features: int = Field(ge=32, multiple_of=32)
    lstm_units: int = Field(ge=1)
    epochs: int = Field(ge=1)
    one_bit_epochs: int = Field(ge=1)
    batch: int = Field(ge=1)
    learning_rate: float = Field(gt=0)
    weight_decay: float = Field(ge=0)
    augment_copies: int = Field(ge=1)
    dropout: float = Field(ge=0, lt=1)
    pruned: tuple[int, ...] | None
    pruned_epochs: int = Field(ge=1)
    augmentation: FaceAugmentation

    @model_validator(mode="after")
    def _pruned_is_narrower(self) -> FaceNetParams:
        if self.pruned is None:
            return self
        if len(self.pruned) != self.stages:
            raise ValueError(f"pruned names {len(self.pruned)} widths for {self.stages} stages; give one to each stage")
        for stage, (own, most) in enumerate(zip(self.pruned, (self.channels, *self.pruned), strict=False), start=1):
            limit = most if stage == 1 else 2 * most
            if own % 32 or not 32 <= own <= limit:
                raise ValueError(f"{own} channels of stage {stage} in pruned; use a multiple of 32 from 32 to {limit}")
        return self


class RandomParams(Section):
    head: Literal["closed_form", "lstm"]
    landmark_kernels: int = Field(ge=32)
    landmark_taps: int = Field(ge=2, multiple_of=2)
    threshold_codes: int = Field(ge=1)
    face_kernels: int = Field(ge=2, multiple_of=2)
    face_cells: Literal[2, 4, 8, 16]
    copies: int = Field(ge=0)
    ridge: float = Field(gt=0)


class LandmarksParams(Section):
    """Which landmarks a landmark net with trained convolutions reads; 478 are all of them."""

    count: int = Field(ge=8, le=478)
    choice: LandmarkChoice


class TrainingParams(Section):
    architecture: Literal["landmark_net", "face_net"]
    variant: Literal["T-EMO", "R-EMO"]
    heads: Literal["shared", "separate"]
    channels: int = Field(ge=32, multiple_of=32)
    temporal_kernel: int = Field(ge=1)
    binary_layers: int = Field(ge=1)
    lstm_units: int = Field(ge=1)
    stem_components: int = Field(ge=2)
    examples_per_component: float = Field(gt=0)
    landmarks: LandmarksParams
    epochs: int = Field(ge=1)
    batch: int = Field(ge=1)
    learning_rate: float = Field(gt=0)
    weight_decay: float = Field(ge=0)
    warmup_steps: int = Field(ge=0)
    latent_clip: float = Field(gt=0)
    distillation_temperature: float = Field(gt=0)
    distillation_share: float = Field(ge=0, le=1)
    augment_copies: int = Field(ge=1)
    steps_per_epoch_min: int = Field(ge=1)
    dropout: float = Field(ge=0, lt=1)
    real_weights_share: float = Field(ge=0, lt=1)
    threads: int = Field(ge=1)
    augmentation: LandmarkAugmentation
    face_net: FaceNetParams
    r_emo: RandomParams

    @model_validator(mode="after")
    def _separate_nets_differ(self) -> TrainingParams:
        if self.heads == "separate" and self.is_closed_form:
            raise ValueError("closed-form heads are the same whether shared or separate; set training.heads: shared")
        return self

    @model_validator(mode="after")
    def _pruned_nets_are_one(self) -> TrainingParams:
        if self.heads == "separate" and self.architecture == "face_net" and self.face_net.pruned:
            raise ValueError(
                "networks with separate heads cannot be pruned; set training.heads: shared or training.face_net.pruned: null"
            )
        return self

    def recipe(self) -> TrainingParams:
        """The numbers for the chosen architecture: a face net's own replace the shared ones."""
        if self.architecture != "face_net":
            return self
        own = type(self.face_net).model_fields.keys() & type(self).model_fields.keys() - {"augmentation"}
        return self.model_copy(update={name: getattr(self.face_net, name) for name in own})

    def recipe_of(self, precision: str) -> TrainingParams:
        """The numbers of one network of the pair: a one-bit face net trains for longer than the twin it starts from."""
        recipe = self.recipe()
        if (self.architecture, self.variant, precision) != ("face_net", "T-EMO", "one-bit"):
            return recipe
        return recipe.model_copy(update={"epochs": self.face_net.one_bit_epochs})

    def epochs_of(self, precision: str) -> int:
        """Epochs of one network of the pair, including those after pruning."""
        tuned = self.face_net.pruned_epochs if self.pruned and precision == "one-bit" else 0
        return self.recipe_of(precision).epochs + tuned

    @property
    def pruned(self) -> tuple[int, ...] | None:
        """Channels per stage that a trained one-bit net keeps; None if it keeps all, or none is trained."""
        is_trained = self.architecture == "face_net" and self.variant == "T-EMO" and self.heads == "shared"
        return self.face_net.pruned if is_trained else None

    @property
    def chosen_landmarks(self) -> LandmarksParams | None:
        """The subset that a net reads; None for all, and for nets with random kernels or pixel input."""
        is_chosen = self.architecture == "landmark_net" and self.variant == "T-EMO" and self.landmarks.count < 478
        return self.landmarks if is_chosen else None

    @property
    def is_closed_form(self) -> bool:
        """Whether heads are solved in closed form instead of trained in epochs."""
        return self.variant == "R-EMO" and self.r_emo.head == "closed_form"


class ActionUnitParams(Section):
    """`weights`: none, cache, or the path of a .pth or .safetensors file, from the project's root."""

    enabled: bool
    weights: str = Field(min_length=1)
    code: int = Field(ge=1)
    hidden: int = Field(ge=1)
    epochs: int = Field(ge=1)
    frames_per_clip: int = Field(ge=1)
    batch: int = Field(ge=2)
    learning_rate: float = Field(gt=0)
    weight_decay: float = Field(ge=0)
    warmup_share: float = Field(gt=0, lt=1)
    reconstruction_share: float = Field(ge=0)
    shown_from: float = Field(gt=0, lt=1)
    shown_share_min: float = Field(gt=0, lt=1)
    threads: int = Field(ge=1)
    augmentation: CropAugmentation


class EvaluationParams(Section):
    bootstrap_resamples: int = Field(ge=100)
    confidence: float = Field(gt=0.5, lt=1)
    intraclass_correlation: float = Field(ge=0, le=1)
    reliability_bins: int = Field(ge=2, le=50)


class CalibrationParams(Section):
    alpha: float = Field(gt=0, lt=0.5)
    set_size_max: int = Field(ge=1)
    slope_min: float = Field(gt=0, lt=1)


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


class TransferParams(Section):
    london: str | None


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


class PromotionParams(Section):
    approvals_required: int = Field(ge=0, le=5)
    roles: tuple[Literal["engineer", "reviewer", "compliance"], ...]
    demo_is_enough: bool


class ScheduleParams(Section):
    retrain: str
    expire: str
    drift: str
    expire_days: int = Field(ge=0)
    notify: str | None
    lease_s: float = Field(ge=10)
    writer_wait_s: float = Field(ge=0)


class RetentionParams(Section):
    enforce_nightly: bool
    withdrawn_grace_days: int = Field(ge=0, le=30)


class DriftParams(Section):
    method: Literal["ks"]
    threshold: float = Field(gt=0, lt=1)
    permutations: int = Field(ge=999)
    share_max: float = Field(ge=0, lt=1)
    slice_people_min: int = Field(ge=5)
    window_days: int = Field(ge=1)
    window_faces_min: int = Field(ge=20)
    material_distance: float = Field(gt=0, lt=1)
    window_share_max: float = Field(ge=0, lt=1)
    log_days: int = Field(ge=1)


class PredictParams(Section):
    faces_max: int = Field(ge=1, le=100)


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
        raise InputError(f"unknown profile '{profile}'; use one of {', '.join(profiles)}")
    document = _merged(document, profiles[profile] or {})
    for override in overrides:
        document = _merged(document, _override(override))
    try:
        return Params.model_validate(document)
    except ValidationError as error:
        raise InputError(f"{path.name}: {_first_of(error)}") from error


def is_own(document: object) -> bool:
    """Whether a params.yaml is bitface's: every DVC project has a file of that name."""
    return isinstance(document, Mapping) and len(_KNOWN & document.keys()) > len(_KNOWN) / 2


def _read_document(path: Path) -> Document:
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
    return f"{where}: {first['msg']}"


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
