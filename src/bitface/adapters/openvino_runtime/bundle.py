"""Ships a trained one-bit model as a bundle of graph, heads, spec and self-test, recorded by digest."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np

from bitface.adapters.openvino_runtime.graph import write_graph
from bitface.adapters.openvino_runtime.runtime import OneBitRuntime
from bitface.faces.features import ClipTable
from bitface.models import bundle_spec
from bitface.models.bundle_spec import DIGESTS, GRAPH, HEADS, SELFTEST, SPEC, WEIGHTS, BundleSpec
from bitface.models.selftest import check_nobody

if TYPE_CHECKING:
    from bitface.training.trained import TrainedModel

_LOGIT_TOLERANCE: Final = 1e-4


@dataclass(frozen=True, kw_only=True)
class BundleFacts:
    """`digest`: SHA-256 of digests.json, the bundle's identity; `digests` by file; bytes of graph, weights, heads."""

    digest: str
    digests: dict[str, str]
    size_bytes: int


def export_bundle(model: TrainedModel, selftest_inputs: ClipTable, folder: Path) -> BundleFacts:
    """Writes a bundle, loads it, and so runs its self-test once.

    Args:
        model: the one-bit model of a pair.
        selftest_inputs: from `models.selftest.selftest_table`; rows of people are refused.
        folder: made if needed; files of an older bundle in it are replaced.

    Raises:
        InputError: the model is a float twin, or the inputs are somebody's.
        IntegrityError: the runtime does not answer as the training graph does.
    """
    from bitface.models.extraction import code_scale, extract, graph_outputs

    check_nobody(selftest_inputs)
    trunk, head = extract(model.network)
    counts, _, logits = graph_outputs(model.network, selftest_inputs)
    scale = code_scale(model.network)
    heads: bundle_spec.Arrays = {**head.arrays(), "centre": scale.centre, "inverse_step": scale.inverse_step}
    selftest: bundle_spec.Arrays = {
        "landmarks": selftest_inputs.landmarks,
        "lengths": selftest_inputs.lengths,
        "counts": counts,
        "logits": logits,
    }
    spec = _spec(model, {HEADS: heads, SELFTEST: selftest})
    folder.mkdir(parents=True, exist_ok=True)
    write_graph(trunk, folder)
    _write(folder, {HEADS: _packed(heads), SELFTEST: _packed(selftest), SPEC: spec.to_bytes()})
    files = {name: (folder / name).read_bytes() for name in bundle_spec.FILES}
    recorded = bundle_spec.digests_of(files)
    _write(folder, {DIGESTS: recorded})
    OneBitRuntime.load(folder)
    return BundleFacts(
        digest=hashlib.sha256(recorded).hexdigest(),
        digests={name: hashlib.sha256(content).hexdigest() for name, content in files.items()},
        size_bytes=sum(len(files[name]) for name in (GRAPH, WEIGHTS, HEADS)),
    )


def _spec(model: TrainedModel, arrays: dict[str, bundle_spec.Arrays]) -> BundleSpec:
    import openvino

    net = model.network.spec
    return BundleSpec(
        format=bundle_spec.FORMAT,
        variant=model.variant,
        precision=model.precision,
        emotions=model.emotions,
        thresholds=tuple(model.thresholds.tolist()),
        channels=net.channels,
        temporal_kernel=net.temporal_kernel,
        binary_layers=net.binary_layers,
        lstm_units=net.lstm_units,
        arrays={file: bundle_spec.described(entries) for file, entries in arrays.items()},
        logit_tolerance=_LOGIT_TOLERANCE,
        openvino=openvino.__version__,
    )


def _packed(arrays: bundle_spec.Arrays) -> bytes:
    from safetensors.numpy import save

    return save({name: np.ascontiguousarray(array) for name, array in arrays.items()})


def _write(folder: Path, files: dict[str, bytes]) -> None:
    for name, content in files.items():
        (folder / name).write_bytes(content)
