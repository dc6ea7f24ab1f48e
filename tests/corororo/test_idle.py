"""Idle strategies, on a clock that only the test moves."""

from __future__ import annotations

import pickle
from itertools import pairwise

import pytest

import corororo as cr
from corororo import _idle
from corororo.testing import MockClock

LOOK_US = 5  # from one look to the next on a free core
SLICE_US = 3000  # time slice of another process, unless a test says otherwise
LONGEST_US = 1000


class Core:
    """A core on which an AdaptiveSpin runs, alone or beside another process.

    The clock advances while the strategy gives way: by a look, or by the other's time slice.
    """

    def __init__(self) -> None:
        self.clock = MockClock()
        self.crowded = False
        self.slice_us = SLICE_US
        self.looks = 0
        self.strategy = cr.AdaptiveSpin(1, LONGEST_US, self.clock)

    @property
    def window_us(self) -> float:
        return self.strategy.window_us

    def pass_us(self, microseconds: float) -> None:
        self.clock.jump(microseconds / 1e6)

    def wait_for_work(self, microseconds: float, batch_us: float = 0) -> int:
        """Wait until work comes and has run; returns the number of looks."""
        comes_ns = self.clock.now_ns() + microseconds * 1000
        looks_before = self.looks
        while self.strategy.idle(0) and self.clock.now_ns() < comes_ns:
            pass
        self.pass_us(max(0.0, comes_ns - self.clock.now_ns()) / 1000)
        self.pass_us(batch_us)
        self.strategy.idle(1)
        return self.looks - looks_before

    def wait_in_vain(self) -> int:
        """Wait until the strategy parks; returns the number of looks."""
        looks_before = self.looks
        while self.strategy.idle(0):
            pass
        return self.looks - looks_before

    def give_way(self) -> None:
        self.looks += 1
        self.pass_us(self.slice_us if self.crowded else LOOK_US)


@pytest.fixture
def core(monkeypatch: pytest.MonkeyPatch) -> Core:
    core = Core()
    monkeypatch.setattr(_idle, "give_way", core.give_way)
    return core


@pytest.fixture
def spinning(core: Core) -> Core:
    """A core whose strategy has grown its window to the limit."""
    for _ in range(12):
        core.wait_for_work(40)
    assert core.window_us == LONGEST_US
    return core


def test_park_never_looks_again() -> None:
    assert not any(cr.Park().idle(work) for work in (0, 1, 0))


@pytest.mark.parametrize("strategy", [cr.BusySpin(), cr.Yielding()])
def test_spinning_strategies_look_again_for_ever(strategy: cr.BusySpin | cr.Yielding) -> None:
    assert all(strategy.idle(0) for _ in range(1000))


def test_backoff_parks_after_its_spins_and_yields_and_begins_anew_with_work() -> None:
    strategy = cr.Backoff(spins=3, yields=2)
    assert [strategy.idle(0) for _ in range(6)] == [True] * 5 + [False]
    assert [strategy.idle(0) for _ in range(3)] == [True] * 3
    strategy.idle(5)
    assert [strategy.idle(0) for _ in range(6)] == [True] * 5 + [False]


@pytest.mark.parametrize(
    "strategy", [cr.Park(), cr.BusySpin(), cr.Yielding(), cr.Backoff(), cr.AdaptiveSpin()]
)
def test_strategies_travel_to_their_workers(strategy: cr.Park) -> None:
    assert type(pickle.loads(pickle.dumps(strategy))) is type(strategy)


@pytest.mark.parametrize(
    ("kind", "options", "rule"),
    [
        (cr.Backoff, {"spins": -1}, "spins must be 0 or more, got -1"),
        (cr.AdaptiveSpin, {"shortest_us": 5, "longest_us": 1}, "shortest_us <= longest_us, got 5"),
        (cr.AdaptiveSpin, {"shortest_us": 0}, "expected 0 < shortest_us"),
    ],
)
def test_options_out_of_range_are_refused(kind: type, options: dict[str, int], rule: str) -> None:
    with pytest.raises(ValueError, match=rule):
        kind(**options)


