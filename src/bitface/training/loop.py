"""Trains a one-bit model and the float twin that teaches it; only people of the splits train and validation are read.

The recipe: one stage, one-bit from the first step (or two, with real weights in the first epochs); a face net starts from
its twin's weights; distillation from the twin; AdamW with warm-up and a cosine to 0; no weight decay on latent weights,
which are clipped; the epoch with the best macro AUC on validation people is kept, of a face net that its twin teaches the
last. Where it is asked for, the one-bit net is then pruned and tuned in the same way.
"""

from __future__ import annotations

import copy
import math
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Final, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.utils import parametrize

from bitface.binarize.layers import LatentSigns
from bitface.errors import InputError
from bitface.faces.features import ClipTable, concatenate
from bitface.models.clip_net import ClipNet, Precision
from bitface.models.face.face_net import FaceNet
from bitface.models.face.pruning import pruned
from bitface.models.face.training_faces import shippable
from bitface.models.separate import SeparateNets
from bitface.params import TrainingParams
from bitface.training.architectures import domain_of
from bitface.training.batches import Batch, apex_stills, steps_per_epoch
from bitface.training.choice import balanced_thresholds, macro_auc, targets_of, trainable_emotions
from bitface.training.closed_form import RandomNet, Statistics, counts_of, set_heads, solve_twin
from bitface.training.domain import Domain
from bitface.training.importance import channel_importance
from bitface.training.learning_rate import warm_then_cosine
from bitface.training.objectives import distillation_loss, one_vs_rest_loss
from bitface.training.own_stills import own_stills
from bitface.training.seeds import repeatable, seed_of
from bitface.training.trained import EpochRecord, TrainedModel, load_model, save_model

__all__ = ["OnEpoch", "TrainedModel", "load_model", "predict_scores", "save_model", "train_pair"]

OnEpoch = Callable[[str, int, float], None]
"""Receives the precision, the epoch from 1 on, and its macro AUC on validation people."""
_ROWS_AT_ONCE: Final = 256


@dataclass(frozen=True, kw_only=True)
class _Lesson:
    """What both networks of a pair learn from."""

    train: ClipTable
    validation: ClipTable
    emotions: tuple[str, ...]
    untrained: tuple[tuple[str, str], ...]
    targets: NDArray[np.float32]
    validation_targets: NDArray[np.float32]
    domain: Domain


def train_pair(
    table: ClipTable, params: TrainingParams, seed: int, on_epoch: OnEpoch
) -> tuple[TrainedModel, TrainedModel]:
    """The one-bit model and its float twin.

    The same table, parameters, seed and kind of processor give the same weights: torch is held to `params.threads`.

    Args:
        table: splits `train` and `validation` are used, all other rows are not looked at.
        params: the section `training`.
        seed: every draw descends from it.
        on_epoch: receives progress.

    Raises:
        InputError: a split is empty or shares people with the other, no emotion can be learned, or landmarks are not
            finite.
    """
    lesson, recipe = _lesson(table, params, seed), params.recipe()
    is_separate, pairs = params.heads == "separate", []
    for own_seed, own in _of_one_emotion(lesson, seed) if is_separate else [(seed, lesson)]:
        twin = _train("float", own, recipe, own_seed, on_epoch, teacher=None)
        one_bit = _train("one-bit", own, recipe, own_seed, on_epoch, teacher=twin.network)
        faces = shippable(own.train, one_bit.network.reads)
        pairs.append((replace(one_bit, faces=faces), replace(twin, faces=faces)))
    one_bits, twins = zip(*pairs, strict=True)
    return (_joined(one_bits), _joined(twins)) if is_separate else (one_bits[0], twins[0])


def _of_one_emotion(lesson: _Lesson, seed: int) -> Iterator[tuple[int, _Lesson]]:
    """The same people, asked for one emotion at a time, each with a seed of its own."""
    for column, emotion in enumerate(lesson.emotions):
        own = replace(
            lesson,
            emotions=(emotion,),
            targets=lesson.targets[:, [column]],
            validation_targets=lesson.validation_targets[:, [column]],
        )
        yield seed_of(seed, "separate", column), own


def _joined(models: Sequence[TrainedModel]) -> TrainedModel:
    """Models of one emotion each as one; its history is the mean of theirs, and no epoch is the best of all."""
    epochs = zip(*(model.history for model in models), strict=True)
    return replace(
        models[0],
        network=SeparateNets([model.network for model in models]).eval(),
        emotions=tuple(model.emotions[0] for model in models),
        thresholds=np.concatenate([model.thresholds for model in models]),
        history=tuple(_mean_record(records) for records in epochs),
        best_epoch=0,
        train_s=sum(model.train_s for model in models),
    )


