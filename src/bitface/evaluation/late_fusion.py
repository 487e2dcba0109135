"""Whether a second opinion helps: its share is chosen on people outside the evaluation, and its gain is reported with an interval."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from bitface.evaluation.intervals import Interval
from bitface.evaluation.paired import fused, macro_aucs, macro_balanced_accuracies, mean_difference
from bitface.evaluation.predictions import Predictions
from bitface.params import EvaluationParams

_SHARES: Final = tuple(np.linspace(0.0, 1.0, 21).round(2).tolist())


@dataclass(frozen=True, kw_only=True)
class FusionGain:
    """A model with a `share` 0..1 of the second one's logits: macro figures together, and minus those of the model alone."""

    share: float
    auc: float
    balanced_accuracy: float
    auc_gain: Interval
    balanced_accuracy_gain: Interval

    @property
    def helps(self) -> bool:
        """Whether both gains are above 0 with the confidence of their intervals."""
        return self.auc_gain.lo > 0 and self.balanced_accuracy_gain.lo > 0


def best_share(model: Predictions, second: Predictions) -> float:
    """The share of the second opinion with the highest macro AUC, the lowest of equals; rows are paired by sample."""
    areas = [float(macro_aucs(together(model, second, share), None)[0]) for share in _SHARES]
    return float(_SHARES[int(np.argmax(areas))])


def together(model: Predictions, second: Predictions, share: float) -> Predictions:
    """Both opinions as one, see `paired.fused`."""
    return fused([model, second], [1 - share, share])


def fusion_gain(
    model: Predictions, second: Predictions, share: float, params: EvaluationParams, seed: int
) -> FusionGain:
    """What a share of the second opinion adds on judged people, paired by person.

    Raises:
        InputError: other samples, or other emotions.
    """
    both, alone = [together(model, second, share)], [together(model, second, 0.0)]
    resamples, confidence = params.bootstrap_resamples, params.confidence
    return FusionGain(
        share=share,
        auc=float(macro_aucs(both[0], None)[0]),
        balanced_accuracy=float(macro_balanced_accuracies(both[0], None)[0]),
        auc_gain=mean_difference(both, alone, resamples, confidence, seed, macro_aucs),
        balanced_accuracy_gain=mean_difference(both, alone, resamples, confidence, seed),
    )
