"""One judged figure of a gate: its four states keep "too few faces to decide" apart from both yes and no."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, Literal

from bitface.evaluation.intervals import Interval
from bitface.gate.evidence import GateEvidence
from bitface.params import GateKind, GateParams

Bound = Literal["at least", "at most"]
_ON_THE_LIMIT: Final = 1e-3
_DECIMALS: Final = 10
"""Figures are kept to ten decimals, so that a processor that adds in another order gives the same document."""


class State(StrEnum):
    """PASS and FAIL are shown; INSUFFICIENT: neither is; NOT-RUN: nothing could be judged."""

    PASS = "PASS"  # noqa: S105 - a verdict, not a password
    FAIL = "FAIL"
    INSUFFICIENT = "INSUFFICIENT"
    NOT_RUN = "NOT-RUN"


@dataclass(frozen=True, kw_only=True)
class Cell:
    """One emotion x metric x slice, judged. `emotion`, `attribute` and `slice` are "" where all are meant.

    `limit` and `bound` say what was asked; `n_needed` and `persons_needed` estimate, for INSUFFICIENT, how many samples
    and people would decide, and are None where the figure lies on the limit, so that none would, or is not of people.
    `detectable`: the smallest difference that the evidence would have shown, where a cell states one.
    """

    name: str
    kind: GateKind
    metric: str
    required: bool
    state: State
    reason: str
    emotion: str = ""
    attribute: str = ""
    slice: str = ""
    n: int = 0
    persons: int = 0
    value: float | None = None
    lo: float | None = None
    hi: float | None = None
    limit: float | None = None
    bound: Bound | None = None
    p_value: float | None = None
    n_needed: int | None = None
    persons_needed: int | None = None
    detectable: float | None = None

    def document(self) -> dict[str, object]:
        """The cell as plain JSON values."""
        plain = {name: value.value if isinstance(value, State) else value for name, value in self.__dict__.items()}
        return {name: value for name, value in plain.items() if name != "detectable" or value is not None}


@dataclass(frozen=True, kw_only=True)
class Question:
    """What a cell asks, before it is answered."""

    name: str
    kind: GateKind
    metric: str
    required: bool
    emotion: str = ""
    attribute: str = ""
    slice: str = ""


def slice_question(kind: GateKind, metric: str, attribute: str, value: str, required: bool) -> Question:
    """What a cell of the people who share a value of an attribute asks."""
    return Question(
        name=f"{kind}/{attribute}:{value}",
        kind=kind,
        metric=metric,
        attribute=attribute,
        slice=value,
        required=required,
    )


@dataclass(frozen=True, kw_only=True)
class Criterion:
    """What a figure must be. `open_limit`: what its interval must leave behind to decide it, where that is not the limit itself."""

    bound: Bound
    limit: float
    open_limit: float | None = None

    def state_of(self, interval: Interval) -> State:
        """PASS when the whole interval is on the right side of the limit, FAIL when none of it is, else INSUFFICIENT."""
        passed = interval.lo >= self.limit if self.bound == "at least" else interval.hi <= self.limit
        failed = interval.hi < self.limit if self.bound == "at least" else interval.lo > self.limit
        return State.PASS if passed else State.FAIL if failed else State.INSUFFICIENT

    def words(self) -> str:
        """`at least 0.600 is asked`."""
        return f"{self.bound} {_figure_text(self.limit)} is asked"


def at_least(limit: float) -> Criterion:
    """The figure must reach the limit."""
    return Criterion(bound="at least", limit=limit)


def at_most(limit: float) -> Criterion:
    """The figure must not exceed the limit."""
    return Criterion(bound="at most", limit=limit)


@dataclass(frozen=True, kw_only=True)
class CellKind:
    """A kind of cell: how it is judged, and what reports say of it.

    `cells` judges evidence by parameters and a seed; what it raises, or no cell at all, leaves `questions` as NOT-RUN in their place.
    `caption`: what a reader calls the figure. `limits`: the parameters that it asks, by which a bundle from before the kind is known.
    `remedy`: what mends a cell that failed, "" where nothing general can be said; `{what}` is what the cells are about.
    `remedy_of_many`: the same for a group that has as many people as others, where more of them would not mend it; "" where that is
    the same. `is_owed`: whether there must be a cell; False where there may be nothing to compare with.
    """

    name: GateKind
    caption: str
    cells: Callable[[GateEvidence, GateParams, int], Iterable[Cell]]
    questions: Callable[[GateEvidence, GateParams], Sequence[Question]]
    limits: tuple[str, ...] = ()
    remedy: str = ""
    remedy_of_many: str = ""
    is_owed: bool = True


def judged(question: Question, interval: Interval, criterion: Criterion, note: str = "") -> Cell:
    """The state that the interval itself gives, see `Criterion.state_of`."""
    return stated(question, interval, criterion, criterion.state_of(interval), note=note)


def stated(
    question: Question,
    interval: Interval,
    criterion: Criterion,
    state: State,
    *,
    p_value: float | None = None,
    sentence: str = "",
    note: str = "",
) -> Cell:
    """A cell whose state another rule has decided, with its figures and what would be needed where they are too few."""
    value, lo, hi = _rounded(interval.value), _rounded(interval.lo), _rounded(interval.hi)
    needed = _needed(interval, criterion) if state is State.INSUFFICIENT else None
    persons_needed = math.ceil(needed * interval.persons / interval.n) if needed and interval.persons else None
    return Cell(
        **question.__dict__,
        state=state,
        reason=(sentence or _sentence(interval, criterion, state, needed, persons_needed)) + note,
        n=interval.n,
        persons=interval.persons,
        value=value,
        lo=lo,
        hi=hi,
        limit=criterion.limit,
        bound=criterion.bound,
        p_value=None if p_value is None else _rounded(p_value),
        n_needed=needed,
        persons_needed=persons_needed,
    )


def not_run(question: Question, why: str) -> Cell:
    """A cell that could not be judged, and why."""
    return Cell(**question.__dict__, state=State.NOT_RUN, reason=f"not judged: {why}")


def too_few(question: Question, why: str) -> Cell:
    """A cell without enough data for any figure."""
    return Cell(**question.__dict__, state=State.INSUFFICIENT, reason=why)


def _needed(interval: Interval, criterion: Criterion) -> int | None:
    limit = criterion.limit if criterion.open_limit is None else criterion.open_limit
    distance = abs(interval.value - limit)
    if distance < _ON_THE_LIMIT:
        return None
    half = interval.value - interval.lo if interval.value > limit else interval.hi - interval.value
    # Widths shrink with the square root of n.
    return max(interval.n + 1, math.ceil(interval.n * (half / distance) ** 2))


def _sentence(
    interval: Interval, criterion: Criterion, state: State, needed: int | None, persons_needed: int | None
) -> str:
    figure = f"{_figure_text(interval.value)} ({_figure_text(interval.lo)} to {_figure_text(interval.hi)})"
    of = f" of {interval.n} samples" + (f" of {interval.persons} people" if interval.persons else "")
    asked = criterion.words()
    if state is not State.INSUFFICIENT:
        return f"{figure}{of}; {asked}."
    if needed is None:
        return f"{figure}{of}; {asked}, and the figure lies on that limit: more samples alone will not decide it."
    whose = f" of {persons_needed} people" if persons_needed else ""
    return f"{figure}{of} leaves it open; {asked}, and about {needed} samples{whose} would decide."


def _figure_text(value: float) -> str:
    return f"{value:.3f}"


def _rounded(value: float) -> float:
    if not math.isfinite(value):
        raise ValueError(f"a figure of the gate is {value}, not a number")
    # Adding 0.0 turns -0.0 into 0.0, which JSON would keep apart.
    return round(float(value), _DECIMALS) + 0.0
