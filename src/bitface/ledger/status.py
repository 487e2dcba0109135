"""The status of a version in one line, wherever a model answers: from the ledger alone, never from a registry."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sqlalchemy import Connection, select

from bitface.consent.policy import predictions_allowed
from bitface.errors import RefusedError
from bitface.ledger import lost_logs as gaps
from bitface.ledger import questions, tables
from bitface.ledger.crowd import Crowd, crowd_of
from bitface.ledger.entries import ALIASES, Alias, ModelEntry, Verdict
from bitface.ledger.permissions.contexts import in_force
from bitface.ledger.permissions.policies import was_in_force

_GATE: Final = {"promote": "PASSED", "hold": "HELD", "block": "BLOCKED"}


@dataclass(frozen=True, kw_only=True)
class ModelStatus:
    """The status of a version `at` a time (UTC): `decision` is the gate's latest one, None if there is none.

    `purposes` and `contexts` are those it may predict in: policy allows them for its evidence, and everyone in it allows them.
    They are empty if it is `retired`, because a person in it has been erased, or if `lapsed` people in it no longer allow what it
    was made for. `passed_for`: the purposes that evidence and gate allow, regardless of consent. `was_champion`: it is or once was.
    `judged_at`: the time of the decision or, without one, of its registration. `before_gap`: it is from before a gap in the log,
    and was not promoted again.
    """

    name: str
    version: int
    run_id: str
    decision: Verdict | None
    alias: Alias | None
    evidence: str
    trained_for: str
    passed_for: tuple[str, ...]
    purposes: tuple[str, ...]
    contexts: tuple[str, ...]
    was_champion: bool
    retired: bool
    lapsed: int
    judged_at: str
    at: str
    before_gap: bool = False

    @property
    def reference(self) -> str:
        """NAME/VERSION."""
        return f"{self.name}/{self.version}"

    @property
    def is_live(self) -> bool:
        """Whether it predicts when no version is named."""
        return self.alias == "champion" and self.is_lawful

    @property
    def is_lawful(self) -> bool:
        """Whether it may be used at all: no person in it was erased, everyone still allows what it was made for, and it is not
        from before a gap in the log.
        """
        return not self.retired and not self.lapsed and not self.before_gap

    @property
    def state(self) -> str:
        """CHAMPION, HELD, BLOCKED and so on: the first word of the status line."""
        if self.retired:
            return "RETIRED, some of its people were erased"
        if self.lapsed:
            return f"SUSPENDED, {self.lapsed} of its people no longer allow it"
        if self.before_gap:
            return "SUSPENDED, from before a gap in the log, must be promoted again"
        if self.trained_for == "benchmark":
            return self.judged
        if self.alias == "champion":
            return "CHAMPION"
        if self.alias == "previous":
            return "PREVIOUS CHAMPION"
        if self.was_champion:
            return "REPLACED, once champion"
        if self.alias == "challenger":
            return f"CHALLENGER, {self.judged}, waits for approval"
        return f"{self.judged}, alias demo" if self.alias == "demo" else self.judged

    @property
    def judged(self) -> str:
        """The gate's decision, regardless of later events."""
        verdict = "NOT JUDGED" if self.decision is None else _GATE[self.decision]
        return (
            verdict if self.trained_for == "train" else f"{self.trained_for.upper()}, {verdict}, never to be promoted"
        )

    @property
    def uses(self) -> str:
        """What it may be used for, in words."""
        if not self.is_lawful:
            return "no longer usable"
        if not self.purposes:
            return "for no prediction: not all of its people allow one"
        return f"for {_listed(self.purposes)} in {_listed(self.contexts)}"

    @property
    def line(self) -> str:
        """The status line: version, state, evidence, what it may be used for, whether it is live."""
        live = "live" if self.is_live else "not live"
        return " · ".join((self.reference, self.state, f"evidence {self.evidence}", self.uses, live))

    @property
    def line_as_judged(self) -> str:
        """The status line of a page that is written once, before anything can go live: the gate's decision, and where to look later."""
        parts = (
            self.reference,
            self.judged,
            f"evidence {self.evidence}",
            self.uses,
            f"as judged on {self.judged_at[:10]}",
        )
        return " · ".join((*parts, f"current status: bitface audit model {self.reference}"))

    @property
    def line_today(self) -> str:
        """The status line with its date, for a page that is written once and read later."""
        return f"{self.line} on {self.at[:10]}"

    def check(self, purpose: str) -> None:
        """Raises RefusedError for a purpose that a version without a passed gate may not be used for."""
        if purpose not in self.passed_for:
            raise RefusedError(
                f"{self.reference} ({self.state}) predicts for {_listed(self.passed_for)} only, not for {purpose}; retrain until the gate "
                "promotes a version"
            )

    def document(self) -> dict[str, object]:
        """JSON of `model.status`."""
        return {
            "version": self.reference,
            "state": self.state,
            "decision": self.decision,
            "alias": self.alias,
            "live": self.is_live,
            "evidence": self.evidence,
            "purposes": list(self.purposes),
            "contexts": list(self.contexts),
            "retired": self.retired,
            "lapsed": self.lapsed,
            "judged_at": self.judged_at,
            "line": self.line,
        }


