"""Attributes a score to landmarks by Integrated Gradients, with a treatment of its own where a sign has no gradient.

    IG_i(x) = (x_i - b_i) * integral over a in 0..1 of df(b + a (x - b)) / dx_i     (Sundararajan et al., arXiv 1703.01365)

A differentiable f gives sum_i IG_i = f(x) - f(b). A one-bit network has no gradient to integrate, and its straight-through
stand-in g gives a map that nothing forces to add up. `completed_gradients` keeps g for where within a region of the face, and
takes how much from the model itself: on the way from b to x one region after another is replaced, in several orders, and the
change D of f at a region's turn is spread over that region r:

    part_i = g_i * (x_i - b_i), i in r      g at the middle of the turn, averaged over noisy copies (SmoothGrad, arXiv 1706.03825)
    map_i += part_i + (D - sum_j part_j) * |part_i| / sum_j |part_j|

A mean over orders of such paths is complete whatever g is, and its sums over regions estimate their Shapley values: over all
orders they are these values. What a net of pixels rests on is counted to the landmark nearest to each pixel: sums stay what
they are, and no map shows anyone's face.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from bitface.counted_words import counted
from bitface.errors import InputError
from bitface.explain.attributions import Attribution, Gradient
from bitface.explain.baselines import Faces
from bitface.faces.features import LANDMARKS
from bitface.models.clip_net import ClipNet

_VALUES_AT_ONCE: Final = 2**20


Maps = Callable[[Tensor, Tensor, Tensor, NDArray[np.int64]], Tensor]
"""Inputs, lengths, baseline and numbers of samples -> their maps, float64 (N, E, T, ...)."""


@dataclass(frozen=True, kw_only=True)
class NoisyPaths:
    """The ways from the baseline to a face on which a one-bit network is asked.

    `orders` in which regions are replaced, an even number: each random one is also gone through backwards; `copies`, 1 or more,
    over which the gradient is averaged; `noise`: standard deviation of a copy's noise at each value of a frame, of the baseline's
    shape; `seed` of orders and noise, which are the same for every sample: a face is explained alike in any company.
    """

    orders: int
    copies: int
    noise: NDArray[np.float32]
    seed: int


@dataclass(frozen=True, kw_only=True)
class _Method:
    """How maps are made: by which name, at how many steps, with which gradient, and how many `points` of a sample are held at once."""

    name: str
    gradient: Gradient
    steps: int
    points: int


def integrated_gradients(
    network: nn.Module, faces: Faces, *, emotions: Sequence[str], steps: int, gradient: Gradient
) -> Attribution:
    """Integrated Gradients of every sample and emotion (Captum, Gauss-Legendre points between baseline and sample).

    Args:
        network: `forward(float32 of faces' shape, int64 (N,))` gives logits (N, E). It is run in evaluation mode and left
            in the mode that it came in; its parameters stay as they are.
        faces: what is explained.
        emotions: names of the E outputs.
        steps: points of the integral, 8 or more.
        gradient: `straight-through` where the network has sign() in it, see `gradient_of`.

    Raises:
        InputError: outputs other than the emotions.
    """

    def maps(inputs: Tensor, lengths: Tensor, base: Tensor, _: NDArray[np.int64]) -> Tensor:
        # Captum takes seconds to import: only who explains pays for it.
        from captum.attr import IntegratedGradients

        explainer = IntegratedGradients(network)
        found = [
            explainer.attribute(inputs, base, target=output, additional_forward_args=lengths, n_steps=steps).double()
            for output in range(len(emotions))
        ]
        return torch.stack(found, dim=1)

    method = _Method(name="integrated gradients", gradient=gradient, steps=steps, points=steps)
    return _attribution(network, faces, emotions, maps, method)


def completed_gradients(
    network: nn.Module,
    faces: Faces,
    *,
    emotions: Sequence[str],
    region_of: NDArray[np.int64],
    paths: NoisyPaths,
) -> Attribution:
    """Maps of a one-bit network that add up: its true changes region by region, spread by a stand-in gradient (see the module).

    Args:
        network: as for `integrated_gradients`, with sign() in it.
        faces: what is explained.
        emotions: names of the E outputs.
        region_of: the region of each landmark, int64 (478,), or of each pixel, (N, T, 64, 64), from 0 on.
        paths: from the baseline to a face.

    Raises:
        InputError: outputs other than the emotions, or an odd number of orders.
    """
    regions = int(region_of.max()) + 1
    turns = _orders(regions, paths.orders, paths.seed)

    def maps(inputs: Tensor, lengths: Tensor, base: Tensor, rows: NDArray[np.int64]) -> Tensor:
        own = torch.from_numpy(region_of if region_of.ndim == 1 else region_of[rows, : inputs.shape[1]])
        own = own[:, None].expand(inputs.shape[1:])[None] if region_of.ndim == 1 else own
        moved = inputs - base
        drawn = _noise(paths.seed, (paths.copies, *inputs.shape[1:]), paths.noise)
        found = torch.zeros(len(inputs), len(emotions), *inputs.shape[1:], dtype=torch.float64)
        for order in turns:
            at, before = base, _logits(network, base, lengths)
            for region in order:
                is_own = own == region
                middle = torch.where(is_own, base + moved / 2, at)[:, None] + drawn
                at = torch.where(is_own, inputs, at)
                after = _logits(network, at, lengths)
                parts = _gradients(network, middle, lengths, len(emotions)) * (moved * is_own)[:, None]
                found += _completed(parts.double(), after - before, is_own[:, None]) / len(turns)
                before = after
        return found

    method = _Method(name="completed gradients", gradient="completed", steps=regions * len(turns), points=paths.copies)
    return _attribution(network, faces, emotions, maps, method)


def _orders(regions: int, orders: int, seed: int) -> list[NDArray[np.int64]]:
    if orders < 2 or orders % 2:
        raise InputError(
            f"{counted(orders, 'order of regions', 'orders of regions')}; use an even number, since each is also gone through backwards"
        )
    rng = np.random.default_rng(seed)
    drawn = [rng.permutation(regions) for _ in range(orders // 2)]
    return [order for one in drawn for order in (one, one[::-1])]


def gradient_of(network: ClipNet) -> Gradient:
    """How the network's gradient comes about: `straight-through` for one-bit, `exact` for its float twin."""
    return "straight-through" if network.spec.precision == "one-bit" else "exact"


