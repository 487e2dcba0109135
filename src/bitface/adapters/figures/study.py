"""Draws a study: every training a small mark, every mean a large one, so that luck and difference can be told apart."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from bitface.adapters.figures.style import BLUE, MUTED, RULE, draw_page, light_grid

_ROW_IN = 0.52


@dataclass(frozen=True, kw_only=True)
class StudyRow:
    """One variant: a figure of each training, one-bit and float."""

    name: str
    one_bit: Sequence[float]
    float: Sequence[float]


def study_figure(rows: Sequence[StudyRow], metric: str, caption: str, path: Path) -> Path:
    """Two lines a variant, one-bit above its float twin: small marks are trainings, the large one is their mean."""

    def draw(figure: Figure) -> None:
        axes = figure.subplots()
        for at, row in enumerate(rows):
            _marks(axes, at - 0.16, row.one_bit, BLUE, filled=True)
            _marks(axes, at + 0.16, row.float, MUTED, filled=False)
            axes.axhline(at + 0.5, color=RULE, linewidth=0.7)
        axes.set_yticks(range(len(rows)), [row.name for row in rows])
        axes.set_ylim(len(rows) - 0.5, -0.5)
        axes.set_xlabel(metric)
        light_grid(axes, "x")
        axes.spines["left"].set_visible(False)
        axes.legend(handles=_keys(), loc="lower left", bbox_to_anchor=(-0.02, 1.0), ncols=2, handletextpad=0.2)

    return draw_page("Which way to build it", caption, _ROW_IN * len(rows) + 1.0, draw, path)


def _marks(axes: Axes, at: float, values: Sequence[float], colour: str, *, filled: bool) -> None:
    axes.hlines(at, min(values), max(values), color=colour, linewidth=1.2, alpha=0.6)
    axes.plot(values, [at] * len(values), "|", color=colour, markersize=7)
    mean = sum(values) / len(values)
    axes.plot(mean, at, "o", color=colour, markersize=8, markerfacecolor=colour if filled else "white")
    words = f"{mean:.3f}"
    axes.annotate(words, (max(values), at), (8, 0), textcoords="offset points", va="center", fontsize=9, color=colour)


def _keys() -> list[Line2D]:
    return [
        Line2D([], [], color=BLUE, marker="o", linestyle="none", markersize=8, label="one-bit"),
        Line2D(
            [], [], color=MUTED, marker="o", linestyle="none", markersize=8, markerfacecolor="white", label="float twin"
        ),
    ]
