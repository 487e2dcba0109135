"""Trains the net that reads action units off a face, and emotions off the units; only people of train and validation are read.

The recipe: frames near the apex, for at rest there is little to read; squared error of the units in deviations from their
means, so that a rare unit counts as much as a frequent one; a share of the decoder's; AdamW with warm-up and a cosine to 0;
the last epoch is kept. Validation people choose levels and thresholds.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from bitface.errors import InputError
from bitface.faces.features import ClipTable
from bitface.faces.synthetic.unit_intensities import PARTNERS_IN_A_MIRROR, READABLE_UNITS
from bitface.models.unit_net import UnitNet, UnitOutput, UnitSpec, standardised
from bitface.params import ActionUnitParams
from bitface.training.batches import apex_stills, expressiveness
from bitface.training.choice import balanced_thresholds, targets_of, trainable_emotions
from bitface.training.face_augmentation import augmented_crops
from bitface.training.learning_rate import warm_then_cosine
from bitface.training.seeds import repeatable, seed_of
from bitface.training.units.resnet_encoder import ENCODED, resnet_encoder
from bitface.training.units.trained_units import TrainedUnits, UnitEpoch

OnEpoch = Callable[[int], None]
_FRAMES_AT_ONCE: Final = 128
_LEVELS: Final = np.linspace(0.02, 0.6, 30)


@dataclass(frozen=True, kw_only=True)
class UnitTable:
    """Clips with the intensity of each readable unit in each frame, float32 (N, T, 28) in 0..1, NaN where it is unknown."""

    clips: ClipTable
    intensities: NDArray[np.float32]

    def of_split(self, *splits: str) -> UnitTable:
        """The rows of the named splits."""
        rows = np.isin(self.clips.splits, splits)
        return UnitTable(clips=self.clips.where(rows), intensities=self.intensities[rows])

    def frames(self) -> NDArray[np.bool_]:
        """Which frames are true ones, bool (N, T): the others repeat a clip's last."""
        return np.asarray(np.arange(self.intensities.shape[1]) < self.clips.lengths[:, None])


@dataclass(frozen=True, kw_only=True)
class _Lesson:
    """What is learned: the columns of the units, each one's partner in a mirror, and per clip the frames that are drawn."""

    train: UnitTable
    columns: NDArray[np.int64]
    partners: NDArray[np.int64]
    targets: NDArray[np.float32]
    drawn: NDArray[np.bool_]


def train_units(
    table: UnitTable, params: ActionUnitParams, seed: int, weights: Path | None, on_epoch: OnEpoch
) -> TrainedUnits:
    """The net of the units that are shown often enough among training people.

    The same table, parameters, seed, weights and kind of processor give the same weights: torch is held to `params.threads`.

    Raises:
        InputError: a split is empty or shares people with the other, no unit or no emotion can be learned, or the weights do
            not fit.
    """
    start = time.perf_counter()
    train, validation = table.of_split("train"), table.of_split("validation")
    emotions, _ = trainable_emotions(train.clips, validation.clips)
    columns = shown_units(train, params.shown_from, params.shown_share_min)
    lesson = _lesson(train, columns, emotions)
    with repeatable(seed_of(seed, "units", "weights"), params.threads):
        network = UnitNet(resnet_encoder(weights), _spec(train, columns, emotions, params))
        network = network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        history = _fit(network, lesson, params, np.random.default_rng(seed_of(seed, "units", "batches")), on_epoch)
        stills = apex_stills(validation.clips)
        _, logits = predict_units(network, stills.crops[:, 0])
        near_apex = expressive_frames(validation.clips)
        said, _ = predict_units(network, validation.clips.crops[near_apex])
    true = validation.intensities[near_apex][:, columns]
    return TrainedUnits(
        network=network,
        levels=best_levels(true >= params.shown_from, said, np.isfinite(true)),
        thresholds=balanced_thresholds(targets_of(stills, emotions), 1 / (1 + np.exp(-logits))),
        history=history,
        train_s=time.perf_counter() - start,
    )


