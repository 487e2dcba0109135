"""A real MLflow store on SQLite: what a reviewer finds there, and that writing it again or half changes nothing."""

from __future__ import annotations

import sqlite3
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from bitface.adapters.mlflow_tracking import MlflowTracking
from bitface.errors import InputError
from bitface.metric_names import slice_metric, with_interval
from bitface.ports import TrackedModel, TrackedOutcome, TrackedReport, TrackedRun, TrackedVersion

NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)


@pytest.fixture(scope="module")
def tracking(tmp_path_factory: pytest.TempPathFactory) -> MlflowTracking:
    """One store for the module, since creating it takes seconds; each test uses run ids and model names of its own."""
    return MlflowTracking(tmp_path_factory.mktemp("tracking"))


def run(run_id: str) -> TrackedRun:
    return TrackedRun(
        run_id=run_id,
        started_at=NOON,
        purpose="train",
        context="research",
        evidence="synthetic",
        dataset_version="d1",
        dataset_content="c0ffee.dir",
        manifest_sha256="a" * 64,
        consent_snapshot_sha256="b" * 64,
        code_commit="c0ffee",
        params_sha256="c" * 64,
        people=3,
        samples=9,
        params={"seed": 1, "training.epochs": 2},
    )


def model(**metrics: float) -> TrackedModel:
    return TrackedModel(
        name="landmark_net", variant="T-EMO", precision="one-bit", metrics=metrics, curves={"train/loss": (0.9, 0.5)}
    )


def outcome(folder: Path, decision: str = "promote", reasons: tuple[str, ...] = ()) -> TrackedOutcome:
    figure, card, docs = folder / "confusion.png", folder / "card.html", folder / "docs"
    figure.write_bytes(b"png")
    card.write_text("card")
    docs.mkdir(exist_ok=True)
    (docs / "index.html").write_text("docs")
    return TrackedOutcome(
        decision=decision,
        reasons=reasons,
        headline={"Macro AUC": "0.94 (0.92 to 0.96)"},
        metrics=with_interval(slice_metric("gender", "female", "accuracy"), 0.9, 0.8, 0.95),
        figures=(figure,),
        reports={"data_docs": docs, "model_card": card},
    )


def version(folder: Path, run_id: str, name: str, number: int = 1, **changes: Any) -> TrackedVersion:
    bundle = folder / "bundle"
    bundle.mkdir(exist_ok=True)
    (bundle / "spec.json").write_text(f"{name} {number}")
    base = TrackedVersion(
        name=name,
        version=number,
        run_id=run_id,
        bundle=bundle,
        bundle_sha256=f"{name}-{number}",
        weights_sha256="d" * 64,
        decision="promote",
        decision_sha256="e" * 64,
        reasons=(),
        evidence="synthetic",
        purpose="train",
        context="research",
        dataset_version="d1",
        consent_snapshot_sha256="b" * 64,
        headline={"Macro AUC": "0.94"},
    )
    return replace(base, **changes)


def client(tracking: MlflowTracking) -> Any:
    return tracking._store.client


def test_nothing_is_created_before_the_first_use(tmp_path: Path) -> None:
    """Wiring costs nothing."""
    MlflowTracking(tmp_path / "home")
    assert list(tmp_path.iterdir()) == []


def test_the_store_is_shared_with_a_reader(tracking: MlflowTracking) -> None:
    """WAL stands in the file, so that an open UI does not hinder a retrain."""
    tracking.start(run("wal"))
    connection = sqlite3.connect(tracking.store_uri.removeprefix("sqlite:///"))
    assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    connection.close()


