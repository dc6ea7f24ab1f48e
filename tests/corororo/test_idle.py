"""Idle strategies, on a clock that only the test moves."""

from __future__ import annotations

import os
import pickle
from itertools import pairwise

import pytest

import corororo as cr
from corororo import _idle
from corororo.testing import MockClock

LOOK_US = 5  # from one look to the next, where nobody else wants the core
SLICE_US = 3000  # what somebody else takes who does, unless a test says otherwise


class Core:
    """A core that an AdaptiveSpin runs on, for itself or with somebody else.

    Its clock goes on while the strategy gives way: by a look, or by the other's time slice.
    """

    def __init__(self, shortest_us: float = 1, longest_us: float = 1000) -> None:
        self.clock = MockClock()
        self.crowded = False
        self.slice_us = SLICE_US
        self.looks = 0
        self.strategy = cr.AdaptiveSpin(
            shortest_us, longest_us, self.clock, give_way=self._give_way
        )

    @property
    def window_us(self) -> float:
        return self.strategy.window_us

    def pass_us(self, microseconds: float) -> None:
        self.clock.jump(microseconds / 1e6)

    def wait_for_work(self, microseconds: float, batch_us: float = 0) -> int:
        """Have the strategy wait until work comes and is run; the looks that it took."""
        comes_ns = self.clock.now_ns() + microseconds * 1000
        looks_before = self.looks
        while self.strategy.idle(0) and self.clock.now_ns() < comes_ns:
            pass
        self.pass_us(max(0.0, comes_ns - self.clock.now_ns()) / 1000)
        self.pass_us(batch_us)
        self.strategy.idle(1)
        return self.looks - looks_before

    def wait_in_vain(self) -> int:
        """Have the strategy wait until it parks; the looks that it took."""
        looks_before = self.looks
        while self.strategy.idle(0):
            pass
        return self.looks - looks_before

    def _give_way(self) -> None:
        self.looks += 1
        self.pass_us(self.slice_us if self.crowded else LOOK_US)


def core_that_spins() -> Core:
    """One whose window has grown as far as it goes."""
    core = Core()
    for _ in range(12):
        core.wait_for_work(40)
    assert core.window_us == 1000
    return core


def test_park_never_looks_again() -> None:
    assert not any(cr.Park().idle(work) for work in (0, 1, 0))


@pytest.mark.parametrize("strategy", [cr.BusySpin(), cr.Yielding()])
def test_spinning_strategies_look_again_for_ever(strategy: cr.BusySpin | cr.Yielding) -> None:
    assert all(strategy.idle(0) for _ in range(1000))


def test_backoff_parks_after_its_spins_and_yields() -> None:
    strategy = cr.Backoff(spins=3, yields=2)
    assert [strategy.idle(0) for _ in range(6)] == [True] * 5 + [False]


def test_backoff_begins_anew_with_work() -> None:
    strategy = cr.Backoff(spins=2, yields=0)
    strategy.idle(0)
    strategy.idle(0)
    strategy.idle(5)
    assert [strategy.idle(0) for _ in range(3)] == [True, True, False]


def test_backoff_refuses_negative_counts() -> None:
    with pytest.raises(ValueError, match="spins must be 0 or more, got -1"):
        cr.Backoff(spins=-1)


def test_strategies_give_way_where_no_core_can_be_yielded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_idle, "HAS_SCHED_YIELD", False)
    monkeypatch.delattr(os, "sched_yield", raising=False)
    assert cr.Yielding().idle(0)
    assert cr.Backoff(spins=0, yields=1).idle(0)
    assert cr.AdaptiveSpin(shortest_us=1e9, longest_us=1e9, late_us=1e9).idle(0)


@pytest.mark.parametrize(
    "strategy", [cr.Park(), cr.BusySpin(), cr.Yielding(), cr.Backoff(), cr.AdaptiveSpin()]
)
def test_strategies_travel_to_their_workers(strategy: cr.Park) -> None:
    assert type(pickle.loads(pickle.dumps(strategy))) is type(strategy)


# -- the window of an adaptive strategy


def test_a_window_doubles_with_each_wait_that_a_spin_can_bridge_up_to_its_limit() -> None:
    core = Core()
    windows = []
    for _ in range(12):
        core.wait_for_work(40)
        windows.append(core.window_us)
    assert windows == [2, 4, 8, 16, 32, 64, 128, 256, 512, 1000, 1000, 1000]


def test_a_window_halves_each_time_it_ends_in_vain_down_to_its_limit() -> None:
    core = core_that_spins()
    windows = []
    for _ in range(12):
        core.wait_in_vain()
        windows.append(core.window_us)
    assert windows == [500, 250, 125, 62.5, 31.25, 15.625, 7.8125, 3.90625, 1.953125, 1, 1, 1]


def test_a_wait_that_no_window_can_bridge_counts_as_in_vain() -> None:
    core = core_that_spins()
    core.wait_for_work(1001)
    assert core.window_us == 500


def test_work_that_comes_soon_after_parking_doubles_the_window_that_was_too_short() -> None:
    core = Core()
    core.wait_for_work(500)
    assert core.looks == 1  # it had parked
    assert core.window_us == 2
    core.strategy.window_us = 100
    core.wait_for_work(500)
    assert core.window_us == 200


