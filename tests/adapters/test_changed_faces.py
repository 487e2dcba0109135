"""Changed faces, drawn and seen for real: people and emotions stay in order, and what was seen is kept sealed."""

from __future__ import annotations

import os
from functools import partial
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from bitface.adapters.media_files import decode_frames, encode_frames
from bitface.adapters.mediapipe_landmarks import FaceLandmarks
from bitface.adapters.synthetic_faces import render_jobs
from bitface.dataset.keys import KeyStore
from bitface.evaluation.counterfactual import CHANGES
from bitface.faces.emotions import EMOTIONS
from bitface.params import read_params
from bitface.steps.judging.redrawn_faces import Redrawing, ask_counterfactuals

ROOT = Path(__file__).resolve().parents[2]
SMALL = ("counterfactual.people=2", "synthetic.emotions=[happiness, neutral]", "synthetic.image_px=128")


def runtime(answer: str | None) -> SimpleNamespace:
    """A model that says one emotion of every face, or, with None, what the mouth's width says."""

    def scores(inputs: np.ndarray, _: np.ndarray) -> np.ndarray:
        width = np.abs(inputs[:, 0, 61, 0] - inputs[:, 0, 291, 0])
        said = np.tile(np.clip(width, 0.01, 0.99)[:, None], (1, len(EMOTIONS))).astype(np.float64)
        if answer is not None:
            said[:] = 0.2
            said[:, EMOTIONS.index(answer)] = 0.8
        return said

    return SimpleNamespace(reads="landmarks", emotions=EMOTIONS, thresholds=np.full(len(EMOTIONS), 0.5), scores=scores)


@pytest.fixture(scope="module")
def asked(tmp_path_factory, landmarker_file):
    """Answers of a model that always says the same and of one that looks, asked one after the other of what was seen once."""
    folder, looks = tmp_path_factory.mktemp("stages"), []
    params = read_params(ROOT / "params.yaml", overrides=SMALL)

    def render(jobs, synthetic, workers):
        looks.append(len(jobs))
        return render_jobs(jobs, synthetic, Path(os.environ["BITFACE_CACHE"]), 1)

    redrawing = Redrawing(
        render=render,
        encode=encode_frames,
        decode=decode_frames,
        landmarker=partial(FaceLandmarks, landmarker_file),
        asset_sha256="0" * 64,
        stages=folder,
        keys=KeyStore(folder / "keys"),
        workers=1,
    )

    def ask(answer, evidence="synthetic"):
        one = SimpleNamespace(evidence=evidence, params=params)
        return ask_counterfactuals(
            one, SimpleNamespace(folder=folder), redrawing, lambda _: runtime(answer), lambda *_: None
        )

    return SimpleNamespace(
        stubborn=ask("happiness"), looking=ask(None), real=ask(None, "real"), looks=looks, folder=folder
    )


def test_a_model_that_does_not_look_answers_alike_whatever_changes(asked) -> None:
    assert [one.change for one in asked.stubborn] == list(CHANGES)
    for one in asked.stubborn:
        assert len(one.persons) == 4 and len(set(one.persons)) == 2
        assert not one.changed.any() and np.allclose(one.shift, 0)


def test_a_model_that_looks_moves_a_little_with_each_change(asked) -> None:
    assert all(np.isfinite(one.shift).all() and np.abs(one.shift).max() > 0 for one in asked.looking)


def test_faces_are_drawn_once_and_what_was_seen_lies_sealed(asked) -> None:
    assert asked.looks == [10]
    (kept,) = asked.folder.glob("counterfactual/*.sealed")
    assert b"landmarks" not in kept.read_bytes()


def test_nobody_is_drawn_for_a_model_of_real_people(asked) -> None:
    assert asked.real is None
