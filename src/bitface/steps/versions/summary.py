"""The summary of a run: one JSON document, and text to read in ten seconds, with where to look next."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from bitface.counted_words import counted, counted_people
from bitface.dataset.files import write_atomically
from bitface.documents import Document, Fields
from bitface.ledger.ledger import Ledger
from bitface.steps.retrain.plan import Run
from bitface.steps.versions.guidance import guidance_text
from bitface.steps.versions.model_choice import command_for
from bitface.steps.versions.shown.cell_text import outcome_words

_VERDICTS: Final = {"promote": "PROMOTED", "hold": "HELD", "block": "BLOCKED"}


def exit_code(decision: str, alias: str | None, demo_is_enough: bool) -> int:
    """0 if the gate decided promote, or if a demo was enough and there is one; 3 for hold and block."""
    return 0 if decision == "promote" or (alias == "demo" and demo_is_enough) else 3


def is_finished(run: Run) -> bool:
    """Whether an identical run (same data, consent, parameters and code) was finished before."""
    return run.summary_path.is_file()


def reuse(run: Run, ledger: Ledger) -> Document:
    """The summary of the earlier, identical run, marked as reused, with the current alias and data."""
    summary: Document = json.loads(run.summary_path.read_text(encoding="utf-8"))
    entry = ledger.model(summary["version"])
    status = ledger.status(entry) if entry else None
    return {
        **summary,
        "dataset": {**summary["dataset"], "note": run.dataset.note},
        "alias": status.alias if status else None,
        "status": status.document() if status else None,
        "use": command_for(status) if status else "bitface retrain",
        "reused": ["everything"],
        "seconds": {},
        "warnings": _warnings(run),
        "exit_code": 0,
        "files": files_of(run),
    }


def files_of(run: Run) -> dict[str, str]:
    """The folder of a run's figures, and the picture and the pages to look at first."""
    figures, reports = run.folder / "figures", run.folder / "reports"
    return {
        "figures": str(figures),
        "overview": str(figures / "overview.png"),
        "gate_report": str(reports / "gate.html"),
        "model_card": str(reports / "model_card.html"),
    }


def write_summary(run: Run, summary: Fields) -> Document:
    """Writes the summary, the last file of a run, and returns it."""
    document = dict(summary)
    write_atomically(run.summary_path, (json.dumps(document, indent=1, sort_keys=True) + "\n").encode())
    return document


def first_part(run: Run) -> Document:
    """What is known about a run from its plan."""
    return {
        "run_id": run.run_id,
        "profile": run.profile,
        "purpose": run.purpose,
        "context": run.context,
        "evidence": run.evidence,
        "warnings": _warnings(run),
    }


def _warnings(run: Run) -> list[str]:
    return [run.dataset.warning] if run.dataset.warning else []


def summary_text(summary: Fields) -> str:
    """Text to read in ten seconds: the decision, then one line per question of an adopter."""
    lines = [_headline(summary), ""]
    lines += [f"  {name:<13} {words}" for name, words in _rows(summary)]
    guidance = guidance_text(summary)
    return "\n".join([*lines, "", guidance] if guidance else lines)


def _headline(summary: Fields) -> str:
    decision = summary["gate"]["decision"]
    if summary["reused"] == ["everything"]:
        state = f"and is {summary['alias']}" if summary["alias"] else "and is not the champion"
        same = f"same data, consent, parameters and code as run {summary['run_id']}"
        return f"NOTHING CHANGED: {same}, which was {_VERDICTS[decision].lower()} {state}"
    where = f"bitface/{summary['version']}"
    limits = " (evidence is synthetic: for {} in research only)" if summary["evidence"] == "synthetic" else ""
    if summary["alias"] == "champion":
        return f"PROMOTED: {where} is the champion{limits.format('demo and evaluation')}"
    if summary["alias"] == "demo":
        return f"HELD: {where} is the demo and not the champion{limits.format('demo')}"
    if summary["withheld"] and not summary["alias"]:
        return (
            f"{'PASSED' if decision == 'promote' else _VERDICTS[decision]}, NOT LIVE: {where} was {summary['withheld']}"
        )
    if summary["withheld"]:
        return f"WAITING: {where} passes its gate and is the {summary['alias']}: {summary['withheld']}"
    if decision == "promote":
        return f"PASSED: {where} passes its gate; versions trained for {summary['purpose']} are never promoted"
    return f"{_VERDICTS[decision]}: {where} is registered without an alias and does not go live"


