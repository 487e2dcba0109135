"""A trained unit net as a value, and on disk as safetensors and JSON."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.torch import load, save

from bitface.documents import Document
from bitface.errors import IntegrityError
from bitface.models.unit_net import UnitNet, UnitSpec
from bitface.training.units.resnet_encoder import resnet_encoder

FORMAT: Final = 1
WEIGHTS: Final = "units.safetensors"
SPEC: Final = "units.json"


@dataclass(frozen=True, kw_only=True)
class UnitEpoch:
    """Mean losses of an epoch: squared error of the units and of the picture, both in deviations, and one-vs-rest loss."""

    epoch: int
    units: float
    rebuilt: float
    emotions: float


@dataclass(frozen=True, kw_only=True)
class TrainedUnits:
    """A net in evaluation mode. `levels` float64 (U,): intensity from which a unit is called shown; `thresholds` (E,):
    probability from which an emotion is; both chosen on validation people. `train_s`: wall seconds.
    """

    network: UnitNet
    levels: NDArray[np.float64]
    thresholds: NDArray[np.float64]
    history: tuple[UnitEpoch, ...]
    train_s: float


def save_units(model: TrainedUnits, folder: Path) -> str:
    """Writes `units.safetensors` and `units.json`; returns the SHA-256 of the weights, which the JSON repeats."""
    weights = save({name: tensor.contiguous() for name, tensor in model.network.state_dict().items()})
    digest = hashlib.sha256(weights).hexdigest()
    document = {
        "format": FORMAT,
        "net": asdict(model.network.spec),
        "levels": model.levels.tolist(),
        "thresholds": model.thresholds.tolist(),
        "history": [asdict(record) for record in model.history],
        "train_s": model.train_s,
        "weights_sha256": digest,
    }
    (folder / WEIGHTS).write_bytes(weights)
    (folder / SPEC).write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")
    return digest


def load_units(folder: Path) -> TrainedUnits:
    """The net that `save_units` wrote.

    Raises:
        IntegrityError: a file is missing or unreadable, or the weights are not those of the spec or do not fit it.
    """
    try:
        document: Document = json.loads((folder / SPEC).read_text(encoding="utf-8"))
        weights = (folder / WEIGHTS).read_bytes()
        if document["format"] != FORMAT or hashlib.sha256(weights).hexdigest() != document["weights_sha256"]:
            raise IntegrityError(f"{WEIGHTS} does not match {SPEC}; train it again")
        return TrainedUnits(
            network=_network(document["net"], load(weights)),
            levels=np.array(document["levels"], dtype=np.float64),
            thresholds=np.array(document["thresholds"], dtype=np.float64),
            history=tuple(UnitEpoch(**record) for record in document["history"]),
            train_s=document["train_s"],
        )
    except (OSError, ValueError, KeyError, TypeError, RuntimeError, SafetensorError) as error:
        raise IntegrityError(
            f"the unit net in '{folder.name}' cannot be read ({type(error).__name__}); train it again"
        ) from error


def _network(sizes: Document, weights: dict[str, torch.Tensor]) -> UnitNet:
    as_written: Document = {name: tuple(v) if isinstance(v, list) else v for name, v in sizes.items()}
    spec = UnitSpec(**as_written)
    with torch.random.fork_rng(devices=[]):
        network = UnitNet(resnet_encoder(None), spec)
    network.load_state_dict(weights, strict=True)
    return network.to(memory_format=torch.channels_last).eval()  # type: ignore[call-overload,no-any-return]
