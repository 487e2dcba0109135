"""Compares new faces with those that the champion was judged on: drift suggests a retrain, and never blocks one."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from bitface.counted_words import counted, counted_people
from bitface.dataset.files import write_atomically
from bitface.dataset.keys import KeyStore
from bitface.documents import Document, Fields
from bitface.errors import InputError, IntegrityError
from bitface.faces.measures import family_of
from bitface.faces.records import Sample
from bitface.figure_ports import DriftPanel, Figures
from bitface.ledger.entries import ModelEntry, RunEntry
from bitface.ledger.ledger import Ledger
from bitface.metric_names import metric_name
from bitface.ports import TrackedReport, Tracking
from bitface.steps.judging.dataset_drift import Drifted, DriftTest, compare, still_rows
from bitface.steps.judging.reference import read_reference
from bitface.steps.judging.window import Window, material_share
from bitface.steps.retrain.featurise import people_of
from bitface.steps.retrain.plan import Run
from bitface.steps.retrain.reuse import key_of
from bitface.steps.versions.model_choice import find_model

_SHOWN = 12
_DRAWN = 6


@dataclass(frozen=True, kw_only=True)
class Compared:
    """The comparison as plain values, and the raw values of the columns that differ most, for a figure."""

    document: Document
    drawn: tuple[tuple[str, float, NDArray[np.float64], NDArray[np.float64]], ...]


def model_and_run(reference: str, ledger: Ledger) -> tuple[ModelEntry, RunEntry]:
    """A model by alias or as NAME/VERSION, and the run that made it; raises InputError if there is none."""
    entry = find_model(reference, ledger)
    run = ledger.run_of(entry)
    if run is None:
        raise IntegrityError(f"the run of {entry.name}/{entry.version} is not on record; restore the ledger")
    return entry, run


def people_not_met(run: Run, reference: str, ledger: Ledger) -> list[tuple[Sample, ...]]:
    """The samples of a run that are not in a model's dataset version, grouped by person."""
    _, own = model_and_run(reference, ledger)
    known = {member.sample_id for member in ledger.members(own.dataset_version)}
    return people_of([sample for sample in run.members.samples if sample.sample_id not in known], run.members.content)


@dataclass(frozen=True, kw_only=True)
class JudgedPeople:
    """Where held-out people of models are stored: recorded in the ledger, sealed in the folder of each run, under their keys."""

    ledger: Ledger
    runs: Path
    keys: KeyStore


def compare_with_model(
    window: Window, model: str, people: JudgedPeople, test: DriftTest, folder: Path, at: datetime
) -> Compared:
    """What drifted, with the page in `folder`; people of the model who currently do not allow an evaluation are left out.

    Raises:
        InputError: no such model, its reference is empty, or the window has too few faces.
    """
    params, ledger = test.params, people.ledger
    if len(window.rows) < params.window_faces_min:
        raise InputError(
            f"{window.what}: fewer than drift.window_faces_min = {params.window_faces_min}; too few to distinguish drift from chance"
        )
    entry, run = model_and_run(model, ledger)
    answers = any(family_of(name) == "prediction" for name in window.rows)
    reference = still_rows(
        read_reference(people.runs / run.run_id, ledger.refusing_judgement(run.dataset_version), answers, people.keys),
        test.seed,
    )
    report_id = key_of(run.run_id, window.what, at.isoformat())[:16]
    found = compare(reference, window.rows, test, folder / report_id / "drift.html")
    document = {
        "report_id": report_id,
        "at": at.isoformat(timespec="seconds"),
        "window": window.what,
        "model": f"{entry.name}/{entry.version}",
        "evidence": entry.evidence,
        "status": ledger.status(entry).document(),
        **found.document(),
        "material_share": material_share(found, params),
        "asks_for_retrain": bool(found.drifted),
        "report": str(found.report),
    }
    write_atomically(folder / report_id / "drift.json", (json.dumps(document, indent=1) + "\n").encode())
    return Compared(document=document, drawn=_farthest(found, reference, window.rows))


