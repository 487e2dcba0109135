"""Puts a study into words, tables and a picture, with what it does not show said as plainly as what it does."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from bitface.counted_words import counted, counted_people
from bitface.evaluation.intervals import Interval
from bitface.evaluation.scores import ModelScores
from bitface.figure_ports import Figures, StudyRow, TradePoint
from bitface.metric_names import metric_name, with_interval
from bitface.page_ports import Pages, ReportTable, StudyPage
from bitface.steps.studies.study import Outcome, Study

METRIC = "macro balanced accuracy"


def study_document(study: Study) -> dict[str, object]:
    """The study as plain values, for JSON."""
    return {
        "people": study.people,
        "samples": study.samples,
        "folds": study.folds,
        "reference": study.reference,
        "variants": [
            {
                "variant": one.variant,
                "precision": one.precision,
                "trainings": len(one.trainings),
                "macro_balanced_accuracy": [round(score.macro_balanced_accuracy.value, 4) for score in one.scores],
                "macro_auc": [round(score.macro_auc.value, 4) for score in one.scores],
                "accuracy": [round(score.accuracy.value, 4) for score in one.scores],
                "difference_to_reference": _rounded(one.difference),
                "train_s": round(one.train_s, 2),
            }
            for one in study.outcomes
        ],
        "still_ms": {name: round(taken, 4) for name, taken in study.still_ms.items()},
        "one_bit_minus_float": {
            name: {**(_rounded(gain) or {}), "one_sided_lo": round(study.one_bit_bound[name], 4)}
            for name, gain in study.one_bit_gain.items()
        },
    }


def study_metrics(study: Study) -> dict[str, float]:
    """Metrics by name, with intervals where they exist."""
    metrics: dict[str, float] = {}
    for one in study.outcomes:
        place = metric_name("study", one.variant, one.precision)
        values = [score.macro_balanced_accuracy.value for score in one.scores]
        metrics |= {
            f"{place}/macro_balanced_accuracy": float(np.mean(values)),
            f"{place}/macro_balanced_accuracy_spread": float(max(values) - min(values)),
            f"{place}/macro_auc": float(np.mean([score.macro_auc.value for score in one.scores])),
        }
        if one.difference:
            found = one.difference
            metrics |= with_interval(f"{place}/difference_to_reference", found.value, found.lo, found.hi)
    for name, taken in study.still_ms.items():
        metrics[f"{metric_name('study', name, 'one-bit')}/still_ms"] = taken
    for name, gain in study.one_bit_gain.items():
        metrics |= with_interval(metric_name("study", name, "one_bit_minus_float"), gain.value, gain.lo, gain.hi)
    return metrics


def draw_study(study: Study, draw: Figures, folder: Path) -> Path:
    """The picture; `draw` is the figures adapter."""
    by_name: dict[str, dict[str, list[float]]] = {}
    for one in study.outcomes:
        values = [score.macro_balanced_accuracy.value for score in one.scores]
        by_name.setdefault(one.variant, {})[one.precision] = values
    rows = [StudyRow(name=name, one_bit=found["one-bit"], float=found["float"]) for name, found in by_name.items()]
    caption = (
        f"Out of fold on {counted_people(study.people)} ({counted(study.folds, 'fold')} by person, "
        f"{counted(study.samples, 'sample')}). Small marks: one "
        "training each, another seed; large: their mean. Ignore differences smaller than the spread between trainings."
    )
    return draw.study_figure(rows, METRIC, caption, folder / "study.png")


def draw_trade(study: Study, draw: Figures, folder: Path) -> Path:
    """The picture of accuracy over time of the one-bit models; `draw` is the figures adapter."""
    points = [
        TradePoint(
            name=one.variant,
            ms=study.still_ms[one.variant],
            values=[score.macro_balanced_accuracy.value for score in one.scores],
        )
        for one in study.outcomes
        if one.precision == "one-bit"
    ]
    caption = (
        f"One-bit models: {METRIC} out of fold on {counted_people(study.people)}, lowest to highest of their trainings, over the "
        "median time of a still: one thread, all models in turn, what finds the face before them not counted. The line "
        "joins those that no other equals in less time."
    )
    return draw.trade_figure(points, METRIC, caption, folder / "study_latency.png")


def study_page(study: Study, evidence: str, figures: tuple[Path, Path], pages: Pages, path: Path) -> Path:
    """The HTML report with the pictures of `draw_study` and `draw_trade`; `pages` is the adapter."""
    percent = round(100 * study.confidence)
    tables = (
        ReportTable(
            heading="Every variant",
            caption=f"Means over trainings, lowest to highest in brackets; difference to '{study.reference}' of the same "
            f"precision, paired by person, with its {percent} % interval.",
            columns=(
                "variant",
                "precision",
                "trainings",
                METRIC,
                "macro AUC",
                "accuracy",
                "difference",
                "seconds a fold",
                "ms a still",
            ),
            rows=[(*_row(one), _still(study, one)) for one in study.outcomes],
        ),
        ReportTable(
            heading="Cost of one bit",
            caption=f"One-bit minus float twin, paired by person; the bound is one-sided, at {percent} %.",
            columns=("variant", "one-bit minus float", f"{percent} % interval", "at least"),
            rows=[
                (name, _signed(gain.value), _ends(gain), _signed(study.one_bit_bound[name]))
                for name, gain in study.one_bit_gain.items()
            ],
        ),
    )
    page = StudyPage(
        title="Comparison of model variants",
        lead=_lead(study),
        evidence=evidence,
        figures={
            f"{METRIC} of each variant and training": figures[0],
            f"{METRIC} of each one-bit variant over the time of a still": figures[1],
        },
        tables=tables,
        notes=(
            f"Every figure is out of fold: {counted(study.folds, 'fold')} by person; no person is judged by a network trained on them.",
            "Gate people are not included.",
            "Intervals resample people, for these trainings only; the brackets show the effect of the seed.",
            "Seconds are for both precisions of one fold, one thread, on this machine.",
            "Milliseconds are the median of the deployed one-bit model, one thread, on this machine; a fused variant takes the "
            "sum of its parts.",
        ),
    )
    return pages.write_study_report(page, path)


def study_text(study: Study) -> str:
    """The tables for a terminal."""
    lines = [
        f"{counted_people(study.people)} out of fold, {counted(study.folds, 'fold')}, {counted(study.samples, 'sample')}",
        "",
    ]
    for one in study.outcomes:
        name, precision, trainings, balanced, auc, _, difference, seconds = _row(one)
        still = f"  {_still(study, one)} ms a still" if one.precision == "one-bit" else ""
        lines.append(
            f"  {name:<24} {precision:<8} x{trainings}  balanced accuracy {balanced}  AUC {auc}  {difference}  {seconds} s{still}"
        )
    lines.append("")
    lines += [
        f"  one-bit minus float, {name}: {_signed(gain.value)} ({_ends(gain)}), at least {_signed(study.one_bit_bound[name])}"
        for name, gain in study.one_bit_gain.items()
    ]
    return "\n".join(lines)


def study_headline(study: Study) -> dict[str, str]:
    """The few facts on top of a reviewer's page."""
    best, gain = _best(study), study.one_bit_gain[study.reference]
    return {
        "Best one-bit": f"{best.variant}, {METRIC} {_mean(best.scores, 'macro_balanced_accuracy')}",
        f"One bit costs '{study.reference}'": f"{_signed(gain.value)} ({_ends(gain)})",
        "Judged on": f"{counted_people(study.people)} out of fold",
    }


