"""Draws the one picture that a newcomer sees first: whether a model is good enough, how fast, and what it looks at."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from matplotlib.figure import Figure

from bitface.adapters.figures.evaluation import ForestRow, LatencyRow, draw_forest, draw_latency
from bitface.adapters.figures.explanation import Mesh, draw_map, landmark_shares, map_norm, provenance
from bitface.adapters.figures.style import draw_page

if TYPE_CHECKING:  # torch comes with it, and a picture needs none
    from bitface.explain.attributions import AttributionSummary


def overview_figure(
    title: str,
    gate: Sequence[ForestRow],
    floor: float | None,
    metric: str,
    latency: Sequence[LatencyRow],
    summary: AttributionSummary,
    shown: Sequence[str],
    mesh: Mesh,
    path: Path,
) -> Path:
    """Three panels, one below the other: gate cells as a forest, time and size, attribution of the `shown` emotions.

    `title` is the result in a sentence and says whether the evidence is synthetic; `shown` are two or three names of
    `summary.emotions`; `gate` are rows of one `metric`.
    """
    faces = landmark_shares(summary.mean_absolute)[[summary.emotions.index(emotion) for emotion in shown]]
    caption = (
        "Top: what the gate judged, with intervals over people; orange is the floor. Middle: one face, one thread, median "
        f"and 95th percentile. Bottom: percent of attribution per landmark, darker is more. {provenance(summary)}"
    )
    heights = (0.29 * (len(gate) + len({row.group for row in gate})) + 0.8, 0.55 * len(latency) + 0.6, 2.3)

    def draw(figure: Figure) -> None:
        rows = figure.add_gridspec(3, 1, height_ratios=heights)
        draw_forest(figure.add_subplot(rows[0]), gate, floor, metric)
        draw_latency(figure.add_subplot(rows[1]), latency, None)
        columns = rows[2].subgridspec(1, len(shown), wspace=0.02)
        norm = map_norm(faces, mesh)
        for column, emotion in enumerate(shown):
            panel = figure.add_subplot(columns[column])
            draw_map(panel, faces[column], mesh, norm)
            panel.set_title(emotion, loc="center", pad=2)

    return draw_page(title, caption, sum(heights), draw, path)
