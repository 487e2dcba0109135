"""Made-up evidence for the gate and runs for the ledger: sound by default, so that a test changes one thing and sees one change."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from sqlite3 import Connection

import numpy as np
import pytest
from sqlalchemy.dialects.sqlite.base import SQLiteDialect

from bitface.consent.events import ConsentEvent
from bitface.evaluation.predictions import Predictions
from bitface.gate.evidence import ConsentEvidence, DriftEvidence, ExplanationEvidence, GateEvidence, RegionEvidence
from bitface.ledger import engine
from bitface.ledger.entries import RunEntry
from bitface.ledger.ledger import Ledger
from bitface.params import GateParams, read_params
from tests.builders import dataset_entry, member

CONFIGURE_SQLITE = engine._configure_sqlite
COMPILED: dict[object, object] = {}
EMOTIONS = ("anger", "happiness", "neutral")
STILLS = 2 * len(EMOTIONS)


@pytest.fixture(scope="module", autouse=True)
def _no_power_cut() -> Iterator[None]:
    """No test of a module pulls the plug: a disk that is waited for a hundred times a second takes longer than all else together."""

    def unflushed(connection: Connection, record: object) -> None:
        CONFIGURE_SQLITE(connection, record)
        connection.execute("PRAGMA synchronous=OFF")
        connection.execute("PRAGMA journal_mode=MEMORY")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(engine, "_configure_sqlite", unflushed)
        patch.setattr(os, "fsync", lambda _: None)
        yield


@pytest.fixture(scope="module", autouse=True)
def _statements_compiled_once() -> Iterator[None]:
    """SQLAlchemy keeps what it compiled for each engine's own dialect, and a thousand ledgers ask the same: here they share it."""
    create, options = engine.create_engine, {"compiled_cache": COMPILED}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(SQLiteDialect, "__hash__", lambda self: hash(type(self)))
        patch.setattr(SQLiteDialect, "__eq__", lambda self, other: type(self) is type(other))
        patch.setattr(engine, "create_engine", partial(create, execution_options=options))
        yield


@pytest.fixture
def flushed(monkeypatch: pytest.MonkeyPatch) -> None:
    """A ledger that is opened from here on waits for the disk, as it does for people."""
    monkeypatch.setattr(engine, "_configure_sqlite", CONFIGURE_SQLITE)


def _predictions(people: int = 60, errors: float = 0.1, seed: int = 10) -> Predictions:
    """`people` with two stills of each emotion; a share of stills is taken for the next emotion."""
    rng = np.random.default_rng(seed)
    labels = np.tile(np.repeat(EMOTIONS, 2), people)
    index = np.tile(np.repeat(np.arange(3), 2), people)
    said = np.where(rng.random(len(labels)) < errors, (index + 1) % 3, index)
    return Predictions(
        sample_ids=np.array([f"s{row:04d}" for row in range(len(labels))]),
        persons=np.repeat([f"person{number:010d}" for number in range(people)], STILLS),
        labels=labels,
        emotions=EMOTIONS,
        scores=np.where(said[:, None] == np.arange(3), 0.8, 0.1),
        thresholds=np.full(3, 0.5),
        folds=np.zeros(len(labels), dtype=np.int64),
    )


def _regions(model: Predictions) -> RegionEvidence:
    """Nearly half of the exact values on a quarter of what is read, alike for everybody; a tenth beside the face."""
    rng, n = np.random.default_rng(1), len(model.persons)
    moves = model.labels != "neutral"
    return RegionEvidence(
        reads="crops",
        persons=model.persons,
        labels=model.labels,
        expected_share=np.where(moves, 0.45 + 0.05 * rng.standard_normal(n), np.nan),
        expected_area=np.where(moves, 0.25, np.nan),
        outside_share=rng.uniform(0.05, 0.15, n),
        champion_expected_share=None,
    )


@pytest.fixture(scope="session")
def make_predictions() -> Callable[..., Predictions]:
    return _predictions


@pytest.fixture(scope="session")
def evidence() -> GateEvidence:
    """A first model that passes: 60 people, 10 % of stills wrong, no champion."""
    model = _predictions()
    return GateEvidence(
        emotions=EMOTIONS,
        one_bit=model,
        twin=model,
        champion_version=None,
        champion=None,
        slices={
            person: {
                "age_band": ("18_29", "30_44")[number % 2],
                "gender": ("female", "male")[number // 2 % 2],
                "skin_tone": ("monk_1_4", "monk_8_10")[number // 4 % 2],
                "ancestry": "a" if number < 50 else "b",
            }
            for number, person in enumerate(np.unique(model.persons).tolist())
        },
        latency_ms={"one-bit": np.linspace(0.2, 0.4, 300), "float": np.linspace(0.3, 0.6, 300)},
        explanations=(
            ExplanationEvidence(
                method="exact", baseline="mean face", additive=True, gaps=np.full(20, 1e-4), persons=model.persons[:20]
            ),
            ExplanationEvidence(
                method="rough", baseline="mean face", additive=False, gaps=np.full(20, 0.9), persons=model.persons[:20]
            ),
        ),
        regions=_regions(model),
        consent=ConsentEvidence(members=500, admitted=500),
        drift=DriftEvidence(share=0.1, share_max=0.5, features=20, n_reference=300, n_current=300),
        window=None,
    )


def _with_champion(regions: RegionEvidence | None) -> RegionEvidence | None:
    return None if regions is None else replace(regions, champion_expected_share=regions.expected_share)


@pytest.fixture(scope="session")
def with_champion(evidence: GateEvidence) -> GateEvidence:
    """The same model once more: a champion that is right and wrong where the candidate is."""
    return replace(evidence, champion_version="7", champion=evidence.one_bit, regions=_with_champion(evidence.regions))


@pytest.fixture(scope="session")
def gate_params() -> GateParams:
    """The project's own, with fewer draws, for a model that is meant for the people of `evidence`."""
    params = read_params(Path(__file__).resolve().parents[2] / "params.yaml").gate
    meant = {"age_band": ("18_29", "30_44"), "gender": ("female", "male"), "skin_tone": ("monk_1_4", "monk_8_10")}
    return params.model_copy(update={"bootstrap_resamples": 200, "permutations": 999, "required_values": meant})


def _freeze(
    ledger: Ledger,
    version: str,
    events: Sequence[ConsentEvent],
    context: str = "research",
    evidence: str = "synthetic",
    snapshot: str = "c" * 64,
) -> None:
    """Records a dataset version with a still of everybody whose consent event is given."""
    members = [member(event) for event in events]
    dataset = dataset_entry(
        len(members), version=version, context=context, evidence=evidence, consent_snapshot_sha256=snapshot
    )
    ledger.record_dataset(dataset, members)


def _begin(ledger: Ledger, run_id: str, version: str, context: str = "research", purpose: str = "train") -> None:
    """Records a run on a dataset version."""
    codes = {"code_commit": "c0ffee", "params_sha256": "d" * 64, "constraints_sha256": "e" * 64}
    ledger.record_run(RunEntry(run_id=run_id, dataset_version=version, purpose=purpose, context=context, **codes))


@pytest.fixture(scope="session")
def freeze() -> Callable[..., None]:
    return _freeze


@pytest.fixture(scope="session")
def begin() -> Callable[..., None]:
    return _begin
