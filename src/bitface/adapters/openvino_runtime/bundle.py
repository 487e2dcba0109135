"""Ships a trained one-bit model as a bundle of graph, heads, spec and self-test, recorded by digest."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np

from bitface.adapters.openvino_runtime.exported_network import members_of
from bitface.adapters.openvino_runtime.networks import NETWORKS
from bitface.adapters.openvino_runtime.runtime import OneBitRuntime
from bitface.errors import InputError
from bitface.faces.features import ClipTable
from bitface.models import bundle_spec
from bitface.models.bundle_spec import DIGESTS, FACES, GRAPH, HEADS, SELFTEST, SPEC, WEIGHTS, BundleSpec
from bitface.models.selftest import check_no_real_faces

if TYPE_CHECKING:
    from bitface.models.clip_net import ClipNet
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
        selftest_inputs: from `models.extraction.selftest_of`; rows of people are refused.
        folder: made if needed; files of an older bundle in it are replaced.

    Raises:
        InputError: the model is a float twin, or the inputs are a person's.
        IntegrityError: the runtime does not answer as the training graph does.
    """
    from bitface.models.extraction import graph_outputs

    check_no_real_faces(selftest_inputs)
    folder.mkdir(parents=True, exist_ok=True)
    heads = _write_graph(model.network, folder)
    counts, _, logits = graph_outputs(model.network, selftest_inputs)
    selftest: bundle_spec.Arrays = {
        model.network.reads: selftest_inputs.column(model.network.reads),
        "lengths": selftest_inputs.lengths,
        "counts": counts,
        "logits": logits,
    }
    arrays = {HEADS: heads, SELFTEST: selftest, **({} if model.faces is None else {FACES: model.faces.arrays()})}
    (folder / FACES).unlink(missing_ok=True)
    _write(folder, {file: _packed(entries) for file, entries in arrays.items()})
    _write(folder, {SPEC: _spec(model, arrays).to_bytes()})
    present = (name for name in (*bundle_spec.FILES, FACES) if (folder / name).is_file())
    files = {name: (folder / name).read_bytes() for name in present}
    recorded = bundle_spec.digests_of(files)
    _write(folder, {DIGESTS: recorded})
    OneBitRuntime.load(folder)
    return BundleFacts(
        digest=hashlib.sha256(recorded).hexdigest(),
        digests={name: hashlib.sha256(content).hexdigest() for name, content in files.items()},
        size_bytes=sum(len(files[name]) for name in (GRAPH, WEIGHTS, HEADS) if name in files),
    )


def _write_graph(network: ClipNet, folder: Path) -> bundle_spec.Arrays:
    """Writes the graph of a network's integer part, unless its seed or arrays say all; returns the arrays of the rest."""
    if network.name not in NETWORKS:
        raise InputError(f"a {network.name} has no exported form; these have one: {', '.join(NETWORKS)}")
    return NETWORKS[network.name].write(network, folder)


def _read_by(network: ClipNet) -> tuple[int, ...] | None:
    from bitface.models.landmark.landmark_clips import LandmarkClipNet

    one = members_of(network)[0]
    return one.landmarks if isinstance(one, LandmarkClipNet) else None


def _spec(model: TrainedModel, arrays: dict[str, bundle_spec.Arrays]) -> BundleSpec:
    import openvino

    return BundleSpec(
        format=bundle_spec.FORMAT,
        variant=model.variant,
        precision=model.precision,
        emotions=model.emotions,
        thresholds=tuple(model.thresholds.tolist()),
        network=model.network.name,
        sizes=model.network.sizes(),
        arrays={file: bundle_spec.described(entries) for file, entries in arrays.items()},
        logit_tolerance=_LOGIT_TOLERANCE,
        openvino=openvino.__version__,
        calibration=model.calibration(),
        landmarks=_read_by(model.network),
    )


def _packed(arrays: bundle_spec.Arrays) -> bytes:
    from safetensors.numpy import save

    return save({name: np.ascontiguousarray(array) for name, array in arrays.items()})


def _write(folder: Path, files: dict[str, bytes]) -> None:
    for name, content in files.items():
        (folder / name).write_bytes(content)
