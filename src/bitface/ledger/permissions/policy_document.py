"""What decides whether a model may go live, as one document: limits, required cells, drift rules and approvals."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from typing import Any, Final

from bitface.consent.events import canonical_json
from bitface.params import Params

SECTIONS: Final = ("gate", "drift", "promotion")
"""The sections of params.yaml that a gate judges by."""
Policy = Mapping[str, Any]


def policy_of(params: Params) -> dict[str, Any]:
    """The policy contained in parameters: section -> name -> value."""
    return {name: getattr(params, name).model_dump(mode="json") for name in SECTIONS}


def policy_sha256(policy: Policy) -> str:
    """SHA-256 of a policy, 64 hexadecimal digits."""
    return hashlib.sha256(canonical_json(policy).encode()).hexdigest()


def differences(own: Policy, in_force: Policy) -> tuple[str, ...]:
    """How a policy differs from the one in force, a sentence for each value: `gate.disparity_max 0.5 instead of 0.05`."""
    mine, theirs = dict(_flat("", own)), dict(_flat("", in_force))
    return tuple(
        f"{name} {_shown(mine.get(name))} instead of {_shown(theirs.get(name))}"
        for name in sorted(mine.keys() | theirs.keys())
        if mine.get(name) != theirs.get(name)
    )


def _flat(prefix: str, value: Any) -> Iterator[tuple[str, Any]]:
    if not isinstance(value, Mapping):
        yield prefix, value
        return
    for name, inner in value.items():
        yield from _flat(f"{prefix}.{name}" if prefix else str(name), inner)


def _shown(value: Any) -> str:
    if value is None:
        return "nothing"
    return ", ".join(map(str, value)) or "none" if isinstance(value, (list, tuple)) else str(value)
