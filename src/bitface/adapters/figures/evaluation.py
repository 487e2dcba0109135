"""Draws how well a model does, for which groups, and how fast, with an interval wherever one exists."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from numpy.typing import NDArray

from bitface.adapters.figures.style import (
    BLUE,
    INK,
    MUTED,
    ORANGE,
    RULE,
    STATE_MARKS,
    draw_page,
    grid_columns,
    grid_height,
    light_grid,
    panel_grid,
)
from bitface.counted_words import counted, counted_people
from bitface.documents import Fields
from bitface.evaluation.curves import Reliability, RocCurve
from bitface.evaluation.intervals import Interval
from bitface.figure_ports import ForestRow, LatencyRow

_PANEL_IN: Final = 1.75
_ROW_IN: Final = 0.3
_LABEL_CHARACTERS: Final = 44
_ROW_CHARACTERS: Final = 28
_LEVEL_LABELS_MOST: Final = 4
_LIMIT_LINE: Final[Fields] = {"color": INK, "linewidth": 1.2, "linestyle": (0, (4, 3)), "zorder": 1}
"""A limit is no verdict: it has no colour of one."""
MARKS: Final = (
    "Marked with the worst gate result of its accuracy and of its gap to all others; above a mark: which of them it is."
)
_HOLLOW: Final[Mapping[str, Any]] = {"markerfacecolor": "white", "markersize": 4, "linewidth": 0.8, "alpha": 0.9}
_PLATE: Final = {"facecolor": "white", "edgecolor": "none", "pad": 1.0}


def confusion_figure(counts: NDArray[np.int64], emotions: Sequence[str], path: Path) -> Path:
    """Row shares of a confusion matrix of counts int64 (E, E), label by row, emotion with the highest score by column."""
    caption = (
        f"Rows: what the label says, with its number of samples; columns: the emotion with the highest score. Percent of "
        f"the row, {counted(int(counts.sum()), 'sample')}."
    )
    is_narrow = len(emotions) > _LEVEL_LABELS_MOST
    turned: Fields = {"rotation": 40, "ha": "right", "rotation_mode": "anchor"} if is_narrow else {}

    def draw(figure: Figure) -> None:
        axes = figure.subplots()
        totals = counts.sum(axis=1)
        shares = counts / np.maximum(totals, 1)[:, None]
        axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
        for row, column in np.ndindex(*counts.shape):
            share = shares[row, column]
            words = f"{100 * share:.0f}" if totals[row] else "-"
            axes.text(column, row, words, ha="center", va="center", color="white" if share > 0.5 else INK)
        places = np.arange(len(emotions))
        axes.set_xticks(places, emotions, **turned)
        axes.set_yticks(places, [f"{emotion} ({n})" for emotion, n in zip(emotions, totals, strict=True)])
        axes.spines[:].set_visible(False)
        axes.tick_params(length=0)

    return draw_page("Which emotions are confused", caption, min(4.6, 1.2 + 0.7 * len(emotions)), draw, path)


def reliability_figure(before: Mapping[str, Reliability], after: Mapping[str, Reliability], path: Path) -> Path:
    """Small multiples of mean score against the share of positives, before calibration and, with Wilson limits, after it."""
    caption = (
        "Share of samples that show the emotion by mean score; on the dashed line a score is a probability. Orange squares: "
        "before calibration, where that changed the scores. Blue dots: after it, with intervals; larger ones hold more "
        "samples. Above each: expected calibration error (ECE), the mean distance from the line, before and after."
    )

    def draw(figure: Figure) -> None:
        axes = panel_grid(figure, len(after), "mean score", "share showing it")
        for panel, (emotion, curve) in zip(axes, after.items(), strict=True):
            given = before[emotion]
            has_changed = not np.array_equal(given.mean_score, curve.mean_score)
            shown = (given, curve) if has_changed else (curve,)
            _unit_panel(panel, emotion)
            words = " → ".join(f"{one.expected_calibration_error:.2f}" for one in shown)
            # Above the data: curves and intervals reach into every corner.
            panel.set_title(f"ECE {words}", loc="left", fontsize=9, weight="normal", color=MUTED, pad=3)
            place: Fields = {"xycoords": "axes fraction", "textcoords": "offset points", "va": "bottom"}
            panel.annotate(emotion, (0, 1), (0, 15), fontsize=10.5, weight="bold", **place)
            panel.plot([0, 1], [0, 1], color=MUTED, linewidth=1, linestyle="--")
            if has_changed:
                panel.plot(given.mean_score, given.share, "s-", color=ORANGE, **_HOLLOW)
            panel.vlines(curve.mean_score, curve.lo, curve.hi, color=BLUE, linewidth=1.2, alpha=0.6)
            sizes = 10 + 50 * np.sqrt(curve.samples / curve.samples.max())
            panel.plot(curve.mean_score, curve.share, color=BLUE, linewidth=1)
            panel.scatter(
                curve.mean_score, curve.share, s=sizes, color=BLUE, zorder=3, edgecolor="white", linewidth=0.6
            )

    height = _grid_height(len(after)) + 0.2 * -(-len(after) // grid_columns(len(after)))
    return draw_page("Are the scores calibrated?", caption, height, draw, path)


def roc_figure(curves: Mapping[str, RocCurve], areas: Mapping[str, Interval], path: Path) -> Path:
    """Small multiples of ROC curves with the area under each, its interval, and the point of the model's threshold."""
    caption = (
        "One-vs-rest. AUC with its interval over people; the dot is the model's threshold, the dashed line is guessing. "
        f"{counted(max((area.n for area in areas.values()), default=0), 'sample')} of "
        f"{counted_people(max((area.persons for area in areas.values()), default=0))}."
    )

    def draw(figure: Figure) -> None:
        axes = panel_grid(figure, len(curves), "false alarms", "found")
        for panel, (emotion, curve) in zip(axes, curves.items(), strict=True):
            area = areas[emotion]
            _unit_panel(panel, emotion)
            _in_corner(panel, f"AUC {area.value:.2f}\n{area.lo:.2f} to {area.hi:.2f}")
            panel.plot([0, 1], [0, 1], color=MUTED, linewidth=1, linestyle="--")
            panel.fill_between(curve.false_positive_rate, curve.true_positive_rate, color=BLUE, alpha=0.08, linewidth=0)
            panel.plot(curve.false_positive_rate, curve.true_positive_rate, color=BLUE)
            panel.plot(*curve.at_threshold, "o", color=ORANGE, markersize=6, markeredgecolor="white", clip_on=False)

    return draw_page("How well each emotion is separated from the rest", caption, _grid_height(len(curves)), draw, path)


