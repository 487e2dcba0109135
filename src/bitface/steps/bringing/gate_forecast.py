"""`bitface data import --dry-run` forecasts the gate: with the people there would be, what could be decided, and who is missing."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from bitface.consent.admission import Admission
from bitface.consent.events import ConsentEvent
from bitface.consent.known_sources import packaged_notice, synthetic_consents
from bitface.consent.policy import TRAINING_PURPOSES
from bitface.counted_words import counted, counted_people
from bitface.dataset.swap import read_unchanged
from bitface.errors import InputError, RefusedError
from bitface.faces.records import Sample, SubjectRecord, is_synthetic
from bitface.faces.splits import named_splits
from bitface.gate.chances import ONE_BIT_LOSS, assumed_accuracy
from bitface.gate.forecast import BINARIZATION, EMOTION, JudgedPerson, SliceForecast, emotions_shown, forecast_slices
from bitface.gate.unknown import UNKNOWN
from bitface.params import GateParams, Params, SplitParams
from bitface.steps.people.admit import Members, Quarantined, admit_members, choose_members
from bitface.steps.people.contents import content_of
from bitface.steps.people.dataset_status import subjects_of
from bitface.steps.people.intake_decision import Decision, Intake
from bitface.steps.people.writing import Stores
from bitface.steps.retrain.plan import check_people
from bitface.steps.retrain.terms import advising, unknown_of

_ROWS_MOST: Final = 18
_NOTES_MOST: Final = 4
_HEAD: Final = (
    f"  {'row':<22}{'people':>7}{'judge':>6}  {'verdict':<11}"
    f"{'passes from':>11}{'gap up to':>10}{'gap shown':>10}  import more"
)
_LEGEND: Final = (
    "  passes from: the gate passes these people from this measured accuracy on (emotion: balanced accuracy)",
    "  gap up to: and up to this measured gap to all others, below 0 only if ahead of them (binarization: loss)",
    "  -: no measured figure passes with so few people",
)


@dataclass(frozen=True, kw_only=True)
class SliceRow:
    """A slice of `gate.forecast`, with how many of the usable people are in it, and how many more to import, None where no number helps."""

    slice: SliceForecast
    usable: int
    to_import: int | None


@dataclass(frozen=True, kw_only=True)
class GateForecast:
    """The gate as it would be after an import. `accuracy`: the share of right answers that is assumed, of everybody alike, because
    there are so many `emotions`.

    `usable`: people who may be used for the purpose in the context, of `people`; `judged`: those of them who judge, `judged_by` says how
    they are chosen. `impossible`: what no number of the people there are decides, with the parameter to narrow.
    """

    purpose: str
    context: str
    accuracy: float
    emotions: int
    people: int
    usable: int
    judged: int
    judged_by: str
    rows: tuple[SliceRow, ...]
    impossible: tuple[str, ...]
    notes: tuple[str, ...]

    def text(self) -> str:
        """A table for a person, under 30 lines of at most 100 columns; what is impossible, and notes, may be longer."""
        lines = [
            f"Forecast for purpose {self.purpose}, context {self.context}: {self.usable} of {counted_people(self.people)} usable,",
            f"  {self.judged} judge ({self.judged_by})",
        ]
        if self.rows:
            lines += [*self._assumed(), "", _HEAD]
        lines += _first([_line(row, self.accuracy) for row in self.rows if row.slice.value != UNKNOWN], _ROWS_MOST)
        if self.rows:
            lines += _LEGEND
        lines += _first([*self.impossible, *self.notes], _NOTES_MOST)
        return "\n".join(lines)

    def _assumed(self) -> list[str]:
        return [
            f"  assumed: the model is right {self.accuracy:.0%} of the time for everyone, a usual figure with "
            f"{counted(self.emotions, 'emotion')}",
            f"  (guessing is right {1 / max(self.emotions, 1):.0%} of the time); one bit costs {ONE_BIT_LOSS:.2f} of balanced accuracy",
        ]


def forecast_gate(decision: Decision, intake: Intake, stores: Stores, params: Params, at: datetime) -> GateForecast:
    """What the gate could decide if this import were made: everyone here and everyone taken, by the splits that a retrain would make."""
    return read_unchanged(stores.data, lambda: _forecast(_after(decision, intake, stores, at), stores, params))


@dataclass(frozen=True, kw_only=True)
class _After:
    """The dataset as it would be, and, of each training purpose, who of it may be used."""

    samples: tuple[Sample, ...]
    subjects: Mapping[str, SubjectRecord]
    content: Mapping[str, str]
    events: tuple[ConsentEvent, ...]
    notices: Mapping[str, str]
    decision: Decision
    moments: tuple[datetime, ...]

    def admitted(self, purpose: str, context: str) -> tuple[dict[str, Admission], tuple[Quarantined, ...]]:
        """Sample id -> admission of what may be used at each of the moments that count, and the rest with reasons."""
        licences = {**self.decision.licences, self.decision.licence.id: self.decision.licence}
        found = [
            admit_members(self.samples, self.events, licences, self.notices, purpose, context, moment)
            for moment in self.moments
        ]
        refused = {one.sample_id: one for _, own in found for one in own}
        return {name: answer for name, answer in found[0][0].items() if name in found[-1][0]}, tuple(refused.values())


def _after(decision: Decision, intake: Intake, stores: Stores, at: datetime) -> _After:
    people = {sample.person for sample in decision.samples.values()}
    taken = {one.enrolment.pseudonym: one for one in decision.taken}
    samples = dict(decision.samples) | {name: sample for one in decision.taken for name, sample in one.samples.items()}
    subjects = subjects_of(stores.data, people - taken.keys(), stores.keys)
    new = {name: picture.sha256 for one in decision.taken for name, picture in one.added.items()}
    drawn = packaged_notice("synthetic-1")
    recorded = stores.ledger.consents()
    unheard = sorted(filter(is_synthetic, people - {event.subject for event in recorded}))
    return _After(
        samples=tuple(samples.values()),
        subjects=subjects | {person: one.record for person, one in taken.items()},
        content=content_of(decision.samples.values(), stores.data, stores.keys) | new,
        events=(*recorded, *synthetic_consents(unheard), *decision.events),
        notices={**intake.known_notices, drawn.sha256: drawn.notice_id},
        decision=decision,
        moments=tuple(stores.ledger.moments(at)),
    )


def _forecast(after: _After, stores: Stores, params: Params) -> GateForecast:
    context = params.gate.context
    admitted = {purpose: after.admitted(purpose, context) for purpose in TRAINING_PURPOSES}
    purpose = next((one for one in TRAINING_PURPOSES if admitted[one][0]), TRAINING_PURPOSES[0])
    people = len({sample.person for sample in after.samples})
    empty = GateForecast(
        purpose=purpose,
        context=context,
        accuracy=assumed_accuracy(0),
        emotions=0,
        people=people,
        usable=0,
        judged=0,
        judged_by="none",
        rows=(),
        impossible=(),
        notes=(),
    )
    try:
        members = choose_members(after.samples, *admitted[purpose], params.splits, params.seed, after.content)
    except (RefusedError, InputError) as error:
        return replace(empty, impossible=(str(error),))
    by_person = _people(members, after.subjects)
    judging = _judging(members, is_named=bool(named_splits(after.samples)))
    share = params.splits.test if judging.is_share else 1.0
    judges = [by_person[one] for one in judging.people]
    unknown = unknown_of([one.slices for one in judges], params.gate) if purpose == "benchmark" else ()
    asked = advising(unknown, params.gate)
    unasked = unknown if asked != params.gate else ()
    found = forecast_slices(judges, asked, params.seed, stores.ledger.champion() is not None)
    slices = [one for one in found if one.attribute not in unasked]
    rows, emotions = tuple(_row(one, by_person, share) for one in slices), len(emotions_shown(judges))
    accuracy = assumed_accuracy(emotions)
    return replace(
        empty,
        accuracy=accuracy,
        emotions=emotions,
        usable=len(by_person),
        judged=len(judging.people),
        judged_by=judging.words,
        rows=rows,
        impossible=(*_no_model(members, params), *_nobody(rows, params.gate)),
        notes=(
            *_unasked(unasked),
            *_unknown(rows, len(judging.people), params.gate),
            *_out_of_reach(rows, accuracy),
            *_needed(rows, members, params.splits),
        ),
    )


@dataclass(frozen=True, kw_only=True)
class _Judging:
    """Who judges, in an order that is always the same. `is_share`: a share of everybody does, so that most people who come do not; else
    they are those of whom the source says so, or everyone.
    """

    people: tuple[str, ...]
    words: str
    is_share: bool


def _judging(members: Members, *, is_named: bool) -> _Judging:
    if members.folds:
        return _Judging(people=tuple(sorted(members.folds)), words="everyone, out of fold", is_share=False)
    gate = tuple(sorted({sample.person for sample in members.samples if sample.split == "gate"}))
    words = "as the source's splits say" if is_named else "a share of all, split gate"
    return _Judging(people=gate, words=words, is_share=not is_named)


def _people(members: Members, subjects: Mapping[str, SubjectRecord]) -> dict[str, JudgedPerson]:
    shown: dict[str, Counter[str]] = {}
    for sample in members.samples:
        shown.setdefault(sample.person, Counter())[sample.label] += 1
    return {person: JudgedPerson(slices=subjects[person].slices(), shown=own) for person, own in shown.items()}


def _row(one: SliceForecast, people: Mapping[str, JudgedPerson], share: float) -> SliceRow:
    if one.attribute == BINARIZATION:
        usable = len(people)
    elif one.attribute == EMOTION:
        usable = sum(bool(person.shown.get(one.value)) for person in people.values())
    else:
        usable = sum(person.slices[one.attribute] == one.value for person in people.values())
    return SliceRow(slice=one, usable=usable, to_import=None if one.more is None else math.ceil(one.more / share))


def _no_model(members: Members, params: Params) -> list[str]:
    try:
        check_people(members, params)
    except InputError as error:
        return [str(error)]
    return []


def _nobody(rows: Sequence[SliceRow], params: GateParams) -> list[str]:
    """What cannot be decided at all: required values that nobody has, by the parameter that asks for them."""
    missing: dict[str, list[SliceRow]] = {}
    for row in rows:
        if (
            row.slice.required
            and not row.slice.people
            and row.slice.value in params.required_values.get(row.slice.attribute, ())
        ):
            missing.setdefault(row.slice.attribute, []).append(row)
    return [
        f"{attribute} {', '.join(row.slice.value for row in own)}: no one who judges; import such people, or take it out of "
        f"gate.required_values.{attribute} if the model is not meant for them"
        for attribute, own in missing.items()
    ]


def _unasked(unknown: Sequence[str]) -> list[str]:
    if not unknown:
        return []
    return [
        f"{', '.join(unknown)}: not known of the people who judge. In a benchmark these cells only advise, so nothing has to be imported "
        "or filled in for them"
    ]


def _unknown(rows: Sequence[SliceRow], judged: int, params: GateParams) -> list[str]:
    return [
        f"{row.slice.attribute} is unknown for {row.slice.people} of {counted_people(judged)} who judge, more than "
        f"{params.unknown_share_max:.0%} (gate.unknown_share_max): ask them, and fill it in"
        for row in rows
        if row.slice.value == UNKNOWN and row.slice.people > params.unknown_share_max * judged
    ]


def _out_of_reach(rows: Sequence[SliceRow], accuracy: float) -> list[str]:
    """What no number of people makes likely to pass, and what would."""
    named = [f"{row.slice.attribute} {row.slice.value}" for row in rows if row.slice.required and row.to_import is None]
    if not named:
        return []
    return [
        f"{', '.join(named)}: no number of people makes a model that is right {accuracy:.0%} of the time likely to pass, because the "
        "limit in params.yaml (gate) asks for more; a better model can pass"
    ]


def _altogether(rows: Sequence[SliceRow]) -> int:
    """How many people more decide every required slice of which a number does: one person counts once in each attribute."""
    sums: Counter[str] = Counter()
    for row in rows:
        count = (row.to_import or 0) if row.slice.required else 0
        # Whoever shows one emotion can show the others too.
        sums[row.slice.attribute] = (
            max(sums[row.slice.attribute], count)
            if row.slice.attribute == EMOTION
            else sums[row.slice.attribute] + count
        )
    return max(sums.values(), default=0)


def _needed(rows: Sequence[SliceRow], members: Members, params: SplitParams) -> list[str]:
    """How many people decide everything; a small set is judged by everyone in it, and a larger one by a share of them."""
    more = _altogether(rows)
    if not more:
        return []
    asked = "every other required row" if any(row.to_import is None for row in rows) else "every required row"
    makes = counted(more, "more person makes", "more people make")
    said = [f"about {makes} {asked} likely to pass, as far as people decide it; a person counts once in each attribute"]
    if members.folds and len(members.folds) + more >= params.cross_fit_below_people:
        said.append(
            f"from {counted_people(params.cross_fit_below_people)} on only {params.test:.0%} of them judge: raise "
            "splits.cross_fit_below_people "
            f"over {len(members.folds) + more}, or bring more"
        )
    return said


def _first(lines: Sequence[str], most: int) -> list[str]:
    if len(lines) <= most:
        return list(lines)
    return [*lines[: most - 1], f"  ... and {len(lines) - most + 1} more; --json lists all"]


def _line(row: SliceRow, accuracy: float) -> str:
    one = row.slice
    asked = (
        ""
        if not one.required or row.to_import == 0
        else f"none at {accuracy:.0%}"
        if row.to_import is None
        else f"{row.to_import}"
    )
    floor = "" if one.floor is None else _figure(one.passes_from)
    gap = "" if one.gap is None and one.attribute != BINARIZATION else _figure(one.passes_to)
    shown = "" if one.gap_shown is None else f"{one.gap_shown:.2f}"
    verdict = one.verdict if one.required else "-"
    named = f"{one.attribute} {one.value}"
    return (
        f"  {named:<22}{row.usable:>7}{one.people:>6}  {verdict:<11}{floor:>11}{gap:>10}{shown:>10}  {asked}".rstrip()
    )


def _figure(passes: float | None) -> str:
    return "-" if passes is None else f"{passes:.3f}"
