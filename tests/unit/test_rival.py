"""A champion is compared by what it said out of fold of people it learned from, found again though its bundle names nobody."""

from __future__ import annotations

import shutil
from dataclasses import replace
from functools import partial
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from bitface.dataset.keys import KeyStore
from bitface.dataset.sealed_evidence import seal_evidence
from bitface.errors import RefusedError
from bitface.gate.decision import evaluate_gate
from bitface.gate.decision_bundle import write_bundle
from bitface.gate.unnamed import unnamed
from bitface.steps.versions import rival
from bitface.steps.versions.gate import BUNDLE_NAME, names_in
from bitface.steps.versions.rival import find_rival

LEARNED = "person0000000003"


class Place:
    """A champion whose gate recorded scores of 60 people, one of whom it learned from; live it gives every score as 0.7."""

    def __init__(self, folder: Path, evidence, params, monkeypatch, kind: str) -> None:
        self.keys, self.runs, self.judged, self.kind = KeyStore(folder / "keys"), folder, evidence.one_bit, kind
        rng = np.random.default_rng(3)
        said = replace(self.judged, scores=rng.random(self.judged.scores.shape))
        own = unnamed(replace(evidence, one_bit=said), names_in("again", kind, self.keys))
        (folder / "again").mkdir()
        seal = partial(seal_evidence, keys=self.keys, renew=False)
        write_bundle(
            folder / "again" / BUNDLE_NAME, own, params, 1, evaluate_gate(own, params, 1), {"run": "again"}, seal
        )
        self.recorded = said.scores
        live = replace(self.judged, scores=np.full_like(self.judged.scores, 0.7))
        monkeypatch.setattr(rival, "runtime_predictions", lambda table, _: live)

    def find(self):
        members = [SimpleNamespace(person=LEARNED, split="train"), SimpleNamespace(person="x", split="gate")]
        entry = SimpleNamespace(version=7, evidence=self.kind, run_id="first")
        ledger = SimpleNamespace(
            champion=lambda: entry,
            is_lawful=lambda _: True,
            check_judged=lambda _: None,
            run_of=lambda _: SimpleNamespace(run_id="again", dataset_version="d2"),
            members=lambda version: members if version == "d2" else [],
        )
        own = SimpleNamespace(are_points=np.zeros(1, np.bool_))
        table = SimpleNamespace(sample_ids=self.judged.sample_ids[::-1], where=lambda _: own)
        run = SimpleNamespace(evidence=self.kind)
        found, _ = find_rival(
            run, self.judged, table, ledger, self.runs, self.keys, lambda: SimpleNamespace(reads="landmarks")
        )
        return found


@pytest.mark.parametrize("kind", ["real", "synthetic"])
def test_what_a_champion_said_of_whom_it_learned_from_is_found_by_the_key(
    tmp_path, evidence, gate_params, monkeypatch, kind
) -> None:
    place = Place(tmp_path, evidence, gate_params, monkeypatch, kind)
    found = place.find()
    learned = place.judged.persons == LEARNED
    assert learned.any() and np.allclose(found.predictions.scores[learned], place.recorded[learned])
    assert np.allclose(found.predictions.scores[~learned], 0.7)
    assert np.array_equal(found.predictions.sample_ids, place.judged.sample_ids)


def test_a_champion_whose_evidence_was_destroyed_or_is_gone_says_nothing_of_them(
    tmp_path, evidence, gate_params, monkeypatch
) -> None:
    place = Place(tmp_path, evidence, gate_params, monkeypatch, "real")
    place.keys.destroy_evidence("again", "e1")
    with pytest.raises(RefusedError, match="destroyed in erasure e1"):
        place.find()
    shutil.rmtree(tmp_path / "again")
    assert place.find().predictions is None, "its cells are NOT-RUN, and block"


def test_a_champion_whose_bundle_named_people_is_found_too(tmp_path, evidence, gate_params, monkeypatch) -> None:
    place = Place(tmp_path, evidence, gate_params, monkeypatch, "real")
    shutil.copy(Path(__file__).parent / "data" / "gate-format-6.zip", tmp_path / "again" / BUNDLE_NAME)
    learned = place.judged.persons == LEARNED
    found = place.find().predictions.scores[learned]
    assert np.allclose(found, evidence.one_bit.scores[learned]) and not np.isclose(found, 0.7).any()
