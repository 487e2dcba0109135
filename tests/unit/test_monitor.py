"""New faces against those that a model was judged on: whom it may ask, and what it says."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from scipy.stats import ks_2samp

from bitface.consent.events import ConsentEvent
from bitface.consent.known_sources import packaged_notice, synthetic_consents
from bitface.dataset.keys import KeyStore
from bitface.errors import InputError, IntegrityError
from bitface.ledger.engine import sqlite_url
from bitface.ledger.entries import ModelEntry
from bitface.ledger.ledger import Ledger
from bitface.params import DriftParams, read_params
from bitface.steps.judging.dataset_drift import DriftTest
from bitface.steps.judging.face_rows import ANSWERS
from bitface.steps.judging.reference import read_reference, seal_rows
from bitface.steps.judging.window import Window
from bitface.steps.versions.monitor import (
    Compared,
    JudgedPeople,
    compare_with_model,
    drift_text,
    model_and_run,
    people_not_met,
    show_drift,
)

NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)
PEOPLE = [f"s{number:015d}" for number in range(60)]


@pytest.fixture(scope="module")
def params() -> DriftParams:
    """The project's own, with fewer draws, which still reach its threshold."""
    params = read_params(Path(__file__).resolve().parents[2] / "params.yaml").drift
    return params.model_copy(update={"permutations": 499})


def measure(reference: pd.DataFrame, current: pd.DataFrame, *_: object) -> SimpleNamespace:
    return SimpleNamespace(columns={name: ks_2samp(reference[name], current[name]).pvalue for name in reference})


def rows(people: list[str], seed: int, shift: float = 0.0) -> pd.DataFrame:
    rng, index = np.random.default_rng(seed), pd.Index(np.repeat(people, 2), name="person")
    values = pd.DataFrame(rng.normal(shift, 1, size=(len(index), 3)), index=index)
    return values.set_axis(["blendshape/jawOpen", "prediction/fear", "embedding/00"], axis=1)


@pytest.fixture
def keys(tmp_path: Path) -> KeyStore:
    return KeyStore(tmp_path / "keys")


@pytest.fixture
def ledger(tmp_path: Path, judged: Path) -> Iterator[Ledger]:
    """A model of sixty people that nobody has promoted; the first one's consent ends tomorrow."""
    shutil.copytree(judged, tmp_path, dirs_exist_ok=True)
    with Ledger(sqlite_url(tmp_path / "ledger.db"), clock=lambda: NOON) as opened:
        yield opened


@pytest.fixture(scope="module")
def judged(tmp_path_factory: pytest.TempPathFactory, freeze, begin) -> Path:
    """A folder with the ledger, the run and the keys of that model."""
    folder = tmp_path_factory.mktemp("judged")
    consents = list(synthetic_consents(PEOPLE))
    consents[0] = ConsentEvent.model_validate(consents[0].model_dump() | {"valid_to": NOON + timedelta(days=1)})
    with Ledger(sqlite_url(folder / "ledger.db"), clock=lambda: NOON) as opened:
        opened.record_notice(packaged_notice("synthetic-1"))
        opened.record_consents(consents)
        freeze(opened, "d1", consents)
        begin(opened, "r1", "d1")
        opened.record_model(
            ModelEntry(bundle_sha256="b1", weights_sha256="w1", run_id="r1", evidence="synthetic", purpose="train")
        )
        seal_rows(rows(PEOPLE, 0), folder / "runs" / "r1", KeyStore(folder / "keys"))
    return folder


def compared(
    ledger: Ledger, window: pd.DataFrame, params: DriftParams, tmp_path: Path, at: datetime = NOON
) -> Compared:
    return compare_with_model(
        Window(what="faces of a test", rows=window),
        "bitface/1",
        JudgedPeople(ledger=ledger, runs=tmp_path / "runs", keys=KeyStore(tmp_path / "keys")),
        DriftTest(params=params, seed=0, measure=measure),
        tmp_path / "drift",
        at,
    )


