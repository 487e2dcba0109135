"""What a benchmark times: pairs of networks with random weights, and the faces that they read."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from bitface.counted_words import counted
from bitface.faces.features import ClipTable
from bitface.params import BenchParams, TrainingParams

if TYPE_CHECKING:
    from bitface.models.clip_net import ClipNet, Precision

_OUTPUTS: Final = 7


@dataclass(frozen=True, kw_only=True)
class Subject:
    """A pair of networks with random weights, and the one face that they read. `is_backbone`: codes to counts alone."""

    name: str
    one_bit: ClipNet
    twin: ClipNet
    is_backbone: bool = False


@dataclass(frozen=True, kw_only=True)
class Faces:
    """Inputs of the int8 rivals' calibration by what a network reads, and whose they are in words."""

    crops: NDArray[np.uint8]
    landmarks: NDArray[np.float32]
    whose: str


def make_subjects(training: TrainingParams, params: BenchParams, seed: int) -> Iterator[Subject]:
    """Pairs of the parameters' sizes with random weights whose BatchNorms have seen random pictures."""
    from bitface.training.architectures import ARCHITECTURES

    wide = training.face_net.model_copy(update={"channels": params.channels, "pruned": None})
    reference = pair_of(
        training.model_copy(update={"architecture": "face_net", "variant": "T-EMO", "face_net": wide}), seed
    )
    yield Subject(name=f"face backbone {params.channels}", one_bit=reference[0], twin=reference[1], is_backbone=True)
    yield Subject(name=f"face_net {params.channels}", one_bit=reference[0], twin=reference[1])
    for architecture, own in sorted(ARCHITECTURES.items()):
        for variant in own.variants:
            sizes = training.model_copy(update={"architecture": architecture, "variant": variant})
            one_bit, twin = pair_of(sizes, seed)
            width = f" {training.face_net.channels}" if (architecture, variant) == ("face_net", "T-EMO") else ""
            yield Subject(name=f"{architecture}{width} {variant}", one_bit=one_bit, twin=twin)
    for architecture in sorted(name for name, own in ARCHITECTURES.items() if own.is_separable):
        sizes = training.model_copy(update={"architecture": architecture, "variant": "T-EMO", "heads": "separate"})
        one_bit, twin = pair_of(sizes, seed)
        yield Subject(name=f"{architecture} separate", one_bit=one_bit, twin=twin)


def faces_of_people(table: ClipTable, count: int) -> Faces:
    """Up to `count` apex stills of training people, spread over the table."""
    from bitface.training.batches import apex_stills

    stills = apex_stills(table.of_split("train"))
    stills = stills.where(np.unique(np.linspace(0, len(stills) - 1, min(count, len(stills))).astype(np.int64)))
    people = len(np.unique(stills.persons))
    return Faces(
        crops=stills.crops,
        landmarks=stills.landmarks,
        whose=f"{counted(len(stills), 'face')} of {counted(people, 'training person', 'training people')}",
    )


def random_faces(seed: int, count: int) -> Faces:
    """Smooth random pictures, and landmarks around nothing."""
    from bitface.models.selftest import selftest_crops

    rng = np.random.default_rng(seed)
    return Faces(
        crops=selftest_crops(seed, samples=count, frames=1).crops,
        landmarks=rng.normal(size=(count, 1, 478, 3)).astype(np.float32),
        whose="random pictures: there is no dataset with pictures",
    )


def pair_of(training: TrainingParams, seed: int) -> tuple[ClipNet, ClipNet]:
    """A one-bit network and its twin, in evaluation mode. Where training prunes, any channels are kept: time is the same."""
    from bitface.models.extraction import selftest_of
    from bitface.models.face.face_net import FaceNet
    from bitface.models.face.pruning import pruned
    from bitface.models.separate import SeparateNets
    from bitface.training.architectures import domain_of
    from bitface.training.seeds import repeatable

    with repeatable(seed, 1):
        domain = domain_of(_random_clips(seed), training, seed)

        def network_of(precision: Precision) -> ClipNet:
            if training.heads == "shared":
                whole = domain.network(precision, _OUTPUTS, seed)
                if training.pruned and precision == "one-bit" and isinstance(whole, FaceNet):
                    rng = np.random.default_rng(seed)
                    return pruned(whole, [rng.random(width) for width in whole.spec.widths], training.pruned)
                return whole
            return SeparateNets([domain.network(precision, 1, seed) for _ in range(_OUTPUTS)])

        pair = network_of("one-bit"), network_of("float")
        for network in pair:
            inputs, lengths = network.inputs_of(selftest_of(network, seed))
            network.train()(inputs, lengths)
            network.eval().requires_grad_(False)
    return pair


def _random_clips(seed: int) -> Any:
    from bitface.models.selftest import selftest_crops

    table = selftest_crops(seed)
    landmarks = np.random.default_rng(seed).normal(size=table.landmarks.shape).astype(np.float32)
    return replace(table, landmarks=landmarks)


def as_trained(network: ClipNet) -> Any:
    from bitface.training.trained import TrainedModel

    outputs = network.spec.outputs
    return TrainedModel(
        network=network,
        variant="T-EMO",
        precision="one-bit",
        emotions=tuple(f"output {number}" for number in range(outputs)),
        thresholds=np.full(outputs, 0.5),
        untrained=(),
        history=(),
        best_epoch=0,
        train_s=0.0,
    )