def refined(
    attribute: Callable[[NDArray[np.int64], int], Attribution], samples: int, *, steps: int, steps_max: int, gap: float
) -> Attribution:
    """Maps of each sample at as many steps as its gap asks for: four times as many until it is at most `gap`.

    A kink of the logit on the way from the baseline costs precision, and few samples have a bad one.

    Args:
        attribute: maps of the samples of these numbers, int64 (n,), at this many steps.
        samples: how many there are.
        steps: of the first try, for all.
        steps_max: never more; a gap that is still too wide then stays and is reported. Nothing is tried again with a
            straight-through gradient, which no number of steps makes additive.
        gap: share of a sample's differences that may stay unexplained.
    """
    made = attribute(np.arange(samples), steps)
    while made.gradient == "exact" and (steps := steps * 4) <= steps_max:
        wide = np.flatnonzero(made.sample_gaps() > gap)
        if not len(wide):
            break
        made = _with_rows(made, wide, attribute(wide, steps))
    return made


def _with_rows(made: Attribution, rows: NDArray[np.int64], again: Attribution) -> Attribution:
    fields = {name: getattr(made, name).copy() for name in ("values", "outside", "differences", "steps")}
    for name, array in fields.items():
        array[rows] = getattr(again, name)
    return replace(made, **fields)


