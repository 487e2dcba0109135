"""Evidence as a document that names no person, and rows of people as members of a zip; and back again."""

from __future__ import annotations

import io
import json
from collections.abc import Mapping
from dataclasses import asdict
from typing import Final

import numpy as np

from bitface.documents import Arrays, Document, Fields
from bitface.evaluation.counterfactual import Change, PairedAnswers
from bitface.evaluation.predictions import Predictions
from bitface.gate.evidence import (
    ConsentEvidence,
    DriftEvidence,
    ExplanationEvidence,
    GateEvidence,
    RegionEvidence,
)

PEOPLE: Final = "people.json"
_ROLES: Final = ("one_bit", "twin", "champion")
_COLUMNS: Final = ("sample_ids", "persons", "labels", "scores", "thresholds", "folds")
_REGION_COLUMNS: Final = ("persons", "labels", "expected_share", "expected_area", "outside_share")
_ASKED_COLUMNS: Final = ("persons", "changed", "shift")
Slices = Mapping[str, Mapping[str, str]]


def description_of(evidence: GateEvidence) -> Document:
    """What evidence consists of, as JSON: nothing that has a row for each person."""
    return {
        "emotions": list(evidence.emotions),
        "models": {role: list(model.emotions) for role in _ROLES if (model := getattr(evidence, role)) is not None},
        "champion_version": evidence.champion_version,
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


def rows_of(evidence: GateEvidence) -> dict[str, bytes]:
    """Everything that has a row for each person or sample, as members of a zip."""
    slices = {person: dict(values) for person, values in evidence.slices.items()}
    found = {PEOPLE: text_of(slices)}
    for name, array in _arrays(evidence).items():
        member = io.BytesIO()
        np.lib.format.write_array(member, array, allow_pickle=False)
        found[f"{name}.npy"] = member.getvalue()
    return found


def evidence_of(described: Fields, rows: Mapping[str, bytes], rules: int) -> GateEvidence:
    """The evidence that was described, of its rows; before format 7 the description held the slices.

    Raises:
        KeyError, TypeError, ValueError: they do not belong together, or an array holds more than values.
    """
    slices = described["slices"] if "slices" in described else json.loads(rows[PEOPLE])
    return _evidence(described, slices, arrays_of(rows), rules)


def arrays_of(rows: Mapping[str, bytes]) -> Arrays:
    """The arrays among rows, by name. Raises ValueError for one that holds objects, which are code."""
    return {
        name.removesuffix(".npy"): np.lib.format.read_array(io.BytesIO(data), allow_pickle=False)
        for name, data in rows.items()
        if name != PEOPLE
    }


def text_of(document: object) -> bytes:
    """JSON for a reader, of which there is one text for a document."""
    return (json.dumps(document, indent=1, sort_keys=True, allow_nan=False) + "\n").encode()


def _arrays(evidence: GateEvidence) -> Arrays:
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


def _evidence(described: Fields, slices: Slices, arrays: Arrays, rules: int) -> GateEvidence:
    models = {
        role: Predictions(emotions=tuple(emotions), **{column: arrays[f"{role}/{column}"] for column in _COLUMNS})
        for role, emotions in described["models"].items()
    }
    return GateEvidence(
        emotions=tuple(described["emotions"]),
        **{role: models.get(role) for role in _ROLES},
        champion_version=described["champion_version"],
        slices=slices,
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


def _regions(described: Document | None, arrays: Arrays) -> RegionEvidence | None:
    if described is None:
        return None
    return RegionEvidence(
        reads=described["reads"],
        **{column: arrays[f"regions/{column}"] for column in _REGION_COLUMNS},
        champion_expected_share=arrays["regions/champion_expected_share"] if described["champion"] else None,
    )
