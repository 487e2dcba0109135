"""What was edited behind the ledger's back opens nothing, and what nobody touched is not walked again."""

from __future__ import annotations

import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing, suppress
from datetime import UTC, datetime
from pathlib import Path

import pytest

from bitface.adapters.checkpoint_places.folder import FolderPlace
from bitface.consent.events import ConsentEvent
from bitface.consent.known_sources import packaged_notice, synthetic_consents
from bitface.errors import IntegrityError, RefusedError
from bitface.ledger import chain, tables
from bitface.ledger.engine import sqlite_url
from bitface.ledger.entries import Checkpoint, DecisionEntry, ModelEntry
from bitface.ledger.ledger import Ledger
from bitface.ledger.promotion import Move
from bitface.ledger.trust import Trust
from bitface.steps.audits.checkpoint_files import FOLDER, keep_checkpoint
from bitface.steps.audits.checkpoints import Checkpoints

NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)
PEOPLE = [f"s{number:015d}" for number in range(5)]


def trusted(home: Path, elsewhere: Path | None = None) -> Ledger:
    """A ledger as a command of the installation opens it."""
    trust = Trust(
        note=home / "ledger.verified",
        key=home / "keys" / "ledger.key",
        ends=Checkpoints(
            home=home,
            place=FolderPlace(elsewhere) if elsewhere else None,
            learn=lambda *_: 0,
            warn=print,
            now=lambda: NOON,
        ),
    )
    return Ledger(sqlite_url(home / "ledger.db"), clock=lambda: NOON, trust=trust)


@pytest.fixture
def home(tmp_path: Path, written: Path) -> Path:
    """A home with two versions, the first of them champion, and the second one held; verified, as after any command."""
    shutil.copytree(written, tmp_path, dirs_exist_ok=True)
    with trusted(tmp_path) as ledger:
        ledger.check_intact()
    return tmp_path


@pytest.fixture
def just_written(tmp_path: Path, freeze, begin) -> Path:
    return write(tmp_path, freeze, begin)


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory, freeze, begin) -> Path:
    return write(tmp_path_factory.mktemp("written"), freeze, begin)


def write(home: Path, freeze: Callable[..., None], begin: Callable[..., None]) -> Path:
    with trusted(home) as ledger:
        ledger.record_notice(packaged_notice("synthetic-1"))
        consents = synthetic_consents(PEOPLE)
        ledger.record_consents(consents)
        freeze(ledger, "d1", consents)
        for number, verdict in ((1, "promote"), (2, "hold")):
            begin(ledger, f"run{number}", "d1")
            ledger.record_model(
                ModelEntry(
                    bundle_sha256=f"b{number}",
                    weights_sha256="w",
                    run_id=f"run{number}",
                    evidence="synthetic",
                    purpose="train",
                )
            )
            ledger.record_decision(
                DecisionEntry(
                    decision_sha256=f"d{number}",
                    bundle_sha256=f"b{number}",
                    run_id=f"run{number}",
                    decision=verdict,
                    reasons=(),
                )
            )
        ledger.promote(Move(to_version=1, expected_previous=None, decision_sha256="d1", actor="test"))
    return home


def edit(home: Path, statement: str, *values: object) -> int:
    """What somebody with a database client does; how many rows it changed."""
    with closing(sqlite3.connect(home / "ledger.db", isolation_level=None)) as raw:
        return raw.execute(statement, values).rowcount


