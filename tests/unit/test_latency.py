"""Claims about timing: runs take turns, warm-up does not count, percentiles are those of a known clock, and neighbours decide nothing."""

import threading
import time

import numpy as np
import pytest

from bitface.errors import InputError
from bitface.evaluation.latency import REFERENCE, Timings, interleaved_latency, quietest_timings, undisturbed_ms


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


def test_waiting_for_the_processor_is_not_the_model_s_time():
    """Preempted in every tenth round for 20 ms, and slowed to twice its time by neighbours in the next hundred."""
    rng = np.random.default_rng(0)
    reference, cpu = np.full(300, 0.1), 0.2 + 0.001 * rng.random(300)
    wall = cpu + np.where(np.arange(300) % 10 == 0, 20.0, 0.001)
    slowed = np.where(np.arange(300) < 100, 2.0, 1.0)
    quiet, busy = undisturbed_ms(cpu, reference, cpu), undisturbed_ms(cpu * slowed, reference * slowed, wall * slowed)
    assert busy == pytest.approx(quiet, rel=0.01)


def test_a_run_slower_than_its_budget_is_so_whatever_the_reference_says():
    """A slow run cannot hide behind a reference that is slow, too: only what varies from round to round is taken off."""
    cpu = np.full(300, 9.0)
    assert undisturbed_ms(cpu, np.full(300, 5.0), cpu).min() == 9.0


@pytest.mark.parametrize("coarse", [0.0, 10.0])
def test_where_the_processor_s_clock_is_too_coarse_the_fastest_wall_time_counts(coarse):
    reference, cpu = np.zeros(300), np.zeros(300)
    cpu[::50] = coarse
    found = undisturbed_ms(cpu, reference, np.linspace(0.2, 0.4, 300))
    assert np.median(found) == 0.2 and found.min() == 0.2


def test_of_several_measurements_the_one_with_the_quietest_reference_counts(monkeypatch):
    """Whatever the run itself took: the first three are disturbed, the second least, and it was the slowest."""
    made = [timings(2.0, 1.0), timings(1.5, 3.0), timings(1.9, 0.5), timings(1.0, 0.1)]
    left = iter(made)
    monkeypatch.setattr("bitface.evaluation.latency._interleaved", lambda *_: (one := next(left)).wall_ms and both(one))
    found = quietest_timings({"a": int}, rounds=4, warmup=0, attempts=3, slowdown_max=1.2)
    assert found.slowdown == 1.5 and found.cpu_ms["a"][0] == 3.0
    assert next(left) is made[3]


def test_a_quiet_measurement_is_the_last_one(monkeypatch):
    left = iter([timings(1.1, 1.0)])
    monkeypatch.setattr("bitface.evaluation.latency._interleaved", lambda *_: both(next(left)))
    assert quietest_timings({"a": int}, rounds=4, warmup=0, attempts=5, slowdown_max=1.2).slowdown == pytest.approx(1.1)


def timings(slowdown: float, took: float) -> Timings:
    times = {"a": np.full(4, took), REFERENCE: np.array([1.0, slowdown, slowdown, slowdown])}
    return Timings(wall_ms=times, cpu_ms=times)


def both(found: Timings):
    return [dict(found.wall_ms), dict(found.cpu_ms)]


def burn(milliseconds: float) -> None:
    end = time.process_time() + milliseconds / 1000
    while time.process_time() < end:
        pass


def in_another_thread() -> None:
    worker = threading.Thread(target=burn, args=(6.0,))
    worker.start()
    worker.join()


@pytest.mark.parametrize("slow", [lambda: burn(6.0), in_another_thread, lambda: time.sleep(0.006)])
def test_a_runtime_that_computes_elsewhere_or_waits_is_as_slow_as_it_is(slow):
    """6 ms at least, whether it burns the processor, has another thread do it, or sleeps."""
    found = quietest_timings({"one-bit": slow}, rounds=20, warmup=1, attempts=1, slowdown_max=1.0)
    judged = undisturbed_ms(found.cpu_ms["one-bit"], found.cpu_ms[REFERENCE], found.wall_ms["one-bit"])
    assert judged.min() >= 6.0
