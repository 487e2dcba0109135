"""Asks what a ranking of landmarks speaks of: the same people and seeds, with what was learned, without it, and with nothing to learn.

The tests of Adebayo et al. (arXiv 1810.03292): weights in a random order, labels in a random order. Beside them stand what another
seed of the same training changes, and random convolutions that were never trained.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from itertools import combinations
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from bitface.faces.features import ClipTable
from bitface.params import TrainingParams
from bitface.ports import Report
from bitface.steps.retrain.featurise import originals
from bitface.steps.retrain.train import with_folds, without_pseudonyms
from bitface.steps.studies.study import Ranking

if TYPE_CHECKING:
    from bitface.training.trained import TrainedModel


@dataclass(frozen=True, kw_only=True)
class RankingSanity:
    """Spearman's correlations of importances of landmarks, mean over emotions, of one fold's training people.

    `seeds`: of two trainings; `randomised`: of a net and the same net with its weights in a random order; `shuffled`: of a net
    and one that was taught labels in a random order; `kernels`: of R-EMOs with other random convolutions, mean over pairs.
    """

    seeds: float
    randomised: float
    shuffled: float
    kernels: float

    def sentence(self) -> str:
        """For a report."""
        from bitface.explain.sanity import speaks_of_what_was_learned

        passes = speaks_of_what_was_learned(max(self.randomised, self.shuffled))
        verdict = "depends on training" if passes else "DOES NOT DEPEND ON TRAINING"
        return (
            f"A ranking by attribution {verdict}: rank correlation {self.seeds:.2f} with another training's, "
            f"{self.randomised:.2f} with that of the net with its weights in a random order, {self.shuffled:.2f} with that of a net "
            f"taught labels in a random order; {self.kernels:.2f} between untrained random convolutions."
        )


def ranking_sanity(
    table: ClipTable,
    folds: Mapping[str, int],
    training: TrainingParams,
    ranking: Ranking,
    draws: int,
    seed: int,
    report: Report,
) -> RankingSanity:
    """Trains and ranks on the training people of the first fold; `draws` are random convolutions, 2 or more."""
    from bitface.explain.landmark_ranking import landmark_importance
    from bitface.explain.sanity import rank_agreement
    from bitface.training.batches import apex_stills
    from bitface.training.loop import train_pair

    learned = without_pseudonyms(with_folds(table, folds, judged=0, validation=1).of_split("train", "validation"))
    stills = apex_stills(originals(learned.of_split("train")))
    total, done = 3 + draws, 0

    def importance(model: TrainedModel) -> NDArray[np.float64]:
        return landmark_importance(model, stills, ranking.steps, ranking.baselines, seed)

    def trained(rows: ClipTable, params: TrainingParams, own_seed: int) -> TrainedModel:
        nonlocal done
        _, twin = train_pair(rows, params, own_seed, lambda *_: None)
        done += 1
        report("training to check rankings", done, total)
        return twin

    random_params = training.model_copy(update={"variant": "R-EMO"})
    twin = trained(learned, training, seed)
    told = importance(twin)
    again = importance(trained(learned, training, seed + 1))
    wrong = importance(trained(_shuffled(learned, seed), training, seed))
    drawn = [importance(trained(learned, random_params, seed + 1 + draw)) for draw in range(draws)]
    return RankingSanity(
        seeds=rank_agreement(told, again),
        randomised=rank_agreement(told, importance(_without_knowledge(twin, stills, seed))),
        shuffled=rank_agreement(told, wrong),
        kernels=float(np.mean([rank_agreement(one, other) for one, other in combinations(drawn, 2)])),
    )


def _shuffled(table: ClipTable, seed: int) -> ClipTable:
    """The same faces, each with the label of another one drawn at random."""
    return replace(table, labels=np.random.default_rng(seed).permutation(table.labels))


def _without_knowledge(model: TrainedModel, stills: ClipTable, seed: int) -> TrainedModel:
    import torch

    from bitface.explain.sanity import randomised

    shown = torch.from_numpy(np.ascontiguousarray(stills.landmarks))
    return replace(model, network=randomised(model.network, shown, torch.from_numpy(stills.lengths), seed))
