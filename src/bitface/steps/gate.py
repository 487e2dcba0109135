"""Hands the gate what was measured, writes the decision as a bundle that anybody can replay, and reads it again."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np

from bitface.consent.admission import admit_people
from bitface.faces.records import SLICE_ATTRIBUTES
from bitface.gate.bundle import read_bundle, replay, write_bundle
from bitface.gate.decision import GateDecision, evaluate_gate
from bitface.gate.evidence import ConsentEvidence, DriftEvidence, ExplanationEvidence, GateEvidence
from bitface.ledger.ledger import Ledger
from bitface.evaluation.predictions import Predictions
from bitface.steps.drift import Drifted
from bitface.steps.evaluate import Evaluated
from bitface.steps.explain import Explained
from bitface.steps.export import Exported
from bitface.steps.plan import Run
