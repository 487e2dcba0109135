"""The panels of README's picture: what the model looks at, what one bit costs, and how the gate decides."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Rectangle
from matplotlib.text import Text
from numpy.typing import NDArray
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from bitface.adapters.figures.style import BLUE, DPI, INK, MUTED, ORANGE, STATE_MARKS, STYLE, light_grid, save_page
from bitface.documents import Fields
from bitface.figure_ports import ForestRow
from bitface.ledger.status import ModelStatus
from bitface.steps.versions.shown.group_rows import slice_label, worst_of

WIDTH_IN, HEIGHT_IN = 8.0, 4.0
"""1,600 x 800 pixels. GitHub shows it 830 wide, where the 7.5 pt of the smallest words are 11 pixels high."""
ATTRIBUTES: Final = ("skin_tone", "age_band", "gender")
VERDICTS: Final = {"promote": "Yes", "hold": "Not yet", "block": "No"}
COLOURS: Final = 256
SMALL_PT: Final = 7.5
DOT, TWIN, STRIP = "#ffd166", "#b9c1ca", "#eef1f4"
MEANT: Final = ("#ffffff", INK, MUTED, BLUE, ORANGE, DOT, TWIN, STRIP, *(colour for colour, _ in STATE_MARKS.values()))

Cells = Sequence[Fields]


@dataclass(frozen=True, kw_only=True)
class Answer:
    """The one-bit model's answer to the rendered face for one emotion, and what it rests on.

    `picture` uint8 (H, W, 3); `points` float32 (478, 2) in its pixels; `shares` float64 (478,), percent of the emotion's attribution at
    each; `regions`: what each adds to the log odds, from `start`, of the mean face, to `end`.
    """

    emotion: str
    picture: NDArray[np.uint8]
    points: NDArray[np.float32]
    shares: NDArray[np.float64]
    probability: float
    regions: Sequence[tuple[str, float]]
    start: float
    end: float


@dataclass(frozen=True, kw_only=True)
class Facts:
    """What a run left: its summary, its gate's cells, the status of its version, the commit of its code; and an answer of its model."""

    summary: Fields
    cells: Cells
    status: ModelStatus
    commit: str
    answer: Answer


def slices_of(cells: Cells) -> list[Fields]:
    """The cells about the accuracy of a group over all emotions."""
    return [cell for cell in cells if cell["kind"] == "slice" and cell["slice"] and not cell["emotion"]]


def is_about(one: Fields, cell: Fields) -> bool:
    """Whether a cell says how well the group of `cell` is served, or how far it is behind all others where that is asked."""
    return bool(one["slice"] == cell["slice"] and (one == cell or (one["kind"] == "disparity" and one["required"])))


def group_rows(cells: Cells) -> list[ForestRow]:
    """A row for each value of the attributes that people ask for first, as the gate judged its accuracy and its gap to all others."""
    rows = []
    for attribute in ATTRIBUTES:
        own = [cell for cell in cells if cell["attribute"] == attribute and cell["slice"] and not cell["emotion"]]
        for cell in sorted(slices_of(own), key=lambda cell: cell["slice"]):
            about = [one for one in own if is_about(one, cell)]
            states = {"gap" if one["kind"] == "disparity" else "accuracy": one["state"] for one in about}
            state, remark = worst_of(states)
            rows.append(
                ForestRow(
                    group=attribute.replace("_", " "),
                    label=slice_label(cell["slice"]),
                    value=cell["value"],
                    lo=cell["lo"],
                    hi=cell["hi"],
                    people=cell["persons"],
                    state=state,
                    remark=remark,
                )
            )
    return rows


