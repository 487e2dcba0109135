"""A figure in two places has one value, one interval and one limit, and a dataset version one name: in what a run leaves."""

from __future__ import annotations

import json
import re
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from mlflow import MlflowClient

from bitface.adapters.figures import caption_of
from bitface.ledger.engine import sqlite_url
from bitface.ledger.ledger import Ledger
from bitface.steps.versions.release import BILL, CARD, PROVENANCE
from bitface.steps.versions.served import RELEASE
from bitface.steps.versions.shown.cell_text import outcome_words
from bitface.steps.versions.summary import summary_text

Key = tuple[str, str, str, str]
"""Metric, emotion, attribute, value: what a figure is about; "" where all are meant."""
Told = dict[Key, tuple[float, float, float]]
"""Value, lower and upper end."""
METRICS = {
    "balanced accuracy": "balanced_accuracy",
    "set holds it": "coverage",
    "set holds label": "coverage",
    "AUC": "auc",
}
WHOLE = {"mean of emotions": "macro", "top emotion": "macro"}


def of_gate(cells: list[dict[str, Any]]) -> Told:
    figures = (
        cell
        for cell in cells
        if cell["kind"] in ("emotion", "slice") and cell["slice" if cell["attribute"] else "emotion"]
    )
    return {
        (cell["metric"], cell["emotion"], cell["attribute"], cell["slice"]): (cell["value"], cell["lo"], cell["hi"])
        for cell in figures
        if cell["value"] is not None
    }


def of_mlflow(metrics: dict[str, float]) -> Told:
    found = {}
    for name, value in metrics.items():
        if f"{name}.lo" in metrics:
            *about, metric = name.split("/")
            found[key_of_metric(about, metric)] = (value, metrics[f"{name}.lo"], metrics[f"{name}.hi"])
    return found


def key_of_metric(about: list[str], metric: str) -> Key:
    if about[0] != "slice":
        return metric, "/".join(about), "", ""
    attribute, _, value = about[1].partition(":")
    emotion = metric.removesuffix("_balanced_accuracy") if metric.endswith("_balanced_accuracy") else ""
    return "balanced_accuracy" if emotion else metric, emotion, attribute, value


def of_card(markdown: str) -> Iterator[tuple[Key, tuple[float, float, float]]]:
    row = re.compile(r"^\| ([^|]+) \| ([^|]+) \| ([^|]+) \| ([\d.]+) \| ([\d.]+) to ([\d.]+) \|", re.MULTILINE)
    for group, name, metric, *figures in row.findall(markdown.replace("\\", "")):
        named = METRICS.get(metric, metric)
        about = (named, WHOLE.get(name, name), "", "") if group in ("emotions", "macro") else (named, "", group, name)
        value, lo, hi = map(float, figures)
        yield about, (value, lo, hi)


def of_bill(bill: dict[str, Any]) -> Iterator[tuple[Key, tuple[float, float, float]]]:
    for one in bill["metadata"]["component"]["modelCard"]["quantitativeAnalysis"]["performanceMetrics"]:
        name, _, value = one["slice"].partition(": ")
        metric = METRICS.get(one["type"].removeprefix("macro "), one["type"])
        about = {"emotion": (metric, value, "", ""), "everybody": (metric, "macro", "", "")}.get(
            name, (metric, "", name, value)
        )
        ends = one["confidenceInterval"]
        yield about, (float(one["value"]), float(ends["lowerBound"]), float(ends["upperBound"]))


class Documents:
    """What a run left, as people open it."""

    def __init__(self, project: Path, summary: dict[str, Any]) -> None:
        self.home, self.summary = project / "home", summary
        self.run = self.home / "runs" / summary["run_id"]
        self.release = self.run / RELEASE
        with zipfile.ZipFile(self.run / "gate.zip") as archive:
            self.gate = json.loads(archive.read("gate.json"))
        self.bill = json.loads((self.release / BILL).read_text())
        self.card = (self.release / CARD).read_text()
        self.drift = json.loads((self.run / "reports" / "drift.json").read_text())
        client = MlflowClient(f"sqlite:///{self.home / 'mlflow.db'}")
        (experiment,) = client.search_experiments(filter_string="name = 'bitface retrain'")
        runs = client.search_runs([experiment.experiment_id])
        (self.tracked,) = (one for one in runs if "mlflow.parentRunId" not in one.data.tags)
        (self.one_bit,) = (one for one in runs if one.info.run_name.endswith("one-bit"))
        (self.version,) = client.search_model_versions("name='bitface'")

    def page(self, name: str) -> str:
        return (self.run / "reports" / name).read_text()


@pytest.fixture(scope="module")
def left(done) -> Documents:
    return Documents(done[0], done[1])


