"""Reads action units off faces with a net of its own, and says whether they would strengthen the emotion heads.

A float network that is scored beside the deployed one and never part of it. On rendered faces the units are known from the
facial actions that moved them; on real ones the landmarker's blendshapes stand in, and are called a proxy wherever they do.
"""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

from bitface.counted_words import counted
from bitface.dataset.files import sha256_of
from bitface.dataset.keys import KeyStore
from bitface.dataset.shards import read_shard
from bitface.evaluation.late_fusion import FusionGain, best_share, fusion_gain
from bitface.evaluation.predictions import Predictions
from bitface.evaluation.scores import ModelScores, score_model
from bitface.evaluation.unit_scores import UnitReadings, UnitReport, score_units
from bitface.faces.action_units import ACTION_UNIT_NAMES
from bitface.faces.features import ClipTable
from bitface.faces.synthetic.unit_intensities import READABLE_UNITS, actions_to_units, proxy_units
from bitface.models.calibrator import logit_of
from bitface.params import Params
from bitface.ports import Report
from bitface.steps.judging.evaluate import Evaluated, with_centred_scores
from bitface.steps.retrain.calibrate import labels_of
from bitface.steps.retrain.export import Model
from bitface.steps.retrain.plan import Run
from bitface.steps.retrain.reuse import StageInputs, unless_made
from bitface.steps.retrain.run_data import Data
from bitface.steps.retrain.train import PRECISIONS, with_folds, without_pseudonyms

if TYPE_CHECKING:
    from bitface.training.units.trained_units import TrainedUnits
    from bitface.training.units.unit_training import UnitTable

INPUTS: Final = StageInputs(
    module=__name__,
    sections=("action_units", "seed", "quality"),
    inputs=("dataset", "features", "kept", "folds", "weights"),
    code=(
        "training.units.unit_training",
        "training.units.trained_units",
        "training.units.resnet_encoder",
        "faces.features",
        "faces.quality",
        "faces.synthetic.unit_intensities",
    ),
    sources=(
        "steps.retrain.export",
        "steps.retrain.featurise",
        "steps.retrain.run_data",
        "steps.retrain.train",
        "steps.retrain.validate",
    ),
    carriers=(
        "dataset.files",
        "dataset.keys",
        "dataset.shards",
        "evaluation.late_fusion",
        "evaluation.predictions",
        "evaluation.scores",
        "evaluation.unit_scores",
        "faces.action_units",
        "models.calibrator",
        "params",
        "ports",
        "steps.retrain.calibrate",
        "steps.judging.evaluate",
        "steps.retrain.plan",
        "steps.retrain.reuse",
        "training.batches",
        "training.loop",
        "training.seeds",
    ),
)
TRUE = "the facial actions that moved them"
PROXY = "MediaPipe's blendshapes, a proxy and not the truth"


@dataclass(frozen=True, kw_only=True)
class UnitSources:
    """Where the net finds what it needs besides features: shards with true facial actions, and the weights it starts from, if any.
    `stages` is where it is kept.
    """

    shards: Path
    weights: Path | None
    stages: Path

    @property
    def started_from(self) -> str:
        """In words."""
        return "from scratch" if self.weights is None else f"from {self.weights.name} ({sha256_of(self.weights)[:16]})"


@dataclass(frozen=True, kw_only=True)
class UnitsRead:
    """How well units are read on judged people, and what they add to each emotion model.

    `learned` are the units that training people show often enough; `against` says what the readings were compared with;
    `emotions` are the figures of the units' own emotion head; `gains` are by precision. `started_from` names the encoder's
    weights, `weights_sha256` is the digest of the trained net's.
    """

    folder: Path
    report: UnitReport
    learned: tuple[int, ...]
    against: str
    emotions: ModelScores
    gains: Mapping[str, FusionGain]
    started_from: str
    weights_sha256: str
    epochs: Mapping[str, Sequence[float]]
    train_s: float
    reused: bool

    @property
    def is_true(self) -> bool:
        """Whether readings were compared with known facial actions."""
        return self.against == TRUE

    def sentence(self) -> str:
        """One line for the summary."""
        own, gain = self.report, self.gains["one-bit"]
        change, ends = gain.auc_gain, "({:+.3f} to {:+.3f})"
        verdict = "strengthens" if gain.helps else "is not shown to strengthen"
        return (
            f"{counted(len(own.units), 'unit')}, mean correlation {own.mean_correlation.value:.2f} with {self.against}, F1 "
            f"{own.mean_f1.value:.2f}, ResNet-50 {self.started_from}; fused at {gain.share:.2f}, it {verdict} the emotion heads: "
            f"AUC {change.value:+.3f} {ends.format(change.lo, change.hi)}, balanced accuracy "
            f"{gain.balanced_accuracy_gain.value:+.3f} "
            f"{ends.format(gain.balanced_accuracy_gain.lo, gain.balanced_accuracy_gain.hi)}"
        )

    def document(self) -> dict[str, object]:
        """The figures for the run's summary."""
        return {
            "sentence": self.sentence(),
            "against": self.against,
            "started_from": self.started_from,
            "weights_sha256": self.weights_sha256,
            "train_s": round(self.train_s, 2),
            "mean_correlation": round(self.report.mean_correlation.value, 4),
            "mean_f1": round(self.report.mean_f1.value, 4),
            "units": {
                f"AU{unit}": {
                    "name": ACTION_UNIT_NAMES[unit],
                    "shown": own.shown,
                    "correlation": round(own.correlation.value, 4),
                    "f1": round(own.f1.value, 4),
                }
                for unit, own in self.report.units.items()
            },
            "unjudged": [f"AU{unit}" for unit in self.report.unjudged],
            "not_learned": [f"AU{unit}" for unit in READABLE_UNITS if unit not in self.learned],
            "emotions": {
                "macro_auc": round(self.emotions.macro_auc.value, 4),
                "macro_balanced_accuracy": round(self.emotions.macro_balanced_accuracy.value, 4),
            },
            "fusion": {precision: _gain_document(gain) for precision, gain in self.gains.items()},
        }


