"""Sections of params.yaml about networks: their shape, what they read, and how they are trained."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from bitface.params.section import Section

LandmarkChoice = Literal["random", "uniform", "variance", "greedy", "stability"]


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