# -- the window of an adaptive strategy


def test_a_window_doubles_with_each_wait_that_a_spin_can_bridge_up_to_its_limit(
    core: Core,
) -> None:
    windows = []
    for _ in range(12):
        core.wait_for_work(40)
        windows.append(core.window_us)
    assert windows == [2, 4, 8, 16, 32, 64, 128, 256, 512, 1000, 1000, 1000]


def test_a_window_halves_each_time_it_ends_in_vain_down_to_its_limit(spinning: Core) -> None:
    windows = []
    for _ in range(12):
        spinning.wait_in_vain()
        windows.append(spinning.window_us)
    assert windows == [500, 250, 125, 62.5, 31.25, 15.625, 7.8125, 3.90625, 1.953125, 1, 1, 1]


@pytest.mark.parametrize(
    ("window_us", "wait_us", "batch_us", "after_us"),
    [
        (1000, 1001, 0, 500),  # no window can bridge it
        (1, 500, 0, 2),  # it had parked, and a longer window would have paid
        (100, 500, 0, 200),
        (100, 40, 5000, 200),  # a spin found a long batch
        (100, 200, 5000, 50),  # a long batch came to a parked worker
    ],
)
def test_a_window_is_judged_by_the_wait_that_it_was_for(
    core: Core, window_us: float, wait_us: float, batch_us: float, after_us: float
) -> None:
    core.strategy.window_us = window_us
    core.wait_for_work(wait_us, batch_us)
    assert core.window_us == after_us


def test_work_that_is_there_at_once_teaches_nothing(core: Core) -> None:
    core.wait_for_work(40)
    core.wait_in_vain()
    core.strategy.idle(1)
    window_us = core.window_us
    for _ in range(5):
        core.strategy.idle(3)
    assert core.window_us == window_us


def test_an_adaptive_strategy_spins_for_its_window_and_no_longer(spinning: Core) -> None:
    for _ in range(20):
        assert spinning.wait_for_work(900) == 900 / LOOK_US


# -- on a crowded core


def test_a_late_look_parks_at_once_and_shrinks_the_window(spinning: Core) -> None:
    spinning.crowded = True
    assert spinning.wait_in_vain() == 1
    assert spinning.window_us == 1


@pytest.mark.parametrize("slice_us", [60, 3000])
def test_work_that_comes_soon_in_a_crowd_does_not_widen_the_window(
    spinning: Core, slice_us: int
) -> None:
    spinning.crowded = True
    spinning.slice_us = slice_us
    for _ in range(100):
        spinning.wait_for_work(80)
        assert spinning.window_us == 1


def test_a_crowd_costs_one_late_look_in_a_bounded_number_of_waits(spinning: Core) -> None:
    spinning.crowded = True
    looks = [spinning.wait_for_work(40) for _ in range(3000)]
    late = [wait for wait, taken in enumerate(looks) if taken]
    between = [later - earlier for earlier, later in pairwise(late)]
    assert between[:5] == [2, 5, 17, 65, 129]
    assert set(between[5:]) == {129}
    assert max(looks) == 1


@pytest.mark.parametrize("wait_us", [40, 5000])  # spins find work, or end in vain
def test_a_free_core_is_noticed_and_the_next_crowd_holds_off_less(
    spinning: Core, wait_us: int
) -> None:
    spinning.crowded = True
    for _ in range(3000):
        spinning.wait_for_work(40)
    spinning.crowded = False
    for _ in range(128 + 12):
        spinning.wait_for_work(wait_us)
    assert spinning.window_us == (LONGEST_US if wait_us == 40 else 1)
    spinning.crowded = True
    spinning.wait_in_vain()
    assert [spinning.wait_for_work(40) for _ in range(2)] == [0, 1]