def check_weights(run_needs: bool, wanted: str, root: Path) -> Path | None:
    """The file that the encoder starts from, found before a run spends minutes; None from scratch, or where none is needed.

    Raises:
        InputError: the weights that params.yaml asks for are not there.
    """
    if not run_needs:
        return None
    from bitface.training.units.resnet_encoder import find_weights

    return find_weights(wanted, root)


def read_action_units(
    run: Run, model: Model, evaluation: Evaluated, data: Data, sources: UnitSources, report: Report
) -> UnitsRead:
    """Trains the net, or reuses what the same data, parameters, seed, weights and code gave before, and judges it.

    Judged are gate people; where a small set is judged out of fold, the people of its first fold.

    Raises:
        InputError: no unit or no emotion can be learned, or weights that are not ResNet-50's.
    """
    table, is_known = unit_table(data.originals, sources.shards, data.seen.keys)
    if run.members.folds:
        table, is_known = _first_fold(table, is_known, run.members.folds)
    key = INPUTS.key(
        run.params,
        dataset=run.dataset.manifest_sha256,
        features=data.seen.digests(),
        kept=sorted(data.validation.kept),
        folds=sorted(run.members.folds.items()),
        weights=None if sources.weights is None else sha256_of(sources.weights),
    )
    folder = sources.stages / "action_units" / key
    params = INPUTS.restricted(run.params)
    with unless_made(folder) as partial:
        if partial is not None:
            _train_and_save(table, params, sources.weights, partial, report)
    found = _judged(table, is_known, run, model, evaluation, folder)
    return replace(found, started_from=sources.started_from, reused=partial is None)


def unit_table(clips: ClipTable, data: Path, keys: KeyStore) -> tuple[UnitTable, NDArray[np.bool_]]:
    """The clips with the intensities of their units, and whether these are known, bool (N,), or the landmarker's proxy.

    Facial actions are read from the people's encrypted shards and stay in memory.
    """
    from bitface.training.units.unit_training import UnitTable

    intensities = proxy_units(clips.blendshapes)
    is_known = np.zeros(len(clips), np.bool_)
    for person in np.unique(clips.persons):
        actions = read_shard(data, str(person), keys.key_of(str(person))).facial_actions
        for row in np.flatnonzero(clips.persons == person):
            if (packed := actions.get(str(clips.sample_ids[row]))) is None:
                continue
            own = actions_to_units(np.load(io.BytesIO(packed), allow_pickle=False))
            intensities[row] = own[np.minimum(np.arange(intensities.shape[1]), len(own) - 1)]
            is_known[row] = True
    return UnitTable(clips=clips, intensities=intensities), is_known


def _first_fold(
    table: UnitTable, is_known: NDArray[np.bool_], folds: Mapping[str, int]
) -> tuple[UnitTable, NDArray[np.bool_]]:
    """The first fold judges, the second chooses, as where the emotion models are judged out of fold."""
    from bitface.training.units.unit_training import UnitTable

    clips = with_folds(table.clips, folds, judged=0, validation=1)
    return UnitTable(clips=clips, intensities=table.intensities), is_known


def _train_and_save(table: UnitTable, params: Params, weights: Path | None, folder: Path, report: Report) -> None:
    from bitface.training.units.trained_units import save_units
    from bitface.training.units.unit_training import UnitTable, train_units

    own = params.action_units
    learned = table.of_split("train", "validation")
    nameless = UnitTable(clips=without_pseudonyms(learned.clips), intensities=learned.intensities)
    model = train_units(
        nameless, own, params.seed, weights, lambda epoch: report("training action units", epoch, own.epochs)
    )
    save_units(model, folder)


