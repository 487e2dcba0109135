"""The ledger's tables. Every row names the log entry that wrote it, so that the chain covers rows as well."""

from __future__ import annotations

from typing import Final

from sqlalchemy import Column, ForeignKey, ForeignKeyConstraint, Index, Integer, MetaData, Table, Text, UniqueConstraint

SCHEMA_VERSION: Final = 8
"""2 added keys and approvals, 3 leases, 4 assets and erasures, 5 approvals of contexts, 6 licences, renders, policies and endorsements,
7 gaps, 8 an index of the times in the log; an older ledger is upgraded."""
metadata: Final = MetaData()


def _text(name: str, *, key: bool = False, optional: bool = False) -> Column[str]:
    return Column(name, Text, primary_key=key, nullable=optional)


def _log_seq() -> Column[int]:
    return Column("log_seq", Integer, ForeignKey("log.seq"), nullable=False, index=True)


schema = Table("ledger_schema", metadata, Column("version", Integer, primary_key=True, autoincrement=False))

log = Table(
    "log",
    metadata,
    Column("seq", Integer, primary_key=True, autoincrement=False),
    _text("at"),
    _text("kind"),
    _text("payload"),
    _text("previous_sha256"),
    _text("sha256"),
    Index("log_by_at", "at"),  # every use reads the latest
)

notices = Table(
    "notices",
    metadata,
    _text("sha256", key=True),
    _text("notice_id"),
    _text("language"),
    _text("body"),
    _text("recorded_at"),
    _log_seq(),
)

consent_events = Table(
    "consent_events",
    metadata,
    _text("event_id", key=True),
    _text("sha256"),
    _text("record_id"),
    _text("subject"),
    _text("state"),
    _text("event_time"),
    _text("recorded_at"),
    _text("body"),
    _log_seq(),
    Index("consent_events_by_subject", "subject"),
    Index("consent_events_by_recorded_at", "recorded_at"),
)

dataset_versions = Table(
    "dataset_versions",
    metadata,
    _text("version", key=True),
    _text("manifest_sha256"),
    _text("consent_snapshot_sha256"),
    _text("purpose"),
    _text("context"),
    _text("evidence"),
    Column("people", Integer, nullable=False),
    Column("samples", Integer, nullable=False),
    _text("members_sha256"),
    _text("created_at"),
    _log_seq(),
)

dataset_members = Table(
    "dataset_members",
    metadata,
    Column("dataset_version", Text, ForeignKey("dataset_versions.version"), primary_key=True),
    _text("sample_id", key=True),
    _text("person"),
    _text("sample_sha256"),
    _text("split"),
    _text("licence_id"),
    Column("consent_event_id", Text, ForeignKey("consent_events.event_id"), nullable=True),
    _text("consent_event_sha256", optional=True),
    _log_seq(),
    Index("dataset_members_by_person", "person"),
)

runs = Table(
    "runs",
    metadata,
    _text("run_id", key=True),
    Column("dataset_version", Text, ForeignKey("dataset_versions.version"), nullable=False, index=True),
    _text("purpose"),
    _text("context"),
    _text("code_commit"),
    _text("params_sha256"),
    _text("constraints_sha256"),
    _text("recorded_at"),
    _log_seq(),
)

models = Table(
    "models",
    metadata,
    _text("name", key=True),
    Column("version", Integer, primary_key=True, autoincrement=False),
    _text("bundle_sha256"),
    _text("weights_sha256"),
    Column("run_id", Text, ForeignKey("runs.run_id"), nullable=False, index=True),
    _text("evidence"),
    _text("purpose"),
    _text("recorded_at"),
    _log_seq(),
    UniqueConstraint("name", "bundle_sha256"),
)

decisions = Table(
    "decisions",
    metadata,
    _text("decision_sha256", key=True),
    _text("bundle_sha256"),
    Column("run_id", Text, ForeignKey("runs.run_id"), nullable=False, index=True),
    _text("decision"),
    _text("reasons"),
    _text("recorded_at"),
    _log_seq(),
)

assets = Table(
    "assets",
    metadata,
    Column("run_id", Text, ForeignKey("runs.run_id"), primary_key=True),
    _text("path", key=True),
    _text("sha256", key=True),
    _text("kind"),
    _text("recorded_at"),
    _log_seq(),
)

erasures = Table(
    "erasures",
    metadata,
    _text("erasure_id", key=True),
    _text("person", key=True),
    _text("proof_sha256"),
    _text("erased_at"),
    _log_seq(),
    Index("erasures_by_person", "person"),
)

