"""The one decision on use: what everybody in a version allows as of now, from the ledger alone."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, fields
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace

import pytest
from hypothesis import given as each
from hypothesis import settings
from hypothesis import strategies as st

from bitface.consent.admission import Use, admit
from bitface.consent.events import ConsentEvent
from bitface.consent.known_sources import LONDON_LICENCE, london_consents, packaged_notice
from bitface.consent.policy import LicenceRecord, under_licence
from bitface.consent.vocabulary import CONTEXTS, PURPOSES
from bitface.errors import RefusedError
from bitface.ledger.engine import sqlite_url
from bitface.ledger.entries import DecisionEntry, MemberEntry, ModelEntry
from bitface.ledger.ledger import Ledger
from bitface.ledger.promotion import Move
from bitface.ledger.trust import Trust
from bitface.steps.audits.checkpoints import Checkpoints
from bitface.steps.people.admit import Members
from bitface.steps.people.contents import sample_of
from bitface.steps.retrain.plan import Run
from bitface.steps.studies.comparable import comparable
from bitface.steps.versions.gate import Rival
from bitface.steps.versions.rival import find_rival
from tests.builders import dataset_entry
from tests.draws import draws

START = datetime(2026, 6, 1, 12, tzinfo=UTC)
PEOPLE = [f"r{number:015d}" for number in range(4)]


@dataclass
class Clock:
    """A clock that a test sets."""

    now: datetime = START

    def __call__(self) -> datetime:
        return self.now


@dataclass
class Site:
    """A ledger with a model of people under one licence, passed by the gate."""

    ledger: Ledger
    clock: Clock
    begin: Callable[..., None]
    models: dict[str, ModelEntry] = field(default_factory=dict)

    def model_of(
        self,
        events: list[ConsentEvent],
        *,
        unasked: tuple[str, ...] = (),
        purpose: str = "train",
        licence: str = "l1",
        mark: str = "-",
    ) -> ModelEntry:
        self.ledger.record_consents(events)
        members = [(event.subject, event.event_id, event.sha256) for event in events] + [
            (p, None, None) for p in unasked
        ]
        version = f"d{len(self.models)}"
        rows = [
            MemberEntry(
                sample_id=f"{person}{mark}{version}",
                person=person,
                sample_sha256="a" * 64,
                split="train",
                licence_id=licence,
                consent_event_id=event_id,
                consent_event_sha256=sha256,
            )
            for person, event_id, sha256 in members
        ]
        entry = dataset_entry(len(rows), version=version, purpose=purpose, evidence="real")
        self.ledger.record_dataset(entry, rows)
        self.begin(self.ledger, f"run-{version}", version)
        model = self.ledger.record_model(
            ModelEntry(
                bundle_sha256=f"bundle {version}",
                weights_sha256="f" * 64,
                run_id=f"run-{version}",
                evidence="real",
                purpose=purpose,
            )
        )
        self.ledger.record_decision(
            DecisionEntry(
                decision_sha256=f"decision {version}",
                bundle_sha256=model.bundle_sha256,
                run_id=model.run_id,
                decision="promote",
                reasons=(),
            )
        )
        self.models[version] = model
        return model

    def refusal(self, model: ModelEntry, purpose: str = "infer", context: str = "research") -> str:
        """Why a use is refused; empty where it is not."""
        try:
            self.ledger.check_use(model, purpose, context)
        except RefusedError as error:
            return str(error)
        return ""


@pytest.fixture
def site(tmp_path: Path, begin) -> Iterator[Site]:
    clock = Clock()
    with Ledger(sqlite_url(tmp_path / "ledger.db"), clock=clock) as ledger:
        ledger.record_notice(packaged_notice("london-1"))
        ledger.record_consents((), (), [licence()])
        yield Site(ledger=ledger, clock=clock, begin=begin)


def licence(**changes: object) -> LicenceRecord:
    facts = {"id": "l1", "name": "any", "address": "somewhere", "purposes": PURPOSES, "contexts": CONTEXTS}
    return LicenceRecord.model_validate(facts | changes)


def given(person: str, **changes: object) -> ConsentEvent:
    """A consent of a real person to everything in research and safety."""
    (event,) = london_consents({person: "30_44"}, evidence_sha256="e" * 64, recorded_at=START)
    facts = {
        "purposes": PURPOSES,
        "contexts": ("research", "safety"),
        "event_id": f"{person}-1",
        "record_id": f"{person}-r",
    }
    return ConsentEvent.model_validate(event.model_dump() | facts | changes)


def withdrawn(person: str, **changes: object) -> ConsentEvent:
    facts = {"event_id": f"{person}-2", "state": "withdrawn", "purposes": (), "event_time": START, "recorded_at": START}
    return given(person, **(facts | changes))


def test_a_use_that_everybody_allows_is_let_through(site: Site) -> None:
    model = site.model_of([given(person) for person in PEOPLE])
    assert site.refusal(model) == "" and site.refusal(model, "demo", "safety") == ""
    assert site.ledger.status(model).contexts == ("research", "safety")


@pytest.mark.parametrize(
    ("mark", "kinds", "is_let_through"),
    [
        ("-points-", ("landmarks",), True),
        ("-points-", ("image", "video"), False),
        ("-", ("landmarks",), False),
        ("-", ("image",), True),
    ],
)
def test_a_model_of_points_rests_on_consent_for_points_and_one_of_pictures_on_pictures(
    site: Site, mark: str, kinds: tuple[str, ...], is_let_through: bool
) -> None:
    """The ledger knows by the ids of its samples, when the dataset is long gone."""
    model = site.model_of([given(person, data_kinds=kinds) for person in PEOPLE], mark=mark)
    why = site.refusal(model)
    assert (why == "") is is_let_through and (is_let_through or "is not listed" in why)


@pytest.mark.parametrize("context", ["consumer", "medical"])
def test_a_context_that_one_of_them_does_not_allow_is_refused(site: Site, context: str) -> None:
    contexts = ("research", "consumer", "medical")
    model = site.model_of([given(PEOPLE[0], contexts=contexts), given(PEOPLE[1])])
    why = site.refusal(model, context=context)
    assert f"1 of 2 people in bitface/1 does not allow infer in context {context}" in why
    assert PEOPLE[1] not in why


def test_a_purpose_that_nobody_consented_to_is_refused(site: Site) -> None:
    model = site.model_of([given(person, purposes=("train", "evaluate")) for person in PEOPLE])
    assert site.refusal(model, "evaluate") == ""
    assert "4 of 4" in site.refusal(model, "demo")
    assert site.ledger.status(model).purposes == ("evaluate",)


@pytest.mark.parametrize("purposes", [(), ("train",), ("infer",)])
def test_after_a_withdrawal_nothing_is_answered_that_rests_on_it(site: Site, purposes: tuple[str, ...]) -> None:
    """Of everything, of the training alone, of this use alone."""
    model = site.model_of([given(person) for person in PEOPLE])
    site.ledger.record_consents([withdrawn(PEOPLE[2], purposes=purposes)])
    assert "1 of 4 people" in site.refusal(model)
    status = site.ledger.status(model)
    assert site.ledger.is_lawful(model) is (purposes == ("infer",))
    assert ("SUSPENDED" in status.line) is (purposes != ("infer",))


def test_consents_that_end_end_the_use(site: Site) -> None:
    model = site.model_of([given(PEOPLE[0]), given(PEOPLE[1], valid_to=START + timedelta(days=30))])
    site.clock.now = START + timedelta(days=30, microseconds=-1)
    assert site.refusal(model) == ""
    site.clock.now = START + timedelta(days=30)
    assert "expired" in site.refusal(model) and "no longer" in site.ledger.status(model).state


def test_a_licence_that_allows_less_counts_from_then_on(site: Site) -> None:
    model = site.model_of([given(person) for person in PEOPLE])
    site.ledger.record_consents((), (), [licence(contexts=("safety",))])
    assert "licence" in site.refusal(model) and not site.ledger.is_lawful(model)
    site.ledger.record_consents((), (), [licence(purposes=("train",))])
    assert "licence does not allow purpose infer" in site.refusal(model)


def test_pictures_whose_licence_nobody_answered_for_serve_nothing(site: Site) -> None:
    model = site.model_of([given(person) for person in PEOPLE], licence="unheard-of")
    assert "no licence" in site.refusal(model)


def test_a_licence_alone_serves_a_benchmark_until_its_person_speaks(site: Site) -> None:
    model = site.model_of([], unasked=tuple(PEOPLE), purpose="benchmark")
    assert site.refusal(model, "benchmark") == ""
    assert "do not allow demo" in site.refusal(model, "demo")
    site.ledger.record_consents([withdrawn(PEOPLE[0])])
    assert "1 of 4 people" in site.refusal(model, "benchmark")


def test_the_licence_of_synthetic_people_is_not_for_anybody_to_record(site: Site) -> None:
    site.ledger.record_consents((), (), [licence(id="synthetic", purposes=("train",))])
    assert "infer" in site.ledger.licences()["synthetic"].purposes


def after(days: int) -> datetime:
    return START + timedelta(days=days)


def doors(site: Site, model: ModelEntry) -> dict[str, Callable[[], object]]:
    """Every way to a version, of which none may let through what another one refuses."""
    to, alias = model.version, site.ledger.champion()
    before = alias.version if alias else None
    decided = {"expected_previous": before, "actor": "test"}
    (decision,) = site.ledger.decisions(model.bundle_sha256)
    return {
        "use": lambda: site.ledger.check_use(model, "infer", "research"),
        "comparison": lambda: site.ledger.check_judged(model),
        "lawful": lambda: site.ledger.check_lawful(model),
        "promotion": lambda: site.ledger.promote(
            Move(to_version=to, decision_sha256=decision.decision_sha256, **decided)
        ),
        "rollback": lambda: site.ledger.promote(Move(to_version=to, decision_sha256=None, kind="rollback", **decided)),
    }


def refused_everywhere(site: Site, model: ModelEntry, words: str) -> None:
    for name, door in doors(site, model).items():
        with pytest.raises(RefusedError) as refused:
            door()
        said = str(refused.value)
        assert words in said and "\n" not in said, (name, said)
        assert not [person for person in PEOPLE if person in said]
    assert not site.ledger.is_lawful(model)
    status = site.ledger.status(model)
    assert not status.is_lawful and status.purposes == () and "not live" in status.line


@pytest.mark.parametrize("ended", ["valid_to", "delete_by"])
@pytest.mark.parametrize("written", ["a consent", "a withdrawal of somebody else", "a run", "a licence"])
def test_a_clock_that_is_set_back_re_admits_nobody(site: Site, begin, ended: str, written: str) -> None:
    """Whatever was written down when the consent was over: the log has seen that time."""
    model = site.model_of([given(PEOPLE[0]), given(PEOPLE[1], **{ended: after(30)})])
    site.ledger.promote(
        Move(to_version=model.version, expected_previous=None, decision_sha256="decision d0", actor="test")
    )
    site.clock.now = after(31)
    {
        "a consent": lambda: site.ledger.record_consents([given(PEOPLE[2], recorded_at=after(31))]),
        "a withdrawal of somebody else": lambda: site.ledger.record_consents([withdrawn(PEOPLE[3])]),
        "a run": lambda: begin(site.ledger, "another", "d0"),
        "a licence": lambda: site.ledger.record_consents((), (), [licence(id="l2")]),
    }[written]()
    words = "expired" if ended == "valid_to" else "retention period has ended"
    for days in (31, 0, -400, 29):
        site.clock.now = after(days)
        assert words in site.refusal(model)
    if written == "a run":
        refused_everywhere(site, model, words)
    behind = "the clock of this machine is 2 days, 0:00:00 behind the log"
    assert behind in site.refusal(model) and site.refusal(model).endswith("set the clock where it is this one")
    assert site.ledger.standing(model, after(29)).people == 1
    assert site.ledger.refusing_judgement("d0") == {PEOPLE[1]}
    again = given(PEOPLE[1], event_id="again", event_time=after(29), valid_from=after(29), recorded_at=after(29))
    site.ledger.record_consents([again])
    assert site.refusal(model) == "", "a new consent, which ends later"


def test_a_log_that_a_fast_clock_wrote_begins_nothing_early(site: Site) -> None:
    model = site.model_of([given(PEOPLE[0]), given(PEOPLE[1], valid_from=after(30))])
    site.clock.now = after(60)
    site.ledger.record_consents((), (), [licence(id="l2")])
    site.clock.now = after(1)
    assert "not yet valid" in site.refusal(model)
    site.clock.now = after(30)
    assert site.refusal(model) == ""


def test_clocks_that_are_seconds_apart_are_not_told(site: Site) -> None:
    model = site.model_of([given(PEOPLE[0], valid_to=after(30))])
    site.clock.now = after(30)
    site.ledger.record_consents((), (), [licence(id="l2")])
    site.clock.now = after(30) - timedelta(minutes=1)
    assert "expired" in site.refusal(model) and "clock" not in site.refusal(model)


@pytest.fixture
def restored(tmp_path: Path, begin) -> Iterator[tuple[Site, set[str]]]:
    """A site whose ledger is older than what is known beside it of the erased: those in the set."""
    gone: set[str] = set()
    ends = Checkpoints(home=tmp_path, place=None, learn=lambda *_: 0, warn=print, now=lambda: START)
    trust = Trust(tmp_path / "note", tmp_path / "key", ends, erased=lambda people: frozenset(gone.intersection(people)))
    clock = Clock()
    with Ledger(sqlite_url(tmp_path / "ledger.db"), clock=clock, trust=trust) as ledger:
        ledger.record_notice(packaged_notice("london-1"))
        ledger.record_consents((), (), [licence()])
        yield Site(ledger=ledger, clock=clock, begin=begin), gone


def test_whom_the_book_of_the_erased_knows_is_used_through_no_door(restored) -> None:
    site, gone = restored
    model, other = site.model_of([given(one) for one in PEOPLE[:2]]), site.model_of([given(PEOPLE[2])])
    for one in (model, other):
        door = doors(site, one)
        door["promotion"]()
        assert [name for name in ("use", "comparison", "lawful") if door[name]() is not None] == []
    gone.add(PEOPLE[1])
    refused_everywhere(site, model, "run `bitface erase --resume`")
    assert site.ledger.status(model).retired and site.ledger.forgotten() == {PEOPLE[1]}
    assert site.refusal(other) == "" and site.ledger.is_lawful(other)
    site.ledger.record_erasure("e1", [PEOPLE[1]], "f" * 64)
    assert "run `bitface retrain`" in site.refusal(model) and "--resume" not in site.refusal(model)
    assert site.ledger.forgotten() == frozenset()


EVENTS = st.lists(
    st.tuples(
        st.sampled_from(PEOPLE),
        st.sampled_from(("given", "withdrawn", "refused", "reaffirmed")),
        st.sets(st.sampled_from(("train", "infer", "demo")), min_size=1),
        st.sets(st.sampled_from(("research", "safety")), min_size=1),
        st.integers(-3, 3),
    ),
    max_size=12,
)


@settings(max_examples=draws(20, 8), deadline=None)
@each(events=EVENTS)
def test_people_who_are_taken_together_are_answered_like_each_alone(tmp_path_factory, begin, events) -> None:
    """Against the rule itself, person by person, after any history."""
    clock = Clock()
    with Ledger(sqlite_url(tmp_path_factory.mktemp("l") / "ledger.db"), clock=clock) as ledger:
        notice = packaged_notice("london-1")
        ledger.record_notice(notice)
        ledger.record_consents((), (), [licence()])
        site = Site(ledger=ledger, clock=clock, begin=begin)
        model = site.model_of([given(person) for person in PEOPLE])
        for number, (person, state, purposes, contexts, days) in enumerate(events):
            at = START + timedelta(days=days)
            facts = {"event_id": f"e{number}", "state": state, "event_time": at, "recorded_at": max(at, START)}
            ledger.record_consents([given(person, purposes=tuple(purposes), contexts=tuple(contexts), **facts)])
        clock.now = START + timedelta(days=5)
        for purpose, context in (("infer", "research"), ("demo", "safety")):
            answers = [
                under_licence(
                    licence(),
                    admit(
                        ledger.consents(one),
                        one,
                        Use(purpose=asked, context=where),
                        clock.now,
                        {notice.sha256: notice.notice_id},
                    ),
                    asked,
                    where,
                ).admitted
                for one in PEOPLE
                for asked, where in (("train", "research"), (purpose, context))
            ]
            assert (site.refusal(model, purpose, context) == "") is all(answers)


def test_the_london_set_is_not_for_demonstrations(site: Site) -> None:
    """Its terms name research, and no demo: what its makers never said is not read into them."""
    site.ledger.record_consents((), (), [LONDON_LICENCE])
    events = list(london_consents(dict.fromkeys(PEOPLE, "30_44"), evidence_sha256="e" * 64, recorded_at=START))
    model = site.model_of(events, licence=LONDON_LICENCE.id)
    assert site.refusal(model) == "" and "do not allow demo" in site.refusal(model, "demo")
    assert site.ledger.status(model).purposes == ("evaluate", "fairness_test", "infer", "benchmark")


@pytest.mark.parametrize("purposes", [("evaluate",), ()])
def test_a_version_is_compared_while_everybody_in_it_allows_an_evaluation(
    site: Site, purposes: tuple[str, ...]
) -> None:
    """Of the evaluation alone, or of everything; `infer` says nothing of it."""
    model = site.model_of([given(person) for person in PEOPLE])
    site.ledger.record_consents([withdrawn(PEOPLE[0], purposes=("infer",))])
    site.ledger.check_judged(model)
    assert site.ledger.refusing_judgement("d0") == frozenset()
    later = withdrawn(PEOPLE[2], purposes=purposes, event_id="later", record_id=f"{PEOPLE[2]}-r")
    site.ledger.record_consents([later])
    with pytest.raises(RefusedError, match="1 of 4 people in"):
        site.ledger.check_judged(model)
    assert site.ledger.refusing_judgement("d0") == {PEOPLE[2]}
    assert site.ledger.is_lawful(model) is bool(purposes)


def test_by_licence_and_by_time_a_comparison_ends_too(site: Site) -> None:
    model = site.model_of([given(person, valid_to=START + timedelta(days=1)) for person in PEOPLE])
    site.ledger.record_consents((), (), [licence(purposes=("train", "infer"))])
    with pytest.raises(RefusedError, match="licence does not allow purpose evaluate"):
        site.ledger.check_judged(model)
    site.clock.now = START + timedelta(days=1)
    assert site.ledger.refusing_judgement("d0") == set(PEOPLE)


def test_of_a_benchmark_a_comparison_is_a_part(site: Site) -> None:
    model = site.model_of([], unasked=tuple(PEOPLE), purpose="benchmark")
    site.ledger.check_judged(model)


def test_a_champion_that_may_not_be_compared_with_blocks_and_is_not_opened(site: Site, monkeypatch) -> None:
    """A candidate that nobody could compare is not better: required cells are NOT-RUN. One withdrawn altogether gives way, as before."""
    model = site.model_of([given(person) for person in PEOPLE])
    monkeypatch.setattr(Ledger, "champion", lambda *_: model)

    def found() -> tuple[Rival | None, str | None]:
        run = SimpleNamespace(evidence="real")
        return find_rival(run, None, None, site.ledger, Path("none"), None, lambda: pytest.fail("it was opened"))  # type: ignore[arg-type]

    site.ledger.record_consents([withdrawn(PEOPLE[0], purposes=("evaluate",))])
    rival, told = found()
    assert rival == Rival(version="1", predictions=None)
    assert told is not None and "1 of 4 people" in told and "policy" in told and PEOPLE[0] not in told
    site.ledger.record_consents([withdrawn(PEOPLE[1], event_id="all")])
    rival, told = found()
    assert rival is None and told is not None and "to be replaced" in told


def test_of_a_run_only_those_are_judged_beside_it_who_allow_that(site: Site, monkeypatch) -> None:
    site.model_of([given(person) for person in PEOPLE])
    monkeypatch.setattr("bitface.steps.studies.comparable.dataset_entry_version", lambda _: "d0")
    people = {person: object() for person in PEOPLE}
    members = Members(
        samples=tuple(sample_of(f"{person}-1", person, "a" * 64, "fear", 1, 0.0) for person in PEOPLE),
        admissions=people,  # type: ignore[arg-type]
        consent_snapshot_sha256="c" * 64,
        quarantined=(),
        folds=dict.fromkeys(PEOPLE, 0),
    )
    run = Run(
        **dict.fromkeys((one.name for one in fields(Run)), None) | {"members": members, "subjects": people}  # type: ignore[arg-type]
    )
    assert comparable(run, site.ledger) == (run, None)
    site.ledger.record_consents([withdrawn(PEOPLE[3], purposes=("evaluate",))])
    kept, told = comparable(run, site.ledger)
    left = set(PEOPLE[:3])
    assert told is not None and "1 of 4 people" in told
    assert {one.person for one in kept.members.samples} == left
    assert kept.members.folds.keys() == kept.members.admissions.keys() == kept.subjects.keys() == left


@pytest.mark.parametrize(
    ("changes", "context", "is_let_through"),
    [({}, "research", True), ({}, "consumer", False), ({"purposes": ("train",)}, "research", False)],
)
def test_a_picture_is_used_as_its_person_and_its_licence_allow(site: Site, changes, context, is_let_through) -> None:
    site.ledger.record_consents([given(PEOPLE[0], **changes)])
    asked = Use(purpose="publish_image", context=context, kind="image")
    for licence_id, is_known in (("l1", True), (None, True), ("unheard-of", False)):
        if is_let_through and is_known:
            site.ledger.check_picture(PEOPLE[0], licence_id, asked)
            continue
        with pytest.raises(RefusedError) as refused:
            site.ledger.check_picture(PEOPLE[0], licence_id, asked)
        assert PEOPLE[0] not in str(refused.value)