def test_an_interval_shown_in_two_places_is_one_interval(left: Documents) -> None:
    tracked = of_mlflow(left.tracked.data.metrics)
    places: dict[str, tuple[Told, float]] = {
        "gate": (of_gate(left.gate["decision"]["cells"]), 1e-9),
        "the model's own run in MLflow": (of_mlflow(left.one_bit.data.metrics), 1e-12),
        "model card, to three decimals": (dict(of_card(left.card)), 5.01e-4),
        "bill of materials, to four": (dict(of_bill(left.bill)), 5.01e-5),
    }
    for place, (figures, tolerance) in places.items():
        unknown = figures.keys() - tracked.keys()
        assert not unknown and len(figures) > 20, place
        apart = {
            key: (own, tracked[key])
            for key, own in figures.items()
            if own != pytest.approx(tracked[key], abs=tolerance)
        }
        assert not apart, f"{place} and MLflow"


def test_the_pages_for_people_show_the_limits_and_the_intervals_of_the_gate(left: Documents) -> None:
    page = left.page("gate.html")
    shown = [cell for cell in left.gate["decision"]["cells"] if cell["lo"] is not None]
    assert len(shown) > 50
    for cell in shown:
        assert f"{cell['lo']:.3f} to {cell['hi']:.3f}" in page and f"{cell['limit']:.3f}" in page, cell["name"]
    for name, cell in left.summary["counterfactual"]["cells"].items():
        (own,) = (one for one in shown if one["name"] == f"counterfactual/{name}")
        assert all(cell[end] == pytest.approx(own[end], abs=1e-4) for end in ("value", "lo", "hi")), name


def test_drift_has_one_limit_and_one_count(left: Documents) -> None:
    """The gate's cell, drift.json and Evidently's page: the same share of columns, beyond the same limit."""
    (cell,) = (one for one in left.gate["decision"]["cells"] if one["name"] == "drift/share")
    assert cell["value"] == pytest.approx(len(left.drift["drifted"]) / left.drift["columns"])
    assert f"{cell['value']:.0%} of {left.drift['columns']} features" in cell["reason"]
    page, columns = left.page("drift.html"), left.drift["columns"]
    (drifted,) = re.findall(r"Drift is detected for [\d.]+% of columns \((\d+) out of (\d+)\)", page)
    assert drifted == (str(len(left.drift["drifted"])), str(columns))
    (least,) = map(float, re.findall(r"Dataset drift detection threshold is ([\d.]+)", page))
    # The page's word begins at a share, the gate's above one: no share of so many columns lies between them.
    assert cell["limit"] < least <= cell["limit"] + 1 / columns + 1e-9


def test_a_dataset_version_has_one_name(left: Documents) -> None:
    (data,) = (one for one in left.bill["components"] if one["type"] == "data")
    provenance = json.loads((left.release / PROVENANCE).read_text())
    with Ledger(sqlite_url(left.home / "ledger.db")) as ledger:
        on_record = ledger.run(left.summary["run_id"]).dataset_version
    names = {
        "summary": left.summary["dataset"]["recorded_as"],
        "MLflow": left.tracked.data.tags["dataset.version"],
        "registry": left.version.tags["dataset.version"],
        "gate": left.gate["digests"]["dataset"],
        "bill of materials": data["version"],
        "provenance": provenance["predicate"]["buildDefinition"]["internalParameters"]["dataset_version"],
    }
    assert names == dict.fromkeys(names, on_record)
    for place in (left.card.replace("\\", ""), left.page("gate.html"), left.page("model_card.html")):
        assert on_record in place


def test_how_many_required_cells_do_not_pass_is_one_sentence_everywhere(left: Documents, done, bitface) -> None:
    """A newcomer read 1 in the summary, 10 in `gate show` and 6 in the picture."""
    required = [one for one in left.gate["decision"]["cells"] if one["required"]]
    states = [one["state"] for one in required if one["state"] != "PASS"]
    said = outcome_words(states)
    assert said.startswith(f"{len(states)} required cell")
    shown = bitface(done[0], "gate", "show", left.summary["run_id"]).stdout
    places = {
        "summary": summary_text(left.summary),
        "gate show": shown,
        "gate report": left.page("gate.html"),
        "model card": left.page("model_card.html"),
        "MLflow": left.tracked.data.tags["mlflow.note.content"],
        "overview": caption_of(left.run / "figures" / "overview.png")[1],
    }
    for place, text in places.items():
        assert said in text[:1].lower() + text[1:] or said[:1].upper() + said[1:] in text, place
    assert max(map(len, shown.splitlines()[1:])) <= 100 and "because" not in shown
    named = [line for line in shown.splitlines() if line.startswith(tuple({f"{state} " for state in states}))]
    assert len([line for line in named if " required " in line]) == len(states)


def test_the_summary_says_where_figures_and_pages_are(left: Documents, monkeypatch: pytest.MonkeyPatch) -> None:
    """Paths to copy, relative where that is shorter, of files that are there."""
    run = Path(left.summary["files"]["figures"]).parent  # where it was made, from which this project was copied
    monkeypatch.chdir(run.parents[2])
    text = summary_text(left.summary)
    for path in ("figures", "reports/gate.html", "reports/model_card.html"):
        assert f" home/runs/{run.name}/{path}" in text and (run / path).exists()
    monkeypatch.chdir(left.home)
    assert all(Path(word).is_file() for word in re.findall(r"pages +(\S+\.html), (\S+)", summary_text(left.summary))[0])
