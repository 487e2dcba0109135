"""Matplotlib: every picture that a reviewer sees, drawn with one style and no real face. Start at `style.py`."""

from bitface.adapters.figures.bench import bench_figure
from bitface.adapters.figures.drift import drift_figure
from bitface.adapters.figures.evaluation import (
    confusion_figure,
    coverage_figure,
    latency_figure,
    reliability_figure,
    roc_figure,
    slice_figure,
    unit_figure,
)
from bitface.adapters.figures.explanation import (
    attribution_figure,
    crop_figure,
    landmark_ranking_figure,
    region_figure,
)
from bitface.adapters.figures.landmarks import importance_figure, reduction_figure
from bitface.adapters.figures.overview import overview_figure
from bitface.adapters.figures.study import study_figure, trade_figure
from bitface.adapters.figures.style import caption_of, drawable

__all__ = [
    "attribution_figure",
    "bench_figure",
    "caption_of",
    "confusion_figure",
    "coverage_figure",
    "crop_figure",
    "drawable",
    "drift_figure",
    "importance_figure",
    "landmark_ranking_figure",
    "latency_figure",
    "overview_figure",
    "reduction_figure",
    "region_figure",
    "reliability_figure",
    "roc_figure",
    "slice_figure",
    "study_figure",
    "trade_figure",
    "unit_figure",
]
