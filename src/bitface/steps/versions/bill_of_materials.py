"""What a model is made of and what is known about it, as CycloneDX and in-toto documents for other tools."""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Final

from bitface.consent.events import utc_text
from bitface.counted_words import counted, counted_people
from bitface.dataset.files import sha256_of
from bitface.evaluation.intervals import Interval
from bitface.steps.judging.evaluate import Evaluated
from bitface.steps.retrain.export import Exported
from bitface.steps.retrain.plan import Run, dataset_entry_version
from bitface.steps.versions.gate import Decided
from bitface.steps.versions.pictures import LIMITS, PROHIBITED

SPEC_VERSION: Final = "1.6"
LIBRARIES: Final = ("openvino", "numpy", "mediapipe", "safetensors", "torch")
"""The packages that a model needs to predict, and that it was trained with."""
_NAMESPACE: Final = uuid.uuid5(uuid.NAMESPACE_URL, "bitface")


def bill_of_materials(
    run: Run, bundle: Exported, evaluation: Evaluated, decision: Decided, number: int
) -> dict[str, object]:
    """A CycloneDX 1.6 document (ECMA-424) whose `modelCard` holds every figure with its interval, also by slice."""
    dataset = f"dataset-{dataset_entry_version(run)}"
    libraries = [
        {"type": "library", "bom-ref": f"library-{name}", "name": name, "version": version(name)} for name in LIBRARIES
    ]
    model = {
        "type": "machine-learning-model",
        "bom-ref": "model",
        "name": "bitface",
        "version": str(number),
        "hashes": [{"alg": "SHA-256", "content": bundle.bundle_sha256}],
        "modelCard": _card(run, evaluation, dataset),
        "properties": [
            {"name": "bitface:gate.decision", "value": decision.decision.verdict},
            {"name": "bitface:gate.bundle_sha256", "value": decision.sha256},
            {"name": "bitface:consent.snapshot_sha256", "value": run.members.consent_snapshot_sha256},
        ],
    }
    return {
        "bomFormat": "CycloneDX",
        "specVersion": SPEC_VERSION,
        "serialNumber": f"urn:uuid:{uuid.uuid5(_NAMESPACE, bundle.bundle_sha256)}",
        "version": 1,
        "metadata": {"timestamp": utc_text(run.started_at), "component": model},
        "components": [_data(run, dataset), *libraries],
        "dependencies": [{"ref": "model", "dependsOn": [dataset, *(one["bom-ref"] for one in libraries)]}],
    }


def provenance(run: Run, bundle: Exported, decision: Decided, files: Mapping[str, Path]) -> dict[str, object]:
    """An in-toto statement (v1) with SLSA provenance (v1): which code, parameters and data made these files."""
    inputs = {
        "dataset manifest": run.dataset.manifest_sha256,
        "consent snapshot": run.members.consent_snapshot_sha256,
        "package sources": run.code_sha256,
        "constraints.txt": run.constraints_sha256,
        "gate bundle": decision.sha256,
    }
    return {
        "_type": "https://in-toto.io/Statement/v1",
        "subject": [{"name": name, "digest": {"sha256": sha256_of(path)}} for name, path in sorted(files.items())],
        "predicateType": "https://slsa.dev/provenance/v1",
        "predicate": {
            "buildDefinition": {
                "buildType": "urn:bitface:retrain:1",
                "externalParameters": {
                    "purpose": run.purpose,
                    "context": run.context,
                    "profile": run.profile,
                    "params_sha256": run.params.digest(),
                },
                "internalParameters": {"code_commit": run.code_commit, "dataset_version": dataset_entry_version(run)},
                "resolvedDependencies": [{"name": name, "digest": {"sha256": sha}} for name, sha in inputs.items()],
            },
            "runDetails": {
                "builder": {"id": "urn:bitface"},
                "metadata": {"invocationId": run.run_id, "startedOn": utc_text(run.started_at)},
                "byproducts": [{"name": "weights", "digest": {"sha256": bundle.weights_sha256}}],
            },
        },
    }


def _card(run: Run, evaluation: Evaluated, dataset: str) -> dict[str, object]:
    """What the model is for, what it was trained on, its accuracy overall and by group, and what it must not be used for."""
    return {
        "modelParameters": {
            "approach": {"type": "supervised"},
            "task": "facial expression of an adult's face, one emotion against the rest",
            "architectureFamily": "binary neural network",
            "modelArchitecture": f"{run.params.training.architecture}, {run.params.training.variant}, one-bit",
            "datasets": [{"ref": dataset}],
            "inputs": [{"format": "image"}],
            "outputs": [{"format": f"probability of {one}"} for one in evaluation.models["one-bit"].emotions],
        },
        "quantitativeAnalysis": {"performanceMetrics": list(_figures(evaluation))},
        "considerations": {
            "users": ["people who were informed, in the context named in their consent"],
            "useCases": [f"context {run.context}, evidence {run.evidence}"],
            "technicalLimitations": list(LIMITS),
            "ethicalConsiderations": [
                {"name": one, "mitigationStrategy": "refused by the program"} for one in PROHIBITED
            ],
        },
    }


def _data(run: Run, reference: str) -> dict[str, object]:
    """The dataset version, without its people."""
    named = f"{counted(len(run.members.samples), 'sample')} of {counted_people(len(run.members.admissions))}"
    kind = f"{run.evidence} faces; biometric where real"
    return {
        "type": "data",
        "bom-ref": reference,
        "name": "faces of people who consented",
        "version": dataset_entry_version(run),
        "hashes": [{"alg": "SHA-256", "content": run.dataset.manifest_sha256}],
        "data": [{"type": "dataset", "name": named, "classification": kind}],
    }


def _figures(evaluation: Evaluated) -> Iterator[dict[str, object]]:
    scores = evaluation.models["one-bit"]
    for emotion, own in scores.emotions.items():
        yield _figure("balanced accuracy", f"emotion: {emotion}", own.balanced_accuracy)
        yield _figure("AUC", f"emotion: {emotion}", own.auc)
    yield _figure("macro balanced accuracy", "everybody", scores.macro_balanced_accuracy)
    yield _figure("macro AUC", "everybody", scores.macro_auc)
    yield _figure("accuracy", "everybody", scores.accuracy)
    for (attribute, value), figure in evaluation.groups.accuracy.items():
        yield _figure("accuracy", f"{attribute}: {value}", figure)


def _figure(kind: str, slice_: str, interval: Interval) -> dict[str, object]:
    return {
        "type": kind,
        "value": f"{interval.value:.4f}",
        "slice": slice_,
        "confidenceInterval": {"lowerBound": f"{interval.lo:.4f}", "upperBound": f"{interval.hi:.4f}"},
    }
