"""What every section of params.yaml is: frozen, complete, and refused with an unknown key."""

from __future__ import annotations

import hashlib
import json
from typing import Any, get_args

from pydantic import BaseModel, ConfigDict, ValidationInfo, field_validator


class Section(BaseModel):
    """A frozen section of params.yaml; unknown keys are refused, and there are no defaults: the file states every number.

    Every number is a finite one: a limit that is not a number is never crossed, and one without end asks for nothing.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", strict=False, allow_inf_nan=False)

    @field_validator("*", mode="before")
    @classmethod
    def _no_word_is_a_number(cls, value: Any, info: ValidationInfo) -> Any:
        """YAML reads `yes`, `on` and `true` as one value, which would count as 1."""
        if isinstance(value, bool):
            asked = cls.model_fields[str(info.field_name)].annotation
            if {asked, *get_args(asked)} & {int, float}:
                raise ValueError(f"Input should be a number, not {str(value).lower()}")
        return value

    def digest(self) -> str:
        """SHA-256 of the section as canonical JSON: the parameters' part of a stage's key."""
        return hashlib.sha256(json.dumps(self.model_dump(mode="json"), sort_keys=True).encode()).hexdigest()