@pytest.fixture
def walks(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Grows by one with each walk of the whole log."""
    found: list[int] = []
    whole = chain.verify
    monkeypatch.setattr(chain, "verify", lambda *given: found.append(1) or whole(*given))
    return found


def test_a_file_that_nobody_touched_is_not_walked_again(just_written, walks) -> None:
    for _ in range(3):
        with trusted(just_written) as ledger:
            ledger.check_use(ledger.champion(), "demo", "research")
    assert len(walks) == 0, "the command that wrote it had verified it, and nobody wrote since"


def test_what_this_installation_writes_itself_needs_no_walk(home, walks) -> None:
    with trusted(home) as ledger:
        ledger.check_intact()
        ledger.record_consents(synthetic_consents(["s" + "7" * 15]))
        ledger.check_intact()
    with trusted(home) as ledger:
        ledger.check_intact()
    assert walks == []


def test_another_hand_makes_the_next_decision_walk_once(home, walks) -> None:
    assert edit(home, "update ledger_schema set version = version") == 1
    for _ in range(3):
        with trusted(home) as ledger:
            ledger.check_use(ledger.champion(), "demo", "research")
    assert len(walks) == 1


@pytest.mark.parametrize("forged", ["state", "seal", "text", "key"])
def test_a_note_that_was_made_up_is_none(home, walks, forged: str) -> None:
    note = home / "ledger.verified"
    kept = note.read_text()
    edit(home, "update decisions set decision = 'promote'")
    if forged == "key":
        (home / "keys" / "ledger.key").write_bytes(b"0" * 32)
    note.write_text(
        {"state": kept.replace('"bytes"', '"bytes" '), "seal": kept.replace("a", "b"), "text": "{}", "key": kept}[
            forged
        ]
    )
    with trusted(home) as ledger, pytest.raises(IntegrityError, match="not as bitface wrote it"):
        ledger.check_intact()


def test_an_edit_beside_an_open_command_is_seen_by_its_next_decision(home) -> None:
    with trusted(home) as ledger:
        ledger.check_use(ledger.champion(), "demo", "research")
        edit(home, "update models set evidence = 'real'")
        with pytest.raises(IntegrityError):
            ledger.check_use(ledger.champion(), "infer", "consumer")
        with pytest.raises(IntegrityError):
            ledger.promote(Move(to_version=2, expected_previous=1, decision_sha256="d2", actor="test"))


def test_a_decision_that_was_edited_from_hold_to_promote_promotes_nothing(home) -> None:
    edit(home, "update decisions set decision = 'promote' where decision = 'hold'")
    with trusted(home) as ledger, pytest.raises(IntegrityError):
        ledger.promote(Move(to_version=2, expected_previous=1, decision_sha256="d2", actor="test"))
    with trusted(home) as ledger:
        assert ledger.champion().version == 1


def test_a_withdrawal_can_be_recorded_in_a_ledger_that_opens_nothing(home) -> None:
    """What closes is never kept out: it is on record when the ledger is restored."""
    edit(home, "delete from notices")
    (event,) = synthetic_consents(PEOPLE[:1])
    closing_event = event.model_copy(
        update={"event_id": "end", "state": "withdrawn", "event_time": NOON, "recorded_at": NOON}
    )
    with trusted(home) as ledger:
        assert ledger.record_consents([closing_event]) == 1


def test_a_home_that_was_put_back_is_noticed_by_a_checkpoint_elsewhere(home, tmp_path_factory, freeze, begin) -> None:
    """The whole home as it was before a withdrawal: files, notes, keys and its own checkpoints."""
    away, backup = tmp_path_factory.mktemp("away"), tmp_path_factory.mktemp("backup") / "home"
    with trusted(home, away) as ledger:
        ledger.record_consents(synthetic_consents(["s" + "8" * 15]))
    shutil.copytree(home, backup)
    with trusted(home, away) as ledger:
        (event,) = synthetic_consents(PEOPLE[:1])
        ledger.record_consents([event.model_copy(update={"event_id": "end", "state": "withdrawn"})])
    assert len(list(away.iterdir())) == 2
    with trusted(backup, away) as ledger, pytest.raises(IntegrityError, match="the log was cut"):
        ledger.check_intact()


def withdrawal(person: str, number: int = 0) -> ConsentEvent:
    """What closes for somebody, as the log has it."""
    (event,) = synthetic_consents([person])
    return event.model_copy(update={"event_id": f"end-{person}-{number}", "state": "withdrawn"})


@pytest.mark.parametrize("writes", [1, 3, 9])
def test_a_home_that_was_put_back_does_not_overtake_the_newer_one_by_what_it_records(
    home, tmp_path_factory, writes: int
) -> None:
    """What closes is recorded in it all the same, and signed nowhere: its log is shorter at first, and then longer than the newer one."""
    away, backup = tmp_path_factory.mktemp("away"), tmp_path_factory.mktemp("backup") / "home"
    with trusted(home, away) as ledger:
        ledger.record_consents([withdrawal(PEOPLE[1])])
    shutil.copytree(home, backup)
    with trusted(home, away) as ledger:
        ledger.record_consents([withdrawal(PEOPLE[0])])
        ledger.record_consents([withdrawal(PEOPLE[2])])
    newest = {path.name: path.read_bytes() for path in away.iterdir()}
    for number in range(writes):
        with trusted(backup, away) as ledger:
            assert ledger.record_consents([withdrawal(PEOPLE[3], number)]) == 1
            with pytest.raises(IntegrityError, match=r"was (cut|rewritten)"):
                ledger.check_intact()
    assert {path.name: path.read_bytes() for path in away.iterdir()} == newest
    with trusted(home, away) as ledger:
        ledger.check_intact()


def withdrawn_and_killed(home: Path, away: Path, place: str) -> None:
    """Recorded, and killed before its end of the log was signed: at home too, or elsewhere alone."""

    def dies(_: Checkpoints, ended: Checkpoint, __: object) -> None:
        if place == "elsewhere":
            keep_checkpoint(ended, home, NOON)
        raise KeyboardInterrupt

    with trusted(home, away) as ledger:
        ledger.record_consents([withdrawal(PEOPLE[1])])
    killed = trusted(home, away)  # not closed: whoever is killed notes nothing
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Checkpoints, "sign", dies)
        with pytest.raises(KeyboardInterrupt):
            killed.record_consents([withdrawal(PEOPLE[0])])


def newest(away: Path) -> int:
    return max(int(path.stem) for path in away.iterdir())


def asked_of(ledger: Ledger, door: str) -> None:
    """A decision, whatever it comes to."""
    with suppress(RefusedError):
        {
            "intact": ledger.check_intact,
            "use": lambda: ledger.check_use(ledger.champion(), "demo", "research"),
            "any use": lambda: ledger.check_any_use("infer", "workplace"),
            "lawful": lambda: ledger.is_lawful(ledger.champion()),
            "promotion": lambda: ledger.promote(
                Move(to_version=1, expected_previous=1, decision_sha256="d1", actor="test")
            ),
        }[door]()


@pytest.mark.parametrize("place", ["both", "elsewhere"])
@pytest.mark.parametrize("door", ["intact", "use", "any use", "lawful", "promotion"])
def test_what_closed_before_a_kill_is_signed_by_the_next_command_that_decides(
    home, tmp_path_factory, place: str, door: str
) -> None:
    """Also where that one refuses; and where it is killed before it has signed, by the one after it."""
    away = tmp_path_factory.mktemp("away")
    withdrawn_and_killed(home, away, place)
    with pytest.MonkeyPatch.context() as patch:
        for name in ("sign", "compared"):
            patch.setattr(Checkpoints, name, lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
        with suppress(KeyboardInterrupt):
            asked_of(trusted(home, away), door)
    with trusted(home, away) as ledger:
        size = ledger.checkpoint().size
        assert newest(away) < size
        asked_of(ledger, door)
        assert ledger.checkpoint().size == size
    assert newest(away) == size and (home / FOLDER / f"{size:08d}.json").is_file()


def test_an_older_home_signs_nothing_when_it_is_asked(home, tmp_path_factory) -> None:
    away, backup = tmp_path_factory.mktemp("away"), tmp_path_factory.mktemp("backup") / "home"
    withdrawn_and_killed(home, away, "both")
    shutil.copytree(home, backup)
    with trusted(home, away) as ledger:
        ledger.record_consents([withdrawal(PEOPLE[2])])
    known = {path.name: path.read_bytes() for path in away.iterdir()}
    own = {path.name for path in (backup / FOLDER).iterdir()}
    with trusted(backup, away) as older, pytest.raises(IntegrityError, match="was cut"):
        older.check_intact()
    assert {path.name: path.read_bytes() for path in away.iterdir()} == known
    assert {path.name for path in (backup / FOLDER).iterdir()} == own


def test_a_ledger_of_before_is_given_the_index_by_which_its_latest_time_is_found(home) -> None:
    edit(home, "drop index log_by_at")
    edit(home, "update ledger_schema set version = 7")
    with trusted(home) as ledger:
        assert ledger.latest_entry_at() == NOON
        ledger.check_intact()
    with closing(sqlite3.connect(home / "ledger.db")) as raw:
        (plan,) = raw.execute("explain query plan select max(at) from log")
    assert "log_by_at" in plan[3]


@pytest.mark.parametrize("place", ["both", "elsewhere"])
def test_what_closed_before_a_kill_is_signed_by_the_next_write(home, tmp_path_factory, place: str) -> None:
    """Whoever says it again writes nothing new."""
    away = tmp_path_factory.mktemp("away")
    withdrawn_and_killed(home, away, place)
    with trusted(home, away) as ledger:
        size = ledger.checkpoint().size
        assert max(int(path.stem) for path in away.iterdir()) < size
        assert ledger.record_consents([withdrawal(PEOPLE[0])]) == 0
        assert ledger.checkpoint().size == size
    assert max(int(path.stem) for path in away.iterdir()) == size


def test_a_cut_behind_the_last_checkpoint_of_home_is_seen(home) -> None:
    """Its last entries, with every row they wrote: the links that are left all hold."""
    last = edit(home, "select 1") and max(int(path.stem) for path in (home / FOLDER).iterdir())
    for table in tables.CHAINED:
        edit(home, f"delete from {table.name} where log_seq >= ?", last)  # noqa: S608 - our own names
    edit(home, "delete from log where seq >= ?", last)
    edit(home, "delete from aliases")
    with trusted(home) as ledger, pytest.raises(IntegrityError, match="cut"):
        ledger.check_intact()


@pytest.mark.tools
def test_nothing_of_trust_is_needed_to_read_or_to_write(home) -> None:
    """Where neither note nor key can be written, a decision walks the log and goes on."""
    program = "import sys; from pathlib import Path; sys.path.insert(0, sys.argv[2]); from test_trust import trusted\n"
    program += "with trusted(Path(sys.argv[1])) as ledger: ledger.check_intact()"
    (home / "ledger.verified").unlink()
    (home / "ledger.verified").mkdir()
    done = subprocess.run(
        [sys.executable, "-c", program, str(home), str(Path(__file__).parent)], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr[-1000:]