def _best(study: Study) -> Outcome:
    one_bit = [one for one in study.outcomes if one.precision == "one-bit"]
    return max(one_bit, key=lambda one: float(np.mean([score.macro_balanced_accuracy.value for score in one.scores])))


def _lead(study: Study) -> str:
    one_bit = [one for one in study.outcomes if one.precision == "one-bit"]
    best = _best(study)
    gain = study.one_bit_gain[study.reference]
    return (
        f"{counted(len(one_bit), 'one-bit model variant')}, judged on the same {counted_people(study.people)}. Highest mean {METRIC}: "
        f"'{best.variant}', {_mean(best.scores, 'macro_balanced_accuracy')}. One bit changes '{study.reference}' by "
        f"{_signed(gain.value)} ({_ends(gain)})."
    )


def _row(one: Outcome) -> tuple[str, ...]:
    return (
        one.variant,
        one.precision,
        str(len(one.trainings)),
        _mean(one.scores, "macro_balanced_accuracy"),
        _mean(one.scores, "macro_auc"),
        _mean(one.scores, "accuracy"),
        f"{_signed(one.difference.value)} ({_ends(one.difference)})" if one.difference else "reference",
        f"{one.train_s:.1f}",
    )


def _still(study: Study, one: Outcome) -> str:
    """Of what is deployed; a float twin is not."""
    return f"{study.still_ms[one.variant]:.3f}" if one.precision == "one-bit" else "-"


def _mean(scores: Sequence[ModelScores], metric: str) -> str:
    values = [getattr(score, metric).value for score in scores]
    return f"{np.mean(values):.3f} [{min(values):.3f} to {max(values):.3f}]"


def _signed(value: float) -> str:
    return f"{value:+.3f}"


def _ends(interval: Interval) -> str:
    return f"{_signed(interval.lo)} to {_signed(interval.hi)}"


def _rounded(interval: Interval | None) -> dict[str, float] | None:
    if interval is None:
        return None
    return {"value": round(interval.value, 4), "lo": round(interval.lo, 4), "hi": round(interval.hi, 4)}
