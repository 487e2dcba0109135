"""A trained model as a value, and on disk as safetensors and JSON: formats that hold numbers and cannot run code."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load as load_arrays
from safetensors.numpy import save as save_arrays
from safetensors.torch import load, save

from bitface.errors import InputError, IntegrityError
from bitface.models.calibrator import Calibrator, calibrator_of, uncalibrated
from bitface.models.clip_net import ClipNet, Precision
from bitface.models.face.training_faces import TrainingFaces
from bitface.models.separate import PREFIX, SeparateNets
from bitface.training.architectures import empty_network

FORMAT: Final = 4
WEIGHTS: Final = "weights.safetensors"
SPEC: Final = "spec.json"
FACES: Final = "training_faces.safetensors"


@dataclass(frozen=True, kw_only=True)
class EpochRecord:
    """Mean training loss of an epoch; macro AUC and one-vs-rest loss on validation people (clips and apex stills)."""

    epoch: int
    loss: float
    validation_auc: float
    validation_loss: float


@dataclass(frozen=True, kw_only=True)
class TrainedModel:
    """A network with what is needed to decide by it.

    `network` in evaluation mode; `emotions` its outputs in order; `thresholds` float64 (E,), probability at or above which an
    emotion is called present; `untrained` the other emotions with the reason; `best_epoch` the one whose weights these
    are, 0 where heads were solved at once; `train_s` wall seconds; `calibrator` None until people outside training have calibrated it;
    `faces` what it is explained by, None where its people are too few.
    """

    network: ClipNet
    variant: Literal["T-EMO", "R-EMO"]
    precision: Precision
    emotions: tuple[str, ...]
    thresholds: NDArray[np.float64]
    untrained: tuple[tuple[str, str], ...]
    history: tuple[EpochRecord, ...]
    best_epoch: int
    train_s: float
    calibrator: Calibrator | None = None
    faces: TrainingFaces | None = None

    def calibration(self) -> Calibrator:
        """The calibrator, or unchanged scores if the model is not calibrated."""
        return self.calibrator or uncalibrated(self.thresholds, "not calibrated")


def save_model(model: TrainedModel, folder: Path) -> str:
    """Writes weights, faces and `spec.json`; returns the SHA-256 of the weights, which the spec repeats."""
    folder.mkdir(parents=True, exist_ok=True)
    weights = save({name: tensor.contiguous() for name, tensor in model.network.state_dict().items()})
    digest = hashlib.sha256(weights).hexdigest()
    faces = None if model.faces is None else save_arrays(model.faces.arrays())
    document = {
        "format": FORMAT,
        "network": model.network.name,
        "net": asdict(model.network.spec),
        "variant": model.variant,
        "precision": model.precision,
        "emotions": model.emotions,
        "thresholds": model.thresholds.tolist(),
        "untrained": model.untrained,
        "history": [asdict(record) for record in model.history],
        "best_epoch": model.best_epoch,
        "train_s": model.train_s,
        "calibration": None if model.calibrator is None else asdict(model.calibrator),
        "weights_sha256": digest,
        "faces_sha256": None if faces is None else hashlib.sha256(faces).hexdigest(),
    }
    (folder / WEIGHTS).write_bytes(weights)
    if faces is not None:
        (folder / FACES).write_bytes(faces)
    (folder / SPEC).write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")
    return digest


def load_model(folder: Path) -> TrainedModel:
    """The model that `save_model` wrote.

    Raises:
        IntegrityError: a file is missing or unreadable, or the weights are not those of the spec or do not fit it.
    """
    try:
        document: dict[str, Any] = json.loads((folder / SPEC).read_text(encoding="utf-8"))
        weights = (folder / WEIGHTS).read_bytes()
        if document["format"] != FORMAT:
            raise IntegrityError(f"model format {document['format']} is not {FORMAT}; train it again")
        if hashlib.sha256(weights).hexdigest() != document["weights_sha256"]:
            raise IntegrityError(f"{WEIGHTS} does not match {SPEC}; train it again")
        faces = None if document["faces_sha256"] is None else (folder / FACES).read_bytes()
        if faces is not None and hashlib.sha256(faces).hexdigest() != document["faces_sha256"]:
            raise IntegrityError(f"{FACES} does not match {SPEC}; train it again")
        network = _network(document["network"], document["net"], load(weights))
        return TrainedModel(
            network=network,
            variant=document["variant"],
            precision=document["precision"],
            emotions=tuple(document["emotions"]),
            thresholds=np.array(document["thresholds"], dtype=np.float64),
            untrained=tuple((emotion, reason) for emotion, reason in document["untrained"]),
            history=tuple(EpochRecord(**record) for record in document["history"]),
            best_epoch=document["best_epoch"],
            train_s=document["train_s"],
            calibrator=None if document["calibration"] is None else calibrator_of(document["calibration"]),
            faces=None if faces is None else TrainingFaces.of_arrays(load_arrays(faces)),
        )
    except IntegrityError:
        raise
    except (OSError, ValueError, KeyError, TypeError, RuntimeError, InputError, SafetensorError) as error:
        raise IntegrityError(
            f"the model in '{folder.name}' cannot be read ({type(error).__name__}); train it again"
        ) from error


def _network(name: str, sizes: dict[str, Any], weights: dict[str, torch.Tensor]) -> ClipNet:
    with torch.random.fork_rng(devices=[]):
        network = _empty(name, sizes)
    network.load_state_dict(weights, strict=True)
    return network.eval()


def _empty(name: str, sizes: dict[str, Any]) -> ClipNet:
    if not name.startswith(PREFIX):
        return empty_network(name, sizes)
    one = {**sizes, "outputs": 1}
    return SeparateNets([empty_network(name.removeprefix(PREFIX), one) for _ in range(sizes["outputs"])])