def slice_figure(rows: Sequence[ForestRow], floor: float | None, metric: str, path: Path) -> Path:
    """A forest plot: one line a slice with its value, interval and n, grouped by attribute, and the floor that the gate asks."""
    limit = "" if floor is None else f" The dashed line is the floor of the gate, {floor:.2f}."
    caption = (
        f"{metric[:1].upper()}{metric[1:]} of the one-bit model per group, with its interval over people.{limit} A wide line means few "
        f"people. {MARKS}"
    )
    return _forest_page("Does it work for every group?", caption, rows, floor, metric, path)


def coverage_figure(rows: Sequence[ForestRow], confidence: float | None, remark: str, path: Path) -> Path:
    """A forest plot of the share of samples whose set holds the true emotion, per emotion and slice, and what is promised."""
    asked = (
        "No coverage is promised"
        if confidence is None
        else f"The dashed line is the target coverage per emotion, {confidence:.2f}; groups have no target"
    )
    caption = f"Share of samples whose set contains the true emotion, with its interval over people. {asked}. The model is {remark}."
    title, metric = "Do conformal sets reach their target coverage?", "share of sets with the true emotion"
    return _forest_page(title, caption, rows, confidence, metric, path)


def unit_figure(rows: Sequence[ForestRow], against: str, path: Path) -> Path:
    """A forest plot of how well each action unit is read, grouped by figure."""
    caption = (
        f"How well a float network reads each action unit, compared with {against}, with intervals over people. It is not "
        "the deployed model."
    )
    return _forest_page("Which action units can be read", caption, rows, None, "correlation and F1", path)


def _forest_page(
    title: str, caption: str, rows: Sequence[ForestRow], floor: float | None, metric: str, path: Path
) -> Path:
    """A page as high as its forest plot needs it."""

    def draw(figure: Figure) -> None:
        draw_forest(figure.subplots(), rows, floor, metric)

    headings = len({row.group for row in rows})
    return draw_page(title, caption, _ROW_IN * (len(rows) + headings) + 0.85, draw, path)


def draw_forest(axes: Axes, rows: Sequence[ForestRow], floor: float | None, metric: str) -> None:
    """The forest plot's axes: headings in bold, people at the right edge, a marker shape per state, what it is about above the mark."""
    labels, heights, at, group = [], [], 0.0, None
    for row in rows:
        if row.group != group:
            group = row.group
            axes.text(0, at, group, transform=axes.get_yaxis_transform(), weight="bold", va="center", bbox=_PLATE)
            at += 1
        _draw_row(axes, row, at)
        words = f" {row.people} {'person' if row.people == 1 else 'people'}"
        axes.text(1.0, at, words, transform=axes.get_yaxis_transform(), va="center", color=MUTED, fontsize=9)
        labels.append(row.label if len(row.label) <= _ROW_CHARACTERS else row.label[: _ROW_CHARACTERS - 1] + "…")
        heights.append(at)
        at += 1
    if floor is not None:
        axes.axvline(floor, **_LIMIT_LINE)
    ends = [row.lo for row in rows if row.lo is not None] + ([] if floor is None else [floor])
    axes.set_xlim(max(min(0.0, *ends), np.floor(10 * min(ends) - 0.5) / 10), 1.0)
    axes.set_ylim(at - 0.4, -0.6)
    axes.set_yticks(heights, labels)
    axes.set_xlabel(textwrap.fill(metric, _LABEL_CHARACTERS))
    light_grid(axes, "x")
    axes.spines["left"].set_visible(False)
    states = [state for state in STATE_MARKS if state and any(row.state == state for row in rows)]
    if states:
        keys = [
            Line2D([], [], color=STATE_MARKS[s][0], marker=STATE_MARKS[s][1], label=s, linestyle="none") for s in states
        ]
        axes.legend(
            handles=keys,
            loc="lower left",
            bbox_to_anchor=(-0.02, 1.0),
            ncols=len(keys),
            handletextpad=0.1,
            columnspacing=1.0,
            borderaxespad=0.2,
            fontsize=9.5,
        )