def _mean_record(records: Sequence[EpochRecord]) -> EpochRecord:
    means = {
        name: float(np.mean([getattr(record, name) for record in records]))
        for name in ("loss", "validation_auc", "validation_loss")
    }
    return EpochRecord(epoch=records[0].epoch, **means)


def predict_scores(model: TrainedModel, table: ClipTable) -> NDArray[np.float64]:
    """One-vs-rest probabilities, float64 (N, E), in the order of `model.emotions`; repeated frames are dropped."""
    return _scores(model.network, table)


def _lesson(table: ClipTable, params: TrainingParams, seed: int) -> _Lesson:
    train, validation = table.of_split("train"), table.of_split("validation")
    emotions, untrained = trainable_emotions(train, validation)
    if not np.isfinite(table.landmarks).all():
        raise InputError("landmarks hold a value that is not finite; quarantine that sample before training")
    # Stills are scored as well as clips, so the epoch is chosen on both.
    validation = concatenate([validation, apex_stills(validation).where(validation.lengths > 1)])
    return _Lesson(
        train=train,
        validation=validation,
        emotions=emotions,
        untrained=untrained,
        targets=targets_of(train, emotions),
        validation_targets=targets_of(validation, emotions),
        domain=domain_of(train, params, seed),
    )


def _train(
    precision: Precision,
    lesson: _Lesson,
    params: TrainingParams,
    seed: int,
    on_epoch: OnEpoch,
    teacher: ClipNet | None,
) -> TrainedModel:
    start = time.perf_counter()
    params = params.recipe_of(precision)
    with repeatable(seed_of(seed, precision, "weights"), params.threads):
        network = lesson.domain.network(precision, len(lesson.emotions), seed_of(seed, "kernels"))
        history: tuple[EpochRecord, ...] = ()
        best_epoch = 0
        if params.is_closed_form:
            _solve(cast(RandomNet, network), lesson, params, seed)
        else:
            rng = np.random.default_rng(seed_of(seed, precision, "batches"))
            lesson.domain.begin(network, rng)
            if isinstance(network, FaceNet) and isinstance(teacher, FaceNet):
                network.start_from(teacher)
            history, best_epoch = _fit(network, lesson, params, rng, on_epoch, teacher)
            if precision == "one-bit" and params.pruned:
                network = _pruned(cast(FaceNet, network), lesson, params.pruned)
                tuned, best_epoch = _tune(network, lesson, params, rng, on_epoch, teacher)
                history += tuned
            lesson.domain.end(network)
        scores = _scores(network, lesson.validation)
    return TrainedModel(
        network=network,
        variant=params.variant,
        precision=precision,
        emotions=lesson.emotions,
        thresholds=balanced_thresholds(lesson.validation_targets, scores),
        untrained=lesson.untrained,
        history=history,
        best_epoch=best_epoch,
        train_s=time.perf_counter() - start,
    )


def _pruned(network: FaceNet, lesson: _Lesson, widths: tuple[int, ...]) -> FaceNet:
    """What is left of a trained net: the channels that matter most to stills of the training people."""
    return pruned(network, channel_importance(network, apex_stills(lesson.train).crops, lesson.targets), widths)


def _tune(
    network: ClipNet,
    lesson: _Lesson,
    params: TrainingParams,
    rng: np.random.Generator,
    on_epoch: OnEpoch,
    teacher: ClipNet | None,
) -> tuple[tuple[EpochRecord, ...], int]:
    """Trains a pruned net in place, in one stage; its epochs are counted on from those before."""
    before = params.epochs
    shorter = params.model_copy(update={"epochs": params.face_net.pruned_epochs, "real_weights_share": 0.0})
    history, best_epoch = _fit(
        network,
        lesson,
        shorter,
        rng,
        lambda precision, epoch, auc: on_epoch(precision, before + epoch, auc),
        teacher,
    )
    return tuple(replace(record, epoch=before + record.epoch) for record in history), before + best_epoch


def _solve(network: RandomNet, lesson: _Lesson, params: TrainingParams, seed: int) -> None:
    """Solves the heads at once."""
    stills, rows = own_stills(lesson.domain, lesson.train, network.reads, params.r_emo.copies, seed)
    targets = lesson.targets[rows].astype(np.int64)
    network.eval()
    if network.spec.precision == "float":
        solve_twin(network, stills, targets, params.r_emo.ridge)
    else:
        set_heads(network, *Statistics.of(counts_of(network, stills), targets).solution(params.r_emo.ridge))