def _attribution(
    network: nn.Module,
    faces: Faces,
    emotions: Sequence[str],
    maps: Maps,
    method: _Method,
) -> Attribution:
    """The maps (N, E, T, ...) of all samples, counted to landmarks."""
    values = np.zeros((len(faces.inputs), len(emotions), LANDMARKS + 1))
    differences = np.zeros((len(faces.inputs), len(emotions)))
    with _at_rest(network):
        for rows, frames in _chunks(faces, method.points):
            chunk = faces.where(rows)
            inputs = torch.from_numpy(np.ascontiguousarray(chunk.inputs[:, :frames], dtype=np.float32))
            lengths = torch.from_numpy(chunk.lengths)
            base = torch.from_numpy(faces.baseline.face.astype(np.float32)).expand(inputs.shape)
            found = _logits(network, inputs, lengths) - _logits(network, base, lengths)
            if found.shape[1] != len(emotions):
                raise InputError(
                    f"the network has {found.shape[1]} outputs for {counted(len(emotions), 'emotion')}; name each output once"
                )
            differences[rows] = found.numpy()
            owners = None if chunk.owners is None else chunk.owners[:, :frames]
            values[rows] = _counted(maps(inputs, lengths, base, rows).numpy(), owners)
    return Attribution(
        method=method.name,
        gradient=method.gradient,
        steps=np.full(len(faces.inputs), method.steps, dtype=np.int64),
        baseline=faces.baseline.name,
        emotions=tuple(emotions),
        values=values[..., :-1],
        outside=values[..., -1],
        differences=differences,
    )


@contextmanager
def _at_rest(network: nn.Module) -> Iterator[None]:
    """In evaluation mode and without gradients of parameters, and then again as it was."""
    was_training = network.training
    needed_gradients = [parameter for parameter in network.parameters() if parameter.requires_grad]
    try:
        network.eval()
        for parameter in needed_gradients:
            parameter.requires_grad_(False)
        yield
    finally:
        network.train(was_training)
        for parameter in needed_gradients:
            parameter.requires_grad_(True)


def _chunks(faces: Faces, points: int) -> Iterator[tuple[NDArray[np.int64], int]]:
    """Rows and their number of frames. Samples of one length go together, so that no padding is computed."""
    for frames in np.unique(faces.lengths):
        rows = np.flatnonzero(faces.lengths == frames)
        at_once = max(1, _VALUES_AT_ONCE // (points * int(frames) * faces.baseline.face.size))
        for start in range(0, len(rows), at_once):
            yield rows[start : start + at_once], int(frames)


def _counted(maps: NDArray[np.float64], owners: NDArray[np.int64] | None) -> NDArray[np.float64]:
    """Maps (N, E, T, ...) summed per landmark, (N, E, 479); what no landmark owns comes last."""
    counted = np.zeros((*maps.shape[:2], LANDMARKS + 1))
    if owners is None:
        counted[..., :-1] = maps.sum(axis=(2, 4))
        return counted
    for row, output in np.ndindex(maps.shape[:2]):
        counted[row, output] = np.bincount(owners[row].ravel(), maps[row, output].ravel(), LANDMARKS + 1)
    return counted


@torch.no_grad()
def _logits(network: nn.Module, inputs: Tensor, lengths: Tensor) -> Tensor:
    logits: Tensor = network(inputs, lengths).double()
    return logits


def _noise(seed: int, shape: tuple[int, ...], deviation: NDArray[np.float32]) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(shape, generator=generator) * torch.from_numpy(deviation)


def _gradients(network: nn.Module, points: Tensor, lengths: Tensor, outputs: int) -> Tensor:
    """Mean gradients over copies, (N, E, T, ...), at points (N, copies, T, ...)."""
    copies = points.shape[1]
    asked = points.flatten(0, 1).requires_grad_()
    logits = network(asked, lengths.repeat_interleave(copies))
    found = [
        torch.autograd.grad(logits[:, output].sum(), asked, retain_graph=output < outputs - 1)[0]
        for output in range(outputs)
    ]
    stacked = torch.stack(found, dim=1)
    return stacked.view(-1, copies, *stacked.shape[1:]).mean(dim=1)


def _completed(parts: Tensor, changes: Tensor, is_own: Tensor) -> Tensor:
    """Parts (N, E, ...) with what is missing to changes (N, E) spread by their size; evenly over their own region where all
    of them are 0.
    """
    flat, own = parts.flatten(2), is_own.expand(-1, 1, *parts.shape[2:]).flatten(2).double()
    size = flat.abs()
    total, area = size.sum(dim=2, keepdim=True), own.sum(dim=2, keepdim=True).clamp_min(1)
    share = torch.where(total > 0, size / total.clamp_min(torch.finfo(size.dtype).tiny), own / area)
    missing = (changes - flat.sum(dim=2))[..., None]
    return (flat + missing * share).reshape(parts.shape)
