"""Claims about training: what it learns, what it may look at, what it refuses, and that it repeats to the last bit."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from bitface.errors import InputError, IntegrityError
from bitface.faces.emotions import EMOTIONS
from bitface.faces.features import ClipTable
from bitface.params import read_params
from bitface.training.batches import apex_stills, expressiveness, steps_per_epoch
from bitface.training.choice import balanced_thresholds, macro_auc, targets_of, trainable_emotions
from bitface.training.landmarks.landmark_augmentation import augmented, people_of
from bitface.training.landmarks.landmark_domain import LandmarkDomain
from bitface.training.landmarks.mirror import mirror_order, mirrored
from bitface.training.loop import load_model, predict_scores, save_model, train_pair
from bitface.training.objectives import distillation_loss
from bitface.training.seeds import repeatable, seed_of

SHIPPED = read_params(Path(__file__).parents[2] / "params.yaml").training
# What decides how a toy model learns is said here: a change of the shipped numbers must not break the claims.
GENTLE = SHIPPED.augmentation.model_copy(
    update={
        "still_share": 0.5,
        "frame_dropout": 0.2,
        "identity_share": 0.5,
        "yaw_deg": 3.0,
        "pitch_deg": 3.0,
        "roll_deg": 1.0,
        "scale": 0.03,
        "jitter": 0.003,
    }
)
PARAMS = SHIPPED.model_copy(
    update={
        "augmentation": GENTLE,
        "augment_copies": 2,
        "channels": 32,
        "epochs": 10,
        "batch": 16,
        "learning_rate": 0.005,
        "weight_decay": 0.01,
        "dropout": 0.1,
        "steps_per_epoch_min": 25,
        "warmup_steps": 4,
        "stem_components": 60,
        "examples_per_component": 1.0,
        "threads": 1,
    }
)
LABELS = ("happiness", "sadness", "neutral")
MOVED = [61, 291, 40, 270, 91, 321, 146, 375]
"""Both corners of the mouth and what is around them."""


def toy(people=16, frames=3, seed=0):
    """People with shapes of their own whose happiness lifts, and whose sadness lowers, a patch of points mid-clip."""
    rng = np.random.default_rng(seed)
    rows = [(person, label) for person in range(people) for label in LABELS]
    n = len(rows)
    base = np.random.default_rng(99).normal(0, 0.5, (478, 3))
    shapes = base + mirrored(base) + rng.normal(0, 0.01, (people, 478, 3))
    landmarks = shapes[[person for person, _ in rows]][:, None] + rng.normal(0, 0.005, (n, frames, 478, 3))
    rise = np.sin(np.linspace(0, np.pi, frames + 2))[1:-1]
    for row, (_, label) in enumerate(rows):
        landmarks[row, :, MOVED, 1] += {"happiness": -0.3, "sadness": 0.3, "neutral": 0.0}[label] * rise
    splits = np.array(
        ["train" if p < people // 2 else "validation" if p < people * 3 // 4 else "gate" for p, _ in rows]
    )
    return ClipTable(
        landmarks=landmarks.astype(np.float32),
        blendshapes=np.zeros((n, frames, 52), np.float32),
        crops=np.zeros((n, frames, 64, 64), np.uint8),
        lengths=np.full(n, frames, np.int64),
        labels=np.array([EMOTIONS.index(label) for _, label in rows], np.int64),
        persons=np.array([f"{person:016d}" for person, _ in rows]),
        sample_ids=np.array([f"s{row}" for row in range(n)]),
        splits=splits,
        quality=np.zeros((n, 5), np.float32),
    )


def silent(*_):
    """Progress that nobody watches."""


@pytest.fixture(scope="module")
def pair():
    return train_pair(toy(), PARAMS, 7, silent)


SHORT = PARAMS.model_copy(update={"epochs": 1})


@pytest.fixture(scope="module")
def short():
    return train_pair(toy(), SHORT, 7, silent)


@pytest.mark.trains
def test_both_nets_recognise_people_they_never_saw(pair):
    """As clips and as single apex frames."""
    for table in (toy().of_split("gate"), apex_stills(toy().of_split("gate"))):
        for model in pair:
            assert macro_auc(targets_of(table, model.emotions), predict_scores(model, table)) > 0.85


@pytest.mark.trains
def test_the_same_seed_gives_the_same_bytes_whatever_threads_the_caller_has_and_whoever_is_in_no_split(short, tmp_path):
    """People outside train and validation show something else the second time."""
    before, table = torch.get_num_threads(), toy()
    noise = table.landmarks.copy()
    noise[table.splits == "gate"] = 5.0
    try:
        torch.set_num_threads(2)
        again = train_pair(replace(table, landmarks=noise), SHORT, 7, silent)
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)
    for name, first, second in zip("ab", short, again, strict=True):
        assert save_model(first, tmp_path / name) == save_model(second, tmp_path / (name * 2))


@pytest.mark.trains
def test_another_seed_gives_another_model(short, tmp_path):
    other, _ = train_pair(toy(), SHORT, 8, silent)
    assert save_model(other, tmp_path / "a") != save_model(short[0], tmp_path / "b")


@pytest.mark.trains
def test_a_saved_model_answers_the_same_after_loading(pair, tmp_path):
    for name, model in zip(("one-bit", "float"), pair, strict=True):
        save_model(model, tmp_path / name)
        loaded = load_model(tmp_path / name)
        assert np.array_equal(predict_scores(loaded, toy()), predict_scores(model, toy()))
        assert (loaded.emotions, loaded.untrained, loaded.history) == (model.emotions, model.untrained, model.history)
        assert np.array_equal(loaded.thresholds, model.thresholds)


@pytest.mark.trains
def test_altered_weights_are_refused(pair, tmp_path):
    save_model(pair[0], tmp_path)
    content = bytearray((tmp_path / "weights.safetensors").read_bytes())
    content[-1] ^= 1
    (tmp_path / "weights.safetensors").write_bytes(content)
    with pytest.raises(IntegrityError, match="does not match"):
        load_model(tmp_path)


@pytest.mark.trains
def test_a_still_is_scored_as_a_constant_clip(pair):
    still = apex_stills(toy().of_split("gate"))
    constant = replace(still, lengths=np.full(len(still), still.landmarks.shape[1]))
    for model in pair:
        assert np.array_equal(predict_scores(model, still), predict_scores(model, constant))


@pytest.mark.trains
def test_the_kept_epoch_is_the_best_on_validation(pair):
    for model in pair:
        assert model.history[model.best_epoch - 1].validation_auc == max(e.validation_auc for e in model.history)


@pytest.mark.trains
def test_emotions_without_samples_are_not_trained_and_say_why(pair):
    assert pair[0].emotions == LABELS
    assert dict(pair[0].untrained)["anger"] == "no sample of it in train"


def test_an_emotion_that_validation_lacks_is_not_trained():
    table = toy()
    lacking = table.where((table.splits != "validation") | (table.labels != EMOTIONS.index("sadness")))
    emotions, untrained = trainable_emotions(lacking.of_split("train"), lacking.of_split("validation"))
    assert emotions == ("happiness", "neutral") and dict(untrained)["sadness"] == "no sample of it in validation"


@pytest.mark.parametrize("split", ["train", "validation"])
def test_an_empty_split_is_refused(split):
    table = toy()
    with pytest.raises(InputError, match=f"split '{split}' has no samples"):
        train_pair(table.where(table.splits != split), PARAMS, 0, silent)


def test_people_in_both_splits_are_refused():
    table = toy()
    with pytest.raises(InputError, match="split by person"):
        train_pair(replace(table, persons=np.full(len(table), "0" * 16)), PARAMS, 0, silent)


def test_landmarks_that_are_not_finite_are_refused():
    table = toy()
    table.landmarks[0, 0, 0, 0] = np.inf
    with pytest.raises(InputError, match="not finite"):
        train_pair(table, PARAMS, 0, silent)


def test_mirroring_twice_changes_nothing_and_swaps_known_points():
    order = mirror_order()
    assert np.array_equal(order[order], np.arange(478))
    for right, left in ((33, 263), (133, 362), (61, 291), (159, 386), (105, 334), (234, 454), (468, 473)):
        assert order[right] == left
    assert (order[[1, 4, 10, 13, 14, 152, 168]] == [1, 4, 10, 13, 14, 152, 168]).all()
    face = np.random.default_rng(0).normal(size=(2, 478, 3)).astype(np.float32)
    assert np.array_equal(mirrored(mirrored(face)), face)


def test_augmentation_without_any_change_is_the_identity():
    nothing = SHIPPED.augmentation.model_copy(update=dict.fromkeys(type(SHIPPED.augmentation).model_fields, 0.0))
    table = toy()
    people = people_of(table)
    changed = augmented(table.landmarks, people.of_sample, people, nothing, np.random.default_rng(0))
    assert np.allclose(changed, table.landmarks, atol=1e-6)


def test_turning_a_head_keeps_every_distance():
    turns = SHIPPED.augmentation.model_copy(
        update={"identity_share": 0.0, "mirror_share": 0.0, "scale": 0.0, "jitter": 0.0, "yaw_deg": 30.0}
    )
    table = toy()
    people = people_of(table)
    changed = augmented(table.landmarks, people.of_sample, people, turns, np.random.default_rng(0))
    before, after = (np.linalg.norm(x[..., 1:, :] - x[..., :-1, :], axis=-1) for x in (table.landmarks, changed))
    assert np.allclose(before, after, atol=1e-5) and not np.allclose(changed, table.landmarks, atol=0.01)


def test_a_persons_mean_shape_does_not_carry_the_only_expression_known_of_them():
    """Half of the people only smile, the others only rest; all have the same face."""
    table = toy(people=4)
    face = table.landmarks[0:1].repeat(len(table), axis=0)
    labels = np.array([EMOTIONS.index("happiness" if int(person) < 2 else "neutral") for person in table.persons])
    face[labels == EMOTIONS.index("happiness"), :, :30, 1] -= 0.3
    assert np.abs(people_of(replace(table, landmarks=face, labels=labels)).shapes).max() < 1e-6


def test_the_apex_is_the_frame_farthest_from_both_ends():
    table = toy(frames=5)
    expressive = expressiveness(table)[table.labels != EMOTIONS.index("neutral")]
    assert (expressive.argmax(axis=1) == 2).all()


def test_padding_is_never_the_apex():
    table = toy(frames=5)
    short = replace(table, lengths=np.full(len(table), 2))
    assert (expressiveness(short)[:, 2:] == -1).all() and (expressiveness(short)[:, :2] >= 0).all()


def test_batches_hold_the_apex_and_are_as_many_as_promised():
    table = toy(frames=5).of_split("train")
    nothing = SHIPPED.augmentation.model_copy(
        update=dict.fromkeys(type(SHIPPED.augmentation).model_fields, 0.0) | {"frame_dropout": 0.9}
    )
    params = PARAMS.model_copy(update={"augmentation": nothing})
    domain = LandmarkDomain.of(table, params, seed=0)
    batches = list(domain.batches(targets_of(table, ("happiness",)), np.random.default_rng(0)))
    assert len(batches) == steps_per_epoch(len(table), params) >= params.steps_per_epoch_min
    apexes = table.landmarks[np.arange(len(table)), expressiveness(table).argmax(axis=1)]
    for batch in batches:
        distance = np.abs(batch.inputs[:, :, None] - apexes[None, None]).max(axis=(3, 4)).min(axis=(1, 2))
        assert (distance < 1e-5).all()


def test_distillation_is_nothing_where_student_and_teacher_agree():
    logits = torch.tensor([[1.0, -3.0]])
    assert distillation_loss(logits, logits, 2.0).item() == pytest.approx(0, abs=1e-7)
    assert distillation_loss(logits + 1, logits, 2.0).item() > 0


def test_areas_and_thresholds_are_those_found_by_hand():
    truth = np.array([[0], [1], [0], [1]], np.float32)
    scores = np.array([[0.1], [0.4], [0.4], [0.9]])
    assert macro_auc(truth, scores) == pytest.approx(3.5 / 4)
    # Odds of 1/9 and 2/3 against 2/3 and 9: the middle of the mean logits is at odds of (1/9 * 2/3 * 2/3 * 9) ** (1/4).
    odds = (4 / 9) ** 0.25
    assert balanced_thresholds(truth, scores).tolist() == pytest.approx([odds / (1 + odds)])


def test_a_threshold_does_not_depend_on_how_many_negatives_there_are():
    truth, scores = np.array([[0], [1]], np.float32), np.array([[0.2], [0.7]])
    rows = [0, 0, 0, 0, 1]
    assert balanced_thresholds(truth[rows], scores[rows]) == pytest.approx(balanced_thresholds(truth, scores))
    assert balanced_thresholds(truth, np.array([[0.0], [1.0]])) == pytest.approx([0.5])


def test_seeds_differ_by_purpose_and_the_global_state_comes_back():
    assert seed_of(1, "a") != seed_of(1, "b") != seed_of(2, "b") and seed_of(1, "a") == seed_of(1, "a")
    torch.manual_seed(3)
    expected = torch.rand(2)
    torch.manual_seed(3)
    with repeatable(0, 1):
        torch.rand(5)
    assert torch.equal(torch.rand(2), expected)
