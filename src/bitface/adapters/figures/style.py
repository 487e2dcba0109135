"""One look for all figures: they are read side by side, often 400 pixels wide, sometimes without colour."""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from typing import Any, Final

from anyascii import anyascii
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.font_manager import findfont, get_font
from matplotlib.text import Text
from matplotlib.ticker import FixedLocator
from PIL import Image

WIDTH_IN: Final = 5.4
DPI: Final = 200
"""1,080 pixels wide: shown at 400, the 10 pt text of STYLE is still 10 pixels high."""

INK: Final = "#1b2430"
MUTED: Final = "#59636f"
RULE: Final = "#d5dae0"
# Of Okabe and Ito's palette, which people with any colour vision tell apart; shapes repeat what colours say.
BLUE: Final = "#0072b2"
ORANGE: Final = "#d55e00"
GREEN: Final = "#007a5a"
AMBER: Final = "#b07800"

STATE_MARKS: Final[Mapping[str, tuple[str, str]]] = {
    "PASS": (GREEN, "o"),
    "FAIL": (ORANGE, "X"),
    "INSUFFICIENT": (AMBER, "D"),
    "NOT-RUN": (MUTED, "s"),
    "": (BLUE, "o"),
}
"""Colour and marker of a judged figure; "" is one that was not judged."""

STYLE: Final[Mapping[str, Any]] = {
    "font.family": "sans-serif",
    "font.sans-serif": ["DejaVu Sans"],
    "font.size": 10.0,
    "text.parse_math": False,
    "text.color": INK,
    "axes.edgecolor": MUTED,
    "axes.labelcolor": INK,
    "axes.titlesize": 10.5,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.linewidth": 0.8,
    "axes.axisbelow": True,
    "grid.color": RULE,
    "grid.linewidth": 0.7,
    "xtick.color": MUTED,
    "ytick.color": MUTED,
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
    "lines.linewidth": 1.8,
    "legend.frameon": False,
    "figure.facecolor": "white",
}

_TITLE_PT: Final = 13.0
_CAPTION_PT: Final = 9.5
_LINE_SPACING: Final = 1.3
_MARGIN_IN: Final = 0.12
# DejaVu Sans sets a mean character of prose in about 0.54 em, bold in 0.62.
_CAPTION_EM, _TITLE_EM = 0.54, 0.60


def draw_page(
    title: str, caption: str, body_in: float, draw: Callable[[Figure], None], path: Path, details: str = ""
) -> Path:
    """A PNG with a title above, a caption below and `draw`'s axes between, WIDTH_IN wide; returns `path`.

    Title and caption are kept as the PNG's text fields too, with `details` that do not fit the page, so that a screen reader, or
    a test, can have them.
    `body_in` is the height of the space for the axes, in inches; `draw` adds axes to the figure it is given.
    """
    title_lines = _wrapped(title, _TITLE_PT * _TITLE_EM)
    caption_lines = _wrapped(caption, _CAPTION_PT * _CAPTION_EM)
    head_in = _MARGIN_IN * 1.5 + len(title_lines) * _TITLE_PT * _LINE_SPACING / 72
    foot_in = _MARGIN_IN * 2 + len(caption_lines) * _CAPTION_PT * _LINE_SPACING / 72
    height_in = head_in + body_in + foot_in
    # A whole number of pixels, so that a test can say how large a picture is.
    height_in = round(height_in * DPI) / DPI
    with rc_context(dict(STYLE)):  # type: ignore[arg-type]
        figure = Figure(figsize=(WIDTH_IN, height_in), dpi=DPI, layout="constrained")
        left = _MARGIN_IN / WIDTH_IN
        body = (left, foot_in / height_in, 1 - 2 * left, body_in / height_in)
        figure.get_layout_engine().set(rect=body)  # type: ignore[union-attr, call-arg]
        draw(figure)
        _make_drawable(figure)
        top, bottom = 1 - _MARGIN_IN / height_in, _MARGIN_IN / height_in
        head = figure.text(left, top, "\n".join(title_lines), va="top", fontsize=_TITLE_PT, weight="bold")
        foot = figure.text(left, bottom, "\n".join(caption_lines), va="bottom", fontsize=_CAPTION_PT, color=MUTED)
        for text in (head, foot):
            text.set_linespacing(_LINE_SPACING)
        save_page(figure, title, f"{caption} {details}".strip(), path)
    return path


