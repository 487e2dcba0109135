"""Sections of params.yaml about people and their pictures: which are rendered, split, admitted and seen."""

from __future__ import annotations

from pydantic import Field, model_validator

from bitface.params.section import Section


class SyntheticParams(Section):
    training_people: int = Field(ge=10, le=100_000)
    gate_people: int = Field(ge=4, le=100_000)
    emotions: tuple[str, ...] = Field(min_length=2)
    clips_per_emotion: int = Field(ge=1, le=10)
    frames_per_clip: int = Field(ge=3, le=64)
    fps: float = Field(gt=0, le=1000)
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
