"""One whole network per emotion, as in the paper, answering as one: dearer than a shared trunk, and to be compared with it.

The sets of one-vs-rest networks of Di Luzio et al. (arXiv 2407.14865) share nothing. Seven of them cost seven times the
convolutions of one trunk with seven heads.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from bitface.errors import InputError
from bitface.faces.features import ClipTable, Reads
from bitface.models.clip_net import ClipNet

PREFIX = "separate_"
"""Before the name of the networks that are joined."""


class SeparateNets(ClipNet):
    """Networks of one output each that read the same codes; `spec` is that of one network with all outputs.

    Raises:
        InputError: there is none, or they are not of one kind, or have more outputs than one.
    """

    def __init__(self, networks: Sequence[ClipNet]) -> None:
        super().__init__()
        kinds = {(network.name, network.spec.precision, network.spec.outputs) for network in networks}
        if len(kinds) != 1 or networks[0].spec.outputs != 1:
            raise InputError(
                f"{len(networks)} networks of {len(kinds)} kinds are not a set; give one network of one kind with one output per emotion"
            )
        self.networks = nn.ModuleList(networks)
        self.name = PREFIX + networks[0].name  # type: ignore[misc]
        self.spec = replace(networks[0].spec, outputs=len(networks))

    @property
    def reads(self) -> Reads:
        """What each of them reads."""
        return self.members[0].reads

    @property
    def members(self) -> list[ClipNet]:
        """The networks, in the order of the outputs."""
        return list(self.networks)  # type: ignore[arg-type]

    def forward(self, inputs: Tensor, lengths: Tensor) -> Tensor:
        """Logits, float32 (N, outputs), of what each of the networks reads."""
        return torch.cat([network(inputs, lengths) for network in self.networks], dim=1)

    def frames_of(self, table: ClipTable) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Those of any of them: all have the same codes."""
        return self.members[0].frames_of(table)

    def counts_of(self, inputs: Tensor, is_frame: Tensor, lengths: Tensor) -> Tensor:
        """Counts of all of them side by side, (M, outputs * features)."""
        return torch.cat([network.counts_of(inputs, is_frame, lengths) for network in self.members], dim=1)

    def still_counts(self, inputs: Tensor) -> Tensor:
        """Counts of stills side by side, (N, outputs * features)."""
        return torch.cat([network.still_counts(inputs) for network in self.members], dim=1)

    def still_logits(self, inputs: Tensor) -> Tensor:
        """Logits (N, outputs) of stills."""
        return torch.cat([network.still_logits(inputs) for network in self.members], dim=1)
