"""A gate's decision with all that it rests on, in one file: anyone can decide again, bit for bit, without one face."""

from __future__ import annotations

import hashlib
import io
import json
import zipfile
import zlib
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from bitface.dataset.files import write_atomically
from bitface.errors import IntegrityError
from bitface.evaluation.counterfactual import Change, PairedAnswers
from bitface.evaluation.predictions import Predictions
from bitface.gate.decision import GateDecision, evaluate_gate
from bitface.gate.evidence import (
    RULES,
    ConsentEvidence,
    DriftEvidence,
    ExplanationEvidence,
    GateEvidence,
    RegionEvidence,
)
from bitface.params import GateParams

FORMAT: Final = RULES
_FORMER: Final = 5
"""Still read, and replayed by its own edition of the rules."""
DOCUMENT: Final = "gate.json"
_ROLES: Final = ("one_bit", "twin", "champion")
_COLUMNS: Final = ("sample_ids", "persons", "labels", "scores", "thresholds", "folds")
_REGION_COLUMNS: Final = ("persons", "labels", "expected_share", "expected_area", "outside_share")
_ASKED_COLUMNS: Final = ("persons", "changed", "shift")
_BYTES_MAX: Final = 512 * 1024 * 1024
_FIXED_TIME: Final = (1980, 1, 1, 0, 0, 0)
_UNREADABLE: Final = (
    AttributeError,
    EOFError,
    KeyError,
    OSError,
    RuntimeError,
    TypeError,
    ValueError,
    zipfile.BadZipFile,
    zlib.error,
)
"""What reading a zip that was touched raises: a flag of encryption and an unknown method are a RuntimeError."""
_UNASKED: Final[Mapping[str, Any]] = {
    "required_values": {},
    "unknown_share_max": 0.0,
    "disparity_open_max": 0.5,
    "disparity_power": 0.8,
    "counterfactual_changed_max": 0.05,
    "counterfactual_shift_max": 0.25,
}
"""Parameters that the rules of the former edition did not have; none of them is read when its bundles are replayed."""
Arrays = Mapping[str, NDArray[Any]]


@dataclass(frozen=True, kw_only=True)
class GateBundle:
    """Evidence, parameters and seed of a gate, the decision that it recorded as canonical JSON, and the digests of what was judged.

    `digests` names what the evidence speaks of, for example `model`, `dataset`, `consent_snapshot`.
    """

    evidence: GateEvidence
    params: GateParams
    seed: int
    digests: Mapping[str, str]
    recorded: str
    sha256: str


@dataclass(frozen=True, kw_only=True)
class Replay:
    """The decision derived again, and whether it is the recorded one, character for character."""

    decision: GateDecision
    identical: bool


def write_bundle(
    path: Path,
    evidence: GateEvidence,
    params: GateParams,
    seed: int,
    decision: GateDecision,
    digests: Mapping[str, str],
) -> str:
    """Writes the bundle (a zip of `gate.json` and plain arrays), whole or not at all; returns the SHA-256 of its content.

    It holds pseudonyms, labels and scores, and nothing that shows a face. The digest covers the canonical content and not
    the file, so that it depends on no version of zip.
    """
    arrays = _arrays(evidence)
    document = _document(evidence, params, seed, decision, digests)
    sha256 = _digest(document, arrays)
    write_atomically(path, _zipped({**document, "sha256": sha256}, arrays))
    return sha256


def read_bundle(path: Path) -> GateBundle:
    """The bundle at `path`.

    Raises:
        IntegrityError: it is missing, unreadable, of another format, or its content is not that of its digest.
    """
    try:
        document, arrays = _unzipped(path)
        stated = document.pop("sha256")
        if document["format"] not in (FORMAT, _FORMER) or _digest(document, arrays) != stated:
            raise IntegrityError(f"'{path.name}' is not the bundle that its digest names; fetch it again")
        return GateBundle(
            evidence=_evidence(document["evidence"], arrays, document["format"]),
            params=GateParams.model_validate(
                {**(_UNASKED if document["format"] == _FORMER else {}), **document["params"]}
            ),
            seed=document["seed"],
            digests=document["digests"],
            recorded=_canonical(document["decision"]),
            sha256=stated,
        )
    except _UNREADABLE as error:
        raise IntegrityError(f"no gate bundle can be read from '{path.name}' ({type(error).__name__})") from error


def replay(bundle: GateBundle) -> Replay:
    """Decides again from the bundle alone."""
    decision = evaluate_gate(bundle.evidence, bundle.params, bundle.seed)
    return Replay(decision=decision, identical=decision.canonical() == bundle.recorded)


def _document(
    evidence: GateEvidence, params: GateParams, seed: int, decision: GateDecision, digests: Mapping[str, str]
) -> dict[str, Any]:
    described = {
        "emotions": list(evidence.emotions),
        "models": {role: list(model.emotions) for role in _ROLES if (model := getattr(evidence, role)) is not None},
        "champion_version": evidence.champion_version,
        "slices": {person: dict(values) for person, values in evidence.slices.items()},
        "runtimes": sorted(evidence.latency_ms),
        "processor": sorted(evidence.cpu_ms),
        "explanations": [
            {"method": map_.method, "baseline": map_.baseline, "additive": map_.additive}
            for map_ in evidence.explanations
        ],
        "regions": None
        if evidence.regions is None
        else {"reads": evidence.regions.reads, "champion": evidence.regions.champion_expected_share is not None},
        "consent": asdict(evidence.consent) if evidence.consent else None,
        "drift": asdict(evidence.drift) if evidence.drift else None,
        "window": asdict(evidence.window) if evidence.window else None,
        "counterfactuals": None
        if evidence.counterfactuals is None
        else [asked.change for asked in evidence.counterfactuals],
    }
    return {
        "format": FORMAT,
        "evidence": described,
        "params": params.model_dump(mode="json"),
        "seed": seed,
        "digests": dict(digests),
        "decision": decision.document(),
    }


