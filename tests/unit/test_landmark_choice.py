"""Which landmarks are chosen: what tells most first, never twice the same news, and by nothing but training people."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import get_args

import numpy as np
import pytest
import torch

from bitface.errors import InputError
from bitface.faces.features import LANDMARKS, ClipTable
from bitface.models.landmark.landmark_codes import CodeScale, encode, scale_of
from bitface.models.landmark.landmark_net import LandmarkNet, NetSpec
from bitface.params import LandmarkChoice, LandmarksParams, read_params
from bitface.training.landmarks import landmark_choice
from bitface.training.landmarks.landmark_choice import (
    choose_landmarks,
    greedy_landmarks,
    ranked_and_spread,
    spread_landmarks,
    sums_of,
)
from bitface.training.landmarks.landmark_domain import LandmarkDomain
from bitface.training.landmarks.landmark_screening import screened_scores

PARAMS = read_params(Path(__file__).resolve().parents[2] / "params.yaml").training
SPEC = NetSpec(
    precision="one-bit",
    channels=32,
    temporal_kernel=3,
    binary_layers=1,
    lstm_units=4,
    outputs=2,
    latent_clip=1.5,
    dropout=0.0,
    landmarks=(3, 40, 477),
)


def people() -> ClipTable:
    stills, targets, persons = told_by({5: 0}, n=24)
    n = len(stills)
    return ClipTable(
        landmarks=stills[:, None],
        blendshapes=np.zeros((n, 1, 52), np.float32),
        crops=np.zeros((n, 1, 64, 64), np.uint8),
        lengths=np.ones(n, np.int64),
        labels=targets[:, 0].astype(np.int64),
        persons=persons,
        sample_ids=np.array([f"s{row}" for row in range(n)]),
        splits=np.full(n, "train"),
        quality=np.zeros((n, 5), np.float32),
    )


def told_by(telling: dict[int, int], n: int = 400, seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Stills of noise in which landmark -> column of the targets moves with it; two stills a person."""
    rng = np.random.default_rng(seed)
    targets = (rng.random((n, max(telling.values()) + 1)) < 0.5).astype(np.float32)
    stills = rng.normal(size=(n, LANDMARKS, 3)).astype(np.float32)
    for landmark, column in telling.items():
        stills[:, landmark, 1] += 3 * targets[:, column]
    return stills, targets, np.array([f"p{row // 2}" for row in range(n)])


