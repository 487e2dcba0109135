"""Says which part of the face the scores rest on, for the one-bit model and its twin, and how much a map leaves unexplained."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from bitface.dataset.files import write_atomically
from bitface.dataset.keys import KeyStore
from bitface.explain.attributions import (
    Attribution,
    AttributionSummary,
    gradient_of,
    integrated_gradients,
    mean_face,
    refined,
    summarise,
)
from bitface.faces.alignment import nearest_landmarks
from bitface.faces.features import ClipTable
from bitface.faces.regions import REGIONS
from bitface.ports import Report
from bitface.steps.featurise import FeatureRef, originals
from bitface.steps.plan import Run
from bitface.steps.train import PRECISIONS, Trained, run_table, with_folds
from bitface.steps.validate import Validation

if TYPE_CHECKING:
    from bitface.training.trained import TrainedModel


@dataclass(frozen=True, kw_only=True)
class Explained:
    """Maps of both models on the same samples. `persons` str (N,) are pseudonyms; no landmark of anybody is kept."""

    attributions: Mapping[str, Attribution]
    summaries: Mapping[str, AttributionSummary]
    persons: NDArray[np.str_]

    def gaps(self, precision: str) -> NDArray[np.float64]:
        """Per sample, float64 (N,), see `Attribution.sample_gaps`."""
        return self.attributions[precision].sample_gaps()

    def figures(self) -> dict[str, float]:
        """Name -> figure, for the summary and the tracking store."""
        figures: dict[str, float] = {}
        for precision in PRECISIONS:
            summary, suffix = self.summaries[precision], precision.replace("-", "_")
            figures[f"ig_gap_median_{suffix}"] = float(np.median(self.gaps(precision)))
            figures[f"ig_gap_max_{suffix}"] = float(self.gaps(precision).max())
            for emotion, mass, area in zip(summary.emotions, summary.expected_mass, summary.expected_area, strict=True):
                if mass is not None and area:
                    figures[f"{emotion}_expected_mass_over_area_{suffix}"] = mass / area
        figures["ig_gap_median"] = figures["ig_gap_median_float"]
        return {name: round(value, 6) for name, value in figures.items()}

    def sentence(self) -> str:
        """One line for the summary."""
        median = {precision: float(np.median(self.gaps(precision))) for precision in PRECISIONS}
        return (
            f"integrated gradients at {self.summaries['float'].steps_in_words} leave {median['float']:.1%} of the twin's "
            f"logits unexplained (median), {median['one-bit']:.0%} of the one-bit model's: its maps are approximate, not additive"
        )


def explain_models(
    run: Run, models: Trained, features: Sequence[FeatureRef], validation: Validation, keys: KeyStore, report: Report
) -> Explained:
    """Attributions of samples that were not trained on, compared with the mean landmarks of training people."""
    from bitface.training.loop import load_model

    pair = {precision: load_model(models.folder / precision) for precision in PRECISIONS}
    reads = pair["one-bit"].network.reads
    table = originals(run_table(run, features, validation, keys))
    if run.members.folds:
        table = with_folds(table, run.members.folds, judged=None, validation=0)
    params = run.params.explain
    shown = spread_over_labels(
        table.of_split("validation" if run.members.folds else "gate"),
        params.samples if reads == "landmarks" else params.crop_samples,
    )
    taught = table.of_split("train")
    baseline = mean_face(taught.column(reads), taught.lengths)
    owners = nearest_landmarks(shown.landmarks) if reads == "crops" else None
    attributions = {}
    for done, (precision, model) in enumerate(pair.items(), start=1):

        def attribute(rows: NDArray[np.int64], steps: int, model: TrainedModel = model) -> Attribution:
            return integrated_gradients(
                model.network,
                shown.column(reads)[rows],
                shown.lengths[rows],
                emotions=model.emotions,
                baseline=baseline,
                steps=steps,
                gradient=gradient_of(model.network),
                owners=None if owners is None else owners[rows],
            )

        attributions[precision] = refined(
            attribute, len(shown), steps=params.ig_steps, steps_max=params.ig_steps_max, gap=params.ig_gap
        )
        report("explaining", done, len(PRECISIONS))
    explained = Explained(
        attributions=attributions,
        summaries={precision: summarise(made) for precision, made in attributions.items()},
        persons=shown.persons,
    )
    write_atomically(run.folder / "reports" / "explain.json", json.dumps(_document(explained), indent=1).encode())
    return explained


def spread_over_labels(table: ClipTable, count: int) -> ClipTable:
    """Up to `count` rows, in turn from each label, so that no emotion is left out; the same rows each time."""
    order = np.lexsort((table.sample_ids, _turn_within_label(table.labels)))
    return table.where(np.sort(order[:count]))


def _turn_within_label(labels: NDArray[np.int64]) -> NDArray[np.int64]:
    turns = np.zeros(len(labels), dtype=np.int64)
    for label in np.unique(labels):
        rows = np.flatnonzero(labels == label)
        turns[rows] = np.arange(len(rows))
    return turns


def _document(explained: Explained) -> dict[str, Any]:
    return {
        "figures": explained.figures(),
        "models": {
            precision: {
                "method": summary.method,
                "label": summary.label,
                "steps": summary.steps,
                "baseline": summary.baseline,
                "samples": summary.samples,
                "regions": {
                    emotion: dict(zip(REGIONS, map(float, shares), strict=True))
                    for emotion, shares in zip(summary.emotions, summary.region_share, strict=True)
                },
                "top_landmarks": {
                    emotion: ranking[:20].tolist()
                    for emotion, ranking in zip(summary.emotions, summary.ranking, strict=True)
                },
            }
            for precision, summary in explained.summaries.items()
        },
    }
