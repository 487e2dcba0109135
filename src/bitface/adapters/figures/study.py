"""Draws a study: every training a small mark, every mean a large one, so that chance and difference can be distinguished.

A second picture sets accuracy against the time of a still.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from bitface.adapters.figures.style import BLUE, MUTED, RULE, draw_page, light_grid
from bitface.figure_ports import StudyRow, TradePoint

_ROW_IN = 0.52


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

    return draw_page("Which variant to use", caption, _ROW_IN * len(rows) + 1.0, draw, path)


def trade_figure(points: Sequence[TradePoint], metric: str, caption: str, path: Path) -> Path:
    """Means over time with the range of trainings, numbered by time; a line through those that nothing faster equals."""
    ordered = sorted(points, key=lambda point: (point.ms, -point.mean))
    front = best_by_time(ordered)

    def draw(figure: Figure) -> None:
        axes = figure.subplots()
        axes.step([point.ms for point in front], [point.mean for point in front], where="post", color=RULE, zorder=1)
        for number, point in enumerate(ordered, start=1):
            colour = BLUE if point in front else MUTED
            axes.vlines(point.ms, min(point.values), max(point.values), color=colour, linewidth=1.2, alpha=0.6)
            axes.plot(point.ms, point.mean, "o", color=colour, markersize=6)
            beside = (4, 3) if number % 2 else (4, -11)
            axes.annotate(
                str(number), (point.ms, point.mean), beside, textcoords="offset points", fontsize=9, color=colour
            )
        axes.set_xlabel("milliseconds of a still, one thread")
        axes.set_ylabel(metric)
        axes.margins(0.08)
        light_grid(axes)
        handles = [Line2D([], [], linestyle="none", label=_words(at, one)) for at, one in enumerate(ordered, start=1)]
        at = (-0.05, -0.18)
        axes.legend(handles=handles, handlelength=0, fontsize=9, loc="upper left", bbox_to_anchor=at, borderaxespad=0)

    return draw_page("Accuracy against time", caption, 3.0 + 0.2 * len(ordered), draw, path)


def best_by_time(points: Sequence[TradePoint]) -> list[TradePoint]:
    """Of points in the order of their time, those better than all before them."""
    front: list[TradePoint] = []
    for point in points:
        if not front or point.mean > front[-1].mean:
            front.append(point)
    return front


def _words(number: int, point: TradePoint) -> str:
    return f"{number}  {point.name}: {point.mean:.3f} in {point.ms:.3f} ms"


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
