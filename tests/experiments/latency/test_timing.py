"""Calls that take turns; how long they take is nobody's to promise here."""

import numpy as np
import pytest

from experiments.latency import interleaved as timing
from experiments.latency.interleaved import FEWEST_ROUNDS, Spread, interleave


class Clock:
    """Time that passes only where a call says so."""

    def __init__(self):
        self.now, self.calls = 0.0, []

    def perf_counter(self):
        return self.now

    def call(self, name, seconds):
        def run():
            self.now += seconds
            self.calls.append(name)

        return run


@pytest.fixture
def clock(monkeypatch):
    made = Clock()
    monkeypatch.setattr(timing, "time", made)
    return made


def test_each_call_is_measured_in_every_round(clock):
    found = interleave([clock.call("slow", 0.25), clock.call("fast", 0.125)], seconds=3)
    assert found.shape == (2, 8)
    assert (found == [[0.25], [0.125]]).all()


def test_turns_change_their_order_from_round_to_round(clock):
    interleave([clock.call("a", 1), clock.call("b", 1)], seconds=8)
    assert "".join(clock.calls[-8:]) == "abbaabba"


def test_short_calls_are_repeated_and_the_mean_is_taken(clock):
    found = interleave([clock.call("short", timing.BLOCK / 8), clock.call("long", 1)], seconds=2)
    assert clock.calls.count("short") - timing.WARM_UP == 8 * found.shape[1]
    np.testing.assert_allclose(found[0], timing.BLOCK / 8)


def test_no_time_at_all_still_gives_a_few_rounds(clock):
    assert interleave([clock.call("a", 1)], seconds=0).shape == (1, FEWEST_ROUNDS)


def test_a_spread_is_the_median_and_its_quartiles():
    assert Spread.of(np.array([5.0, 1, 2, 4, 3])) == Spread(3, 2, 4)
