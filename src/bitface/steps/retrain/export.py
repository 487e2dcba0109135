"""Turns the one-bit model into the bundle that is deployed, loads it back through its own checks, and measures both."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

from bitface.dataset.files import sha256_of
from bitface.evaluation.latency import Latency, Timings, latency_of, quietest_timings
from bitface.faces.features import CROP_PX, LANDMARKS, FaceValues, Reads
from bitface.ports import ExportBundle, LoadRuntime, Runtime
from bitface.steps.retrain.plan import Run
from bitface.steps.retrain.reuse import StageInputs, unless_made
from bitface.steps.retrain.run_data import Data
from bitface.steps.retrain.train import Calibrated

if TYPE_CHECKING:
    from bitface.training.trained import TrainedModel

LATENCY = "latency.npz"
INPUTS: Final = StageInputs(
    module=__name__,
    sections=("latency", "seed"),
    inputs=("models",),
    code=("adapters.openvino_runtime", "models.extraction", "evaluation.latency", "training.loop", "faces.features"),
    carriers=(
        "dataset.files",
        "ports",
        "steps.retrain.plan",
        "steps.retrain.reuse",
        "steps.retrain.run_data",
        "steps.retrain.train",
    ),
)


@dataclass(frozen=True, kw_only=True)
class Exported:
    """The bundle, and what was measured of it and of the float twin on one still, one thread.

    `timings` runtime -> float64 (rounds,) milliseconds of what a network reads to probabilities, interleaved.
    """

    folder: Path
    bundle_sha256: str
    weights_sha256: str
    one_bit_bytes: int
    float_bytes: int
    timings: Timings
    reused: bool

    def latency(self) -> dict[str, Latency]:
        """Runtime -> median and 95th percentile of the time on the wall."""
        return {name: latency_of(times) for name, times in self.timings.wall_ms.items()}


@dataclass(frozen=True, kw_only=True)
class Model:
    """The calibrated pair of networks, and the bundle that its one-bit network is deployed as."""

    networks: Calibrated
    bundle: Exported


@dataclass(frozen=True, kw_only=True)
class Made:
    """What a run has made before it is judged: the rows of its people, and its model."""

    data: Data
    model: Model


def export_model(run: Run, models: Calibrated, stages: Path, export: ExportBundle, load: LoadRuntime) -> Exported:
    """Exports, or reuses the export of the same weights by the same code; every call loads and self-tests the bundle."""
    folder = stages / "export" / INPUTS.key(run.params, models=models.key)
    run = replace(run, params=INPUTS.restricted(run.params))
    with unless_made(folder) as partial:
        if partial is not None:
            from bitface.training.loop import load_model

            export(load_model(models.folder / "one-bit"), partial / "bundle")
            _keep(_measure(load(partial / "bundle"), load_model(models.folder / "float"), run), partial / LATENCY)
    runtime = load(folder / "bundle")
    return Exported(
        folder=folder / "bundle",
        bundle_sha256=runtime.digest,
        weights_sha256=sha256_of(models.folder / "one-bit" / "weights.safetensors"),
        one_bit_bytes=_bytes(folder / "bundle", ("model.bin", "model.xml", "heads.safetensors")),
        float_bytes=_bytes(models.folder / "float", ("weights.safetensors",)),
        timings=_kept(folder / LATENCY),
        reused=partial is None,
    )


def _keep(timings: Timings, path: Path) -> None:
    kinds = {"wall": timings.wall_ms, "cpu": timings.cpu_ms}
    arrays = {f"{kind}/{name}": times for kind, named in kinds.items() for name, times in named.items()}
    np.savez(path, allow_pickle=False, **arrays)


def _kept(path: Path) -> Timings:
    with np.load(path, allow_pickle=False) as arrays:
        found: dict[str, dict[str, NDArray[np.float64]]] = {"wall": {}, "cpu": {}}
        for key in arrays.files:
            kind, _, name = key.partition("/")
            found[kind][name] = arrays[key]
    return Timings(wall_ms=found["wall"], cpu_ms=found["cpu"])


def _measure(one_bit: Runtime, twin: TrainedModel, run: Run) -> Timings:
    """One still, one thread, in turn: what a reading costs after the landmarker."""
    import torch

    still = random_still(one_bit.reads, run.params.seed)
    length = np.ones(1, dtype=np.int64)
    tensors = torch.from_numpy(still), torch.from_numpy(length)
    twin.network.eval()

    def float_twin() -> object:
        with torch.inference_mode():
            return twin.network(*tensors).sigmoid().numpy()

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        params = run.params.latency
        runs = {"one-bit": lambda: one_bit.scores(still, length), "float": float_twin}
        return quietest_timings(runs, params.rounds, params.warmup, params.attempts, params.slowdown_max)
    finally:
        torch.set_num_threads(before)


def random_still(reads: Reads, seed: int) -> FaceValues:
    """What a network reads of one frame of nobody."""
    rng = np.random.default_rng(seed)
    if reads == "crops":
        return rng.integers(0, 256, (1, 1, CROP_PX, CROP_PX), dtype=np.uint8)
    return rng.normal(size=(1, 1, LANDMARKS, 3)).astype(np.float32)


def _bytes(folder: Path, names: tuple[str, ...]) -> int:
    """Of those of the files that are there: a model made from a seed has no graph."""
    return sum((folder / name).stat().st_size for name in names if (folder / name).is_file())