def save_page(figure: Figure, title: str, description: str, path: Path) -> None:
    """Writes a figure as a PNG whose text fields say what it shows."""
    path.parent.mkdir(parents=True, exist_ok=True)
    # No program version in the file: the same figures give the same bytes.
    metadata = {"Software": None, "Title": title, "Description": description}
    # `savefig` draws everything once more before that, for what has no layout yet; here the layout is a part of drawing.
    FigureCanvasAgg(figure).print_png(path, metadata=metadata)  # type: ignore[no-untyped-call]


def drawable(text: str) -> str:
    """The text with every character that the figures' font lacks written in Latin letters: a box says nothing, and a font that one
    machine has would make another machine's picture another one. Reports and metrics keep the spelling that people gave.
    """
    known = _font_characters()
    return "".join(c if ord(c) in known or c == "\n" else anyascii(c) for c in text)


@cache
def _font_characters() -> frozenset[int]:
    return frozenset(get_font(findfont("DejaVu Sans")).get_charmap())


def _make_drawable(figure: Figure) -> None:
    for text in figure.findobj(Text):
        text.set_text(drawable(text.get_text()))
    for axes in figure.axes:
        for axis in (axes.xaxis, axes.yaxis):
            # Labels of given places are made anew whenever the figure is drawn, so their words are set and not their texts.
            if isinstance(axis.get_major_locator(), FixedLocator):
                words = [drawable(label.get_text()) for label in axis.get_ticklabels()]
                # A panel inside a grid hides its labels, and has none to give to the panels that share its axis.
                axis.set_ticks(axis.get_ticklocs(), words or None)


def caption_of(path: Path) -> tuple[str, str]:
    """Title and caption of a PNG that `draw_page` wrote."""
    with Image.open(path) as image:
        return str(image.info["Title"]), str(image.info["Description"])


def light_grid(axes: Axes, axis: str = "both") -> None:
    """A faint grid behind the data, and no tick marks: the grid says where they would be."""
    axes.grid(visible=True, axis=axis)  # type: ignore[arg-type]
    axes.tick_params(length=0)


def grid_columns(panels: int) -> int:
    """So many panels side by side, at most three, that few of them fill the page's width and leave no place empty."""
    return {1: 1, 2: 2, 4: 2}.get(panels, 3)


def grid_height(panels: int, of_three: float) -> float:
    """The height of a grid of panels, in inches, where one has so much in a row of three: fewer in a row are wider, and as much higher."""
    columns = grid_columns(panels)
    return of_three * {1: 1.7, 2: 1.45}.get(columns, 1.0) * -(-panels // columns)


def panel_grid(figure: Figure, panels: int, x_label: str = "", y_label: str = "") -> list[Axes]:
    """`panels` axes in rows of `grid_columns`, with shared scales and labels at the edges; places left over stay empty."""
    columns = grid_columns(panels)
    rows = -(-panels // columns)
    axes = figure.subplots(rows, columns, squeeze=False, sharex=True, sharey=True).ravel().tolist()
    for position, spare in enumerate(axes[panels:], start=panels):
        spare.remove()
        if position >= columns:
            axes[position - columns].tick_params(labelbottom=True)
    for position, panel in enumerate(axes[:panels]):
        panel.set_xlabel(x_label if position + columns >= panels else "")
        panel.set_ylabel("" if position % columns else y_label)
    return list(axes[:panels])


def _wrapped(text: str, character_pt: float) -> list[str]:
    characters = int((WIDTH_IN - 2 * _MARGIN_IN) * 72 / character_pt)
    return textwrap.wrap(text, characters) or [""]