class Page:
    """A figure on which things are placed in inches, from the lower left corner."""

    def __init__(self, figure: Figure) -> None:
        self.figure = figure

    def axes(self, left: float, bottom: float, width: float, height: float) -> Axes:
        return self.figure.add_axes((left / WIDTH_IN, bottom / HEIGHT_IN, width / WIDTH_IN, height / HEIGHT_IN))

    def words(self, left: float, bottom: float, text: str, size: float, **look: Any) -> None:
        self.figure.text(left / WIDTH_IN, bottom / HEIGHT_IN, text, fontsize=size, **look)

    def box(self, left: float, bottom: float, width: float, height: float, colour: str) -> None:
        corner = (left / WIDTH_IN, bottom / HEIGHT_IN)
        size = (width / WIDTH_IN, height / HEIGHT_IN)
        self.figure.add_artist(Rectangle(corner, *size, transform=self.figure.transFigure, color=colour, linewidth=0))

    def heading(self, left: float, right: float, title: str, below: str) -> None:
        """A panel's title, a line that says what is shown, and a rule above both."""
        self.box(left, 3.37, right - left, 0.02, INK)
        self.words(left, 3.16, title, 11, weight="bold")
        self.words(left, 2.98, below, SMALL_PT, color=MUTED)


def draw_face(page: Page, answer: Answer) -> None:
    """The rendered face with a dot on each landmark that the model reads, as large as its share of the attribution."""
    width, height = 1.75, 2.3
    axes = page.axes(0.2, 0.58, width, height)
    axes.imshow(answer.picture, interpolation="antialiased")
    (left, top), (right, bottom) = answer.points.min(axis=0), answer.points.max(axis=0)
    half = 0.72 * (bottom - top)
    x, y = (left + right) / 2, (top + bottom) / 2 - 0.14 * half
    axes.set(xlim=(x - half * width / height, x + half * width / height), ylim=(y + half, y - half))
    axes.set_axis_off()
    read = answer.shares > 0
    area = 1.5 + 44 * answer.shares[read] / answer.shares.max()
    x_px, y_px = answer.points[read].T
    axes.scatter(x_px, y_px, s=area, color=DOT, edgecolor=INK, linewidth=0.4)


def draw_regions(page: Page, answer: Answer) -> None:
    """What each region adds to the log odds, the largest first."""
    axes = page.axes(2.58, 0.8, 0.38, 1.88)
    names, values = zip(*answer.regions, strict=True)
    places = np.arange(len(values))
    axes.barh(places, values, height=0.62, color=[BLUE if value > 0 else ORANGE for value in values])
    axes.axvline(0, color=INK, linewidth=0.8)
    axes.set_yticks(places, names, fontsize=8)
    axes.set(ylim=(len(values) - 0.5, -0.5), xticks=[])
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
    for at, value in zip(places, values, strict=True):
        place = (max(value, 0.0), at)
        axes.annotate(signed(value), place, (3, 0), textcoords="offset points", va="center", fontsize=SMALL_PT)
    page.words(2.04, 2.77, "what each region adds", SMALL_PT, color=MUTED)
    page.words(2.04, 0.6, f"log odds {signed(answer.start)} to {signed(answer.end)}", SMALL_PT, color=MUTED)


def signed(value: float) -> str:
    """A figure to one decimal with its sign, a minus as wide as a plus; of nothing no sign."""
    return f"{value:+.1f}".replace("-", "\N{MINUS SIGN}") if abs(value) >= 0.05 else "0.0"


@dataclass(frozen=True, kw_only=True)
class Pair:
    """A figure of the one-bit model and of its float twin, each in words as well, and what the difference is."""

    name: str
    difference: str
    values: tuple[float, float]
    words: tuple[str, str]


def draw_pair(page: Page, bottom: float, pair: Pair) -> None:
    """Two bars, the one-bit model's above."""
    page.words(3.5, bottom + 0.58, pair.difference, 10, weight="bold")
    page.words(3.5, bottom + 0.43, pair.name, SMALL_PT, color=MUTED)
    axes = page.axes(3.5, bottom, 1.6, 0.37)
    axes.barh([0, 1], pair.values, height=0.78, color=[BLUE, TWIN])
    axes.set(xlim=(0, max(pair.values)), ylim=(1.5, -0.5))
    axes.set_axis_off()
    for at, (value, text) in enumerate(zip(pair.values, pair.words, strict=True)):
        is_long = value > 0.6 * max(pair.values)
        axes.annotate(
            text,
            (value, at),
            (-4 if is_long else 4, 0),
            textcoords="offset points",
            va="center",
            ha="right" if is_long else "left",
            color="white" if is_long and at == 0 else INK,
            fontsize=SMALL_PT,
        )


