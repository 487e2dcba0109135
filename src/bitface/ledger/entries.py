"""The ledger's inputs and outputs, as frozen values: no row, session or vendor type leaves it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Final, Literal

from bitface.errors import GateError

MODEL_NAME: Final = "bitface"
Alias = Literal["champion", "challenger", "previous", "demo"]
ALIASES: Final[tuple[Alias, ...]] = ("demo", "challenger", "previous", "champion")
"""In the order in which they are shown: the champion's last. `demo` is a held version of synthetic people, while there is no champion."""
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
    """One sample of a dataset version. Without a consent event its licence alone admitted it (purpose benchmark)."""

    sample_id: str
    person: str
    sample_sha256: str
    split: str
    licence_id: str
    consent_event_id: str | None = None
    consent_event_sha256: str | None = None


@dataclass(frozen=True, kw_only=True)
class RunEntry:
    """One retrain: which code and parameters met which dataset version."""

    run_id: str
    dataset_version: str
    purpose: str
    context: str
    code_commit: str
    params_sha256: str
    constraints_sha256: str


@dataclass(frozen=True, kw_only=True)
class ModelEntry:
    """A registered bundle. `version` counts from 1 within the name and is given by the ledger; 0 asks for the next."""

    bundle_sha256: str
    weights_sha256: str
    run_id: str
    evidence: str
    purpose: str
    name: str = MODEL_NAME
    version: int = 0


@dataclass(frozen=True, kw_only=True)
class DecisionEntry:
    """What the gate said of a bundle. `decision_sha256` is the digest of the replayable gate bundle."""

    decision_sha256: str
    bundle_sha256: str
    run_id: str
    decision: Verdict
    reasons: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class AssetEntry:
    """A file or folder that a run left and that rests on all its people; `path` below the installation's home, `sha256` of its bytes."""

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
    """What an approval says: in this role, this version may go live, on this decision, for these consents."""

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
    """How many different people must approve a promotion, and in which roles at least one must; nobody: 0."""

    required: int = 0
    roles: tuple[str, ...] = ()

    @property
    def asks(self) -> bool:
        """Whether anyone has to approve."""
        return bool(self.required or self.roles)


@dataclass(frozen=True, kw_only=True)
class Promotion:
    """One move of an alias, as it was written. After `end` it points nowhere."""

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
    """How long the log was and where it ended, after how many gaps that it was continued after. Kept elsewhere, it shows a cut or a
    rewrite that no chain shows.
    """

    size: int
    head_sha256: str
    gaps: int = 0

    @property
    def name(self) -> str:
        """Of the file that it is kept in: in the order of names, the latest is last."""
        return f"{f'g{self.gaps:02d}-' if self.gaps else ''}{self.size:08d}.json"


@dataclass(frozen=True, kw_only=True)
class ChainProblem:
    """What is wrong with the log, at which entry (0: with the log as a whole)."""

    seq: int
    what: str


@dataclass(frozen=True, kw_only=True)
class ChainReport:
    """The outcome of walking the whole log; `checkpoint` is where it ends now."""

    checkpoint: Checkpoint
    problems: tuple[ChainProblem, ...]

    @property
    def intact(self) -> bool:
        """Whether no problem was found."""
        return not self.problems


class ApprovalsMissingError(GateError):
    """The gate let a version through, and not everyone who must approve it has."""


class StalePromotionError(GateError):
    """The alias moved since it was looked at, so the comparison that allowed the promotion no longer holds."""