keys = Table(
    "keys",
    metadata,
    _text("key_id", key=True),
    _text("person"),
    _text("role"),
    _text("public_key"),
    _text("added_at"),
    _log_seq(),
)

endorsements = Table(
    "endorsements",
    metadata,
    Column("key_id", Text, ForeignKey("keys.key_id"), primary_key=True),
    Column("by_key_id", Text, ForeignKey("keys.key_id"), nullable=False),
    _text("signature"),
    _log_seq(),
)
"""Who vouches that a key belongs to its person."""

approvals = Table(
    "approvals",
    metadata,
    Column("key_id", Text, ForeignKey("keys.key_id"), primary_key=True),
    _text("bundle_sha256", key=True),
    Column("decision_sha256", Text, ForeignKey("decisions.decision_sha256"), primary_key=True),
    _text("name"),
    Column("version", Integer, nullable=False),
    _text("role"),
    _text("consent_snapshot_sha256"),
    _text("signature"),
    _text("approved_at"),
    _log_seq(),
)

context_approvals = Table(
    "context_approvals",
    metadata,
    _text("approval_id", key=True),
    _text("state", key=True),
    _text("body"),
    Column("key_id", Text, ForeignKey("keys.key_id"), nullable=False),
    _text("signature"),
    _text("recorded_at"),
    _log_seq(),
)

licences = Table(
    "licences",
    metadata,
    Column("log_seq", Integer, ForeignKey("log.seq"), primary_key=True, autoincrement=False),
    _text("licence_id", key=True),
    _text("body"),
    _text("recorded_at"),
)

renders = Table(
    "renders",
    metadata,
    _text("person", key=True),
    _text("shard_sha256", key=True),
    _text("recorded_at"),
    _log_seq(),
)
"""Synthetic people rendered by this installation: a shard from elsewhere does not make a person synthetic."""

policies = Table(
    "policies",
    metadata,
    Column("log_seq", Integer, ForeignKey("log.seq"), primary_key=True, autoincrement=False),
    _text("policy_sha256"),
    _text("body"),
    _text("actor"),
    _text("reason"),
    _text("key_id", optional=True),
    _text("signature", optional=True),
    _text("adopted_at"),
)

judged_by = Table(
    "judged_by",
    metadata,
    Column("decision_sha256", Text, ForeignKey("decisions.decision_sha256"), primary_key=True),
    _text("policy_sha256"),
    _log_seq(),
)
"""The policy that a decision was made under."""

gaps = Table(
    "gaps",
    metadata,
    Column("log_seq", Integer, ForeignKey("log.seq"), primary_key=True, autoincrement=False),
    Column("missing_size", Integer, nullable=False),
    _text("missing_sha256"),
    _text("actor"),
    _text("reason"),
    _text("key_id", optional=True),
    _text("signature", optional=True),
    _text("recorded_at"),
)
"""Ends of newer logs that were lost for good, after which this one was continued."""

promotions = Table(
    "promotions",
    metadata,
    Column("log_seq", Integer, ForeignKey("log.seq"), primary_key=True, autoincrement=False),
    _text("name"),
    _text("alias"),
    Column("from_version", Integer, nullable=True),
    Column("to_version", Integer, nullable=False),
    _text("kind"),
    Column("decision_sha256", Text, ForeignKey("decisions.decision_sha256"), nullable=True),
    _text("actor"),
    _text("promoted_at"),
    ForeignKeyConstraint(["name", "to_version"], ["models.name", "models.version"]),
)

aliases = Table(
    "aliases",
    metadata,
    _text("name", key=True),
    _text("alias", key=True),
    Column("version", Integer, nullable=False),
    ForeignKeyConstraint(["name", "version"], ["models.name", "models.version"]),
)
"""Where each alias points now: derived from `promotions`, kept so that one UPDATE can compare and swap."""

leases = Table(
    "leases",
    metadata,
    _text("name", key=True),
    _text("holder"),
    Column("token", Integer, nullable=False),
    _text("expires_at"),
)
"""Current leases; not a record of the past, so the chain does not cover them."""

CHAINED: Final = (
    *(notices, consent_events, dataset_versions, dataset_members, runs, models, decisions),
    *(assets, erasures, keys, endorsements, approvals, context_approvals, licences, renders),
    *(policies, judged_by, gaps, promotions),
)
"""The tables whose rows the chain covers."""
