"""Ranks landmarks by what a network's scores rest on over a whole training set, compared with real people and no mean of them."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from bitface.explain.baselines import Baseline, Faces
from bitface.explain.integrated_gradients import gradient_of, integrated_gradients
from bitface.faces.features import ClipTable
from bitface.training.trained import TrainedModel

_NAME: Final = "still of a training person, drawn at random"


def landmark_importance(
    model: TrainedModel, stills: ClipTable, steps: int, baselines: int, seed: int
) -> NDArray[np.float64]:
    """Mean absolute attribution of each landmark to each emotion, float64 (E, 478), in logits, over all stills.

    Integrated Gradients (Sundararajan et al., arXiv 1703.01365) between each still and one of `baselines` stills of other rows:
    a mean face is nobody's, and what no two people share it cannot show. Aggregating over the training set follows Di Luzio
    et al. (arXiv 2407.14865).

    Args:
        model: reads landmarks; its float twin has true gradients.
        stills: of training people, one frame each, at least 2.
        steps: of each integral, 8 or more.
        baselines: how many stills are drawn, each for an equal share of the others.
        seed: of the draw.
    """
    drawn = np.random.default_rng(seed).permutation(len(stills))
    rows = np.arange(len(stills))
    total = np.zeros((len(model.emotions), stills.landmarks.shape[2]))
    for number, drawn_row in enumerate(drawn[:baselines]):
        own = rows[rows % min(baselines, len(stills)) == number]
        own = own[own != drawn_row]
        faces = Faces(
            inputs=stills.landmarks[own],
            lengths=stills.lengths[own],
            baseline=Baseline(name=_NAME, face=stills.landmarks[drawn_row, 0]),
        )
        maps = integrated_gradients(
            model.network, faces, emotions=model.emotions, steps=steps, gradient=gradient_of(model.network)
        )
        total += np.abs(maps.values).sum(axis=0)
    return np.asarray(total / len(stills))
