"""A stored text that can no longer be read is an IntegrityError that says what to do: never a crash, and never taken as nothing."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from bitface.consent.known_sources import SYNTHETIC_LICENCE, packaged_notice, synthetic_consents
from bitface.dataset.keyring.people_keys import ERASED
from bitface.dataset.keys import KeyStore
from bitface.errors import InputError, IntegrityError, RefusedError
from bitface.ledger.engine import sqlite_url
from bitface.ledger.entries import ModelEntry
from bitface.ledger.ledger import Ledger
from bitface.ledger.permissions.policies import AdoptedPolicy
from bitface.ledger.permissions.policy_document import policy_of
from bitface.params import read_params
from bitface.steps.people.erasure_journal import BEGUN, journal_of
from bitface.steps.versions.approve import add_key
from bitface.steps.versions.contexts import approve_context
from tests.builders import dataset_entry, member

NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)
OWN = policy_of(read_params(Path(__file__).resolve().parents[2] / "params.yaml"))
LICENCE = SYNTHETIC_LICENCE.model_copy(update={"id": "own"})


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    with Ledger(sqlite_url(tmp_path / "ledger.db"), clock=lambda: NOON) as opened:
        opened.record_notice(packaged_notice("synthetic-1"))
        opened.record_consents(synthetic_consents(["s" * 16]), brought=[LICENCE])
        opened.adopt_policy(AdoptedPolicy(profiles={"default": OWN}, actor="ada", reason="first"))
        add_key("Cora", "compliance", tmp_path / "cora.pem", opened)
        (tmp_path / "assessment.pdf").write_bytes(b"drivers fall asleep")
        lasts = ("2026-05-31T00:00:00Z", "2026-06-30T00:00:00Z")
        approve_context("workplace", "safety", tmp_path / "assessment.pdf", *lasts, tmp_path / "cora.pem", opened)
        yield opened


DAMAGED: dict[str, tuple[str, Callable[[Ledger], object]]] = {
    "consent event": ("consent_events", lambda ledger: ledger.consents()),
    "licence": ("licences", lambda ledger: ledger.licences()),
    "approval of a context": ("context_approvals", lambda ledger: ledger.context_approvals()),
    "policy in force": ("policies", lambda ledger: ledger.policy()),
}


@pytest.mark.parametrize("body", ["", "[]", "{}", '{"half": '])
@pytest.mark.parametrize("name", DAMAGED)
def test_a_stored_permission_that_cannot_be_read_is_named(name, body, ledger, tmp_path) -> None:
    table, ask = DAMAGED[name]
    ask(ledger)
    with sqlite3.connect(tmp_path / "ledger.db") as raw:
        raw.execute(f"update {table} set body = ?", (body,))  # noqa: S608 - constant names
    with pytest.raises(IntegrityError, match=rf"{name} cannot be read; run `bitface audit log`"):
        ask(ledger)
    assert not ledger.verify_chain().intact, "which then names the entry"


@pytest.mark.parametrize("payload", ["", "[]", '{"rows": 1}', '{"rows": {"consent_events": {}}}', "1"])
def test_an_entry_whose_payload_is_no_longer_one_is_reported_and_so_are_its_rows(payload, ledger, tmp_path) -> None:
    with sqlite3.connect(tmp_path / "ledger.db") as raw:
        (seq,) = raw.execute("select log_seq from consent_events").fetchone()
        raw.execute("update log set payload = ? where seq = ?", (payload, seq))
    assert [problem.seq for problem in ledger.verify_chain().problems].count(seq) >= 2
    with pytest.raises(IntegrityError, match=f"entry {seq} "):
        ledger.check_intact()


def test_a_version_whose_people_are_not_on_record_stands_for_nobody(ledger) -> None:
    """It is refused, as if everybody in it had withdrawn: nothing is known of them."""
    stranger = ModelEntry(
        bundle_sha256="b" * 64, weights_sha256="w", run_id="gone", evidence="real", purpose="train", version=1
    )
    with pytest.raises(RefusedError, match="not on record; restore the ledger, or retrain"):
        ledger.standing(stranger, NOON)
    with pytest.raises(RefusedError, match="not on record"):
        ledger.check_lawful(stranger)
    assert not ledger.is_lawful(stranger)


def test_a_sample_id_that_occurs_twice_freezes_no_dataset(ledger) -> None:
    first, second = (member(event) for event in synthetic_consents(["s" * 16, "t" * 16]))
    ledger.record_consents(synthetic_consents(["t" * 16]))
    twice = [first, replace(second, sample_id=first.sample_id)]
    with pytest.raises(InputError, match="a sample id occurs twice"):
        ledger.record_dataset(dataset_entry(2), twice)
    assert ledger.dataset(dataset_entry(2).version) is None


@pytest.mark.parametrize(
    "spoiled", [lambda lines: [lines[0], "half a li"], lambda lines: [*lines, "[]"], lambda lines: [*lines, lines[-1]]]
)
def test_a_journal_of_an_erasure_that_was_edited_is_not_gone_on_with(spoiled, tmp_path) -> None:
    journal = journal_of(tmp_path, "e" * 16, lambda: NOON)
    journal.write(BEGUN, "done", {})
    journal.once("keys", lambda: {"keys_destroyed": []})
    journal.path.write_text("\n".join(spoiled(journal.path.read_text().splitlines())) + "\n")
    with pytest.raises(IntegrityError, match="of an erasure was edited"):
        journal.once("files", lambda: pytest.fail("a step of an edited journal"))


@pytest.mark.parametrize("text", ["", "{", "[]", '{"people": []}', '{"people": [], "mac": ""}'])
def test_a_book_of_the_erased_that_cannot_be_read_lets_nobody_in(text, tmp_path) -> None:
    keys = KeyStore(tmp_path / "keys")
    keys.destroy(keys.enrol("anna"), "e1")
    (tmp_path / "keys" / "erased.json").write_text(text)
    for ask in (keys.foreseen, keys.erasure_of):
        with pytest.raises(IntegrityError):
            KeyStore(tmp_path / "keys").foreseen("ben")
        with pytest.raises(IntegrityError):
            ask("anna")


def test_somebody_who_was_erased_while_an_import_decided_is_not_enrolled(tmp_path) -> None:
    """Between the decision and the writing of keys another command enrolled the same person, and erased them."""
    keys, other = KeyStore(tmp_path / "keys"), KeyStore(tmp_path / "keys")
    other.enrol("ben")
    foreseen = keys.foreseen("anna")
    other.destroy(other.enrol("anna"), "e1")
    with pytest.raises(RefusedError, match=ERASED[:30]):
        keys.keep([foreseen])


def test_two_imports_that_enrol_one_person_at_once_give_one_pseudonym(tmp_path) -> None:
    keys, other = KeyStore(tmp_path / "keys"), KeyStore(tmp_path / "keys")
    foreseen = keys.foreseen("anna")
    first = other.enrol("anna")
    with pytest.raises(InputError, match="another command enrolled a person at the same time"):
        keys.keep([foreseen])
    assert KeyStore(tmp_path / "keys").enrol("anna") == first