def test_a_run_carries_the_tags_of_the_contract(tracking: MlflowTracking, tmp_path: Path) -> None:
    """What the outside may search by; and the dataset is an input of the run."""
    run_id = tracking.start(run("tags"))
    tracking.finish("tags", outcome(tmp_path))
    found = client(tracking).get_run(run_id)
    expected = {
        "dataset.version": "d1",
        "dataset.manifest_sha256": "a" * 64,
        "consent.snapshot_sha256": "b" * 64,
        "code.commit": "c0ffee",
        "params.sha256": "c" * 64,
        "gate.decision": "promote",
        "evidence": "synthetic",
    }
    assert expected.items() <= found.data.tags.items()
    assert found.data.params == {"seed": "1", "training.epochs": "2"}
    assert [one.dataset.digest for one in found.inputs.dataset_inputs] == ["a" * 36]
    assert found.info.status == "FINISHED" and found.info.run_name == "promote · tags"


def test_metrics_have_the_names_of_the_contract(tracking: MlflowTracking, tmp_path: Path) -> None:
    """A colon and a slash are allowed in a name, and the interval's ends lie beside the figure."""
    run_id = tracking.start(run("metrics"))
    tracking.finish("metrics", outcome(tmp_path))
    assert client(tracking).get_run(run_id).data.metrics == {
        "slice/gender:female/accuracy": 0.9,
        "slice/gender:female/accuracy.lo": 0.8,
        "slice/gender:female/accuracy.hi": 0.95,
    }


def test_a_trained_model_is_a_child_with_its_curves(tracking: MlflowTracking) -> None:
    """One child per model, however often it is logged, and one point per epoch."""
    parent = tracking.start(run("child"))
    first = tracking.log_model("child", model(**{"fear/auc": 0.9}))
    assert tracking.log_model("child", model(**{"fear/auc": 0.9})) == first
    found = client(tracking).get_run(first)
    assert found.data.tags["mlflow.parentRunId"] == parent
    assert found.data.tags["model.precision"] == "one-bit"
    assert found.data.metrics["fear/auc"] == 0.9
    history = client(tracking).get_metric_history(first, "train/loss")
    assert [(point.step, point.value) for point in history] == [(0, 0.9), (1, 0.5)]


def test_a_thousand_metrics_fit(tracking: MlflowTracking) -> None:
    """MLflow's limit for one request is ours to keep."""
    tracking.start(run("many"))
    child = tracking.log_model("many", model(**{f"slice/n:{number}/accuracy": 0.5 for number in range(1500)}))
    assert len(client(tracking).get_run(child).data.metrics) == 1501


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_a_figure_that_is_no_number_is_refused(tracking: MlflowTracking, value: float) -> None:
    """MLflow would store NaN as 0 with a mark that no page shows."""
    tracking.start(run("nan"))
    with pytest.raises(InputError, match="fear/auc"):
        tracking.log_model("nan", model(**{"fear/auc": value}))


def test_figures_and_reports_lie_where_a_reviewer_looks(tracking: MlflowTracking, tmp_path: Path) -> None:
    """`figures/`, `reports/<name>/` for a folder, `reports/` for a file."""
    run_id = tracking.start(run("files"))
    tracking.finish("files", outcome(tmp_path))
    root = tracking.artefacts / run_id / "artifacts"
    files = {str(path.relative_to(root)) for path in root.rglob("*") if path.is_file()}
    assert files == {"figures/confusion.png", "reports/card.html", "reports/data_docs/index.html"}


def test_a_missing_file_is_named_and_the_run_stays_open(tracking: MlflowTracking, tmp_path: Path) -> None:
    """No run ends as finished without its figures."""
    run_id = tracking.start(run("missing"))
    with pytest.raises(InputError, match=r"gone\.png"):
        tracking.finish("missing", replace(outcome(tmp_path), figures=(tmp_path / "gone.png",)))
    assert client(tracking).get_run(run_id).info.status == "RUNNING"


def test_the_description_says_decision_and_reason_first(tracking: MlflowTracking, tmp_path: Path) -> None:
    """Ten seconds: the decision, why, the facts, and that the evidence is synthetic."""
    run_id = tracking.start(run("note"))
    tracking.finish("note", outcome(tmp_path, "hold", ("31 people of monk_8_10, 44 more needed",)))
    note = client(tracking).get_run(run_id).data.tags["mlflow.note.content"]
    assert note.startswith(
        "HOLD: no required cell fails, but some need more evidence. 31 people of monk_8_10, 44 more needed\n\n**Macro AUC**"
    )
    assert "synthetic people only" in note and "3 people, 9 samples" in note


