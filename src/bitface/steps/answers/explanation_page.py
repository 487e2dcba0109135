"""Makes a page of explained faces: text, bars that add up, a generic mesh, and caveats."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

import numpy as np

from bitface.counted_words import counted
from bitface.explain.region_mass import landmark_values
from bitface.figure_ports import Figures, Mesh
from bitface.page_ports import EmotionRow, ExplanationPage, FaceOnPage, Pages, RegionSum
from bitface.steps.answers.explain_faces import NO_GRAPH, FaceExplained, PictureExplained, baseline_note
from bitface.terminal_text import printable

CAVEATS: Final = (
    "It explains the model, not the person: what the score depends on, not what the person feels.",
    "Every value is relative to the named baseline; with another baseline the values differ.",
    "Values are log odds. They add up within one emotion; different emotions have different scales.",
    "A region counts as a whole: it is kept or replaced by the baseline's, so the mixed face may not look real.",
    "A large value means that the score would change with the region. It does not say why the region looks as it does: light, "
    "glasses, age and facial habits count as much as an expression.",
    "Maps within a region are approximate, since they use a stand-in gradient. Trust sums per region, not single points.",
)
_SHOWN: Final = 3


def write_page(
    found: PictureExplained,
    status: str,
    draw: Figures,
    mesh: Mesh,
    pages: Pages,
    path: Path,
    *,
    show_face: bool = False,
) -> Path:
    """Writes the page under the model's status line; `draw`, `mesh` and `pages` come from adapters. The face itself is left out
    unless requested.
    """
    with TemporaryDirectory() as place:
        faces = [
            _on_page(face, found, draw, mesh, Path(place) / str(number), show_face)
            for number, face in enumerate(found.faces, start=1)
        ]
        page = ExplanationPage(
            status=status,
            title=f"What the scores for {printable(found.path.name)} depend on",
            model=found.model,
            facts={
                "model": f"{found.model}, bundle {found.digest[:16]}",
                "reads": found.reads,
                "shown": _shown(found.faces[0].frames),
                "probabilities": found.calibration,
                "method": f"Shapley values of regions by all {2 ** len(found.faces[0].exact.regions)} coalitions, evaluated on the "
                "deployed model itself",
            },
            faces=faces,
            caveats=CAVEATS,
        )
        return pages.write_explanation(page, path)


def _on_page(
    face: FaceExplained, found: PictureExplained, draw: Figures, mesh: Mesh, place: Path, show_face: bool
) -> FaceOnPage:
    order = np.argsort(-face.probabilities, kind="stable")
    emotions = [
        EmotionRow(
            name=found.emotions[index], probability=float(face.probabilities[index]), in_set=bool(face.in_set[index])
        )
        for index in order
    ]
    shown = order[:_SHOWN]
    figures = {
        "Each region's value on a generic face mesh": draw.region_figure(
            landmark_values(face.exact.values[shown], face.exact.regions),
            [found.emotions[index] for index in shown],
            f"Of this face, against the {face.exact.baseline}.",
            mesh,
            place / "regions.png",
        )
    }
    if face.summary is not None:
        figures["Where within the regions, by a completed map"] = draw.attribution_figure(
            face.summary, mesh, place / "map.png"
        )
    if show_face:
        figures["The face as the model sees it"] = draw.crop_figure(face.crop, place / "face.png")
    return FaceOnPage(
        answer=_answer(face, found.emotions),
        emotions=emotions,
        sums=[_sum(face, found.emotions, int(index)) for index in order],
        baseline=face.exact.baseline,
        start=baseline_note(face, found.emotions, int(order[0])),
        gap=f"{face.exact.gap:.0e}",
        second=_second(face, found.emotions, int(order[0])),
        map_note=NO_GRAPH
        if face.summary is None
        else f"completeness gap {face.summary.gap_max:.1e}; {face.summary.label}",
        seconds=f"{face.seconds:.2f}",
        figures=figures,
    )


def _shown(frames: int) -> str:
    return (
        "one still"
        if frames == 1
        else f"a clip of {counted(frames, 'frame')}, each with its largest face; regions count over all frames"
    )


def _answer(face: FaceExplained, emotions: Sequence[str]) -> str:
    held = [name for name, belongs in zip(emotions, face.in_set, strict=True) if belongs]
    words = " or ".join(held)
    if not face.abstained:
        return f"It could be {words}."
    return f"No answer: it could be {words}." if held else "No answer: no emotion is likely enough."


def _sum(face: FaceExplained, emotions: Sequence[str], index: int) -> RegionSum:
    values = face.exact.values[index]
    order = np.argsort(-np.abs(values), kind="stable")
    return RegionSum(
        emotion=emotions[index],
        at_baseline=float(face.exact.at_baseline[index]),
        at_face=float(face.exact.at_face[index]),
        regions=[(face.exact.regions[region], float(values[region])) for region in order],
    )


def _second(face: FaceExplained, emotions: Sequence[str], index: int) -> str:
    if face.second is None:
        return "There is no second baseline: too few training people have a neutral label."
    (region, value), second = face.leading(index)
    if second is None or not face.depends_on_baseline(index):
        return f"Against {face.second.baseline}, {region} leads for {emotions[index]} as well."
    return (
        f"The result depends on the baseline: against the one above, {region} leads for {emotions[index]} with {value:+.2f}; against "
        f"{face.second.baseline}, {second[0]} leads with {second[1]:+.2f}."
    )
