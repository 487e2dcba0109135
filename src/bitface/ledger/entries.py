"""The ledger's inputs and outputs, as frozen values: rows, sessions and vendor types stay inside."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Final, Literal

from bitface.errors import GateError

MODEL_NAME: Final = "bitface"
Alias = Literal["champion", "challenger", "previous", "demo"]
ALIASES: Final[tuple[Alias, ...]] = ("demo", "challenger", "previous", "champion")
"""In the order in which they are shown, the champion's last. `demo` is a held version of synthetic people while there is no champion."""
Verdict = Literal["promote", "hold", "block"]
ROLES: Final = ("engineer", "reviewer", "compliance")


@dataclass(frozen=True, kw_only=True)
class DatasetEntry:
    """A dataset version: these people and samples, admitted by these consent events for this purpose and context."""

    version: str
    manifest_sha256: str
    consent_snapshot_sha256: str
    purpose: str
    context: str
    evidence: str
    people: int
    samples: int


@dataclass(frozen=True, kw_only=True)
class MemberEntry:
    """One sample of a dataset version. If it has no consent event, its licence alone admitted it (purpose benchmark)."""

    sample_id: str
    person: str
    sample_sha256: str
    split: str
    licence_id: str
    consent_event_id: str | None = None
    consent_event_sha256: str | None = None


@dataclass(frozen=True, kw_only=True)
class RunEntry:
    """One retrain: its code, parameters and dataset version."""

    run_id: str
    dataset_version: str
    purpose: str
    context: str
    code_commit: str
    params_sha256: str
    constraints_sha256: str


@dataclass(frozen=True, kw_only=True)
class ModelEntry:
    """A registered bundle. `version` counts from 1 per name and is assigned by the ledger; 0 requests the next."""

    bundle_sha256: str
    weights_sha256: str
    run_id: str
    evidence: str
    purpose: str
    name: str = MODEL_NAME
    version: int = 0


@dataclass(frozen=True, kw_only=True)
class DecisionEntry:
    """The gate's decision on a bundle. `decision_sha256` is the digest of the replayable gate bundle."""

    decision_sha256: str
    bundle_sha256: str
    run_id: str
    decision: Verdict
    reasons: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class AssetEntry:
    """A file or folder that a run wrote and that depends on all its people; `path` within home, `sha256` of its bytes."""

    run_id: str
    path: str
    kind: str
    sha256: str


@dataclass(frozen=True, kw_only=True)
class KeyEntry:
    """A person's public key for one role. `key_id` is the SHA-256 of the key, `public_key` its 32 bytes, both in hexadecimal."""

    key_id: str
    person: str
    role: str
    public_key: str


@dataclass(frozen=True, kw_only=True)
class Statement:
    """What an approval states: in this role, this version may go live, on this decision, for these consents."""

    name: str
    version: int
    role: str
    bundle_sha256: str
    decision_sha256: str
    consent_snapshot_sha256: str


@dataclass(frozen=True, kw_only=True)
class Approval(Statement):
    """A statement, signed: `signature` is Ed25519's 64 bytes in hexadecimal."""

    key_id: str
    signature: str


@dataclass(frozen=True, kw_only=True)
class ApprovalRule:
    """How many different people must approve a promotion (0: none), and in which roles at least one must."""

    required: int = 0
    roles: tuple[str, ...] = ()

    @property
    def asks(self) -> bool:
        """Whether approval is required."""
        return bool(self.required or self.roles)


@dataclass(frozen=True, kw_only=True)
class Promotion:
    """One move of an alias, as recorded. After `end` it points nowhere."""

    name: str
    alias: str
    from_version: int | None
    to_version: int
    kind: Literal["promote", "rollback", "end"]
    decision_sha256: str | None
    actor: str
    promoted_at: datetime
    log_seq: int


@dataclass(frozen=True, kw_only=True)
class Checkpoint:
    """Length and end of the log, and the number of gaps it was continued after. Kept elsewhere, it shows a cut or a rewrite
    that the chain cannot show.
    """

    size: int
    head_sha256: str
    gaps: int = 0

    @property
    def name(self) -> str:
        """The name of its file; names sort by age, the latest last."""
        return f"{f'g{self.gaps:02d}-' if self.gaps else ''}{self.size:08d}.json"


@dataclass(frozen=True, kw_only=True)
class ChainProblem:
    """A problem in the log, and at which entry (0: the log as a whole)."""

    seq: int
    what: str


@dataclass(frozen=True, kw_only=True)
class ChainReport:
    """The result of verifying the whole log; `checkpoint` is its current end."""

    checkpoint: Checkpoint
    problems: tuple[ChainProblem, ...]

    @property
    def intact(self) -> bool:
        """Whether no problem was found."""
        return not self.problems


class ApprovalsMissingError(GateError):
    """A version passed its gate, but required approvals are missing."""


class StalePromotionError(GateError):
    """The alias has moved since it was read, so the comparison that allowed the promotion no longer holds."""
