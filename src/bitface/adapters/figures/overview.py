"""Draws the one picture that a newcomer sees first: whether a model may go live and why, how fast it is, and what it looks at."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.transforms import blended_transform_factory

from bitface.adapters.figures.evaluation import MARKS, draw_forest, draw_latency
from bitface.adapters.figures.explanation import draw_map, landmark_shares, map_norm, provenance
from bitface.adapters.figures.style import INK, MUTED, STATE_MARKS, draw_page
from bitface.figure_ports import Mesh, Overview

_FINDINGS_MOST: Final = 6
_LINE_IN: Final = 0.36


def overview_figure(overview: Overview, mesh: Mesh, path: Path) -> Path:
    """Four panels, one below the other: what the decision rests on, groups as a forest, time and size, attribution."""
    summary, shown, findings = overview.summary, overview.shown, overview.findings
    groups, latency = overview.groups, overview.latency
    faces = landmark_shares(summary.mean_absolute)[[summary.emotions.index(emotion) for emotion in shown]]
    caption = (
        f"Groups: {overview.metric} with intervals over people; the dashed line is the floor. {MARKS} Speed: one face, "
        "one thread, median and 95th percentile. Faces: percent of "
        f"attribution per landmark, darker is more. {provenance(summary)}"
    )
    lines = 1 + min(len(findings), _FINDINGS_MOST) + (len(findings) > _FINDINGS_MOST)
    heights = (
        _LINE_IN * lines + 0.1,
        0.29 * (len(groups) + len({row.group for row in groups})) + 0.8,
        0.55 * len(latency) + 0.6,
        2.3,
    )

    def draw(figure: Figure) -> None:
        rows = figure.add_gridspec(4, 1, height_ratios=heights)
        _draw_findings(figure, figure.add_subplot(rows[0]), overview, lines)
        draw_forest(figure.add_subplot(rows[1]), groups, overview.floor, overview.metric)
        draw_latency(figure.add_subplot(rows[2]), latency, None)
        columns = rows[3].subgridspec(1, len(shown), wspace=0.02)
        norm = map_norm(faces, mesh)
        for column, emotion in enumerate(shown):
            panel = figure.add_subplot(columns[column])
            draw_map(panel, faces[column], mesh, norm)
            panel.set_title(emotion, loc="center", pad=2)

    return draw_page(overview.title, caption, sum(heights), draw, path, details=_findings_text(overview))


def _findings_text(overview: Overview) -> str:
    named = ", ".join(f"{row.name} {row.state}" for row in overview.findings)
    return f"{_sentence(overview)}." + (f" They are {named}." if named else "")


def _sentence(overview: Overview) -> str:
    return overview.outcome[:1].upper() + overview.outcome[1:]


def _draw_findings(figure: Figure, axes: Axes, overview: Overview, lines: int) -> None:
    """How many required cells do not pass, and a line for each, with its mark; so many as fit, and how many more there are."""
    findings = overview.findings
    axes.set(xlim=(0, 1), ylim=(lines - 0.5, -0.5))
    axes.set_axis_off()
    # At the page's left edge, where the title stands, and not at that of the panels, which have labels before them.
    page = blended_transform_factory(figure.transFigure, axes.transData)

    def line(at: float, words: str, **look: Any) -> None:
        axes.text(0.06, at, words, va="center", transform=page, in_layout=False, **look)

    def mark(at: float, state: str) -> None:
        colour, shape = STATE_MARKS[state]
        spot = Line2D([0.035], [at], color=colour, marker=shape, markersize=7, markeredgecolor="white", transform=page)
        spot.set(in_layout=False, clip_on=False)
        axes.add_artist(spot)

    if not findings:
        mark(0, "PASS")
    line(0, f"{_sentence(overview)}.", color=INK)
    for at, row in enumerate(findings[:_FINDINGS_MOST], start=1):
        mark(at - 0.2, row.state)
        line(at - 0.2, row.words, color=INK)
        line(at + 0.24, f"{row.state}: {row.figure}", color=MUTED, fontsize=8.5)
    if len(findings) > _FINDINGS_MOST:
        line(lines - 1, f"and {len(findings) - _FINDINGS_MOST} more: bitface gate show", color=MUTED)