@pytest.mark.parametrize("choice", get_args(LandmarkChoice))
def test_a_choice_is_ascending_of_the_asked_size_and_the_same_again(
    choice: LandmarkChoice, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(landmark_choice, "HALVES", 3)
    stills, targets, persons = told_by({5: 0, 77: 1}, n=60)
    one, again = (choose_landmarks(choice, 16, stills, targets, persons, seed=3) for _ in range(2))
    assert one == again
    assert len(one) == 16
    assert list(one) == sorted(set(one))
    assert 0 <= one[0] <= one[-1] < LANDMARKS
    assert choose_landmarks(choice, LANDMARKS, stills, targets, persons, seed=3) == tuple(range(LANDMARKS))


def test_what_tells_most_comes_first() -> None:
    """Three landmarks move with three emotions, 475 with nothing."""
    stills, targets, _ = told_by({5: 0, 77: 1, 300: 2})
    assert set(greedy_landmarks(*sums_of(stills, targets), 3).tolist()) == {5, 77, 300}


def test_a_copy_of_a_chosen_landmark_adds_nothing() -> None:
    """77 is what 5 is, and 300 tells less than either: a ranking would take 5 and 77, greedy takes one of them and 300."""
    stills, targets, _ = told_by({5: 0, 300: 1})
    stills[:, 300, 1] -= 1.5 * targets[:, 1]
    stills[:, 77] = stills[:, 5] + 0.01 * stills[:, 76]
    chosen = set(greedy_landmarks(*sums_of(stills, targets), 2).tolist())
    assert 300 in chosen
    assert len(chosen & {5, 77}) == 1


def test_greedy_gains_are_those_of_a_ridge_regression_grown_by_hand() -> None:
    """The first landmark is the one whose own three coordinates explain most; the second explains most beside it."""
    stills, targets, _ = told_by({9: 0, 20: 0, 30: 0}, n=200)
    stills[:, 20, 1] = 0.5 * stills[:, 9, 1] + 0.5 * stills[:, 20, 1]
    gram, moments = sums_of(stills, targets)
    strength = 0.01 * np.trace(gram) / len(gram)

    def explained(landmarks: list[int]) -> float:
        own = [3 * landmark + axis for landmark in landmarks for axis in range(3)]
        block = gram[np.ix_(own, own)] + strength * np.eye(len(own))
        return float((moments[own] * np.linalg.solve(block, moments[own])).sum())

    first = max(range(LANDMARKS), key=lambda one: explained([one]))
    second = max((one for one in range(LANDMARKS) if one != first), key=lambda one: explained([first, one]))
    assert greedy_landmarks(gram, moments, 2).tolist() == [first, second]


def test_spread_landmarks_are_far_from_each_other() -> None:
    """On a line of 478 points the first three are both ends and the middle."""
    line = np.zeros((LANDMARKS, 3))
    line[:, 0] = np.arange(LANDMARKS)
    chosen = sorted(spread_landmarks(line, 3).tolist())
    assert (chosen[0], chosen[-1]) == (0, LANDMARKS - 1)
    assert abs(chosen[1] - LANDMARKS / 2) < 2


def test_the_most_important_beside_a_chosen_one_waits() -> None:
    """10 and 11 stand together: 200, half as important and far away, comes between them."""
    face = np.zeros((LANDMARKS, 3))
    face[:, 0] = np.arange(LANDMARKS)
    importance = np.zeros(LANDMARKS)
    importance[[10, 11, 200]] = 1.0, 0.9, 0.5
    assert ranked_and_spread(importance, face, 3).tolist() == [10, 200, 11]


@pytest.mark.parametrize("count", [0, LANDMARKS + 1])
def test_a_face_has_478(count: int) -> None:
    stills, targets, persons = told_by({5: 0}, n=8)
    with pytest.raises(InputError, match=f"{count} landmarks"):
        choose_landmarks("uniform", count, stills, targets, persons, seed=0)


@pytest.mark.parametrize("landmarks", [(), (3, 3), (5, 4), (-1, 2), (0, LANDMARKS)])
def test_what_a_net_reads_is_ascending_and_there(landmarks: tuple[int, ...]) -> None:
    with pytest.raises(InputError, match="ascending"):
        replace(SPEC, landmarks=landmarks)


def test_codes_of_a_subset_are_those_of_all_at_its_places() -> None:
    """Nothing is scaled by what is not read."""
    frames = np.random.default_rng(1).normal(size=(9, LANDMARKS, 3)).astype(np.float32)
    whole, part = encode(frames[:, None], scale_of(frames)), encode(frames[:, None], scale_of(frames, (3, 40, 477)))
    assert part.shape == (9, 1, 9)
    assert np.array_equal(part.reshape(9, 3, 3), whole.reshape(9, LANDMARKS, 3)[:, (3, 40, 477)])


def test_a_net_answers_by_its_own_landmarks_alone() -> None:
    """Gradients at the others are 0, and so is what changes there."""
    ones = np.ones(9, np.float32)
    network = LandmarkNet(SPEC, CodeScale(centre=0 * ones, inverse_step=30 * ones, landmarks=SPEC.landmarks)).eval()
    face = torch.randn(1, 1, LANDMARKS, 3, generator=torch.Generator().manual_seed(0)).requires_grad_()
    score = network(face, torch.ones(1, dtype=torch.int64))
    (gradient,) = torch.autograd.grad(score.sum(), face)
    is_read = np.isin(np.arange(LANDMARKS), SPEC.landmarks)
    assert not gradient[0, 0, ~is_read].any()
    other = face.detach().clone()
    other[0, 0, ~is_read] += 5
    assert torch.equal(network(other, torch.ones(1, dtype=torch.int64)), score)


def test_codes_of_other_landmarks_are_refused() -> None:
    with pytest.raises(InputError, match="do not match the landmarks"):
        LandmarkNet(SPEC, scale_of(np.zeros((2, LANDMARKS, 3), np.float32)))


def test_screening_finds_what_a_landmark_tells() -> None:
    """A subset with it tells all apart, one without it guesses."""
    stills, targets, _ = told_by({5: 0}, n=300)
    parts = (slice(0, 150), slice(150, 200), slice(200, 300))
    train, validation = ((stills[own], targets[own]) for own in parts[:2])
    right = {}
    for landmarks in ((5, 9), (8, 9)):
        scores, thresholds = screened_scores(landmarks, train, validation, stills[parts[2]], (0.001, 0.1))
        right[landmarks] = float(((scores >= thresholds) == (targets[parts[2]] > 0)).mean())
    assert right[5, 9] > 0.85
    assert 0.35 < right[8, 9] < 0.65


def test_a_domain_chooses_by_its_training_people_and_random_kernels_keep_all() -> None:
    """Another seed draws others; nets of random kernels and of pixels have nothing chosen."""
    asked = PARAMS.model_copy(update={"landmarks": LandmarksParams(count=32, choice="random")})
    one, other = (LandmarkDomain.of(people(), asked, seed).scale for seed in (1, 2))
    assert one.landmarks is not None
    assert len(one.landmarks) == 32
    assert one.landmarks != other.landmarks
    assert one.centre.shape == (96,)
    random_kernels = asked.model_copy(update={"variant": "R-EMO"})
    assert LandmarkDomain.of(people(), random_kernels, 1).scale.landmarks is None
