"""What a retrain has made so far, by what it is: stages take and return these records, and none takes another's by mistake."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from bitface.dataset.keys import KeyStore
from bitface.faces.features import ClipTable
from bitface.params import QualityParams
from bitface.steps.retrain.featurise import FeatureRef, originals, read_features
from bitface.steps.retrain.validate import Validation, usable_rows

if TYPE_CHECKING:
    from bitface.evaluation.counterfactual import PairedAnswers
    from bitface.gate.evidence import DriftEvidence
    from bitface.steps.judging.dataset_drift import Drifted
    from bitface.steps.judging.evaluate import Evaluated
    from bitface.steps.judging.explain_models import Explained
    from bitface.steps.judging.read_units import UnitsRead
    from bitface.steps.judging.transfer import Transferred
    from bitface.steps.retrain.export import Exported
    from bitface.steps.retrain.train import Calibrated
    from bitface.steps.versions.gate import Decided


@dataclass(frozen=True, kw_only=True)
class Seen:
    """The features of a run's people, encrypted as they lie; decrypted once in a process, when a stage first asks for them."""

    features: Sequence[FeatureRef]
    keys: KeyStore

    @cached_property
    def every_row(self) -> ClipTable:
        """All rows, augmented copies included.

        Raises:
            IntegrityError: a file is not the one that was written.
        """
        return read_features(self.features, self.keys)

    @property
    def reused(self) -> bool:
        """Whether nobody had to be looked at."""
        return all(one.reused for one in self.features)

    def digests(self) -> list[str]:
        """SHA-256 of each person's encrypted features, in the order of the run."""
        return [one.sha256 for one in self.features]


@dataclass(frozen=True, kw_only=True)
class Data:
    """The people of a run after the data gate."""

    seen: Seen
    validation: Validation
    quality: QualityParams

    @cached_property
    def rows(self) -> ClipTable:
        """The usable rows, augmented copies included."""
        return usable_rows(self.seen.every_row, self.validation.kept, self.quality)

    @cached_property
    def originals(self) -> ClipTable:
        """The usable rows without augmented copies."""
        return originals(self.rows)


@dataclass(frozen=True, kw_only=True)
class Model:
    """The calibrated pair of networks, and the bundle that its one-bit network is deployed as."""

    networks: Calibrated
    bundle: Exported


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


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """A run after its gate."""

    data: Data
    model: Model
    findings: Findings
    decided: Decided
