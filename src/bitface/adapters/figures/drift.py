"""Draws what drifted: how much of each group lies below a value, so that a shift and a spread can be distinguished."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from matplotlib.figure import Figure

from bitface.adapters.figures.style import BLUE, MUTED, draw_page, light_grid
from bitface.figure_ports import DriftPanel

_COLUMNS = 2
_ROW_IN = 1.55
_KEY_SHARE = 0.12


def drift_figure(panels: Sequence[DriftPanel], names: tuple[str, str], title: str, caption: str, path: Path) -> Path:
    """Empirical distributions of a few columns, farthest apart first; `names` say who reference and current are."""

    def draw(figure: Figure) -> None:
        rows = -(-len(panels) // _COLUMNS)
        places = figure.add_gridspec(rows + 1, _COLUMNS, height_ratios=[_KEY_SHARE, *[1.0] * rows])
        grid = [figure.add_subplot(places[1 + at // _COLUMNS, at % _COLUMNS]) for at in range(len(panels))]
        for at, (axes, panel) in enumerate(zip(grid, panels, strict=True)):
            for values, colour, dashes, name in (
                (panel.reference, MUTED, (3, 1.2), names[0]),
                (panel.current, BLUE, (None, None), names[1]),
            ):
                axes.ecdf(values, color=colour, dashes=dashes, label=name)
            family, _, what = panel.name.partition("/")
            axes.set_title(what.replace("_", " "), fontsize=9.5)
            axes.set_xlabel(f"{family}, distance {panel.distance:.2f}", fontsize=9)
            axes.set_ylabel("" if at % _COLUMNS else "share below", fontsize=9)
            axes.tick_params(labelsize=8.5)
            light_grid(axes)
        key = figure.add_subplot(places[0, :])
        key.axis("off")
        key.legend(*grid[0].get_legend_handles_labels(), loc="center left", ncols=2, fontsize=9.5, borderaxespad=0)

    return draw_page(title, caption, _ROW_IN * -(-len(panels) // _COLUMNS) + 0.35, draw, path)