def pairs_of(summary: Fields, cells: Cells) -> tuple[Pair, Pair, Pair]:
    """Size, time and accuracy."""
    sizes = summary["size_bytes"]["one_bit"], summary["size_bytes"]["float"]
    times = summary["latency"]["one-bit"]["p50_ms"], summary["latency"]["float"]["p50_ms"]
    of = {one["precision"]: one["macro_balanced_accuracy"] for one in summary["models"]}
    right = of["one-bit"], of["float"]
    (loss,) = (one for one in cells if one["kind"] == "binarization")
    lost = f"{100 * abs(loss['value']):.1f} points {'less' if loss['value'] > 0 else 'more'}"
    limit = f"limit {100 * loss['limit']:.1f}"
    return (
        Pair(
            name="size on disk",
            difference=times_words(*sizes, "smaller", "larger"),
            values=sizes,
            words=(f"one-bit {sizes[0] / 1e3:.0f} kB", f"float {sizes[1] / 1e3:.0f} kB"),
        ),
        Pair(
            name="time per face, median",
            difference=times_words(*times, "faster", "slower"),
            values=times,
            words=(f"{times[0]:.2f} ms", f"{times[1]:.2f} ms"),
        ),
        Pair(
            name=f"balanced accuracy ({limit})",
            difference=lost,
            values=right,
            words=(f"{right[0]:.1%}", f"{right[1]:.1%}"),
        ),
    )


def times_words(ours: float, theirs: float, less: str, more: str) -> str:
    """How many times smaller or larger ours is."""
    return f"{theirs / ours:.1f} times {less}" if ours <= theirs else f"{ours / theirs:.1f} times {more}"


def draw_groups(page: Page, rows: Sequence[ForestRow], floor: float) -> None:
    """A line for each group: its interval against the limit, its accuracy and its people."""
    axes = page.axes(6.1, 0.78, 0.88, 1.94)
    at = 0.0
    for number, row in enumerate(rows):
        if not number or rows[number - 1].group != row.group:
            at += 0.35 if number else 0
            row_words(axes, at, (row.group, "", ""), weight="bold")
            at += 1
        draw_group(axes, at, row)
        at += 1
    axes.axvline(floor, color=INK, linewidth=1.1, linestyle=(0, (4, 3)), zorder=1)
    row_words(axes, -1.0, ("", "accuracy", "people"), color=MUTED)
    place = (floor, -1.0)
    axes.text(*place, f"limit {floor:.2f}", ha="center", va="center", fontsize=SMALL_PT, color=MUTED)
    lows = [row.lo for row in rows if row.lo is not None]
    axes.set(xlim=(min([floor, *lows]) - 0.03, max([row.hi for row in rows if row.hi is not None], default=1) + 0.03))
    axes.set(ylim=(at - 0.4, -0.6), yticks=[])
    light_grid(axes, "x")
    axes.tick_params(labelsize=SMALL_PT)
    axes.spines["left"].set_visible(False)
    states = sorted({row.state for row in rows} - {""}, key=list(STATE_MARKS).index)
    if states != ["PASS"]:
        keys = [
            Line2D([], [], color=STATE_MARKS[one][0], marker=STATE_MARKS[one][1], label=one, linestyle="none")
            for one in states
        ]
        corner = {"bbox_to_anchor": (-0.9, -0.1), "borderaxespad": 0, "borderpad": 0, "columnspacing": 0.8}
        axes.legend(handles=keys, loc="upper left", ncols=len(keys), fontsize=SMALL_PT, handletextpad=0, **corner)


def draw_group(axes: Axes, at: float, row: ForestRow) -> None:
    """Interval and mark of a row, with label, accuracy and people beside them."""
    colour, marker = STATE_MARKS[row.state]
    figure = "\N{EN DASH}" if row.value is None else f"{row.value:.2f}"
    row_words(axes, at, (row.label, figure, f"{row.people}"))
    if row.value is None or row.lo is None or row.hi is None:
        return
    axes.hlines(at, row.lo, row.hi, color=colour, linewidth=2)
    axes.plot(row.value, at, marker=marker, color=colour, markersize=5.5, markeredgecolor="white", linestyle="none")