def _fit(
    network: ClipNet,
    lesson: _Lesson,
    params: TrainingParams,
    rng: np.random.Generator,
    on_epoch: OnEpoch,
    teacher: ClipNet | None,
) -> tuple[tuple[EpochRecord, ...], int]:
    """Trains in place and leaves the weights of the epoch that ranks first."""
    optimiser = _optimiser(network, params)
    schedule = _schedule(optimiser, params, params.epochs * steps_per_epoch(len(lesson.train), params))
    history: list[EpochRecord] = []
    best, kept = (-math.inf, -math.inf, 0), network.state_dict()
    real_epochs = round(params.real_weights_share * params.epochs) if network.spec.precision == "one-bit" else 0
    for epoch in range(1, params.epochs + 1):
        network.train()
        network.keep_weights_real(epoch <= real_epochs)
        losses = []
        for batch in lesson.domain.batches(lesson.targets, rng):
            inputs, lengths = torch.from_numpy(batch.inputs), torch.from_numpy(batch.lengths)
            with parametrize.cached():
                logits = network(inputs, lengths)
            losses.append(_learn(network, logits, batch, params, optimiser, teacher))
            schedule.step()
        scores = _scores(network, lesson.validation)
        record = EpochRecord(
            epoch=epoch,
            loss=float(np.mean(losses)),
            validation_auc=macro_auc(lesson.validation_targets, scores),
            validation_loss=_mean_loss(lesson.validation_targets, scores),
        )
        history.append(record)
        rank = _rank(record, is_taught_face=teacher is not None and isinstance(network, FaceNet))
        # A network that still has real weights is not a candidate.
        if epoch > real_epochs and rank > best:
            best, kept = rank, copy.deepcopy(network.state_dict())
        on_epoch(network.spec.precision, epoch, record.validation_auc)
    network.load_state_dict(kept)
    network.eval()
    return tuple(history), best[2]


def _rank(record: EpochRecord, *, is_taught_face: bool) -> tuple[float, float, int]:
    """What the kept epoch has most of: macro AUC on validation people, of equal ones the lower loss.

    A face net that its twin teaches settles while the learning rate falls and does not learn people by heart: its last
    epoch was 0.7 points better than the best of 28 by 27 people, and 0.2 than the best of 40.
    """
    if is_taught_face:
        return (record.epoch, 0.0, record.epoch)
    return (record.validation_auc, -record.validation_loss, record.epoch)


def _learn(
    network: ClipNet,
    logits: Tensor,
    batch: Batch,
    params: TrainingParams,
    optimiser: torch.optim.Optimizer,
    teacher: ClipNet | None,
) -> float:
    """One step of the optimiser towards a batch's targets, from the network's logits of it; returns the loss."""
    inputs, lengths, targets = map(torch.from_numpy, (batch.inputs, batch.lengths, batch.targets))
    loss = one_vs_rest_loss(logits, targets)
    if teacher is not None:
        with torch.no_grad():
            believed = teacher(inputs, lengths)
        share, temperature = params.distillation_share, params.distillation_temperature
        loss = (1 - share) * loss + share * distillation_loss(logits, believed, temperature)
    optimiser.zero_grad()
    loss.backward()  # type: ignore[no-untyped-call]
    optimiser.step()
    network.clip_latents()
    return float(loss.detach())


def _optimiser(network: ClipNet, params: TrainingParams) -> torch.optim.AdamW:
    """AdamW that decays matrices only: a decayed latent weight would drift to 0 and flip for no reason."""
    latent = {id(layer.weight) for layer in network.modules() if isinstance(layer, LatentSigns)}
    decays: list[nn.Parameter] = []
    rests: list[nn.Parameter] = []
    for parameter in network.parameters():
        (rests if parameter.ndim < 2 or id(parameter) in latent else decays).append(parameter)
    groups = [{"params": decays, "weight_decay": params.weight_decay}, {"params": rests, "weight_decay": 0.0}]
    return torch.optim.AdamW(groups, lr=params.learning_rate)


def _schedule(
    optimiser: torch.optim.Optimizer, params: TrainingParams, steps: int
) -> torch.optim.lr_scheduler.LambdaLR:
    share = warm_then_cosine(steps, min(params.warmup_steps, steps // 2))
    return torch.optim.lr_scheduler.LambdaLR(optimiser, share)


@torch.no_grad()
def _scores(network: ClipNet, table: ClipTable) -> NDArray[np.float64]:
    network.eval()
    parts = [np.zeros((0, network.spec.outputs))]
    for start in range(0, len(table), _ROWS_AT_ONCE):
        rows = np.arange(start, min(start + _ROWS_AT_ONCE, len(table)))
        logits: Tensor = network(*network.inputs_of(table.where(rows)))
        parts.append(logits.double().sigmoid().numpy())
    return np.concatenate(parts)


def _mean_loss(targets: NDArray[np.float32], scores: NDArray[np.float64]) -> float:
    likely = np.clip(np.where(targets > 0, scores, 1 - scores), 1e-12, 1)
    return float(-np.log(likely).mean())