def _arrays(evidence: GateEvidence) -> dict[str, NDArray[Any]]:
    models = {role: getattr(evidence, role) for role in _ROLES}
    arrays = {
        f"{role}/{column}": getattr(model, column) for role, model in models.items() if model for column in _COLUMNS
    }
    arrays |= {f"latency/{index}": evidence.latency_ms[name] for index, name in enumerate(sorted(evidence.latency_ms))}
    arrays |= {f"processor/{index}": evidence.cpu_ms[name] for index, name in enumerate(sorted(evidence.cpu_ms))}
    for index, map_ in enumerate(evidence.explanations):
        arrays |= {f"explanation/{index}/gaps": map_.gaps, f"explanation/{index}/persons": map_.persons}
    for asked in evidence.counterfactuals or ():
        arrays |= {f"counterfactual/{asked.change}/{column}": getattr(asked, column) for column in _ASKED_COLUMNS}
    if evidence.regions is not None:
        arrays |= {f"regions/{column}": getattr(evidence.regions, column) for column in _REGION_COLUMNS}
        if evidence.regions.champion_expected_share is not None:
            arrays["regions/champion_expected_share"] = evidence.regions.champion_expected_share
    return {name: np.asarray(array) for name, array in arrays.items()}


def _evidence(described: dict[str, Any], arrays: Arrays, rules: int) -> GateEvidence:
    models = {
        role: Predictions(emotions=tuple(emotions), **{column: arrays[f"{role}/{column}"] for column in _COLUMNS})
        for role, emotions in described["models"].items()
    }
    return GateEvidence(
        emotions=tuple(described["emotions"]),
        **{role: models.get(role) for role in _ROLES},
        champion_version=described["champion_version"],
        slices=described["slices"],
        latency_ms={name: arrays[f"latency/{index}"] for index, name in enumerate(described["runtimes"])},
        explanations=tuple(
            ExplanationEvidence(
                **facts, gaps=arrays[f"explanation/{index}/gaps"], persons=arrays[f"explanation/{index}/persons"]
            )
            for index, facts in enumerate(described["explanations"])
        ),
        regions=_regions(described["regions"], arrays),
        consent=ConsentEvidence(**described["consent"]) if described["consent"] else None,
        drift=DriftEvidence(**described["drift"]) if described["drift"] else None,
        window=DriftEvidence(**described["window"]) if described["window"] else None,
        cpu_ms={name: arrays[f"processor/{index}"] for index, name in enumerate(described.get("processor", ()))},
        rules=rules,
        counterfactuals=_counterfactuals(described.get("counterfactuals"), arrays),
    )


def _counterfactuals(described: list[Change] | None, arrays: Arrays) -> tuple[PairedAnswers, ...] | None:
    if described is None:
        return None
    return tuple(
        PairedAnswers(
            change=change, **{column: arrays[f"counterfactual/{change}/{column}"] for column in _ASKED_COLUMNS}
        )
        for change in described
    )


def _regions(described: dict[str, Any] | None, arrays: Arrays) -> RegionEvidence | None:
    if described is None:
        return None
    return RegionEvidence(
        reads=described["reads"],
        **{column: arrays[f"regions/{column}"] for column in _REGION_COLUMNS},
        champion_expected_share=arrays["regions/champion_expected_share"] if described["champion"] else None,
    )


def _digest(document: Mapping[str, Any], arrays: Arrays) -> str:
    digest = hashlib.sha256(_canonical(document).encode())
    for name in sorted(arrays):
        array = np.ascontiguousarray(arrays[name])
        digest.update(f"\n{name} {array.dtype.str} {array.shape}\n".encode())
        digest.update(array.tobytes())
    return digest.hexdigest()


def _canonical(document: Any) -> str:
    return json.dumps(document, sort_keys=True, separators=(",", ":"), allow_nan=False)


def _zipped(document: Mapping[str, Any], arrays: Arrays) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        _add(archive, DOCUMENT, (json.dumps(document, indent=1, sort_keys=True, allow_nan=False) + "\n").encode())
        for name in sorted(arrays):
            member = io.BytesIO()
            np.lib.format.write_array(member, arrays[name], allow_pickle=False)
            _add(archive, f"{name}.npy", member.getvalue())
    return buffer.getvalue()


def _add(archive: zipfile.ZipFile, name: str, data: bytes) -> None:
    archive.writestr(zipfile.ZipInfo(name, _FIXED_TIME), data, zipfile.ZIP_DEFLATED)


def _unzipped(path: Path) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
    with zipfile.ZipFile(path) as archive:
        size = sum(member.file_size for member in archive.infolist())
        if size > _BYTES_MAX:
            raise IntegrityError(f"'{path.name}' unpacks to {size} bytes, more than {_BYTES_MAX}; it is no gate bundle")
        document: dict[str, Any] = json.loads(archive.read(DOCUMENT))
        arrays = {
            name.removesuffix(".npy"): np.lib.format.read_array(io.BytesIO(archive.read(name)), allow_pickle=False)
            for name in archive.namelist()
            if name != DOCUMENT
        }
    return document, arrays