def _draw_row(axes: Axes, row: ForestRow, at: float) -> None:
    """Interval, value and remark of a row; of nobody a mark at the left edge, and the remark beside it."""
    colour, marker = STATE_MARKS[row.state]
    look: Fields = {"marker": marker, "color": colour, "markersize": 7, "markeredgecolor": "white", "linestyle": "none"}
    small: Fields = {"color": INK, "fontsize": 8.5, "textcoords": "offset points"}
    if row.value is None or row.lo is None or row.hi is None:
        axes.plot(0.04, at, transform=axes.get_yaxis_transform(), **look)
        axes.annotate(row.remark, (0.04, at), (8, 0), xycoords=axes.get_yaxis_transform(), va="center", **small)
        return
    axes.hlines(at, row.lo, row.hi, color=colour, linewidth=2.2)
    axes.plot(row.value, at, **look)
    axes.annotate(
        row.remark, (row.value, at), (0, 4), va="bottom", ha="right" if row.value > 0.85 else "center", **small
    )


def latency_figure(rows: Sequence[LatencyRow], budget_ms: float | None, path: Path) -> Path:
    """Median to 95th percentile of each network, sorted as given, and its size; ours in blue with a filled dot."""
    line = f" The dashed line is the gate's budget for the median, {budget_ms:g} ms, which it asks of processor time."
    asked = "" if budget_ms is None else line
    caption = (
        "Time by the clock of the network alone for one face, one thread, runs interleaved: dot = median, bar to the 95th percentile. "
        f"The landmark detector is not included.{asked}"
    )

    def draw(figure: Figure) -> None:
        draw_latency(figure.subplots(), rows, budget_ms)

    return draw_page("Latency and size", caption, 0.62 * len(rows) + 0.75, draw, path)


def draw_latency(axes: Axes, rows: Sequence[LatencyRow], budget_ms: float | None) -> None:
    """The latency axes: name and size at the left, the figures beside each bar."""
    most = max([row.p95_ms for row in rows] + ([] if budget_ms is None else [budget_ms]))
    for at, row in enumerate(rows):
        colour = BLUE if row.is_ours else MUTED
        axes.hlines(at, row.p50_ms, row.p95_ms, color=colour, linewidth=7, alpha=0.35)
        face = colour if row.is_ours else "white"
        axes.plot(row.p50_ms, at, "o", color=colour, markersize=9, markerfacecolor=face, markeredgewidth=1.8)
        words = f"{row.p50_ms:.2f} ms (p95 {row.p95_ms:.2f})"
        right = row.p95_ms < 0.55 * most
        axes.annotate(
            words,
            (row.p95_ms if right else row.p50_ms, at),
            (8 if right else -9, 0),
            textcoords="offset points",
            va="center",
            ha="left" if right else "right",
            color=INK,
        )
    if budget_ms is not None:
        axes.axvline(budget_ms, **_LIMIT_LINE)
    axes.set_yticks(range(len(rows)), [f"{row.name}\n{_size(row.size_bytes)}" for row in rows])
    axes.set_ylim(len(rows) - 0.45, -0.55)
    axes.set_xlim(0, 1.06 * most)
    axes.set_xlabel("milliseconds")
    light_grid(axes, "x")
    axes.spines["left"].set_visible(False)


def _size(size_bytes: int) -> str:
    return f"{size_bytes / 1e6:.1f} MB" if size_bytes >= 1e6 else f"{size_bytes / 1e3:.0f} kB"


def _grid_height(panels: int) -> float:
    return grid_height(panels, _PANEL_IN) + 0.5


def _unit_panel(panel: Axes, title: str) -> None:
    panel.set_title(title)
    panel.set(xlim=(-0.02, 1.02), ylim=(-0.02, 1.02), xticks=(0, 0.5, 1), yticks=(0, 0.5, 1), aspect="equal")
    panel.set_xticklabels(("0", "0.5", "1"))
    panel.set_yticklabels(("0", "0.5", "1"))
    light_grid(panel)


def _in_corner(panel: Axes, words: str) -> None:
    """At the lower right, of which a ROC curve stays clear."""
    panel.text(
        0.97,
        0.05,
        words,
        transform=panel.transAxes,
        va="bottom",
        ha="right",
        fontsize=9.5,
        bbox={"facecolor": "white", "edgecolor": RULE, "linewidth": 0.5, "alpha": 0.85, "boxstyle": "round,pad=0.15"},
    )