def status_of(
    connection: Connection, model: ModelEntry, at: datetime, *, is_back: bool = False, crowd: Crowd | None = None
) -> ModelStatus:
    """The status of a registered version at `at`; `is_back`: a person in it was erased, but the log is older than that; `crowd`: its
    people, where the caller has read them in this transaction.
    """
    alias, was_champion = _alias(connection, model), _was_champion(connection, model)
    latest = questions.latest_decision(connection, model)
    retired = is_back or questions.erased_people(connection, model) > 0
    passed = (
        model.purpose == "train"
        and latest is not None
        and latest.decision == "promote"
        and was_in_force(connection, latest.decision_sha256)
    )
    purposes, contexts = predictions_allowed(model.evidence, passed, at, in_force(connection))
    crowd = None if retired else crowd or crowd_of(connection, model)
    refused = crowd.standing(at) if crowd else None
    uses = crowd.uses(purposes, at) if crowd else {}
    allowed = {purpose: [context for context in own if context in contexts] for purpose, own in uses.items()}
    return ModelStatus(
        name=model.name,
        version=model.version,
        run_id=latest.run_id if latest else model.run_id,
        decision=latest.decision if latest else None,
        alias=alias,
        evidence=model.evidence,
        trained_for=model.purpose,
        passed_for=purposes,
        purposes=tuple(purpose for purpose in purposes if allowed.get(purpose)),
        contexts=tuple(context for context in contexts if any(context in own for own in allowed.values())),
        was_champion=was_champion,
        retired=retired,
        lapsed=refused.people if refused else 0,
        judged_at=questions.judged_at(connection, model),
        at=at.isoformat(timespec="seconds"),
        before_gap=gaps.is_before(connection, model),
    )


def _alias(connection: Connection, model: ModelEntry) -> Alias | None:
    """The alias that a version has; of several, the most important one."""
    table = tables.aliases
    own = (table.c.name == model.name) & (table.c.version == model.version)
    found = set(connection.execute(select(table.c.alias).where(own)).scalars())
    return next((alias for alias in reversed(ALIASES) if alias in found), None)


def _was_champion(connection: Connection, model: ModelEntry) -> bool:
    table = tables.promotions
    own = (table.c.name == model.name) & (table.c.to_version == model.version) & (table.c.alias == "champion")
    return connection.execute(select(table.c.log_seq).where(own).limit(1)).first() is not None


def _listed(words: tuple[str, ...]) -> str:
    *first, last = words
    return f"{', '.join(first)} and {last}" if first else last
