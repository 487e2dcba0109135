"""The only reader of params.yaml: every number that a user may change is there, and a typo in its name is refused.

A module for each group of sections, and `params_file` for the file as a whole.
"""

from __future__ import annotations

from bitface.params.judging_sections import (
    CalibrationParams,
    CounterfactualParams,
    DriftParams,
    EvaluationParams,
    ExplainParams,
    GateKind,
    GateParams,
    TransferParams,
)
from bitface.params.network_sections import (
    ActionUnitParams,
    CropAugmentation,
    FaceAugmentation,
    FaceNetParams,
    LandmarkAugmentation,
    LandmarkChoice,
    LandmarksParams,
    RandomParams,
    TrainingParams,
)
from bitface.params.operation_sections import PredictParams, PromotionParams, RetentionParams, ScheduleParams
from bitface.params.params_file import PROFILES, Params, Profile, is_own, read_params, variant_of
from bitface.params.people_sections import FeatureParams, QualityParams, SplitParams, SyntheticParams, VideoParams
from bitface.params.section import Section
from bitface.params.study_sections import BenchParams, LandmarkStudyParams, LatencyParams, StudyParams

__all__ = [
    "PROFILES",
    "ActionUnitParams",
    "BenchParams",
    "CalibrationParams",
    "CounterfactualParams",
    "CropAugmentation",
    "DriftParams",
    "EvaluationParams",
    "ExplainParams",
    "FaceAugmentation",
    "FaceNetParams",
    "FeatureParams",
    "GateKind",
    "GateParams",
    "LandmarkAugmentation",
    "LandmarkChoice",
    "LandmarkStudyParams",
    "LandmarksParams",
    "LatencyParams",
    "Params",
    "PredictParams",
    "Profile",
    "PromotionParams",
    "QualityParams",
    "RandomParams",
    "RetentionParams",
    "ScheduleParams",
    "Section",
    "SplitParams",
    "StudyParams",
    "SyntheticParams",
    "TrainingParams",
    "TransferParams",
    "VideoParams",
    "is_own",
    "read_params",
    "variant_of",
]
