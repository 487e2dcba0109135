"""Draws docs/architecture.svg from the code: packages as boxes in the layers that the import contract has, imports as lines.

Run it with the project's Python after packages were added or moved: `.venv/bin/python docs/draw_architecture.py`.
"""

from __future__ import annotations

import tomllib
from collections import Counter
from dataclasses import dataclass
from html import escape
from pathlib import Path

from bitface.steps.retrain.reuse import imports_of

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "src" / "bitface"
WIDTH, ROW, BOX, GAP = 1180, 84, 46, 18
WORDS = {
    "cli": "commands",
    "flows": "order of stages",
    "bootstrap": "picks the tools",
    "usecases": "what people ask for",
    "steps": "one step of a flow each",
    "adapters": "one tool each",
    "ports": "what steps ask of tools",
    "explain": "attributions, faithfulness",
    "gate": "cells, decision, evidence",
    "evaluation": "figures, intervals, calibration",
    "training": "loops, augmentation, domains",
    "models": "networks, bundles",
    "binarize": "one-bit layers, packing",
    "dataset": "shards, keys, manifests",
    "ledger": "log, consents, promotion, use",
    "consent": "events, admission, law",
    "faces": "landmarks, records, splits",
    "params": "params.yaml",
    "errors": "exit codes",
}

EVERYWHERE = ("params", "errors")
"""Every package may import these; their lines would hide the others."""


@dataclass(frozen=True)
class Box:
    """A package's place in the drawing."""

    name: str
    x: float
    y: float
    width: float

    @property
    def middle(self) -> float:
        return self.x + self.width / 2


def layers() -> list[list[str]]:
    """Packages by layer, the highest first, as the import contract in pyproject.toml has them."""
    document = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    contracts = document["tool"]["importlinter"]["contracts"]
    (rows,) = (contract["layers"] for contract in contracts if contract["type"] == "layers")
    return [[name.strip().removeprefix("bitface.") for name in row.split("|")] for row in rows]


def package_of(path: Path) -> str:
    """The package that a source file belongs to; a module at the top is its own."""
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def sources() -> list[Path]:
    flows = [PACKAGE / "flows" / path.name for path in (ROOT / "flows").glob("*.py")]
    return sorted({*PACKAGE.rglob("*.py"), *flows})


def arrows(packages: set[str]) -> Counter[tuple[str, str]]:
    """How many modules of one package import modules of another."""
    found: Counter[tuple[str, str]] = Counter()
    for path in sources():
        own = package_of(path)
        for other in {module.split(".")[1] for module in imports_of(path)}:
            if own != other and {own, other} <= packages:
                found[own, other] += 1
    return found


def placed(rows: list[list[str]]) -> dict[str, Box]:
    boxes = {}
    for number, row in enumerate(rows):
        width = min(330.0, (WIDTH - GAP * (len(row) + 1)) / len(row))
        left = (WIDTH - width * len(row) - GAP * (len(row) - 1)) / 2
        for column, name in enumerate(row):
            boxes[name] = Box(name, left + column * (width + GAP), 20 + number * ROW, width)
    return boxes


def line(start: Box, end: Box, count: int) -> str:
    """A curve from the lower edge of one box to the upper edge of another; wider where more modules import."""
    y1, y2 = start.y + BOX, end.y
    bend = (y2 - y1) / 2
    path = f"M{start.middle:.0f},{y1} C{start.middle:.0f},{y1 + bend:.0f} {end.middle:.0f},{y2 - bend:.0f} {end.middle:.0f},{y2}"
    return f'<path d="{path}" fill="none" stroke="#7a8794" stroke-opacity=".45" stroke-width="{min(6, 0.6 + count / 8):.1f}"/>'


def drawing() -> str:
    rows = layers()
    boxes = placed(rows)
    modules = Counter(package_of(path) for path in sources())
    level = {name: number for number, row in enumerate(rows) for name in row}
    counted = arrows(set(boxes))
    upward = {pair: count for pair, count in counted.items() if level[pair[0]] > level[pair[1]]}
    lines = [
        line(boxes[a], boxes[b], count)
        for (a, b), count in sorted(counted.items())
        if level[a] < level[b] and b not in EVERYWHERE
    ]
    shapes = [
        f'<rect x="{box.x:.0f}" y="{box.y}" width="{box.width:.0f}" height="{BOX}" rx="6" fill="#f5f7f9" stroke="#1b2430"/>'
        f'<text x="{box.middle:.0f}" y="{box.y + 20}" text-anchor="middle" font-weight="600">{escape(box.name)}'
        f'<tspan dx="8" font-weight="400" fill="#59636f">{modules[box.name]} module{"s" * (modules[box.name] > 1)}</tspan></text>'
        f'<text x="{box.middle:.0f}" y="{box.y + 37}" text-anchor="middle" fill="#59636f" font-size="12">'
        f"{escape(WORDS.get(box.name, ''))}</text>"
        for box in boxes.values()
    ]
    height = 20 + ROW * len(rows)
    said = f"{sum(counted.values())} imports between packages, {sum(upward.values())} of them upward"
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height + 16}" font-family="sans-serif" font-size="14">',
            f"<title>The packages of bitface in their layers; {said}</title>",
            f'<rect width="{WIDTH}" height="{height + 16}" fill="#fff"/>',
            *lines,
            *shapes,
            f'<text x="{GAP}" y="{height + 4}" fill="#59636f" font-size="12">Imports run downwards, wider where more modules import; '
            f"those of params and errors are left out. {said}.</text>",
            "</svg>\n",
        ]
    )


if __name__ == "__main__":
    (ROOT / "docs" / "architecture.svg").write_text(drawing(), encoding="utf-8")
