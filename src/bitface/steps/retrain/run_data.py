"""The people of a run as stages read them: what was seen of them, decrypted once, and what the data gate let through."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from bitface.dataset.keys import KeyStore
from bitface.faces.features import ClipTable
from bitface.params import QualityParams
from bitface.steps.retrain.featurise import FeatureRef, originals, read_features
from bitface.steps.retrain.validate import Validation, usable_rows


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
