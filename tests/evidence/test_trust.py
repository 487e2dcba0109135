"""Consent, lineage and the log, against second implementations that were written from the rules' text, and against attackers."""

# ruff: noqa: S608 - the statements are put together from this file's own words

from __future__ import annotations

import hashlib
import json
import re
import shutil
import sqlite3
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path
from threading import Barrier
from time import perf_counter, sleep
from typing import Any

import numpy as np
import pytest

from bitface.consent.admission import Use, admit
from bitface.consent.events import parse_events, utc_text
from bitface.consent.known_sources import packaged_notice, synthetic_consents
from bitface.consent.policy import ContextApproval, check_prediction, check_training
from bitface.consent.vocabulary import CONTEXTS, PURPOSES
from bitface.errors import BitfaceError, InputError, RefusedError
from bitface.ledger.engine import sqlite_url
from bitface.ledger.entries import Checkpoint, DecisionEntry, ModelEntry, RunEntry
from bitface.ledger.ledger import Ledger
from bitface.ledger.permissions.contexts import SignedContext, sign_context
from bitface.ledger.promotion import Move
from bitface.steps.people.consents import withdraw
from bitface.steps.versions.approve import add_key, private_key
from tests.builders import dataset_entry, member

pytestmark = [pytest.mark.timeout(36000)]
NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)
BASE = synthetic_consents(["s000000000000001"])[0].model_dump(mode="json")
NOTICE = BASE["notice_sha256"]
STATES = ("requested", "given", "reaffirmed", "refused", "withdrawn", "expired", "invalidated", "terminated")
KINDS = ("image", "video", "landmarks", "embedding")
BANDS = ("under_18", "18_29", "30_44", "45_59", "60_plus", "adult", "unknown")
BASES = ("6(1)(a)", "6(1)(b)", "6(1)(c)", "6(1)(d)", "6(1)(e)", "6(1)(f)", "none")
CONDITIONS = ("9(2)(a)", "9(2)(h)", "9(2)(i)", "9(2)(j)", "none")
PAIRS = {"9(2)(a)": "a", "9(2)(h)": "bce", "9(2)(i)": "ce", "9(2)(j)": "ef", "none": ""}
PLACES = {"9(2)(h)": ("medical",), "9(2)(i)": ("medical", "safety"), "9(2)(j)": ("research",)}
YEARS = {"Illinois": 3, "Denver, CO, USA": 2}
NOTICES = {NOTICE: BASE["notice_id"], "1" * 64: "n2"}
CODES = {"code_commit": "c0ffee", "params_sha256": "d" * 64, "constraints_sha256": "e" * 64}