def test_faces_alike_ask_for_nothing_and_others_for_a_retrain(ledger, params, tmp_path) -> None:
    quiet = compared(ledger, rows(PEOPLE, 1), params, tmp_path).document
    assert (
        quiet["asks_for_retrain"] is False
        and quiet["people_reference"] == 60
        and "none of 3 columns" in drift_text(quiet)
    )
    moved = compared(ledger, rows(PEOPLE, 1, shift=1), params, tmp_path).document
    assert moved["asks_for_retrain"] is True and len(moved["drifted"]) == 3
    assert "retrain with similar people" in drift_text(moved)
    assert not any(person in str(moved) for person in PEOPLE)


def test_who_left_is_not_asked(ledger, params, tmp_path) -> None:
    """By time, and by a withdrawal of the evaluation alone: a look at drift is one."""
    (event,) = ledger.consents(PEOPLE[1])
    facts = {"event_id": "w", "state": "withdrawn", "purposes": ("evaluate",), "event_time": NOON}
    with Ledger(sqlite_url(tmp_path / "ledger.db"), clock=lambda: NOON + timedelta(days=2)) as after:
        assert compared(after, rows(PEOPLE, 1), params, tmp_path).document["people_reference"] == 59
        after.record_consents([ConsentEvent.model_validate(event.model_dump() | facts)])
        assert compared(after, rows(PEOPLE, 1), params, tmp_path).document["people_reference"] == 58


def test_what_the_model_said_stays_out_where_the_window_does_not_know_it(ledger, params, tmp_path) -> None:
    window = rows(PEOPLE, 1)[["blendshape/jawOpen"]]
    assert compared(ledger, window, params, tmp_path).document["families"] == ["blendshape"]


def test_too_few_faces_and_a_model_that_is_none_are_refused(ledger, params, tmp_path) -> None:
    with pytest.raises(InputError, match="too few to distinguish drift from chance"):
        compared(ledger, rows(PEOPLE[:20], 1), params, tmp_path)
    for reference in ("champion", "bitface/2", "bitface", "other/1"):
        with pytest.raises(InputError, match=r"there is no|is not a model reference"):
            model_and_run(reference, ledger)


def test_people_whom_the_model_has_not_met(ledger) -> None:
    known, new = (
        SimpleNamespace(sample_id=f"{person}-1", person=person, sha256="a" * 64, split="gate", label="fear")
        for person in (PEOPLE[3], "s" + "9" * 15)
    )
    run = SimpleNamespace(members=SimpleNamespace(samples=(known, new), content={}))
    assert people_not_met(run, "bitface/1", ledger) == [(new,)]


def test_reviewers_get_page_figure_and_figures(ledger, params, tmp_path) -> None:
    found = compared(ledger, rows(PEOPLE, 1, shift=1), params, tmp_path)
    reports, figures = [], []

    def figure(panels: list, names: tuple, title: str, caption: str, path: Path) -> Path:
        figures.append((panels, names, title, caption))
        return path

    draw = SimpleNamespace(drift_figure=figure)
    show_drift(found, draw, SimpleNamespace(log_report=reports.append), "c0ffee")
    ((panels, names, title, caption),) = figures
    assert title == "New faces differ" and names == ("60 people of bitface/1", "120 new faces")
    assert panels[0].distance == max(panel.distance for panel in panels) and "3 of 3 columns drifted" in caption
    (report,) = reports
    assert report.metrics["drift/columns_drifted"] == 3 and set(report.reports) == {"drift.html", "drift.json"}


def test_a_reference_is_unreadable_without_its_people_s_keys(ledger, keys, tmp_path) -> None:
    folder = tmp_path / "runs" / "r1"
    assert len(read_reference(folder, set(), answers=True, keys=keys)) == 120
    alone = read_reference(folder, set(PEOPLE[1:]), answers=False, keys=keys)
    assert list(alone) == ["blendshape/jawOpen"] and len(alone) == 2
    assert not [name for name in alone if name.partition("/")[0] in ANSWERS]
    with pytest.raises(InputError, match="has no reference people"):
        read_reference(folder, set(PEOPLE), answers=True, keys=keys)
    path = folder / "reference" / f"{PEOPLE[5]}.sealed"
    path.write_bytes(path.read_bytes()[:-1] + b"x")
    with pytest.raises(IntegrityError):
        read_reference(folder, set(), answers=True, keys=keys)