def test_a_long_batch_that_a_spin_has_found_widens_the_window() -> None:
    core = Core(shortest_us=100)
    core.wait_for_work(40, batch_us=5000)
    assert core.window_us == 200


def test_a_long_batch_that_came_to_a_parked_worker_does_not_widen_the_window() -> None:
    core = Core(shortest_us=100)
    core.wait_for_work(200, batch_us=5000)
    assert core.window_us == 100


def test_work_that_is_there_at_once_says_nothing_of_waiting() -> None:
    core = Core()
    core.wait_for_work(40)
    for _ in range(5):
        core.strategy.idle(3)
    assert core.window_us == 2


def test_a_wait_is_learned_from_only_once() -> None:
    core = Core()
    core.wait_for_work(40)
    core.wait_in_vain()
    core.strategy.idle(1)
    window_us = core.window_us
    core.strategy.idle(1)
    assert core.window_us == window_us


def test_an_adaptive_strategy_spins_for_its_window_and_no_longer() -> None:
    core = Core(shortest_us=100, longest_us=1000)
    assert core.wait_in_vain() == 100 / LOOK_US


def test_an_adaptive_strategy_with_a_grown_window_never_parks_while_work_comes_in_time() -> None:
    core = core_that_spins()
    for _ in range(20):
        assert core.wait_for_work(900) == 900 / LOOK_US


@pytest.mark.parametrize(("shortest_us", "longest_us"), [(5, 1), (0, 1), (-1, 1)])
def test_an_adaptive_strategy_refuses_a_window_that_is_none(
    shortest_us: float, longest_us: float
) -> None:
    told = f"expected 0 < shortest_us <= longest_us, got {shortest_us} and {longest_us}"
    with pytest.raises(ValueError, match=told):
        cr.AdaptiveSpin(shortest_us, longest_us)


def test_an_adaptive_strategy_refuses_to_find_every_look_late() -> None:
    with pytest.raises(ValueError, match="late_us must be more than 0, got 0"):
        cr.AdaptiveSpin(late_us=0)


# -- and the crowd around it


def test_a_late_look_parks_at_once_and_shrinks_the_window() -> None:
    core = core_that_spins()
    core.crowded = True
    assert core.wait_in_vain() == 1
    assert core.window_us == 1


def test_a_loop_turn_that_takes_long_is_a_late_look_too() -> None:
    core = core_that_spins()
    assert core.strategy.idle(0)
    core.pass_us(60)  # somebody else had the core between two looks
    assert not core.strategy.idle(0)
    assert core.window_us == 1


def test_a_look_is_late_after_late_us_and_not_before() -> None:
    clock = MockClock()
    strategy = cr.AdaptiveSpin(1000, 1000, clock, late_us=100, give_way=lambda: clock.jump(100e-6))
    assert strategy.idle(0)
    clock.jump(1e-6)
    assert not strategy.idle(0)


def test_the_waits_after_a_late_look_park_without_a_spin() -> None:
    core = core_that_spins()
    core.crowded = True
    core.wait_in_vain()
    looks = [core.wait_for_work(40) for _ in range(1 + 1 + 4 + 1)]
    assert looks == [0, 1, 0, 0, 0, 0, 1]


@pytest.mark.parametrize("slice_us", [60, 3000])
def test_work_that_comes_soon_in_a_crowd_does_not_widen_the_window(slice_us: int) -> None:
    core = core_that_spins()
    core.crowded = True
    core.slice_us = slice_us
    for _ in range(100):
        core.wait_for_work(80)
        assert core.window_us == 1


def test_a_crowd_costs_one_late_look_in_a_bounded_number_of_waits() -> None:
    core = core_that_spins()
    core.crowded = True
    looks = [core.wait_for_work(40) for _ in range(3000)]
    late = [wait for wait, taken in enumerate(looks) if taken]
    between = [later - earlier for earlier, later in pairwise(late)]
    assert between[:5] == [2, 5, 17, 65, 129]
    assert set(between[5:]) == {129}
    assert max(looks) == 1


def test_a_core_that_is_free_again_is_noticed_within_a_bounded_number_of_waits() -> None:
    core = core_that_spins()
    core.crowded = True
    for _ in range(3000):
        core.wait_for_work(40)
    core.crowded = False
    for _ in range(128 + 12):
        core.wait_for_work(40)
    assert core.window_us == 1000
    assert core.wait_for_work(900) == 900 / LOOK_US


@pytest.mark.parametrize("wait_us", [40, 5000])
def test_undisturbed_spins_make_the_next_hold_off_shorter(wait_us: int) -> None:
    """Whether they find work or end in vain."""
    core = core_that_spins()
    core.crowded = True
    for _ in range(3000):
        core.wait_for_work(40)
    core.crowded = False
    for _ in range(128 + 12):
        core.wait_for_work(wait_us)
    core.crowded = True
    core.wait_in_vain()
    assert [core.wait_for_work(40) for _ in range(2)] == [0, 1]
