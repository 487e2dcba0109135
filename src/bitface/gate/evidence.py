"""What a gate is given: predictions on people who trained nothing, and facts; missing evidence is None, never a default."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

import numpy as np
from numpy.typing import NDArray

from bitface.evaluation.counterfactual import PairedAnswers
from bitface.evaluation.predictions import Predictions
from bitface.faces.features import Reads

RULES: Final = 6
"""Edition of the rules. Edition 5 judged latency on the wall, let doubt about a disparity advise, and did
not ask whom a set leaves out."""


@dataclass(frozen=True, kw_only=True)
class ExplanationEvidence:
    """Completeness of one kind of attribution map.

    `gaps` float64 (n,): per sample the relative gap between the sum of the map and the change of the logit; `additive`:
    whether the method claims to add up, so that a gap is a defect and not a property.
    """

    method: str
    baseline: str
    additive: bool
    gaps: NDArray[np.float64]
    persons: NDArray[np.str_]


@dataclass(frozen=True, kw_only=True)
class RegionEvidence:
    """Where the exact values of regions lie, for each of n judged faces of the deployed model.

    `labels` (n,): the true emotions; `expected_share` float64 (n,): the share of the absolute values of that emotion that lies on
    the regions of its action units, `expected_area` their share of what is read, both NaN where the emotion moves nothing or
    was not taught; `outside_share` (n,): what lies beside the face, 0 for landmarks; `champion_expected_share` (n,): what the
    champion rests there of the same faces, None where it was not asked.
    """

    reads: Reads
    persons: NDArray[np.str_]
    labels: NDArray[np.str_]
    expected_share: NDArray[np.float64]
    expected_area: NDArray[np.float64]
    outside_share: NDArray[np.float64]
    champion_expected_share: NDArray[np.float64] | None


@dataclass(frozen=True, kw_only=True)
class ConsentEvidence:
    """Of `members` samples that the model was trained or judged on, `admitted` may be used for it now."""

    members: int
    admitted: int


@dataclass(frozen=True, kw_only=True)
class DriftEvidence:
    """Of `features` compared between training people and others, the share that drifted, and what is tolerated."""

    share: float
    share_max: float
    features: int
    n_reference: int
    n_current: int


@dataclass(frozen=True, kw_only=True)
class GateEvidence:
    """All that the gate may look at.

    `one_bit`, `twin` and `champion` speak of the same samples in the same order. `slices`: person -> attribute -> value.
    `latency_ms`: runtime -> float64 (rounds,) milliseconds a face on the wall; `cpu_ms`: the same rounds in processor time, with
    those of the reference work; empty where only the wall was measured. The runtime named `one-bit` is judged. `champion_version`
    says that there is a champion: its predictions are then owed. `drift`: against held-out people; `window`: against the latest
    window of faces that were predicted, None where there is none. `rules`: the edition of the gate's rules to judge by; a bundle that
    was written by an earlier one is replayed by it. `counterfactuals`: what the deployed model says of the same drawn faces in
    another skin tone, age texture and light, None for a model of real people.
    """

    emotions: tuple[str, ...]
    one_bit: Predictions | None
    twin: Predictions | None
    champion_version: str | None
    champion: Predictions | None
    slices: Mapping[str, Mapping[str, str]]
    latency_ms: Mapping[str, NDArray[np.float64]]
    explanations: tuple[ExplanationEvidence, ...]
    regions: RegionEvidence | None
    consent: ConsentEvidence | None
    drift: DriftEvidence | None
    window: DriftEvidence | None
    cpu_ms: Mapping[str, NDArray[np.float64]] = field(default_factory=dict)
    rules: int = RULES
    counterfactuals: tuple[PairedAnswers, ...] | None = None