def show_drift(compared: Compared, draw: Figures, tracking: Tracking, code_commit: str) -> None:
    """Shows the comparison to reviewers; `draw` is the figures adapter."""
    document = compared.document
    page, moved = Path(document["report"]), document["drifted"]
    panels = [
        DriftPanel(name=name, distance=distance, reference=reference, current=current)
        for name, distance, reference, current in compared.drawn
    ]
    figure = draw.drift_figure(
        panels,
        (
            f"{counted_people(document['people_reference'])} of {document['model']}",
            f"{counted(document['people_current'], 'new face')}",
        ),
        "New faces differ" if moved else "New faces do not differ",
        _caption(document),
        page.with_name("drift.png"),
    )
    tracking.log_report(
        TrackedReport(
            report_id=document["report_id"],
            kind="drift",
            title=f"drift · {document['model']} · {len(moved)} of {counted(document['columns'], 'column')}",
            started_at=datetime.fromisoformat(document["at"]),
            evidence=document["evidence"],
            code_commit=code_commit,
            headline={
                "model": document["status"]["line"],
                "window": document["window"],
                "compared with": f"{counted(document['people_reference'], 'held-out person', 'held-out people')} of {document['model']}",
                "drift": _verdict(document),
            },
            params={"method": document["method"], "threshold": document["threshold"]},
            metrics={
                "drift/columns_drifted": float(len(moved)),
                "drift/material_share": document["material_share"],
                **{metric_name("drift", one["name"], "distance"): one["distance"] for one in moved},
            },
            figures=[figure],
            reports={"drift.html": page, "drift.json": page.with_name("drift.json")},
        )
    )


def drift_text(document: Fields) -> str:
    """The comparison as text for a terminal."""
    lines = [
        document["status"]["line"],
        f"{document['window']} against {counted_people(document['people_reference'])} of {document['model']}",
    ]
    lines += [
        f"  {one['name']:<32} distance {one['distance']:.2f}, p {one['p_value']:.4f}"
        for one in document["drifted"][:_SHOWN]
    ]
    if len(document["drifted"]) > _SHOWN:
        lines.append(f"  and {len(document['drifted']) - _SHOWN} more")
    lines += [f"  in {name}: {', '.join(one['name'] for one in own[:3])}" for name, own in document["slices"].items()]
    return "\n".join([*lines, _verdict(document), f"report: {document['report']}"])


def _verdict(document: Fields) -> str:
    looked = f"{counted(document['columns'], 'column')} ({', '.join(document['families'])})"
    if not document["drifted"]:
        return f"none of {looked} drifted (false-alarm rate {document['threshold']:.0%} over all columns)"
    return (
        f"{len(document['drifted'])} of {looked} drifted, {document['material_share']:.0%} of them far: "
        "these faces differ from those the model was judged on; retrain with similar people"
    )


def _caption(document: Fields) -> str:
    drifted = f"{len(document['drifted'])} of {counted(document['columns'], 'column')} drifted"
    return (
        f"{document['window']}, against one still of each of "
        f"{counted(document['people_reference'], 'held-out person', 'held-out people')} of "
        f"{document['model']} did not learn from: {drifted}, at {document['threshold']:.0%} of a false alarm over all of them. "
        "The columns with the largest Kolmogorov-Smirnov distance: 0 identical, 1 disjoint."
    )


def _farthest(
    found: Drifted, reference: pd.DataFrame, current: pd.DataFrame
) -> tuple[tuple[str, float, NDArray[np.float64], NDArray[np.float64]], ...]:
    both = [column for column in found.columns if column.name in reference and column.name in current]
    chosen = sorted(both, key=lambda column: (-column.distance, column.name))[:_DRAWN]
    return tuple(
        (one.name, one.distance, reference[one.name].to_numpy(np.float64), current[one.name].to_numpy(np.float64))
        for one in chosen
    )
