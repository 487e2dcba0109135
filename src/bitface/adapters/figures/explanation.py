"""Draws what moved a score on the canonical mesh: a picture of an explanation must not be a picture of a person."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.collections import PolyCollection
from matplotlib.colors import Colormap, LinearSegmentedColormap, Normalize
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from numpy.typing import NDArray

from bitface.adapters.figures.style import (
    BLUE,
    INK,
    MUTED,
    ORANGE,
    RULE,
    draw_page,
    grid_height,
    light_grid,
    panel_grid,
)
from bitface.counted_words import counted
from bitface.faces.features import LANDMARKS
from bitface.faces.regions import REGIONS, share_of_landmarks
from bitface.figure_ports import Mesh

if TYPE_CHECKING:  # torch comes with it, and a picture needs none
    from bitface.explain.attributions import AttributionSummary

MAP_COLOURS: Final = "YlOrBr"
"""Sequential, monotone in lightness: it reads alike with any colour vision, and in grey."""
SIGNED_COLOURS: Final = LinearSegmentedColormap.from_list("signed", (ORANGE, "#f7f7f7", BLUE))
"""Diverging, white at 0: orange below and blue above, which any colour vision tells apart."""
_FACE_IN: Final = 2.0
_MAXIMUM_PERCENTILE: Final = 99.0
_IRISES: Final = (slice(468, 473), slice(473, 478))
_TIERS: Final = ((32, "#08306b"), (64, "#2879b9"), (128, "#8cc0dd"))
# Outlines by which a face is recognised: lips, eyes, brows, right and left.
_OUTLINES: Final = (
    (61, 185, 40, 39, 37, 0, 267, 269, 270, 409, 291, 375, 321, 405, 314, 17, 84, 181, 91, 146, 61),
    (78, 191, 80, 81, 82, 13, 312, 311, 310, 415, 308, 324, 318, 402, 317, 14, 87, 178, 88, 95, 78),
    (33, 246, 161, 160, 159, 158, 157, 173, 133, 155, 154, 153, 145, 144, 163, 7, 33),
    (263, 466, 388, 387, 386, 385, 384, 398, 362, 382, 381, 380, 374, 373, 390, 249, 263),
    (70, 63, 105, 66, 107),
    (300, 293, 334, 296, 336),
)


def attribution_figure(summary: AttributionSummary, mesh: Mesh, path: Path) -> Path:
    """Small multiples: an emotion's share of attribution at each landmark, on the canonical mesh, one scale for all."""
    caption = (
        "Percent of an emotion's attribution at a landmark, regardless of sign; the line on the scale is what a uniform map "
        f"would have everywhere. {provenance(summary)}"
    )
    shares = landmark_shares(summary.mean_absolute)

    def draw(figure: Figure) -> None:
        axes = panel_grid(figure, len(summary.emotions))
        norm = _norm(shares, mesh)
        for panel, emotion, values in zip(axes, summary.emotions, shares, strict=True):
            draw_map(panel, values, mesh, norm)
            panel.set_title(emotion, loc="center", pad=2)
        _colour_bar(figure, axes, norm)

    return draw_page(
        "Where each emotion is read", caption, grid_height(len(summary.emotions), _FACE_IN) + 0.55, draw, path
    )