def _rows(summary: Fields) -> list[tuple[str, str]]:
    data, sizes = summary["dataset"], summary["size_bytes"]
    rows = [
        *([("model", summary["status"]["line"])] if summary["status"] else []),
        (
            "data",
            f"{counted_people(data['people'])}, {counted(data['admitted'], 'sample')} admitted, "
            f"{data['quarantined']} quarantined; {data['note']}",
        ),
        *((f"{model['precision']}", _model_words(model, summary["judged_on"])) for model in summary["models"]),
    ]
    rows += [("note", note) for note in summary.get("notes", ())]
    if summary["not_trained"]:
        rows.append(("not trained", f"{', '.join(summary['not_trained'])}: the dataset lacks them"))
    rows += [
        ("probabilities", summary["calibration"]["sentence"]),
        ("fairness", summary["fairness"]),
        *([("same face", summary["counterfactual"]["sentence"])] if summary.get("counterfactual") else []),
        *([("action units", summary["action_units"]["sentence"])] if summary["action_units"] else []),
        *([("real people", summary["transfer"]["sentence"])] if summary["transfer"] else []),
        ("speed", _speed_words(summary["latency"])),
        ("size", f"{sizes['one_bit'] / 1000:.0f} kB one-bit, {sizes['float'] / 1000:.0f} kB float"),
        ("explanation", summary["explanation"]),
        ("gate", outcome_words([one["state"] for one in summary["gate"]["causes"]])),
        ("look", f"make ui, then the run {summary['run_id']}; decision: bitface gate show {summary['run_id']}"),
        *_places(summary),
        ("took", time_words(summary)),
    ]
    return rows


def _places(summary: Fields) -> list[tuple[str, str]]:
    """Where the figures and the pages are; a summary of an earlier version does not say."""
    found = summary.get("files")
    if not found:
        return []
    return [
        ("figures", f"{path_words(found['figures'])} (start with {Path(found['overview']).name})"),
        ("pages", ", ".join(path_words(found[name]) for name in ("gate_report", "model_card"))),
    ]


def path_words(path: str) -> str:
    """A path as it is shortest to type: relative where it is below the current folder."""
    here = Path.cwd()
    return str(Path(path).relative_to(here)) if Path(path).is_relative_to(here) else path


def _model_words(model: Fields, judged_on: str) -> str:
    auc = model["macro_auc"]
    return (
        f"macro AUC {auc:.3f}, balanced accuracy {model['macro_balanced_accuracy']:.3f}, accuracy {model['accuracy']:.3f} "
        f"on {judged_on}"
    )


def _speed_words(latency: Mapping[str, Mapping[str, float]]) -> str:
    return (
        ", ".join(f"{name} {figures['p50_ms']:.3f} ms" for name, figures in latency.items())
        + " per face (median, one thread)"
    )


def time_words(summary: Fields) -> str:
    """The wall-clock time of a run, and its longest stages."""
    seconds = summary["seconds"]
    longest = sorted(seconds.items(), key=lambda item: -item[1])[:4]
    parts = ", ".join(f"{name} {value:.0f} s" for name, value in longest)
    reused = f"; reused {', '.join(summary['reused'])}" if summary["reused"] else ""
    if not seconds:
        return "nothing to compute"
    # Stages run in parallel, so their seconds add up to more than the elapsed time.
    return f"{summary['took_s']:.0f} s; longest stages (some run in parallel): {parts}{reused}"
