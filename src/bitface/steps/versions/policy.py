"""Puts the policy in params.yaml into force: the first time automatically, later with a reason."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final

from bitface.documents import Fields
from bitface.errors import InputError
from bitface.ledger.ledger import Ledger
from bitface.ledger.permissions.policies import PURPOSE, ROLE, AdoptedPolicy
from bitface.ledger.permissions.policy_document import policy_of
from bitface.ledger.permissions.signatures import key_of, signature_of
from bitface.params import PROFILES, read_params
from bitface.steps.versions.approve import private_key

REASON_MAX: Final = 500
FIRST: Final = "the first policy of this installation, as params.yaml had it at its first retrain"


def policies_in(params: Path) -> dict[str, Fields]:
    """Profile -> the policy of a params.yaml, without changes on a command line. Raises what `read_params` raises."""
    return {profile: policy_of(read_params(params, profile)) for profile in PROFILES}


def adopt_first(params: Path, actor: str, ledger: Ledger) -> None:
    """Adopts the policy of params.yaml if none was ever adopted."""
    if ledger.policy() is None:
        ledger.adopt_policy(AdoptedPolicy(profiles=policies_in(params), actor=actor, reason=FIRST))


def adopt(params: Path, actor: str, reason: str, key: Path | None, ledger: Ledger) -> tuple[AdoptedPolicy, bool]:
    """Puts the policy of params.yaml into force, signed by the key in a file if one is named; returns the policy, and whether it is new.

    Raises:
        RefusedError: promotions need approvals, but it is not signed by compliance. InputError: no key in the file, or no reason.
    """
    if not reason.strip() or len(reason) > REASON_MAX:
        raise InputError(f"the reason has {len(reason.strip())} characters; write 1 to {REASON_MAX} with --why")
    policy = AdoptedPolicy(profiles=policies_in(params), actor=actor, reason=reason.strip())
    if key is not None:
        private = private_key(key)
        key_id, signature = key_of("", ROLE, private).key_id, signature_of(PURPOSE, policy.facts(), private)
        policy = replace(policy, key_id=key_id, signature=signature)
    return policy, ledger.adopt_policy(policy)


def policy_differences(params: Path, ledger: Ledger) -> dict[str, Sequence[str]]:
    """Profile -> how the policy of params.yaml differs from the one in force, in sentences; profiles that do not differ are left out."""
    in_force = ledger.policy()
    if in_force is None:
        return {}
    found = {profile: in_force.differences(profile, own) for profile, own in policies_in(params).items()}
    return {profile: sentences for profile, sentences in found.items() if sentences}