def region_figure(values: NDArray[np.float64], emotions: Sequence[str], about: str, mesh: Mesh, path: Path) -> Path:
    """Small multiples: what each landmark's region adds to an emotion's log odds, float64 (E, 478), on the canonical mesh.

    `about` says of whom, and against what.
    """
    caption = (
        "What each region adds to the log odds of an emotion, on a generic face mesh: blue for it, orange against it, one scale for "
        f"all. {about} Exact Shapley values of the deployed model."
    )

    def draw(figure: Figure) -> None:
        axes = panel_grid(figure, len(emotions))
        most = max(float(np.abs(values).max()), 1e-6)
        norm = Normalize(-most, most)
        for panel, emotion, own in zip(axes, emotions, values, strict=True):
            draw_map(panel, own, mesh, norm, SIGNED_COLOURS)
            panel.set_title(emotion, loc="center", pad=2)
        bar = figure.colorbar(
            ScalarMappable(norm, SIGNED_COLOURS),
            ax=axes,
            location="bottom",
            shrink=0.6,
            aspect=30,
            pad=0.02,
            label="log odds that the region adds",
        )
        bar.outline.set_visible(False)
        bar.ax.tick_params(length=0)

    return draw_page("What each region adds", caption, grid_height(len(emotions), _FACE_IN) + 0.55, draw, path)


def crop_figure(crop: NDArray[np.uint8], path: Path) -> Path:
    """An aligned face, uint8 (64, 64), four times as large: only ever of people whose consent allows it."""
    caption = "The aligned grey face of 64 x 64 pixels, as the model sees it. It is biometric data: protect this page accordingly."

    def draw(figure: Figure) -> None:
        axes = figure.subplots()
        axes.imshow(crop, cmap="gray", vmin=0, vmax=255, interpolation="nearest")
        axes.set_axis_off()

    return draw_page("The face", caption, 2.6, draw, path)


def landmark_ranking_figure(summary: AttributionSummary, mesh: Mesh, path: Path) -> Path:
    """The most important landmarks over all emotions on the mesh, and each region's share against its share of landmarks."""
    caption = (
        f"Mean over {counted(len(summary.emotions), 'emotion')}. Left: landmarks by rank. Right: share of the attribution in a region "
        f"(dot) against its share of landmarks (line), which a map without preference would reach. {provenance(summary)}"
    )
    overall = landmark_shares(summary.mean_absolute).mean(axis=0)

    def draw(figure: Figure) -> None:
        face, bars = figure.subplots(1, 2, width_ratios=(1.15, 1.0))
        draw_tiers(face, overall, mesh)
        _draw_regions(bars, summary.region_share.mean(axis=0))

    return draw_page("Which landmarks count", caption, 3.3, draw, path)


def provenance(summary: AttributionSummary) -> str:
    """How a map was made, in the words that stand under every picture of one."""
    method = summary.method[:1].upper() + summary.method[1:]
    return (
        f"{method}, {summary.steps_in_words}, {summary.samples} sample{'' if summary.samples == 1 else 's'}; baseline: {summary.baseline}; "
        f"completeness gap: median {summary.gap_median:.1%}, largest {_percent(summary.gap_max)}; {summary.label}."
    )


def landmark_shares(mean_absolute: NDArray[np.float64]) -> NDArray[np.float64]:
    """Percent of an emotion's attribution at each landmark, float64 (E, 478), from values (E, 478); zeros stay zeros."""
    total = mean_absolute.sum(axis=1, keepdims=True)
    return np.asarray(100 * mean_absolute / np.where(total > 0, total, 1.0))


def draw_map(
    axes: Axes, values: NDArray[np.float64], mesh: Mesh, norm: Normalize, colours: str | Colormap = MAP_COLOURS
) -> None:
    """Values (478,) as filled triangles, farthest first, with the two irises as dots and thin outlines of the features."""
    order = np.argsort(mesh.vertices[mesh.triangles, 2].mean(axis=1))
    triangles = mesh.triangles[order]
    plane = mesh.vertices[:, :2]
    faces = PolyCollection(
        list(plane[triangles]), array=values[triangles].mean(axis=1), cmap=colours, norm=norm, linewidths=0.25
    )
    faces.set_edgecolor("face")
    axes.add_collection(faces)
    for iris in _IRISES:
        axes.scatter(
            plane[iris][0, 0],
            plane[iris][0, 1],
            c=[values[iris].mean()],
            cmap=colours,
            norm=norm,
            s=16,
            edgecolor=INK,
            linewidth=0.5,
        )
    _outline(axes, mesh)


