"""Draws how few landmarks do: accuracy over their number for every way to choose them, and which ones nets rest on."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final

import numpy as np
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from numpy.typing import NDArray

from bitface.adapters.figures.explanation import draw_tiers, landmark_shares
from bitface.adapters.figures.style import AMBER, BLUE, GREEN, INK, MUTED, ORANGE, draw_page, light_grid
from bitface.figure_ports import Mesh, ReductionCurve, ReductionPoint

_PURPLE: Final = "#a24b86"
_SKY: Final = "#56b4e9"
CATEGORIES: Final = (MUTED, INK, AMBER, BLUE, GREEN, ORANGE, _PURPLE, _SKY)
MARKERS: Final = ("o", "s", "^", "D", "v", "X", "P", "*")
"""Shapes repeat what colours say."""


def reduction_figure(
    curves: Sequence[ReductionCurve],
    trained: Sequence[ReductionPoint],
    whole: float,
    metric: str,
    caption: str,
    path: Path,
) -> Path:
    """A figure over the number of landmarks: screened ways to choose on the left, trained nets on the right.

    `whole` is what the screening head reaches with all landmarks.
    """

    def draw(figure: Figure) -> None:
        (screened, nets), keys = figure.subplots(2, 2, height_ratios=(2.3, 1.4))
        screened.axhline(whole, color=MUTED, linewidth=1, linestyle=(0, (4, 3)), label="all landmarks")
        for curve, colour, marker in zip(curves, CATEGORIES, MARKERS, strict=False):
            screened.plot(
                curve.counts, curve.values, marker=marker, color=colour, linewidth=1.4, markersize=5, label=curve.name
            )
        screened.set_title("linear head")
        screened.set_ylabel(metric)
        entries = screened.get_lines()
        keys[0].legend(handles=[*entries[1:], entries[0]], loc="upper left", fontsize=9, borderaxespad=0)
        best = sorted((point for point in trained if point.is_best), key=lambda point: point.count)
        nets.plot(
            [point.count for point in best], [_mean(point) for point in best], color=BLUE, linewidth=1.2, alpha=0.5
        )
        for point in trained:
            colour = BLUE if point.is_best else MUTED
            nets.vlines(point.count, min(point.values), max(point.values), color=colour, linewidth=1.4, alpha=0.7)
            face = colour if point.is_best else "white"
            nets.plot(point.count, _mean(point), "o", color=colour, markerfacecolor=face, markersize=6)
        nets.set_title("one-bit nets")
        names = [f"{point.name}: {_mean(point):.3f}" for point in sorted(trained, key=lambda point: -point.count)]
        handles = [Line2D([], [], linestyle="none", label=name) for name in names]
        keys[1].legend(handles=handles, handlelength=0, loc="upper left", fontsize=9, borderaxespad=0)
        for place in keys:
            place.set_axis_off()
        counts = sorted({point.count for point in trained})
        for axes in (screened, nets):
            axes.set_xscale("log", base=2)
            axes.set_xticks(counts, [str(count) for count in counts], minor=False, fontsize=9)
            axes.minorticks_off()
            axes.set_xlabel("landmarks")
            light_grid(axes)

    return draw_page("How few landmarks are enough", caption, 4.7, draw, path)


def _mean(point: ReductionPoint) -> float:
    return sum(point.values) / len(point.values)


def importance_figure(importance: NDArray[np.float64], mesh: Mesh, caption: str, path: Path) -> Path:
    """The landmarks of the largest importance, float64 (E, 478), mean over emotions, on the mesh in three tiers."""
    overall = landmark_shares(importance).mean(axis=0)

    def draw(figure: Figure) -> None:
        draw_tiers(figure.subplots(), overall, mesh)

    return draw_page("Which landmarks the networks use", caption, 4.2, draw, path)