def spoken(row: ForestRow) -> str:
    """A row in words, for those who have the picture read out."""
    if row.value is None or row.lo is None or row.hi is None:
        return f"{row.group} {row.label}: {row.remark}, {row.state}"
    return f"{row.group} {row.label}: {row.value:.2f} ({row.lo:.2f} to {row.hi:.2f}), {row.people} people, {row.state}"


def row_words(axes: Axes, at: float, words: tuple[str, str, str], **look: Any) -> None:
    """Words of a row in three columns beside the axes, whose widths are the unit: one at the left, two at the right."""
    places = ((-0.795, "left"), (1.43, "right"), (1.93, "right"))
    for (place, side), text in zip(places, words, strict=True):
        axes.text(
            place, at, text, transform=axes.get_yaxis_transform(), va="center", ha=side, fontsize=SMALL_PT, **look
        )


def draw(page: Page, facts: Facts) -> None:
    summary, answer = facts.summary, facts.answer
    required = [cell for cell in facts.cells if cell["required"]]
    passed = sum(cell["state"] == "PASS" for cell in required)
    (floor,) = {cell["limit"] for cell in slices_of(facts.cells)}
    page.words(0.2, 3.6, "bitface", 18, weight="bold")
    page.words(1.3, 3.615, "One-bit models of facial expressions, explained, live only through a gate", 11)
    page.heading(0.2, 3.2, f"Why {answer.emotion}, {answer.probability:.0%}?", "dots: what the one-bit model relies on")
    draw_face(page, answer)
    draw_regions(page, answer)
    page.heading(3.5, 5.1, "One bit or float?", "same people, same network")
    for bottom, pair in zip((2.12, 1.35, 0.58), pairs_of(summary, facts.cells), strict=True):
        draw_pair(page, bottom, pair)
    verdict = VERDICTS[summary["gate"]["decision"]]
    page.heading(5.4, 7.8, f"May it go live? {verdict}", f"{passed} of {len(required)} required checks pass")
    draw_groups(page, group_rows(facts.cells), floor)
    page.box(0, 0, WIDTH_IN, 0.42, STRIP)
    page.words(0.2, 0.1, source_words(facts), SMALL_PT, color=MUTED, linespacing=1.4)


def source_words(facts: Facts) -> str:
    """Of whom the figures are, and of which run, code and day."""
    summary, status = facts.summary, facts.status
    people = "Every person is rendered, none is real: this shows that the method works, not that it works on people."
    if status.evidence != "synthetic":
        people = "The face is rendered and not real."
    judged, _, _ = summary["judged_on"].partition(" (")
    return (
        f"{people}\n{status.reference}, run {summary['run_id']} of {status.judged_at[:10]}, code {facts.commit[:8]}; "
        f"judged on {judged}; lines are intervals over people."
    )


def draw_picture(facts: Facts, path: Path) -> None:
    """Writes the picture; its text fields hold every word on it."""
    with rc_context(dict(STYLE)):  # type: ignore[arg-type]
        figure = Figure(figsize=(WIDTH_IN, HEIGHT_IN), dpi=DPI)
        draw(Page(figure), facts)
        words = [text.get_text() for text in figure.findobj(Text) if text.get_text().strip()]
        spoken_rows = [spoken(row) for row in group_rows(facts.cells)]
        save_page(figure, "bitface at a glance", "; ".join([*words, *spoken_rows]), path)
    in_few_colours(path)


def in_few_colours(path: Path) -> None:
    """The same picture with a palette, so that a page loads it at once; the colours that mean something stay as they are."""
    with Image.open(path) as image:
        kept = PngInfo()
        for name in ("Title", "Description"):
            kept.add_itxt(name, image.info[name])
        pixels = image.convert("RGB")
    ours = [*bytes.fromhex("".join(colour[1:] for colour in MEANT))]
    most = 3 * COLOURS - len(ours)
    palette = Image.new("P", (1, 1))
    palette.putpalette((pixels.quantize(most // 3).getpalette() or [])[:most] + ours)
    small = pixels.quantize(palette=palette, dither=Image.Dither.NONE)
    small.save(path, optimize=True, pnginfo=kept, dpi=(DPI, DPI))