def map_norm(values: NDArray[np.float64], mesh: Mesh) -> Normalize:
    """The colour scale of a set of maps (E, 478): 0 to the 99th percentile of what the triangles show."""
    return _norm(values, mesh)


def _norm(shares: NDArray[np.float64], mesh: Mesh) -> Normalize:
    shown = shares[:, mesh.triangles].mean(axis=2)
    return Normalize(0.0, max(float(np.percentile(shown, _MAXIMUM_PERCENTILE)), 1e-6))


def _outline(axes: Axes, mesh: Mesh) -> None:
    for points in _OUTLINES:
        axes.plot(*mesh.vertices[list(points), :2].T, color=INK, linewidth=0.7, alpha=0.75, solid_capstyle="round")
    low, high = mesh.vertices[:, :2].min(axis=0), mesh.vertices[:, :2].max(axis=0)
    axes.set(xlim=(low[0] - 0.3, high[0] + 0.3), ylim=(low[1] - 0.3, high[1] + 0.3), aspect="equal")
    axes.set_axis_off()


def _colour_bar(figure: Figure, axes: list[Axes], norm: Normalize) -> None:
    bar = figure.colorbar(
        ScalarMappable(norm, MAP_COLOURS),
        ax=axes,
        location="bottom",
        shrink=0.6,
        aspect=30,
        pad=0.02,
        extend="max",
        label="% of the emotion's attribution per landmark",
    )
    bar.outline.set_visible(False)
    bar.ax.tick_params(length=0)
    bar.ax.axvline(100 / LANDMARKS, color=INK, linewidth=1.4)


def draw_tiers(axes: Axes, overall: NDArray[np.float64], mesh: Mesh) -> None:
    """Landmarks of the highest values (478,) as dots on a pale mesh, in tiers of 32, 64 and 128."""
    plane = mesh.vertices[:, :2]
    edges = PolyCollection(list(plane[mesh.triangles]), facecolors="#f6f7f9", edgecolors=RULE, linewidths=0.4)
    axes.add_collection(edges)
    _outline(axes, mesh)
    order = np.argsort(-overall, kind="stable")
    first, keys = 0, []
    for rank, (last, colour) in enumerate(_TIERS):
        chosen = order[first:last]
        axes.scatter(
            plane[chosen, 0],
            plane[chosen, 1],
            s=34 - 9 * rank,
            color=colour,
            edgecolor="white",
            linewidth=0.4,
            zorder=6 - rank,
        )
        words = f"first {last}" if not first else f"to {last}"
        keys.append(Line2D([], [], marker="o", linestyle="none", color=colour, label=words))
        first = last
    axes.legend(
        handles=keys,
        loc="upper center",
        bbox_to_anchor=(0.5, 0.02),
        ncols=3,
        handletextpad=0.0,
        columnspacing=0.6,
        fontsize=9.5,
    )


def _draw_regions(axes: Axes, shares: NDArray[np.float64]) -> None:
    places = np.arange(len(REGIONS))
    area = share_of_landmarks()
    axes.hlines(places, 100 * area, 100 * shares, color=BLUE, linewidth=2, alpha=0.45)
    axes.plot(100 * area, places, "|", color=MUTED, markersize=12, markeredgewidth=2)
    axes.plot(100 * shares, places, "o", color=BLUE, markersize=7, markeredgecolor="white")
    axes.set_yticks(places, list(REGIONS))
    axes.set_ylim(len(REGIONS) - 0.4, -0.6)
    axes.set_xlim(left=0)
    axes.set_xlabel("% of attribution")
    light_grid(axes, "x")
    axes.spines["left"].set_visible(False)


def _percent(share: float) -> str:
    # Where a score hardly changes, a gap can be many times it; its digits would say nothing.
    return "over 1000%" if share > 10 else f"{share:.1%}"
