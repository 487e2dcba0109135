"""Draws a benchmark: every runtime a dot on one logarithmic scale of time, ours in blue, those that beat it in orange."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, NullFormatter

from bitface.adapters.figures.style import BLUE, MUTED, ORANGE, draw_page, light_grid
from bitface.figure_ports import BenchRow

_ROW_IN = 0.225


def bench_figure(rows: Sequence[BenchRow], caption: str, path: Path) -> Path:
    """One block a network, ours first."""
    networks = list(dict.fromkeys(row.network for row in rows))

    def draw(figure: Figure) -> None:
        _draw(figure.subplots(), rows)

    return draw_page("Time per face", caption, _ROW_IN * (len(rows) + 1.4 * len(networks)) + 0.6, draw, path)


def _draw(axes: Axes, rows: Sequence[BenchRow]) -> None:
    at, network, heights, labels = 0.0, "", [], []
    members = Counter(row.network for row in rows)
    for row in rows:
        if row.network != network:
            network = row.network
            at += 0.4
            axes.text(
                0, at, f" {network}", transform=axes.get_yaxis_transform(), weight="bold", va="center", fontsize=9
            )
            at += 1
        if row.ratio is None:
            lowest = at + members[network] - 0.7
            axes.vlines(row.milliseconds, at, lowest, color=BLUE, linewidth=1, alpha=0.45, zorder=1)
        _mark(axes, at, row)
        heights.append(at)
        labels.append(row.name)
        at += 1
    axes.set_xscale("log")
    low, high = min(row.milliseconds for row in rows), max(row.high for row in rows)
    axes.set_xlim(low / 1.4, high * 2.2)
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.xaxis.set_minor_formatter(NullFormatter())
    axes.set_yticks(heights, labels, fontsize=8.5)
    axes.set_ylim(at - 0.4, -0.4)
    axes.set_xlabel("milliseconds")
    light_grid(axes, "x")
    axes.spines["left"].set_visible(False)


def _mark(axes: Axes, at: float, row: BenchRow) -> None:
    is_ours, beats_us = row.ratio is None, row.ratio is not None and row.ratio < 1
    colour = BLUE if is_ours else ORANGE if beats_us else MUTED
    axes.hlines(at, row.milliseconds, row.high, color=colour, linewidth=1.6, alpha=0.6)
    face = colour if is_ours else "white"
    axes.plot(row.milliseconds, at, "D" if beats_us else "o", color=colour, markersize=6, markerfacecolor=face)
    words = f"{row.milliseconds:.2f} ms" if row.ratio is None else f"{row.ratio:.1f} times"
    place = (max(row.high, row.milliseconds), at)
    plate = {"facecolor": "white", "edgecolor": "none", "pad": 0.6}
    axes.annotate(words, place, (6, 0), textcoords="offset points", va="center", fontsize=8.5, color=colour, bbox=plate)
