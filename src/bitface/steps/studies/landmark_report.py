"""Puts a study of landmarks into words, tables and pictures, and shows it to reviewers."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import Final

import numpy as np

from bitface.counted_words import counted, counted_people
from bitface.dataset.files import write_atomically
from bitface.faces.features import LANDMARKS
from bitface.figure_ports import Figures, Mesh, ReductionCurve, ReductionPoint
from bitface.metric_names import metric_name, with_interval
from bitface.page_ports import Pages, ReportTable, StudyPage
from bitface.ports import TrackedReport, Tracking
from bitface.steps.retrain.plan import Run
from bitface.steps.retrain.reuse import key_of
from bitface.steps.studies.study import Outcome
from bitface.steps.studies.study_landmarks import ALL, BY_RANK, BY_RANK_SPREAD, LandmarkStudy, Screened
from bitface.steps.studies.study_report import METRIC, draw_trade, study_document, study_text

WORDS: Final = {
    "random": "at random",
    "uniform": "spread evenly",
    "variance": "largest movement",
    "greedy": "contribution",
    "stability": "contribution, in halves",
    BY_RANK: "by attribution",
    BY_RANK_SPREAD: "by attribution, spread",
}


def report_landmarks(
    run: Run, study: LandmarkStudy, draw: Figures, mesh: Mesh, pages: Pages, tracking: Tracking, at: datetime
) -> dict[str, object]:
    """Writes `landmarks/` in the run's folder, and shows it to reviewers; `draw`, `mesh` and `pages` are of the adapters.

    Returns:
        the study as plain values, with the words for a terminal and where the page lies.
    """
    folder = run.folder / "landmarks"
    folder.mkdir(parents=True, exist_ok=True)
    document = _document(study)
    write_atomically(folder / "landmarks.json", (json.dumps(document, indent=1) + "\n").encode())
    figures = (
        _draw_reduction(study, draw, folder / "landmark_reduction.png"),
        draw_trade(study.trained, draw, folder),
        _draw_ranking(study, draw, mesh, folder / "landmark_importance.png"),
    )
    page = _page(study, run.evidence, figures, pages, folder / "landmarks.html")
    tracking.log_report(
        TrackedReport(
            report_id=key_of(run.run_id, document),
            kind="study",
            title=f"study of landmarks · {counted_people(study.trained.people)}",
            started_at=at,
            evidence=run.evidence,
            code_commit=run.code_commit,
            headline=_headline(study),
            params={"folds": study.trained.folds, "people": study.trained.people, "run_id": run.run_id},
            metrics=_metrics(study),
            figures=figures,
            reports={"study": page, "figures": folder / "landmarks.json"},
        )
    )
    return {**document, "run_id": run.run_id, "page": str(page), "text": _text(study)}


def _document(study: LandmarkStudy) -> dict[str, object]:
    return {
        "screened": {
            "all": round(study.all_value, 4),
            "subsets": [
                {
                    "choice": one.choice,
                    "count": one.count,
                    "macro_balanced_accuracy": [round(value, 4) for value in one.values],
                    "difference": round(one.difference.value, 4),
                    "lo": round(one.difference.lo, 4),
                    "hi": round(one.difference.hi, 4),
                }
                for one in study.screened
            ],
        },
        "best": {str(count): choice for count, choice in study.best.items()},
        "trained": study_document(study.trained),
        "ranking_sanity": {name: round(value, 4) for name, value in asdict(study.sanity).items()},
        "importance": {"ranking": np.argsort(-study.importance.mean(axis=0), kind="stable").tolist()},
    }


def _metrics(study: LandmarkStudy) -> dict[str, float]:
    metrics = {f"landmarks/ranking_{name}": value for name, value in asdict(study.sanity).items()}
    for one in study.screened:
        place = metric_name("landmarks", f"{one.count} {one.choice}", "screened")
        metrics[f"{place}/macro_balanced_accuracy"] = one.mean
        metrics |= with_interval(f"{place}/difference", one.difference.value, one.difference.lo, one.difference.hi)
    for trained in _one_bit(study):
        place = metric_name("landmarks", trained.variant, "trained")
        metrics[f"{place}/macro_balanced_accuracy"] = _mean(trained)
        metrics[f"{place}/still_ms"] = study.trained.still_ms[trained.variant]
        if trained.difference:
            found = trained.difference
            metrics |= with_interval(f"{place}/difference", found.value, found.lo, found.hi)
    return metrics


def _draw_reduction(study: LandmarkStudy, draw: Figures, path: Path) -> Path:
    choices = tuple(dict.fromkeys(one.choice for one in study.screened))
    curves = [
        ReductionCurve(
            name=WORDS[choice],
            counts=[one.count for one in _of(study, choice)],
            values=[one.mean for one in _of(study, choice)],
        )
        for choice in choices
    ]
    trained = [
        ReductionPoint(
            name=one.variant,
            count=_count(one),
            values=[score.macro_balanced_accuracy.value for score in one.scores],
            is_best=one.variant == ALL or study.best[_count(one)] == one.variant.partition(" ")[2],
        )
        for one in _one_bit(study)
    ]
    caption = (
        f"{METRIC.capitalize()} out of fold on {counted_people(study.trained.people)} over the number of landmarks. Left: a "
        "closed-form linear head, for every selection method. Right: trained one-bit networks, lowest to highest of their trainings; "
        "filled: the best choice of each size; open: controls. Subsets are chosen on training people alone."
    )
    return draw.reduction_figure(curves, trained, study.all_value, METRIC, caption, path)


def _draw_ranking(study: LandmarkStudy, draw: Figures, mesh: Mesh, path: Path) -> Path:
    caption = (
        f"Landmarks by their share of the attribution, mean over emotions, folds and {counted(_trainings(study), 'training')} of the float "
        "twin: Integrated Gradients over all training people, compared with real stills. Neighbouring landmarks are redundant, so the "
        "top of this ranking is not the best subset."
    )
    return draw.importance_figure(study.importance, mesh, caption, path)


def _page(study: LandmarkStudy, evidence: str, figures: Sequence[Path], pages: Pages, path: Path) -> Path:
    tables = (
        ReportTable(
            heading="Selection methods, screened",
            caption=f"A closed-form linear head on the subset; all {LANDMARKS} reach {study.all_value:.3f}. Mean over seeds, and "
            "the difference to all landmarks, paired by person, with its interval.",
            columns=("landmarks", "chosen", "seeds", METRIC, "difference", "interval"),
            rows=[
                (
                    str(one.count),
                    WORDS[one.choice],
                    str(len(one.values)),
                    f"{one.mean:.3f}",
                    f"{one.difference.value:+.3f}",
                    f"{one.difference.lo:+.3f} to {one.difference.hi:+.3f}",
                )
                for one in study.screened
            ],
        ),
        ReportTable(
            heading="Best of each size and controls, trained",
            caption="One-bit nets as they would be deployed; the difference to all landmarks, paired by person.",
            columns=("landmarks", "trainings", METRIC, "difference", "ms a still"),
            rows=[_trained_row(study, one) for one in _one_bit(study)],
        ),
    )
    page = StudyPage(
        title="How few landmarks are enough",
        lead=_verdict(study),
        evidence=evidence,
        figures=dict(
            zip(
                (
                    f"{METRIC} over the number of landmarks",
                    f"{METRIC} of each trained net over the time of a still",
                    "landmarks by how much the networks use them",
                ),
                figures,
                strict=True,
            )
        ),
        tables=tables,
        notes=(
            study.sanity.sentence(),
            "A subset is chosen on the training people of its fold and judged on people seen by neither the choice nor the head.",
            "The method trained at each size was selected by screening on the same people, so its result is slightly optimistic.",
            "Intervals resample people, for these trainings only.",
            "Gate people are not included.",
        ),
    )
    return pages.write_study_report(page, path)


def _text(study: LandmarkStudy) -> str:
    lines = [f"screened by a linear head; all {LANDMARKS}: {study.all_value:.3f}", ""]
    lines += [
        f"  {one.count:>4} {one.choice:<20} x{len(one.values)}  {one.mean:.3f}  {one.difference.value:+.3f} "
        f"({one.difference.lo:+.3f} to {one.difference.hi:+.3f})"
        for one in sorted(study.screened, key=lambda one: (-one.count, -one.mean))
    ]
    return "\n".join([*lines, "", study_text(study.trained), "", _verdict(study), study.sanity.sentence()])


def _verdict(study: LandmarkStudy) -> str:
    """What was found of the best of each size, and whether ranking by attribution earns its place."""
    said = []
    for one in _one_bit(study):
        if one.difference and study.best[_count(one)] == one.variant.partition(" ")[2]:
            found = one.difference
            said.append(f"{one.variant} {found.value:+.3f} ({found.lo:+.3f} to {found.hi:+.3f})")
    ranked, rivals = _of(study, BY_RANK), {one.count: one for one in _of(study, "random")}
    behind = [one.count for one in ranked if one.mean < rivals[one.count].mean]
    words = (
        f"In screening, the top of the attribution ranking is worse than random subsets with so many landmarks: "
        f"{', '.join(map(str, behind))}."
        if behind
        else "In screening, the top of the attribution ranking is worse than random subsets at no size."
    )
    return f"Against all {LANDMARKS}, trained: {'; '.join(said)}. {words}"


def _headline(study: LandmarkStudy) -> dict[str, str]:
    return {"Found": _verdict(study), "Judged on": f"{counted_people(study.trained.people)} out of fold"}


def _trained_row(study: LandmarkStudy, one: Outcome) -> tuple[str, ...]:
    values = [score.macro_balanced_accuracy.value for score in one.scores]
    found = one.difference
    return (
        one.variant,
        str(len(values)),
        f"{np.mean(values):.3f} [{min(values):.3f} to {max(values):.3f}]",
        "reference" if found is None else f"{found.value:+.3f} ({found.lo:+.3f} to {found.hi:+.3f})",
        f"{study.trained.still_ms[one.variant]:.3f}",
    )


def _of(study: LandmarkStudy, choice: str) -> list[Screened]:
    return [one for one in study.screened if one.choice == choice]


def _one_bit(study: LandmarkStudy) -> list[Outcome]:
    return [one for one in study.trained.outcomes if one.precision == "one-bit"]


def _count(one: Outcome) -> int:
    return LANDMARKS if one.variant == ALL else int(one.variant.partition(" ")[0])


def _mean(one: Outcome) -> float:
    return float(np.mean([score.macro_balanced_accuracy.value for score in one.scores]))


def _trainings(study: LandmarkStudy) -> int:
    return max(len(one.trainings) for one in _one_bit(study))
