"""Figures of action units, and whether a second opinion helps: answers that can be worked out by hand."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from bitface.errors import InputError
from bitface.evaluation.late_fusion import best_share, fusion_gain, together
from bitface.evaluation.unit_scores import UnitReadings, correlation_of, score_units
from bitface.params import read_params

PARAMS = read_params(Path(__file__).parents[2] / "params.yaml").evaluation.model_copy(
    update={"bootstrap_resamples": 200}
)


def readings(said, known, level=0.2, people=5):
    said, known = np.array(said, np.float64), np.array(known, np.float64)
    return UnitReadings(
        units=(12, 4)[: said.shape[1]],
        said=said,
        known=known,
        persons=np.array([f"p{row % people}" for row in range(len(said))]),
        levels=np.full(said.shape[1], level),
        shown_from=0.2,
    )


def test_correlation_is_pearsons_and_counts_weights_as_repeated_rows() -> None:
    rng = np.random.default_rng(0)
    said, known = rng.random((30, 2)), rng.random((30, 2))
    weights = rng.integers(0, 3, (4, 30)).astype(float)
    found = correlation_of(said, known, weights)
    for row, weight in enumerate(weights.astype(int)):
        for unit in range(2):
            rows = np.repeat(np.arange(30), weight)
            assert found[row, unit] == pytest.approx(np.corrcoef(said[rows, unit], known[rows, unit])[0, 1])


def test_a_perfect_reading_has_correlation_and_f1_of_one() -> None:
    known = np.linspace(0, 1, 40)[:, None]
    own = score_units(readings(known * 0.5 + 0.1, known, level=0.2), PARAMS, 0).units[12]
    assert own.correlation.value == pytest.approx(1) and own.f1.value == pytest.approx(1)
    assert own.correlation.lo == pytest.approx(1) and own.shown == 32


def test_f1_by_hand() -> None:
    """Shown in 3 of 5 frames; found in 2 of these and in 1 other: precision and recall are both 2/3."""
    found = score_units(readings([[0.9], [0.9], [0.0], [0.9], [0.0]], [[0.5], [0.5], [0.5], [0.0], [0.1]]), PARAMS, 0)
    assert found.units[12].f1.value == pytest.approx(2 / 3)
    assert found.mean_f1.value == pytest.approx(2 / 3)


def test_a_net_that_says_the_same_of_every_face_has_correlation_zero() -> None:
    known = np.linspace(0, 1, 20)[:, None]
    assert score_units(readings(np.full((20, 1), 0.3), known), PARAMS, 0).units[12].correlation.value == 0


def test_units_that_are_unknown_or_never_shown_are_named_and_not_judged() -> None:
    known = np.c_[np.linspace(0, 1, 20), np.full(20, np.nan)]
    assert score_units(readings(known, known), PARAMS, 0).unjudged == (4,)
    with pytest.raises(InputError, match="none of 1 action unit is both shown and absent in 20 frames"):
        score_units(readings(np.zeros((20, 1)), np.zeros((20, 1))), PARAMS, 0)


def test_a_second_opinion_that_is_right_gets_a_share_and_a_gain(make_predictions) -> None:
    model, second = make_predictions(errors=0.3, seed=1), make_predictions(errors=0.0, seed=2)
    share = best_share(model, second)
    gain = fusion_gain(model, second, share, PARAMS, 0)
    assert share > 0
    assert gain.helps and gain.auc_gain.lo > 0
    assert fusion_gain(model, second, 1.0, PARAMS, 0).balanced_accuracy == pytest.approx(1)


def test_a_second_opinion_that_is_noise_gets_no_share_and_no_gain(make_predictions) -> None:
    model = make_predictions(errors=0.0)
    noise = replace(model, scores=np.random.default_rng(0).uniform(0.3, 0.7, model.scores.shape))
    share = best_share(model, noise)
    gain = fusion_gain(model, noise, share, PARAMS, 0)
    assert share == 0
    assert (gain.auc_gain.lo, gain.auc_gain.hi, gain.helps) == (0, 0, False)


def test_a_share_of_nothing_keeps_every_decision(make_predictions) -> None:
    model, second = make_predictions(errors=0.2, seed=3), make_predictions(errors=0.5, seed=4)
    assert np.array_equal(together(model, second, 0.0).decisions(), model.decisions())
    assert np.array_equal(together(model, second, 1.0).decisions(), second.decisions())
