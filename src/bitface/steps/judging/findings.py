"""All that was measured of a model, as one record for the gate."""

from __future__ import annotations

from dataclasses import dataclass

from bitface.evaluation.counterfactual import PairedAnswers
from bitface.gate.evidence import DriftEvidence
from bitface.steps.judging.dataset_drift import Drifted
from bitface.steps.judging.evaluate import Evaluated
from bitface.steps.judging.explain_models import Explained
from bitface.steps.judging.read_units import UnitsRead
from bitface.steps.judging.transfer import Transferred


@dataclass(frozen=True, kw_only=True)
class Findings:
    """What was measured of a model, on people who trained nothing. None: what params.yaml did not ask for, or what does not apply."""

    evaluation: Evaluated
    units: UnitsRead | None
    transferred: Transferred | None
    explanation: Explained
    drifted: Drifted
    window: DriftEvidence | None
    changed_faces: tuple[PairedAnswers, ...] | None
