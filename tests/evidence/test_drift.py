"""How often the drift alarm is false, and what it sees."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from bitface.evaluation.drift_tests import exchange
from bitface.evaluation.intervals import wilson
from bitface.params import DriftParams, read_params

pytestmark = [pytest.mark.timeout(36000)]
COLUMNS = 57  # 52 blendshapes and five of the picture's quality


@pytest.fixture(scope="module")
def params() -> DriftParams:
    return read_params(Path(__file__).resolve().parents[2] / "params.yaml").drift


def windows(n: int, moved: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Two windows of n people whose columns are correlated like faces' (0.5 within groups of eight); some columns may move."""
    rng = np.random.default_rng([17, n, moved, seed])
    groups = np.arange(COLUMNS) // 8
    made = [
        np.sqrt(0.5) * rng.normal(size=(n, groups.max() + 1))[:, groups] + np.sqrt(0.5) * rng.normal(size=(n, COLUMNS))
        for _ in range(2)
    ]
    made[1][:, :moved] += 0.5
    return made[0], made[1]


def alarms(n: int, moved: int, tries: int, params: DriftParams) -> int:
    found = 0
    for seed in range(tries):
        reference, current = windows(n, moved, seed)
        found += bool((exchange(reference, current, params.permutations, seed).p_values <= params.threshold).any())
    return found


def rate(count: int, n: int) -> str:
    low, high = wilson(count / n, n, 0.95)
    return f"{100 * count / n:.1f} % ({100 * low:.1f} to {100 * high:.1f})"


@pytest.mark.parametrize("n", [100, 200])
def test_windows_of_the_same_people_raise_one_alarm_in_a_hundred(params, n, rounds, state) -> None:
    tries = rounds(4, 1000)
    found = alarms(n, 0, tries, params)
    low, high = wilson(found / tries, tries, 0.99)
    assert low <= 0.01 <= high
    state(f"No drift, {n} people against {n}, {COLUMNS} columns: alarm", rate(found, tries), tries)


@pytest.mark.parametrize(("moved", "asked"), [(COLUMNS, 0.95), (8, 0.95), (1, None)])
def test_half_a_standard_deviation_is_seen(params, moved, asked, rounds, state) -> None:
    """All columns, as another camera moves them; one group; a single one among all, whose figure is told."""
    tries = rounds(3, 300)
    found = alarms(200, moved, tries, params)
    if asked is not None:
        assert wilson(found / tries, tries, 0.95)[1] >= asked
    claim = f"{moved} of {COLUMNS} columns moved by 0.5 standard deviations, 200 people against 200: seen"
    state(claim, rate(found, tries), tries)
