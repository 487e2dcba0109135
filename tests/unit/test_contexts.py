"""Work and education are open only where compliance signed a medical or safety reason, and only while that lasts."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from bitface.consent.policy import approval_of, check_context
from bitface.errors import InputError, IntegrityError, RefusedError
from bitface.ledger.engine import sqlite_url
from bitface.ledger.ledger import Ledger
from bitface.ledger.permissions.contexts import SignedContext, sign_context
from bitface.steps.audits.audit import audit_as_of
from bitface.steps.audits.dpia import assessment
from bitface.steps.versions.approve import add_key, private_key
from bitface.steps.versions.contexts import approve_context, context_rows, contexts_text, revoke_context

NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)
DAY = timedelta(days=1)


class Desk:
    """A ledger with a clock that can be set, a key of compliance and one of an engineer, and a document."""

    def __init__(self, folder: Path) -> None:
        self.now = NOON
        self.path = folder / "ledger.db"
        self.ledger = Ledger(sqlite_url(self.path), clock=lambda: self.now)
        self.compliance, self.engineer = folder / "c.pem", folder / "e.pem"
        add_key("Cora", "compliance", self.compliance, self.ledger)
        add_key("Emil", "engineer", self.engineer, self.ledger, self.compliance)
        self.document = folder / "assessment.pdf"
        self.document.write_bytes(b"drivers fall asleep")

    def approve(self, context: str = "workplace", reason: str = "safety", key: Path | None = None, **times: str):
        begins, ends = times.get("begins", "2026-05-31T00:00:00Z"), times.get("ends", "2026-06-30T00:00:00Z")
        return approve_context(context, reason, self.document, begins, ends, key or self.compliance, self.ledger)

    def is_open(self, context: str = "workplace") -> bool:
        try:
            check_context(context, self.now, self.ledger.context_approvals())
        except RefusedError:
            return False
        return True


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    made = Desk(tmp_path)
    with made.ledger:
        yield made


def test_an_approval_opens_its_context_from_its_begin_to_its_end_and_no_other(desk) -> None:
    assert not desk.is_open()
    approval, is_new = desk.approve(begins="2026-06-01T12:00:00Z", ends="2026-06-02T12:00:00Z")
    assert is_new
    assert desk.is_open()
    assert not desk.is_open("education")
    for moment in (NOON - timedelta(seconds=1), NOON + DAY):
        desk.now = moment
        assert not desk.is_open()
    desk.now = NOON
    again, is_new = desk.approve(begins="2026-06-01T12:00:00Z", ends="2026-06-02T12:00:00Z")
    assert (again, is_new) == (approval, False)
    assert desk.ledger.verify_chain().intact


def test_a_clock_that_is_set_back_revives_no_approval(desk) -> None:
    desk.approve(begins="2026-06-01T12:00:00Z", ends="2026-06-02T12:00:00Z")
    desk.ledger.check_any_use("infer", "workplace")
    desk.now = NOON + 2 * DAY
    add_key("Eva", "engineer", desk.path.with_name("eva.pem"), desk.ledger, desk.compliance)
    desk.now = NOON
    with pytest.raises(RefusedError, match="2 days, 0:00:00 behind the log"):
        desk.ledger.check_any_use("infer", "workplace")


def test_a_revoked_approval_is_over_at_once_and_stays_on_record(desk) -> None:
    approval, _ = desk.approve()
    desk.now = NOON + DAY
    assert revoke_context(approval.approval_id, desk.compliance, desk.ledger) == (approval, True)
    assert revoke_context(approval.approval_id, desk.compliance, desk.ledger) == (approval, False)
    assert not desk.is_open()
    assert desk.approve() == (approval, False)
    assert not desk.is_open(), "what was revoked comes back only as another approval"
    desk.approve(ends="2026-07-30T00:00:00Z")
    assert desk.is_open()
    standings = [row["standing"] for row in context_rows(desk.ledger, desk.now)]
    assert standings == ["revoked", "in force"]
    assert [row["standing"] for row in context_rows(desk.ledger, NOON)] == ["in force"], "as it stood then"
    assert desk.ledger.verify_chain().intact


def test_only_a_key_of_compliance_on_record_approves_or_revokes(desk, tmp_path) -> None:
    with pytest.raises(InputError, match="Emil's as engineer; contexts are approved by role compliance"):
        desk.approve(key=desk.engineer)
    approval, _ = desk.approve()
    with pytest.raises(InputError, match="Emil's as engineer"):
        revoke_context(approval.approval_id, desk.engineer, desk.ledger)
    with Ledger(sqlite_url(tmp_path / "other.db")) as other:
        add_key("Otto", "compliance", tmp_path / "o.pem", other)
    with pytest.raises(InputError, match="not on record"):
        desk.approve(key=tmp_path / "o.pem")
    assert desk.is_open()


def test_a_signature_of_other_words_is_no_approval(desk) -> None:
    private = private_key(desk.compliance)
    said = approval_of(
        context="workplace", reason="safety", record_sha256="a" * 64, valid_from=NOON - DAY, valid_to=NOON + DAY
    )
    meant = said.model_copy(update={"context": "education"})
    signed = sign_context(said, "approved", private)
    for forged in (
        SignedContext(approval=meant, state="approved", key_id=signed.key_id, signature=signed.signature),
        SignedContext(approval=said, state="approved", key_id=signed.key_id, signature="zz"),
        SignedContext(
            approval=said,
            state="approved",
            key_id=signed.key_id,
            signature=sign_context(said, "revoked", private).signature,
        ),
    ):
        with pytest.raises(IntegrityError, match="signature"):
            desk.ledger.record_context(forged)
    with pytest.raises(InputError, match="is not on record"):
        desk.ledger.record_context(sign_context(said, "revoked", private))
    assert not desk.is_open()


@pytest.mark.parametrize("column", ["body", "signature", "approval_id"])
def test_a_row_that_somebody_edits_opens_nothing_and_the_log_tells(desk, column) -> None:
    desk.approve(ends="2026-06-01T00:00:00Z")
    assert not desk.is_open()
    desk.ledger.close()
    raw = sqlite3.connect(desk.path)
    (value,) = raw.execute(f"select {column} from context_approvals").fetchone()  # noqa: S608 - constant names
    edited = value.replace("2026-06-01T00", "2026-07-01T00") if column == "body" else "0" * len(value)
    raw.execute(f"update context_approvals set {column} = ?", (edited,))  # noqa: S608 - constant names
    raw.commit()
    raw.close()
    assert not desk.is_open()
    assert [row["standing"] for row in context_rows(desk.ledger, NOON)] == ["signature does not hold"]
    assert not desk.ledger.verify_chain().intact


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"context": "research"}, "context"),
        ({"reason": "productivity"}, "reason"),
        ({"ends": "2026-05-30T00:00:00Z"}, "must end after it begins"),
        ({"ends": "2026-06-30"}, "UTC offset"),
        ({"ends": "soon"}, "ISO 8601"),
    ],
)
def test_what_is_no_approval_is_named(desk, given, message) -> None:
    with pytest.raises(InputError, match=message):
        desk.approve(**given)
    assert desk.ledger.contexts() == ()


def test_what_is_not_there_is_named(desk, tmp_path) -> None:
    with pytest.raises(InputError, match=r"'none\.pem'"):
        desk.approve(key=tmp_path / "none.pem")
    with pytest.raises(InputError, match="approval 'ab' is not on record"):
        revoke_context("ab", desk.compliance, desk.ledger)
    desk.document.unlink()
    with pytest.raises(InputError, match="is not a file"):
        desk.approve()


def test_auditors_see_who_approved_what_when(desk) -> None:
    assert "no medical or safety reason is approved" in assessment(desk.ledger, NOON)
    assert "refused" in contexts_text([])
    approval, _ = desk.approve()
    assert f"workplace for a safety reason until 2026-06-30 ({approval.approval_id}, Cora)" in assessment(
        desk.ledger, NOON
    )
    rows = [row for row in audit_as_of(NOON, desk.ledger) if row["kind"] == "context approval"]
    assert [(row["approved_by"], row["standing"]) for row in rows] == [("Cora", "in force")]
    assert rows[0]["record_sha256"] == approval.record_sha256
    json.dumps(rows)
    assert audit_as_of(NOON - DAY, desk.ledger)[-1]["kind"] != "context approval"
    assert "in force, by Cora" in contexts_text(context_rows(desk.ledger, NOON))