@torch.no_grad()
def predict_units(network: UnitNet, crops: NDArray[np.uint8]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Intensities float64 (N, U) in 0..1 and logits of the emotions (N, E) of crops uint8 (N, 64, 64)."""
    network.eval()
    units, logits = [np.zeros((0, len(network.spec.units)))], [np.zeros((0, len(network.spec.emotions)))]
    for start in range(0, len(crops), _FRAMES_AT_ONCE):
        said = _forward(network, crops[start : start + _FRAMES_AT_ONCE])
        units.append(network.intensities(said.units).double().numpy())
        logits.append(said.emotion_logits.double().numpy())
    return np.concatenate(units), np.concatenate(logits)


def expressive_frames(clips: ClipTable) -> NDArray[np.bool_]:
    """The frames at least two thirds as expressive as the apex, bool (N, T): there an emotion's label holds, and units move."""
    far = expressiveness(clips)
    return np.asarray(far >= far.max(axis=1, keepdims=True) * 2 / 3)


def shown_units(train: UnitTable, shown_from: float, share_min: float) -> NDArray[np.int64]:
    """Columns of the readable units that are known and shown in enough expressive frames of training people.

    A unit whose partner in a mirror is shown too seldom is left out with it: a mirrored face would show the partner.

    Raises:
        InputError: there is none.
    """
    true = train.intensities[expressive_frames(train.clips)]
    known = np.isfinite(true)
    shares = (known & (np.nan_to_num(true) >= shown_from)).sum(0) / np.maximum(known.sum(0), 1)
    often = {unit for unit, share in zip(READABLE_UNITS, shares, strict=True) if share >= share_min}
    units = [unit for unit in READABLE_UNITS if {unit, PARTNERS_IN_A_MIRROR.get(unit, unit)} <= often]
    columns = np.array([READABLE_UNITS.index(unit) for unit in units], dtype=np.int64)
    if not len(columns):
        raise InputError(
            f"no action unit is shown in {share_min:.0%} of training frames; add faces that move, or lower "
            "action_units.shown_share_min"
        )
    return columns


def best_levels(shown: NDArray[np.bool_], said: NDArray[np.float64], known: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Per unit the predicted intensity, float64 (U,), from which F1 against `shown` (N, U) is highest; the lowest of equals.

    A regression leans towards the mean: the level at which a unit is really shown finds too few of them.
    """
    found = (said[None] >= _LEVELS[:, None, None]) & known
    hits = (found & shown).sum(1)
    f1 = 2 * hits / np.maximum(found.sum(1) + (shown & known).sum(0), 1)
    return np.asarray(_LEVELS[f1.argmax(0)], dtype=np.float64)


def _spec(
    train: UnitTable, columns: NDArray[np.int64], emotions: tuple[str, ...], params: ActionUnitParams
) -> UnitSpec:
    true = train.intensities[expressive_frames(train.clips)][:, columns].astype(np.float64)
    return UnitSpec(
        units=tuple(READABLE_UNITS[column] for column in columns),
        means=tuple(np.nanmean(true, axis=0).tolist()),
        deviations=tuple(np.nanstd(true, axis=0).tolist()),
        emotions=emotions,
        encoded=ENCODED,
        code=params.code,
        hidden=params.hidden,
    )


def _lesson(train: UnitTable, columns: NDArray[np.int64], emotions: tuple[str, ...]) -> _Lesson:
    return _Lesson(
        train=train,
        columns=columns,
        partners=partner_columns(tuple(READABLE_UNITS[column] for column in columns)),
        targets=targets_of(train.clips, emotions),
        drawn=expressive_frames(train.clips),
    )


def partner_columns(units: tuple[int, ...]) -> NDArray[np.int64]:
    """Column of the unit that a mirrored face shows in place of each, int64 (U,); every unit's partner is among `units`."""
    return np.array([units.index(PARTNERS_IN_A_MIRROR.get(unit, unit)) for unit in units], dtype=np.int64)


def _fit(
    network: UnitNet, lesson: _Lesson, params: ActionUnitParams, rng: np.random.Generator, on_epoch: OnEpoch
) -> tuple[UnitEpoch, ...]:
    rows = len(lesson.train.clips) * params.frames_per_clip
    steps = max(1, rows // params.batch)
    optimiser = _optimiser(network, params)
    total = params.epochs * steps
    share = warm_then_cosine(total, max(1, round(total * params.warmup_share)))
    schedule = torch.optim.lr_scheduler.LambdaLR(optimiser, share)
    history = []
    for epoch in range(1, params.epochs + 1):
        network.train()
        losses = []
        for chosen, frames in _draws(lesson.drawn, steps, params, rng):
            losses.append(_step(network, lesson, chosen, frames, params, optimiser, rng))
            schedule.step()
        units, rebuilt, emotions = np.mean(losses, axis=0).tolist()
        history.append(UnitEpoch(epoch=epoch, units=units, rebuilt=rebuilt, emotions=emotions))
        on_epoch(epoch)
    network.eval()
    return tuple(history)


def _draws(
    drawn: NDArray[np.bool_], steps: int, params: ActionUnitParams, rng: np.random.Generator
) -> Iterator[tuple[NDArray[np.int64], NDArray[np.int64]]]:
    """Rows and a frame of each, int64 (B,) both: every clip `frames_per_clip` times, but for a last batch that is not full."""
    rows = np.concatenate([rng.permutation(len(drawn)) for _ in range(params.frames_per_clip)])
    frames = np.where(drawn[rows], rng.uniform(0, 1, (len(rows), drawn.shape[1])), -1).argmax(axis=1)
    for start in range(0, steps * params.batch, params.batch):
        yield rows[start : start + params.batch], frames[start : start + params.batch]


def _step(
    network: UnitNet,
    lesson: _Lesson,
    rows: NDArray[np.int64],
    frames: NDArray[np.int64],
    params: ActionUnitParams,
    optimiser: torch.optim.Optimizer,
    rng: np.random.Generator,
) -> tuple[float, float, float]:
    crops = lesson.train.clips.crops[rows, frames]
    true = lesson.train.intensities[rows, frames][:, lesson.columns]
    crops, true = _changed(crops, true, lesson.partners, params, rng)
    said = _forward(network, crops)
    units = _where_known(said.units, network.targets(torch.from_numpy(true)))
    rebuilt = functional.mse_loss(said.rebuilt, standardised(torch.from_numpy(crops)))
    emotions = functional.binary_cross_entropy_with_logits(said.emotion_logits, torch.from_numpy(lesson.targets[rows]))
    optimiser.zero_grad()
    (units + params.reconstruction_share * rebuilt + emotions).backward()  # type: ignore[no-untyped-call]
    optimiser.step()
    return float(units.detach()), float(rebuilt.detach()), float(emotions.detach())


def _changed(
    crops: NDArray[np.uint8],
    true: NDArray[np.float32],
    partners: NDArray[np.int64],
    params: ActionUnitParams,
    rng: np.random.Generator,
) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
    """Crops as other cameras would take them; what is mirrored here exchanges its units, so the augmentation may not."""
    mirrored = rng.uniform(0, 1, len(crops)) < params.augmentation.mirror_share
    crops = np.where(mirrored[:, None, None], crops[..., ::-1], crops)
    true = np.where(mirrored[:, None], true[:, partners], true)
    rest = params.augmentation.model_copy(update={"mirror_share": 0.0})
    return augmented_crops(crops[:, None], rest, rng)[:, 0], true


def _forward(network: UnitNet, crops: NDArray[np.uint8]) -> UnitOutput:
    with _half_precision():
        said = network(torch.from_numpy(crops))
    return UnitOutput(
        rebuilt=said.rebuilt.float(), units=said.units.float(), emotion_logits=said.emotion_logits.float()
    )


def _half_precision() -> AbstractContextManager[object]:
    """bfloat16 in matrix products where the processor has it: half the time. Elsewhere it would be slower than float32."""
    return torch.autocast("cpu", dtype=torch.bfloat16, enabled=torch.cpu._is_avx512_bf16_supported())


def _where_known(said: Tensor, true: Tensor) -> Tensor:
    """Mean squared error over what is known; 0 where nothing is."""
    known = true.isfinite()
    errors = torch.where(known, said - true.nan_to_num(), 0.0)
    return errors.square().sum() / known.sum().clamp(min=1)


def _optimiser(network: nn.Module, params: ActionUnitParams) -> torch.optim.AdamW:
    decays = [parameter for parameter in network.parameters() if parameter.ndim > 1]
    rests = [parameter for parameter in network.parameters() if parameter.ndim < 2]
    groups = [{"params": decays, "weight_decay": params.weight_decay}, {"params": rests, "weight_decay": 0.0}]
    return torch.optim.AdamW(groups, lr=params.learning_rate)
