"""How long the one-bit model that each variant of a study would deploy takes for a still: what its accuracy is worth."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from bitface.evaluation.latency import interleaved_latency
from bitface.params import LatencyParams, TrainingParams
from bitface.ports import ExportBundle, LoadRuntime, Runtime
from bitface.steps.retrain.export import random_still
from bitface.steps.studies.bench_subjects import as_trained, pair_of


def measure_stills(
    variants: Mapping[str, TrainingParams], params: LatencyParams, seed: int, export: ExportBundle, load: LoadRuntime
) -> dict[str, float]:
    """Median milliseconds by variant: one still, from what the network reads to probabilities, one thread, all in turn.

    Weights are random, since a network's time does not depend on what it learned; so this needs no training, and is
    measured anew each time on the machine that says it.
    """
    with TemporaryDirectory() as place:
        runs = {
            name: _reading(_deployed(training, Path(place) / str(number), seed, export, load), seed)
            for number, (name, training) in enumerate(variants.items())
        }
        taken = interleaved_latency(runs, params.rounds, params.warmup)
    return {name: latency.p50_ms for name, latency in taken.items()}


def _deployed(training: TrainingParams, folder: Path, seed: int, export: ExportBundle, load: LoadRuntime) -> Runtime:
    export(as_trained(pair_of(training, seed)[0]), folder)
    return load(folder)


def _reading(runtime: Runtime, seed: int) -> Callable[[], object]:
    still, length = random_still(runtime.reads, seed), np.ones(1, dtype=np.int64)
    return lambda: runtime.scores(still, length)