def sha(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def some(rng: np.random.Generator, words: tuple[str, ...], least: int = 0) -> list[str]:
    return [str(word) for word in rng.permutation(words)[: rng.integers(least, len(words) + 1)]]


def moment(rng: np.random.Generator, low: int = -4, high: int = 4) -> datetime:
    return NOON + timedelta(hours=int(rng.integers(low, high + 1)))


def line(rng: np.random.Generator, person: str, number: int) -> dict[str, Any]:
    """An event like those that sources send: mostly sound, with few distinct times, so that ties and edges are common."""
    happened, begins = moment(rng), moment(rng, -6, 3)
    state = str(rng.choice(STATES, p=[0.05, 0.45, 0.1, 0.05, 0.2, 0.05, 0.05, 0.05]))
    return BASE | {
        "event_id": f"e{number}",
        "record_id": f"r-{person}-{rng.integers(2)}",
        "subject": person,
        "state": state,
        "purposes": some(rng, PURPOSES, 0 if rng.random() < 0.3 else 4),
        "contexts": some(rng, CONTEXTS, 3),
        "age_band": str(rng.choice(BANDS, p=[0.06, 0.2, 0.2, 0.2, 0.1, 0.2, 0.04])),
        "given_by": str(rng.choice(["explicit", "guardian"], p=[0.9, 0.1])),
        "notice_sha256": NOTICE if rng.random() < 0.9 else "0" * 64,
        "notice_id": BASE["notice_id"] if rng.random() < 0.95 else str(rng.choice(["n2", "unheard-of"])),
        "data_kinds": list(KINDS) if rng.random() < 0.9 else some(rng, KINDS),
        **ground(rng),
        "event_time": utc_text(happened),
        # What closes may have been stamped by a clock that is slow, or by one that was fast.
        "recorded_at": utc_text(happened + timedelta(hours=int(rng.integers(0 if state in STATES[:3] else -2, 3)))),
        "valid_from": utc_text(begins),
        "valid_to": utc_text(begins + timedelta(hours=int(rng.integers(1, 12)))),
        "delete_by": utc_text(moment(rng, -1, 9)),
    }


def ground(rng: np.random.Generator) -> dict[str, str]:
    """What the law asks of real people: mostly an explicit consent, and of some of them a state that ends it."""
    pair = ["6(1)(a)", "9(2)(a)"] if rng.random() < 0.95 else [str(rng.choice(BASES)), str(rng.choice(CONDITIONS))]
    years = int(rng.integers(2020, 2026))
    return {
        "lawful_basis": pair[0],
        "special_category_condition": pair[1],
        "jurisdiction": str(
            rng.choice(["DE", "Illinois", "US-TX", "Denver, CO, USA", "France"], p=[0.5, 0.07, 0.1, 0.07, 0.26])
        ),
        "last_interaction": f"{years}-06-01T12:00:00Z",
    }


SPOILS: tuple[Callable[[dict[str, Any]], Any], ...] = (
    lambda own: own.pop("state"),
    lambda own: own.pop("notice_sha256"),
    lambda own: own.update(state="perhaps"),
    lambda own: own.update(purposes=["train", "sell"]),
    lambda own: own.update(purposes="train"),
    lambda own: own.update(contexts=["research", "research"]),
    lambda own: own.update(valid_to=own["valid_from"]),
    lambda own: own.update(event_time="2026-06-01T12:00:00"),
    lambda own: own.update(recorded_at="2020-01-01T00:00:00Z"),
    lambda own: own.update(age_band=30),
    lambda own: own.update(event_id="a b"),
    lambda own: own.update(schema_version="bitface-consent-2"),
    lambda own: own.update(favourite_colour="blue"),
    lambda own: own.update(delete_by=None),
    lambda own: own.update(subject="not a pseudonym"),
    lambda own: own.update(evidence_sha256="A" * 64),
)


def manifest(rng: np.random.Generator) -> str:
    """Up to four people with up to five events each; now and then a line at fault, or a file that is broken altogether."""
    lines = []
    numbers = count()
    for person in range(rng.integers(1, 5)):
        for _ in range(rng.integers(0, 6)):
            own = line(rng, f"{'sr'[person % 2]}{person:015d}", next(numbers))
            if rng.random() < 0.06:
                SPOILS[rng.integers(len(SPOILS))](own)
            lines.append(json.dumps(own))
    if rng.random() < 0.03:
        lines.append(str(rng.choice(["{", "[]", '{"subject": 7}', '{"subject": "s", "subject": "t"}', "null", "\x00"])))
    return "\n".join(str(one) for one in rng.permutation(lines)) if lines else ""


def oracle(text: str, purpose: str, context: str) -> set[str]:
    """Who is admitted at noon, read off the rule in words, on plain JSON; a file that cannot be told apart admits nobody."""
    documents = []
    for one in filter(str.strip, text.split("\n")):
        try:
            pairs: list[Any] = json.loads(one, object_pairs_hook=list)
            document = dict(pairs)
        except (ValueError, TypeError):
            return set()
        if len(document) != len(pairs) or not isinstance(document.get("subject"), str):
            return set()
        documents.append(document)
    barred = {one["subject"] for one in documents if not sound(one)}
    admitted = set()
    for person in {one["subject"] for one in documents} - barred:
        # The file stands for the log: what stands later in it was recorded later, whatever the clocks said.
        speaking = [
            one
            for one in documents
            if one["subject"] == person
            and (purpose in one["purposes"] or (not one["purposes"] and one["state"] not in STATES[:3]))
        ]
        verdicts = []
        for record in {one["record_id"] for one in speaking}:
            rivals = [one for one in speaking if one["record_id"] == record]
            left = [one for place, one in enumerate(rivals) if still_counts(one, rivals[:place], rivals[place + 1 :])]
            last = max(((one["event_time"], one["recorded_at"]) for one in left), default=None)
            verdicts += [
                usable(one, purpose, context) for one in left if (one["event_time"], one["recorded_at"]) == last
            ]
            verdicts += [] if left else [False]
        if verdicts and all(verdicts):
            admitted.add(person)
    return admitted


def still_counts(one: dict[str, Any], earlier: list[dict[str, Any]], later: list[dict[str, Any]]) -> bool:
    """It opens, nothing that closes stands after it, and what closed before it did so at an earlier time."""
    opens = STATES[:3]
    return (
        one["state"] in opens
        and all(other["state"] in opens for other in later)
        and all(
            other["state"] in opens or min(other["event_time"], other["recorded_at"]) < one["event_time"]
            for other in earlier
        )
    )


def sound(one: dict[str, Any]) -> bool:
    """Every field there, none beside, each a word of its list or of its form, and times that fit together."""
    if set(one) != set(BASE):
        return False
    lists = (("purposes", PURPOSES), ("contexts", CONTEXTS), ("data_kinds", KINDS))
    if any(not isinstance(one[name], list) or not set(one[name]) <= set(words) for name, words in lists):
        return False
    if any(len(set(one[name])) != len(one[name]) for name, _ in lists):
        return False
    words = {"state": STATES, "age_band": BANDS, "schema_version": ("bitface-consent-1",)}
    if any(one[name] not in known for name, known in words.items()):
        return False
    forms = {"event_id": r"[A-Za-z0-9_-]{1,64}", "subject": r"[a-z0-9]{16}", "evidence_sha256": r"[0-9a-f]{64}"}
    if any(not isinstance(one[name], str) or not re.fullmatch(form, one[name]) for name, form in forms.items()):
        return False
    times = [one[name] for name in ("event_time", "recorded_at", "valid_from", "valid_to", "delete_by")]
    if any(not isinstance(time, str) or not time.endswith("Z") for time in times):
        return False
    whole = [datetime.fromisoformat(time) for time in times]
    opens = one["state"] in STATES[:3]
    return (whole[0] <= whole[1] or not opens) and whole[2] < whole[3] and (bool(one["purposes"]) or not opens)


def usable(one: dict[str, Any], purpose: str, context: str) -> bool:
    return (
        one["state"] in ("given", "reaffirmed")
        and datetime.fromisoformat(one["valid_from"]) <= NOON < datetime.fromisoformat(one["valid_to"])
        and datetime.fromisoformat(one["delete_by"]) > NOON
        and purpose in one["purposes"]
        and context in one["contexts"]
        and one["age_band"] not in ("under_18", "unknown")
        and one["notice_sha256"] == NOTICE
        and one["notice_id"] != "n2"
        and (one["subject"].startswith("s") or lawful(one, context))
        and {"image", "video"} & set(one["data_kinds"])
    )


def lawful(one: dict[str, Any], context: str) -> bool:
    condition, basis = one["special_category_condition"], one["lawful_basis"]
    kept = YEARS.get(one["jurisdiction"], 1000)
    return (
        basis[5:6] in tuple(PAIRS[condition])
        and (condition != "9(2)(a)" or one["given_by"] == "explicit")
        and context in PLACES.get(condition, (context,))
        and int(one["last_interaction"][:4]) + kept > NOON.year
    )


def test_generated_manifests_are_judged_as_the_rule_s_text_says(rounds, state, never) -> None:
    n, wrong, admitted, refused_whole = rounds(400, 10_000), [], 0, 0
    for seed in range(n):
        rng = np.random.default_rng([31, seed])
        text, purpose, context = manifest(rng), str(rng.choice(PURPOSES)), str(rng.choice(CONTEXTS))
        expected = oracle(text, purpose, context)
        try:
            events = parse_events(text).events
        except InputError:
            events, refused_whole = (), refused_whole + 1
        people = {event.subject for event in events}
        found = {
            one for one in people if admit(events, one, Use(purpose=purpose, context=context), NOON, NOTICES).admitted
        }
        admitted += len(found)
        if found != expected:
            wrong.append(seed)
    assert not wrong, wrong[:5]
    assert admitted > n / 15 and refused_whole
    figure = f"{never(n)}; {admitted} people admitted, {refused_whole} files refused whole"
    state("Consent manifests judged otherwise than by an independent reading of the rule", figure, n)


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A ledger with three people, two versions whose gate says promote, and the first of them champion."""
    file = tmp_path_factory.mktemp("template") / "ledger.db"
    people = [f"s{number:015d}" for number in range(3)]
    with Ledger(sqlite_url(file), clock=lambda: NOON) as ledger:
        fill(ledger, people, {"r1": people})
        for version in (1, 2):
            model(ledger, "r1", version)
        ledger.promote(Move(to_version=1, expected_previous=None, decision_sha256=sha("decision 1"), actor="ada"))
    return file


def fill(ledger: Ledger, people: list[str], runs: dict[str, list[str]]) -> None:
    """Consents of people, and for each run a dataset version of its own with one sample of each of its people."""
    ledger.record_notice(packaged_notice("synthetic-1"))
    events = {event.subject: event for event in synthetic_consents(people)}
    ledger.record_consents(events.values())
    for run_id, own in runs.items():
        members = [member(events[person], sample_id=f"{person}-{run_id}") for person in own]
        version = dataset_entry(len(own), version=f"d-{run_id}")
        ledger.record_dataset(version, members)
        ledger.record_run(
            RunEntry(run_id=run_id, dataset_version=f"d-{run_id}", purpose="train", context="research", **CODES)
        )


def model(ledger: Ledger, run_id: str, version: int) -> None:
    bundle = sha(f"bundle {version}")
    ledger.record_model(
        ModelEntry(bundle_sha256=bundle, weights_sha256=sha("w"), run_id=run_id, evidence="synthetic", purpose="train")
    )
    ledger.record_decision(
        DecisionEntry(
            decision_sha256=sha(f"decision {version}"),
            bundle_sha256=bundle,
            run_id=run_id,
            decision="promote",
            reasons=(),
        )
    )


def test_a_withdrawal_that_races_a_promotion_is_never_overtaken(template, tmp_path, rounds, state, never) -> None:
    """Both at once, in whatever order they come: a promotion stands before the withdrawal in the log, or not at all."""
    n, promoted = rounds(10, 200), 0
    for seed in range(n):
        path = Path(shutil.copy(template, tmp_path / f"{seed}.db"))
        rng = np.random.default_rng([32, seed])
        delays, start = rng.uniform(0, 0.01, 2), Barrier(2)

        def leave(path: Path = path, wait: float = delays[0], start: Barrier = start) -> None:
            with Ledger(sqlite_url(path)) as ledger:
                ledger.known_notices()
                start.wait()
                sleep(wait)
                withdraw("s000000000000001", "asked", ledger, datetime.now(UTC))

        def go_live(path: Path = path, wait: float = delays[1], start: Barrier = start) -> None:
            with Ledger(sqlite_url(path)) as ledger:
                ledger.known_notices()
                start.wait()
                sleep(wait)
                ledger.promote(Move(to_version=2, expected_previous=1, decision_sha256=sha("decision 2"), actor="ada"))

        with ThreadPoolExecutor(2) as pool:
            done = [pool.submit(leave), pool.submit(go_live)]
            errors = [one.exception() for one in done]
        assert errors[0] is None and isinstance(errors[1], RefusedError | type(None)), errors
        kinds = [row[0] for row in sqlite3.connect(path).execute("SELECT kind FROM log ORDER BY seq").fetchall()]
        after = kinds[len(kinds) - 1 - kinds[::-1].index("consents") :]
        assert "promotion" not in after, kinds
        promoted += errors[1] is None
        path.unlink()
    figure = f"{never(n)}; the promotion came first in {promoted}"
    state("A withdrawal races a promotion: promoted after it", figure, n)


def test_an_auditor_s_questions_are_answered_as_by_going_through_everything(tmp_path, rounds, state, never) -> None:
    people_n, runs_n, models_n, questions = (rounds(*pair) for pair in ((80, 1000), (12, 200), (6, 50), (120, 2000)))
    rng = np.random.default_rng(33)
    people = [f"s{number:015d}" for number in range(people_n)]
    share = rng.uniform(0.05, 0.6, runs_n)
    runs = {
        f"run{number:04d}": sorted(rng.permutation(people)[: max(1, int(share[number] * people_n))].tolist())
        for number in range(runs_n)
    }
    ticks = count()
    moves: list[tuple[datetime, int | None, int]] = []
    with Ledger(sqlite_url(tmp_path / "ledger.db"), clock=lambda: NOON + timedelta(minutes=next(ticks))) as ledger:
        fill(ledger, people, runs)
        of_model = {version: str(rng.choice(list(runs))) for version in range(1, models_n + 1)}
        current: int | None = None
        for version, run_id in of_model.items():
            model(ledger, run_id, version)
            if rng.random() < 0.7:
                move = ledger.promote(
                    Move(
                        to_version=version,
                        expected_previous=current,
                        decision_sha256=sha(f"decision {version}"),
                        actor="ada",
                    )
                )
                moves.append((move.promoted_at, current, version))
                current = version
        took, wrong = [], []
        for number in range(questions):
            start = perf_counter()
            if number % 4:
                person = str(rng.choice(people))
                found = ledger.whereabouts(person)
                took.append(perf_counter() - start)
                held = sorted(run_id for run_id, own in runs.items() if person in own)
                versions = sorted(version for version, run_id in of_model.items() if run_id in held)
                live = [to for _, _, to in moves if to in versions]
                is_right = (
                    [one.dataset_version for one in found.holdings] == [f"d-{run_id}" for run_id in held]
                    and [run.run_id for run in found.runs] == held
                    and [one.version for one in found.models] == versions
                    and [one.version for one in found.periods if one.alias == "champion"] == live
                )
            else:
                at = NOON + timedelta(minutes=int(rng.integers(0, 3 + runs_n * 2 + models_n * 3)))
                periods, known = ledger.alias_periods(at), ledger.datasets_by(at)
                took.append(perf_counter() - start)
                before = [move for move in moves if move[0] <= at]
                now = [one.version for one in periods if one.alias == "champion" and one.until is None]
                is_right = now == ([before[-1][2]] if before else []) and len(known) == sum(
                    ledger_time <= at for ledger_time in dataset_times(tmp_path / "ledger.db")
                )
            wrong += [] if is_right else [number]
    assert not wrong, wrong[:5]
    p95 = float(np.quantile(took, 0.95))
    figure = (
        f"{never(questions)}; 95th percentile {1000 * p95:.0f} ms; {people_n} people, {runs_n} runs, {models_n} models"
    )
    state("An auditor's question answered otherwise than by going through everything", figure, questions)


def dataset_times(path: Path) -> list[datetime]:
    rows = sqlite3.connect(path).execute("SELECT created_at FROM dataset_versions").fetchall()
    return [datetime.fromisoformat(row[0]) for row in rows]


def edit(raw: sqlite3.Connection, rng: np.random.Generator, size: int) -> None:
    """One character of one field of an entry, or of a row that an entry covers."""
    tables = ["log", "consent_events", "dataset_members", "models", "decisions", "promotions", "runs"]
    table = str(rng.choice(tables))
    columns = [row[1] for row in raw.execute(f"PRAGMA table_info({table})") if row[2] == "TEXT"]
    column = str(rng.choice(columns))
    rows = raw.execute(f"SELECT rowid, {column} FROM {table} WHERE {column} IS NOT NULL AND {column} != ''").fetchall()
    rowid, value = rows[rng.integers(len(rows))]
    at = int(rng.integers(len(value)))
    other = "x" if value[at] != "x" else "y"
    raw.execute(f"UPDATE {table} SET {column} = ? WHERE rowid = ?", (value[:at] + other + value[at + 1 :], rowid))


def delete(raw: sqlite3.Connection, rng: np.random.Generator, size: int) -> None:
    table = str(rng.choice(["log", "consent_events", "dataset_members", "decisions", "models", "promotions"]))
    rows = raw.execute(f"SELECT rowid FROM {table}").fetchall()
    raw.execute(f"DELETE FROM {table} WHERE rowid = ?", rows[rng.integers(len(rows))])


def swap(raw: sqlite3.Connection, rng: np.random.Generator, size: int) -> None:
    one, other = (int(seq) for seq in rng.permutation(np.arange(1, size + 1))[:2])
    for old, new in ((one, -1), (other, one), (-1, other)):
        raw.execute("UPDATE log SET seq = ? WHERE seq = ?", (new, old))


def truncate(raw: sqlite3.Connection, rng: np.random.Generator, size: int) -> None:
    """The end of the log with all rows it covers: a chain that holds."""
    last = int(rng.integers(0, size))
    for table in (
        "promotions",
        "decisions",
        "models",
        "runs",
        "dataset_members",
        "dataset_versions",
        "consent_events",
        "notices",
    ):
        raw.execute(f"DELETE FROM {table} WHERE log_seq > ?", (last,))
    raw.execute("DELETE FROM log WHERE seq > ?", (last,))
    raw.execute("DELETE FROM aliases WHERE version NOT IN (SELECT to_version FROM promotions)")


def rewrite(raw: sqlite3.Connection, rng: np.random.Generator, size: int) -> None:
    """The log from some entry on with other times, every digest made again: a chain that holds."""
    from bitface.ledger.chain import entry_sha256

    first = int(rng.integers(1, size + 1))
    names = ("seq", "at", "kind", "payload", "previous_sha256")
    before = raw.execute("SELECT sha256 FROM log WHERE seq = ?", (first - 1,)).fetchone()
    previous = before[0] if before else "0" * 64
    for row in raw.execute(f"SELECT {', '.join(names)} FROM log WHERE seq >= ? ORDER BY seq", (first,)).fetchall():
        entry = dict(zip(names, row, strict=True)) | {"previous_sha256": previous}
        entry["at"] = utc_text(NOON + timedelta(days=int(rng.integers(1, 99))))
        previous = entry_sha256(entry)
        raw.execute(
            "UPDATE log SET at = ?, previous_sha256 = ?, sha256 = ? WHERE seq = ?",
            (entry["at"], entry["previous_sha256"], previous, entry["seq"]),
        )


@pytest.mark.parametrize("attack", [edit, delete, swap, truncate, rewrite], ids=lambda one: one.__name__)
def test_a_log_that_was_touched_is_found_against_the_checkpoint(
    template, tmp_path, attack, rounds, state, never
) -> None:
    n, missed = rounds(25, 1000), []
    with Ledger(sqlite_url(template)) as ledger:
        kept = ledger.checkpoint()
        assert ledger.verify_chain(kept).intact and kept.size > 8
    for seed in range(n):
        path = Path(shutil.copy(template, tmp_path / "touched.db"))
        raw = sqlite3.connect(path)
        raw.execute("PRAGMA foreign_keys=OFF")
        attack(raw, np.random.default_rng([34, seed]), kept.size)
        raw.commit()
        raw.close()
        missed += [seed] if holds(path, kept) else []
        for file in tmp_path.glob("touched.db*"):
            file.unlink()
    assert not missed, missed[:5]
    state(f"The log touched ({attack.__name__}), not found against a checkpoint", never(n), n)


def holds(path: Path, kept: Checkpoint) -> bool:
    with Ledger(sqlite_url(path)) as ledger:
        try:
            return ledger.verify_chain(kept).intact
        except BitfaceError:
            return False


def test_work_and_education_are_refused_every_time(rounds, state, never, tmp_path) -> None:
    """Training and prediction, for any purpose and evidence, with records that are none: for elsewhere, over, not begun, revoked, of an
    engineer, or of nobody's hand.
    """
    n, accepted = rounds(100, 200), []
    template = tmp_path / "template.db"
    with Ledger(sqlite_url(template), clock=lambda: NOON) as ledger:
        add_key("compliance", "compliance", tmp_path / "compliance.pem", ledger)
        add_key("engineer", "engineer", tmp_path / "engineer.pem", ledger, tmp_path / "compliance.pem")
    hands = {role: private_key(tmp_path / f"{role}.pem") for role in ("compliance", "engineer")}
    for seed in range(n):
        rng = np.random.default_rng([35, seed])
        context, other = (str(one) for one in rng.permutation(["workplace", "education"]))
        flaw = str(rng.choice(["none", "elsewhere", "over", "not begun", "revoked", "engineer", "forged"]))
        length = timedelta(hours=int(rng.integers(1, 9)))
        begins = {"over": NOON - length, "not begun": NOON + timedelta(hours=1)}.get(flaw, NOON - length / 2)
        approval = ContextApproval(
            context=other if flaw == "elsewhere" else context,
            reason=str(rng.choice(["medical", "safety"])),
            record_sha256=sha(str(seed)),
            valid_from=begins,
            valid_to=begins + length,
        )
        path = Path(shutil.copy(template, tmp_path / "office.db"))
        with Ledger(sqlite_url(path), clock=lambda: NOON) as ledger:
            if flaw in ("elsewhere", "over", "not begun", "revoked"):
                ledger.record_context(sign_context(approval, "approved", hands["compliance"]))
            if flaw == "revoked":
                ledger.record_context(sign_context(approval, "revoked", hands["compliance"]))
            if flaw in ("engineer", "forged"):
                slip_in(path, sign_context(approval, "approved", hands["engineer"]), flaw == "forged")
            approvals = ledger.context_approvals()
        purposes = str(rng.choice(["train", "benchmark"])), str(rng.choice(PURPOSES))
        evidence = str(rng.choice(["real", "mixed", "synthetic"]))
        for check, given in (
            (check_training, (purposes[0], context)),
            (check_prediction, (purposes[1], context, evidence)),
        ):
            try:
                check(*given, NOON, approvals)
                accepted.append((seed, flaw))
            except RefusedError:
                pass
        for file in tmp_path.glob("office.db*"):
            file.unlink()
    assert not accepted, accepted[:5]
    state("Workplace or education without an approved medical or safety record: accepted", never(2 * n), 2 * n)


def slip_in(path: Path, signed: SignedContext, in_anothers_name: bool) -> None:
    """Writes an approval past the ledger's door, which would not have taken it."""
    raw = sqlite3.connect(path)
    raw.execute("PRAGMA foreign_keys=OFF")
    (compliance,) = raw.execute("select key_id from keys where role = 'compliance'").fetchone()
    key_id = compliance if in_anothers_name else signed.key_id
    body = json.dumps(signed.approval.model_dump(mode="json"))
    row = (signed.approval.approval_id, "approved", body, key_id, signed.signature, utc_text(NOON), 1)
    raw.execute("insert into context_approvals values (?, ?, ?, ?, ?, ?, ?)", row)
    raw.commit()
    raw.close()
