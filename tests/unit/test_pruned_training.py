"""Claims about training with pruning: what it keeps, whom it looks at, and that nothing changes without it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bitface.faces.emotions import EMOTIONS
from bitface.faces.features import ClipTable
from bitface.models.face.face_extraction import extract_face
from bitface.params import TrainingParams, read_params
from bitface.training.choice import macro_auc, targets_of
from bitface.training.loop import load_model, predict_scores, save_model, train_pair

SHIPPED = read_params(Path(__file__).parents[2] / "params.yaml").training


def params(**changes: Any) -> TrainingParams:
    """A net of 64 and 128 channels for two emotions, a minute's work made seconds."""
    sizes = {"channels": 64, "stages": 2, "blocks": 1, "features": 32}
    sizes |= {"epochs": 2, "one_bit_epochs": 2, "batch": 8, "augment_copies": 1}
    net = SHIPPED.face_net.model_copy(update=sizes | {"pruned": (32, 32), "pruned_epochs": 1} | changes)
    return SHIPPED.model_copy(update={"architecture": "face_net", "face_net": net, "steps_per_epoch_min": 6})


def faces(people: int = 12, seed: int = 0) -> ClipTable:
    """Who smiles is bright at the bottom, who rests is not."""
    rng = np.random.default_rng(seed)
    labels = np.tile([EMOTIONS.index("happiness"), EMOTIONS.index("neutral")], people)
    crops = rng.normal(128, 20, (2 * people, 1, 64, 64))
    crops[::2, :, 40:56, 16:48] += 60
    return ClipTable(
        landmarks=rng.normal(size=(2 * people, 1, 478, 3)).astype(np.float32),
        blendshapes=np.zeros((2 * people, 1, 52), np.float32),
        crops=np.clip(crops, 0, 255).astype(np.uint8),
        lengths=np.ones(2 * people, np.int64),
        labels=labels,
        persons=np.array([f"{person:016d}" for person in range(people) for _ in range(2)]),
        sample_ids=np.array([f"s{row}" for row in range(2 * people)]),
        splits=np.repeat(["train", "validation", "gate"], [people, people // 2, people // 2]),
        quality=np.zeros((2 * people, 5), np.float32),
    )


def silent(*_: object) -> None:
    """Progress that nobody watches."""


@pytest.fixture(scope="module")
def pair():
    return train_pair(faces(), params(), 3, silent)


@pytest.mark.trains
def test_the_one_bit_net_is_pruned_tuned_and_knows_people_it_never_saw(pair, tmp_path: Path) -> None:
    one_bit, twin = pair
    assert one_bit.network.spec.widths == (32, 32)
    assert twin.network.spec.widths == (64, 128)
    judged = faces().of_split("gate")
    assert macro_auc(targets_of(judged, one_bit.emotions), predict_scores(one_bit, judged)) > 0.85
    assert [layer.filters.shape[:2] for layer in extract_face(one_bit.network)[0].layers] == [(32, 32), (32, 32)]
    save_model(one_bit, tmp_path)
    assert np.array_equal(predict_scores(load_model(tmp_path), judged), predict_scores(one_bit, judged))


@pytest.mark.trains
def test_epochs_are_counted_on_and_the_last_is_kept_of_what_the_twin_teaches(pair) -> None:
    one_bit, twin = pair
    assert [record.epoch for record in one_bit.history] == [1, 2, 3]
    assert one_bit.best_epoch == 3
    assert twin.history[twin.best_epoch - 1].validation_auc == max(record.validation_auc for record in twin.history)


@pytest.mark.trains
def test_progress_counts_every_epoch() -> None:
    told: list[tuple[str, int]] = []
    train_pair(
        faces(), params(epochs=1, one_bit_epochs=1), 3, lambda precision, epoch, _: told.append((precision, epoch))
    )
    assert told == [("float", 1), ("one-bit", 1), ("one-bit", 2)]
    assert max(epoch for _, epoch in told) == params(epochs=1, one_bit_epochs=1).epochs_of("one-bit")


@pytest.mark.trains
def test_people_outside_train_and_validation_change_nothing_and_it_repeats(pair, tmp_path: Path) -> None:
    table = faces()
    noise = np.where((table.splits == "gate")[:, None, None, None], 255 - table.crops, table.crops)
    again, _ = train_pair(replace(table, crops=noise), params(), 3, silent)
    assert save_model(again, tmp_path / "a") == save_model(pair[0], tmp_path / "b")


@pytest.mark.trains
def test_the_first_epochs_and_the_twin_are_those_of_a_training_without_pruning(pair, tmp_path: Path) -> None:
    whole, twin = train_pair(faces(), params(pruned=None), 3, silent)
    assert whole.network.spec.widths == (64, 128)
    assert whole.history == pair[0].history[:2]
    assert save_model(twin, tmp_path / "a") == save_model(pair[1], tmp_path / "b")