def test_starting_again_continues_the_same_run(tracking: MlflowTracking) -> None:
    """A resumed retrain has one row, and it is running again."""
    first = tracking.start(run("resumed"))
    tracking.fail("resumed", "out of disk")
    assert client(tracking).get_run(first).info.status == "FAILED"
    assert tracking.start(run("resumed")) == first
    assert client(tracking).get_run(first).info.status == "RUNNING"


@pytest.mark.parametrize("run_id", ["never", "it's"])
def test_a_run_that_was_not_started_is_refused(tracking: MlflowTracking, run_id: str) -> None:
    """Nothing is attached to nothing, and an id cannot break the search."""
    with pytest.raises(InputError):
        tracking.log_model(run_id, model())


def files_of(tracking: MlflowTracking, name: str) -> Path:
    """Where the files of a name's only version lie."""
    (found,) = client(tracking).search_model_versions(f"name='{name}'")
    return tracking.artefacts / found.tags["bundle.place"]


def test_a_version_carries_bundle_and_tags(tracking: MlflowTracking, tmp_path: Path) -> None:
    """Plain files below the run, and the digests that bind it to the ledger."""
    run_id = tracking.start(run("version"))
    assert tracking.register(version(tmp_path, "version", "plain")) == 1
    found = client(tracking).get_model_version("plain", "1")
    tags = {"ledger.version": "1", "bundle.sha256": "plain-1", "gate.decision": "promote", "evidence": "synthetic"}
    assert tags.items() <= found.tags.items()
    assert found.run_id == run_id and found.description.startswith("PROMOTE")
    folder = files_of(tracking, "plain")
    assert (folder / "spec.json").read_text() == "plain 1"
    assert not list(folder.rglob("MLmodel"))


def test_registering_again_gives_the_same_version_with_fresh_tags(tracking: MlflowTracking, tmp_path: Path) -> None:
    """Idempotent by the bundle's digest, from another run too; a new decision on it shows."""
    tracking.start(run("again-1"))
    tracking.start(run("again-2"))
    tracking.register(version(tmp_path, "again-1", "again"))
    held = version(tmp_path, "again-2", "again", decision="hold", reasons=("too few people",))
    assert tracking.register(held) == 1
    found = client(tracking).get_model_version("again", "1")
    assert (found.tags["gate.decision"], found.tags["gate.reasons"]) == ("hold", "too few people")
    assert len(client(tracking).search_model_versions("name='again'")) == 1


def test_files_that_went_with_another_run_come_back_below_the_one_that_made_them_again(
    tracking, tmp_path: Path
) -> None:
    tracking.start(run("leaves"))
    tracking.start(run("stays"))
    tracking.finish("leaves", outcome(tmp_path))
    tracking.register(version(tmp_path, "leaves", "back"))
    assert tracking.purge(["leaves"], "People have been erased.") >= 1
    assert not files_of(tracking, "back").exists()
    assert tracking.register(version(tmp_path, "stays", "back")) == 1
    assert (files_of(tracking, "back") / "spec.json").read_text() == "back 1"


def test_a_home_that_was_moved_takes_its_files_along(tmp_path: Path) -> None:
    """Old runs and versions are found in the new place, new runs write there, and another's addresses stay."""
    old, new = tmp_path / "old", tmp_path / "new home"
    before = MlflowTracking(old)
    before.start(run("first"))
    before.finish("first", outcome(tmp_path))
    before.register(version(tmp_path, "first", "moved"))
    elsewhere = client(before).create_experiment("another's", artifact_location=f"file://{tmp_path}/older/artefacts")
    old.rename(new)
    after = MlflowTracking(new)
    moved = client(after).get_model_version("moved", "1")
    assert moved.source == (new / "artefacts" / moved.run_id / "artifacts" / "bundle").as_uri()
    assert {file.path for file in client(after).list_artifacts(moved.run_id)} == {"bundle", "figures", "reports"}
    assert Path(client(after).download_artifacts(moved.run_id, "figures/confusion.png")).read_bytes() == b"png"
    own = after.start(run("second"))
    after.finish("second", outcome(tmp_path))
    assert (new / "artefacts" / own / "artifacts" / "figures" / "confusion.png").is_file()
    assert not old.exists()
    assert client(after).get_experiment(elsewhere).artifact_location.endswith("/older/artefacts")
    with pytest.raises(InputError, match="has a registered bundle already"):
        after.register(version(tmp_path, "first", "moved", number=2))


