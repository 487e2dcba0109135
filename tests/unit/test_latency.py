"""Claims about timing: runs take turns, warm-up does not count, and percentiles are those of a known clock."""

import pytest

from bitface.errors import InputError
from bitface.evaluation.latency import interleaved_latency


class Clock:
    """Moves by what each run says it costs."""

    def __init__(self):
        self.seconds = 0.0

    def __call__(self):
        return self.seconds


def test_runs_take_turns_and_each_comes_first_in_its_turn():
    calls = []
    interleaved_latency({"a": lambda: calls.append("a"), "b": lambda: calls.append("b")}, rounds=2, warmup=1)
    assert "".join(calls) == "ba" + "ab" + "ba"


def test_percentiles_are_of_the_timed_rounds_only():
    clock, costs = Clock(), iter([9.0, 0.001, 0.002, 0.003])

    def run():
        clock.seconds += next(costs)

    found = interleaved_latency({"a": run}, rounds=3, warmup=1, clock=clock)["a"]
    assert found.p50_ms == pytest.approx(2) and found.p95_ms == pytest.approx(2.9) and found.rounds == 3


@pytest.mark.parametrize(("runs", "rounds", "warmup"), [({}, 1, 0), ({"a": int}, 0, 0), ({"a": int}, 1, -1)])
def test_nothing_to_time_is_refused(runs, rounds, warmup):
    with pytest.raises(InputError):
        interleaved_latency(runs, rounds=rounds, warmup=warmup)
