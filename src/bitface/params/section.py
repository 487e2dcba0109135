"""What every section of params.yaml is: frozen, complete, and refused with an unknown key."""

from __future__ import annotations

import hashlib
import json

from pydantic import BaseModel, ConfigDict


class Section(BaseModel):
    """A frozen section of params.yaml; unknown keys are refused, and there are no defaults: the file states every number."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=False)

    def digest(self) -> str:
        """SHA-256 of the section as canonical JSON: the parameters' part of a stage's key."""
        return hashlib.sha256(json.dumps(self.model_dump(mode="json"), sort_keys=True).encode()).hexdigest()
