"""ResNet-50 as an encoder of grey crops, from scratch or from weights that the user has: asked for and missing is an error."""

from __future__ import annotations

from pathlib import Path
from pickle import UnpicklingError
from typing import Final

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from bitface.errors import InputError
from bitface.training.torchvision_cpu import load_torchvision

ENCODED: Final = 2048
"""Numbers that `resnet_encoder` gives for a crop."""
FROM_SCRATCH: Final = "none"
FROM_CACHE: Final = "cache"
_CACHED: Final = ("resnet50-11ad3fa6.pth", "resnet50-0676ba61.pth")
"""torchvision's ResNet50_Weights, IMAGENET1K_V2 and V1, as its hub keeps them."""
_REMEDY: Final = "set action_units.weights to none to train from scratch"


def find_weights(wanted: str, root: Path) -> Path | None:
    """The file of weights that `action_units.weights` names; None for `none`.

    Raises:
        InputError: `cache`, and torchvision's cache (TORCH_HOME) has none; or a path, from `root`, that is not a file.
    """
    if wanted == FROM_SCRATCH:
        return None
    if wanted == FROM_CACHE:
        folder = Path(torch.hub.get_dir()) / "checkpoints"
        found = [folder / name for name in _CACHED if (folder / name).is_file()]
        if not found:
            raise InputError(
                f"action_units.weights is 'cache', but torchvision's cache holds neither {' nor '.join(_CACHED)}; put one into "
                f"$TORCH_HOME/hub/checkpoints, name its path instead, or {_REMEDY}"
            )
        return found[0]
    path = root / Path(wanted).expanduser()
    if not path.is_file():
        raise InputError(f"action_units.weights names '{path.name}', which is not a file; name a file, or {_REMEDY}")
    return path


def resnet_encoder(weights: Path | None) -> nn.Sequential:
    """The ResNet-50 of torchvision without its classifier, for (N, 1, H, W) to (N, 2048, 1, 1), drawn from torch's seed.

    `weights` is a state of torchvision's resnet50. Its first layer's kernels are added up over colours: a grey picture is
    one whose colours are equal.

    Raises:
        InputError: the file is not such a state.
    """
    load_torchvision()
    from torchvision.models import resnet50

    # Residual branches that begin as nothing: a deep net then learns from the first step (Goyal et al., arXiv 1706.02677).
    network = resnet50(weights=None, zero_init_residual=True)
    if weights is not None:
        _load(network, weights)
    stem = nn.Conv2d(1, network.conv1.out_channels, kernel_size=7, stride=2, padding=3, bias=False)
    with torch.no_grad():
        stem.weight.copy_(network.conv1.weight.sum(1, keepdim=True))
    stages = (network.layer1, network.layer2, network.layer3, network.layer4)
    return nn.Sequential(stem, network.bn1, network.relu, network.maxpool, *stages, network.avgpool)


def _load(network: nn.Module, path: Path) -> None:
    try:
        network.load_state_dict(_state(path), strict=True)
    except (OSError, RuntimeError, ValueError, TypeError, AttributeError, UnpicklingError, SafetensorError) as error:
        raise InputError(
            f"'{path.name}' does not hold torchvision resnet50 weights ({type(error).__name__}); name another file, or {_REMEDY}"
        ) from error


def _state(path: Path) -> dict[str, Tensor]:
    if path.suffix == ".safetensors":
        return load_file(path)
    # torchvision publishes .pth files; only tensors are read of them, never code.
    state: dict[str, Tensor] = torch.load(path, map_location="cpu", weights_only=True)
    return state
