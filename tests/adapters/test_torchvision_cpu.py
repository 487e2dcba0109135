"""torchvision works next to a torch without CUDA, although its registry build was not made for that."""

import subprocess
import sys

import pytest
import torch

from bitface.training.torchvision_cpu import load_torchvision, needs_declaration


@pytest.mark.parametrize(
    ("torch_cuda", "version_text", "needed"),
    [
        (None, "__version__ = '0.28.0+cu130'", True),
        (None, "__version__ = '0.28.0+cpu'", False),
        (None, "__version__ = '0.28.0'", False),
        ("13.0", "__version__ = '0.28.0+cu130'", False),
    ],
    ids=["cuda beside cpu", "both cpu", "plain", "both cuda"],
)
def test_operators_are_declared_only_where_the_builds_do_not_match(torch_cuda, version_text, needed):
    """Where they match, torchvision declares them itself, and a second declaration is an error."""
    assert needs_declaration(torch_cuda, version_text) is needed


def test_loading_again_and_from_other_threads_gives_the_same_module():
    """In a process of its own, so that the first load of all happens in threads."""
    code = """
from concurrent.futures import ThreadPoolExecutor
from bitface.training.torchvision_cpu import load_torchvision
with ThreadPoolExecutor(4) as pool:
    modules = list(pool.map(lambda _: load_torchvision(), range(8)))
assert all(module is modules[0] for module in modules)
from torchvision.transforms import v2
import torch
from torchvision.ops import box_iou
box = torch.tensor([[0.0, 0, 2, 2]])
assert box_iou(box, box).item() == 1
assert v2.functional.horizontal_flip(torch.tensor([[[1, 2]]])).tolist() == [[[2, 1]]]
"""
    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True)


def test_transforms_and_models_are_there():
    torchvision = load_torchvision()
    from torchvision.transforms import v2

    assert torchvision.models.resnet18(weights=None).fc.out_features == 1000
    assert v2.functional.get_size(torch.zeros(3, 5, 7)) == [5, 7]
