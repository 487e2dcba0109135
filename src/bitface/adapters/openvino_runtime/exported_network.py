"""How one network is written into a bundle and loaded from it: the record that each module of `networks` holds under the network's name."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, cast

import numpy as np
from numpy.typing import NDArray

from bitface.faces.features import Reads
from bitface.models.bundle_spec import GRAPH, WEIGHTS, Arrays, BundleSpec, Files
from bitface.models.exported import FloatHead, SeparateHeads

if TYPE_CHECKING:
    from bitface.models.clip_net import ClipNet
    from bitface.models.landmark.landmark_clips import LandmarkClipNet


class Trunk(Protocol):
    """The integer part of a network."""

    @property
    def reads(self) -> Reads: ...

    def codes(self, inputs: NDArray[Any]) -> NDArray[Any]: ...

    def counts(self, codes: NDArray[Any]) -> NDArray[np.float32]: ...


class Head(Protocol):
    """The float part: counts of clips of one length to logits. `orientation` turns counts to those of training."""

    @property
    def orientation(self) -> int | NDArray[np.int8]: ...

    def logits(self, counts: NDArray[np.float32]) -> NDArray[np.float32]: ...


@dataclass(frozen=True, kw_only=True)
class ExportedNetwork:
    """`write` puts the graph of a network's integer part into a folder, unless none is needed, and returns the arrays of the rest;
    `load` makes trunk and head of a bundle's files, its spec, those arrays and a number of threads.
    """

    write: Callable[[ClipNet, Path], Arrays]
    load: Callable[[Files, BundleSpec, Arrays, int], tuple[Trunk, Head]]


def members_of(network: ClipNet) -> list[ClipNet]:
    """The networks of one output each that answer as one, or the network itself."""
    from bitface.models.separate import SeparateNets

    return network.members if isinstance(network, SeparateNets) else [network]


def heads_of(network: ClipNet, heads: Sequence[FloatHead]) -> Arrays:
    """The arrays of a network's heads, which are several for separate networks."""
    from bitface.models.separate import SeparateNets

    return SeparateHeads(heads=tuple(heads)).arrays() if isinstance(network, SeparateNets) else heads[0].arrays()


def scale_of(network: ClipNet) -> Arrays:
    """The scale of a landmark net's codes, as arrays beside the head's."""
    scale = cast("LandmarkClipNet", members_of(network)[0]).scale()
    return {"centre": scale.centre, "inverse_step": scale.inverse_step}


def without_graph(folder: Path) -> None:
    """Takes away the graph of an older bundle, where arrays or a seed say all."""
    for name in (GRAPH, WEIGHTS):
        (folder / name).unlink(missing_ok=True)