def test_a_registration_that_dies_leaves_no_version(
    tracking: MlflowTracking, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Files come first: a kill before the version's one transaction leaves files only, and the next try cleans them."""
    run_id = tracking.start(run("killed"))
    torn = version(tmp_path, "killed", "killed")
    (torn.bundle / "leftover.bin").write_bytes(b"half")

    def die(*args: Any, **kwargs: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(client(tracking), "create_model_version", die)
        with pytest.raises(KeyboardInterrupt):
            tracking.register(torn)
    assert client(tracking).search_model_versions("name='killed'") == []
    (torn.bundle / "leftover.bin").unlink()
    tracking.register(torn)
    files = [path.name for path in (tracking.artefacts / run_id / "artifacts" / "bundle").iterdir()]
    assert files == ["spec.json"]


def test_a_registered_bundle_is_never_overwritten(tracking: MlflowTracking, tmp_path: Path) -> None:
    """A second, different bundle of one run would lie where the first one does."""
    tracking.start(run("once"))
    tracking.register(version(tmp_path, "once", "once"))
    with pytest.raises(InputError, match="has a registered bundle already"):
        tracking.register(version(tmp_path, "once", "once", number=2))
    assert (files_of(tracking, "once") / "spec.json").exists()


def test_a_missing_bundle_is_refused(tracking: MlflowTracking, tmp_path: Path) -> None:
    """No version without files."""
    tracking.start(run("nothing"))
    with pytest.raises(InputError, match="no bundle to register"):
        tracking.register(version(tmp_path, "nothing", "nothing", bundle=tmp_path / "gone"))


def test_aliases_follow_the_ledger_and_hand_moves_are_reported(tracking: MlflowTracking, tmp_path: Path) -> None:
    """Only what differs is written; an alias that somebody moved is moved back and named; None takes one away."""
    for number in (1, 2):
        tracking.start(run(f"alias-{number}"))
        tracking.register(version(tmp_path, f"alias-{number}", "alias", number=number))
    wanted = {"champion": 2, "previous": 1, "challenger": None}
    assert tracking.point_aliases("alias", wanted) == ("champion", "previous")
    assert tracking.point_aliases("alias", wanted) == ()
    client(tracking).set_registered_model_alias("alias", "champion", "1")
    assert tracking.point_aliases("alias", wanted) == ("champion",)
    assert client(tracking).get_model_version_by_alias("alias", "champion").tags["ledger.version"] == "2"
    assert tracking.point_aliases("alias", {"previous": None}) == ("previous",)
    assert "previous" not in client(tracking).get_registered_model("alias").aliases
    with pytest.raises(InputError, match="no version 9"):
        tracking.point_aliases("alias", {"champion": 9})


def test_how_versions_stand_is_a_tag_that_follows_the_ledger(tracking: MlflowTracking, tmp_path: Path) -> None:
    """By the ledger's number; a version that the registry lacks is passed over, and the note keeps the line as judged."""
    tracking.start(run("stands"))
    shown = replace(version(tmp_path, "stands", "stands", number=7), status="stands/7 · HELD · as judged")
    tracking.register(shown)
    for line in ("stands/7 · CHAMPION · live", "stands/7 · RETIRED · not live"):
        tracking.tell_status("stands", {7: line, 8: "stands/8 · HELD"})
        (found,) = client(tracking).search_model_versions("name='stands'")
        assert found.tags["status"] == line
    assert "stands/7 · HELD · as judged" in found.description


def test_a_run_s_page_says_how_its_version_stood_when_it_was_judged(tracking: MlflowTracking, tmp_path: Path) -> None:
    run_id = tracking.start(run("standing"))
    tracking.finish(
        "standing", replace(outcome(tmp_path, "hold", ("few",)), status="bitface/3 · HELD · evidence synthetic")
    )
    note = client(tracking).get_run(run_id).data.tags["mlflow.note.content"]
    assert "bitface/3 · HELD · evidence synthetic" in note


def test_the_champion_is_pointed_to_last(
    tracking: MlflowTracking, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever sees the new champion finds everything else in place."""
    tracking.start(run("last"))
    tracking.register(version(tmp_path, "last", "last"))
    order: list[str] = []
    monkeypatch.setattr(client(tracking), "set_registered_model_alias", lambda _, alias, __: order.append(alias))
    tracking.point_aliases("last", {"champion": 1, "previous": 1, "challenger": 1})
    assert order == ["challenger", "previous", "champion"]


def test_versions_are_named_by_the_ledger_s_number(tracking: MlflowTracking, tmp_path: Path) -> None:
    """The registry's own count may differ after a restore; the ledger's stands."""
    tracking.start(run("number"))
    assert tracking.register(version(tmp_path, "number", "number", number=7)) == 1
    assert tracking.point_aliases("number", {"champion": 7}) == ("champion",)
    with pytest.raises(InputError, match="no version 1"):
        tracking.point_aliases("number", {"champion": 1})


def test_the_page_opens_the_list_of_retrains(tracking: MlflowTracking) -> None:
    """The address that `make ui` prints leads to training runs, not to chat models."""
    assert tracking.page.startswith("/#/experiments/") and tracking.page.endswith("machine_learning")


def test_a_report_is_a_run_of_its_own_and_its_repetition_adds_nothing(tracking: MlflowTracking, tmp_path: Path) -> None:
    """It stands beside the retrains and not among them, with figures, pages and the facts on top."""
    figure, page = tmp_path / "study.png", tmp_path / "study.html"
    figure.write_bytes(b"png")
    page.write_text("page")
    report = TrackedReport(
        report_id="study-1",
        kind="study",
        title="study · 12 people",
        started_at=NOON,
        evidence="synthetic",
        code_commit="c0ffee",
        headline={"Best": "landmarks T 0.90"},
        params={"folds": 5},
        metrics={"study/landmarks T/one-bit/macro_auc": 0.9},
        figures=(figure,),
        reports={"study": page},
    )
    first, second = tracking.log_report(report), tracking.log_report(report)
    assert first == second
    client = tracking._store.client
    found = client.get_run(first)
    assert found.info.experiment_id != tracking._store.experiment_id
    assert (found.info.status, found.data.tags["report.kind"]) == ("FINISHED", "study")
    assert "**Best** landmarks T 0.90" in found.data.tags["mlflow.note.content"]
    assert "synthetic people only" in found.data.tags["mlflow.note.content"]
    assert len(client.get_metric_history(first, "study/landmarks T/one-bit/macro_auc")) == 1
    assert {entry.path for entry in client.list_artifacts(first)} == {"figures", "reports"}
    assert len(client.search_runs([found.info.experiment_id], "tags.`bitface.report_id` = 'study-1'")) == 1


def test_a_run_that_was_killed_is_closed_and_opens_again_when_it_goes_on(tmp_path: Path) -> None:
    own = MlflowTracking(tmp_path)
    assert own.end_interrupted() == ()
    assert not (tmp_path / "mlflow.db").exists()
    mlflow_id = own.start(run("killed-1"))
    own.start(run("done-1"))
    own.finish("done-1", outcome(tmp_path))
    (said,) = own.end_interrupted()
    assert "killed-1" in said
    shown = own._store.client.get_run(mlflow_id)
    assert shown.info.status == "KILLED" and "Interrupted" in shown.data.tags["mlflow.note.content"]
    assert own.end_interrupted() == ()
    assert own.start(run("killed-1")) == mlflow_id
    assert own._store.client.get_run(mlflow_id).info.status == "RUNNING"