def _judged(
    table: UnitTable,
    is_known: NDArray[np.bool_],
    run: Run,
    emotion_model: Model,
    evaluation: Evaluated,
    folder: Path,
) -> UnitsRead:
    from bitface.training.seeds import repeatable
    from bitface.training.units.trained_units import WEIGHTS, load_units

    model, seed = load_units(folder), run.params.seed
    is_gate = table.clips.splits == "gate"
    # Where some people are rendered, only they can say what is true.
    true = bool(is_known[is_gate].any())
    with repeatable(seed, run.params.action_units.threads):
        report = score_units(
            _readings(model, table, is_gate & is_known if true else is_gate, run), run.params.evaluation, seed
        )
        second = emotion_predictions(model, table.clips.where(is_gate))
        chosen_by = emotion_predictions(model, table.clips.of_split("validation"))
        gains = {
            name: _gain(name, second, chosen_by, table.clips, run, emotion_model, evaluation) for name in PRECISIONS
        }
    return UnitsRead(
        folder=folder,
        report=report,
        learned=model.network.spec.units,
        against=TRUE if true else PROXY,
        emotions=score_model(second, run.params.evaluation, seed),
        gains=gains,
        started_from="",
        weights_sha256=sha256_of(folder / WEIGHTS),
        epochs={
            name: [float(getattr(epoch, name)) for epoch in model.history] for name in ("units", "rebuilt", "emotions")
        },
        train_s=model.train_s,
        reused=False,
    )


def _readings(model: TrainedUnits, table: UnitTable, rows: NDArray[np.bool_], run: Run) -> UnitReadings:
    from bitface.training.units.unit_training import predict_units

    frames = table.frames() & rows[:, None]
    said, _ = predict_units(model.network, table.clips.crops[frames])
    columns = [READABLE_UNITS.index(unit) for unit in model.network.spec.units]
    return UnitReadings(
        units=model.network.spec.units,
        said=said,
        known=table.intensities[frames][:, columns].astype(np.float64),
        persons=np.repeat(table.clips.persons, frames.sum(1)),
        levels=model.levels,
        shown_from=run.params.action_units.shown_from,
    )


def emotion_predictions(model: TrainedUnits, rows: ClipTable) -> Predictions:
    """What the units' own emotion head says of the apex still of each row; every threshold is 0.5."""
    from bitface.training.batches import apex_stills
    from bitface.training.units.unit_training import predict_units

    _, logits = predict_units(model.network, apex_stills(rows).crops[:, 0])
    said = Predictions(
        sample_ids=rows.sample_ids,
        persons=rows.persons,
        labels=labels_of(rows),
        emotions=model.network.spec.emotions,
        scores=1 / (1 + np.exp(-logits)),
        thresholds=model.thresholds,
        folds=np.zeros(len(rows), np.int64),
    )
    return with_centred_scores(said)


def _gain(
    precision: str,
    second: Predictions,
    chosen_by: Predictions,
    clips: ClipTable,
    run: Run,
    model: Model,
    evaluation: Evaluated,
) -> FusionGain:
    """The share is chosen on validation people, of whom neither model's weights have seen a face."""
    judged = _same_samples(evaluation.predictions[precision], second)
    if run.members.folds:
        first = _same_samples(evaluation.predictions[precision], chosen_by)
    else:
        first = _predictions_of_model(model.networks.folder / precision, clips.of_split("validation"))
    return fusion_gain(judged, second, best_share(first, chosen_by), run.params.evaluation, run.params.seed)


def _predictions_of_model(folder: Path, rows: ClipTable) -> Predictions:
    from bitface.training.batches import apex_stills
    from bitface.training.loop import load_model, predict_scores

    model = load_model(folder)
    calibrator = model.calibration()
    said = Predictions(
        sample_ids=rows.sample_ids,
        persons=rows.persons,
        labels=labels_of(rows),
        emotions=model.emotions,
        scores=calibrator.probabilities(logit_of(predict_scores(model, apex_stills(rows)))),
        thresholds=calibrator.thresholds(model.thresholds),
        folds=np.zeros(len(rows), np.int64),
    )
    return with_centred_scores(said)


def _same_samples(of_all: Predictions, some: Predictions) -> Predictions:
    """The predictions of those samples that `some` holds, as those of one network."""
    return of_all.where(np.isin(of_all.sample_ids, some.sample_ids))


def _gain_document(gain: FusionGain) -> dict[str, object]:
    def ends(name: str) -> list[float]:
        own = getattr(gain, name)
        return [round(own.value, 4), round(own.lo, 4), round(own.hi, 4)]

    return {
        "share": gain.share,
        "macro_auc": round(gain.auc, 4),
        "macro_balanced_accuracy": round(gain.balanced_accuracy, 4),
        "auc_gain": ends("auc_gain"),
        "balanced_accuracy_gain": ends("balanced_accuracy_gain"),
        "helps": gain.helps,
    }
