"""Idle strategies, on a clock that only the test moves."""

from __future__ import annotations

import pytest

import corororo as cr
from corororo.testing import MockClock


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


def test_an_adaptive_window_doubles_with_work_up_to_its_limit() -> None:
    strategy = cr.AdaptiveSpin(1, 1000, MockClock())
    windows = []
    for _ in range(12):
        strategy.idle(1)
        windows.append(strategy.window_us)
    assert windows[:3] == [2, 4, 8]
    assert windows[-1] == 1000


def test_an_adaptive_window_halves_each_time_it_ends_in_vain() -> None:
    clock = MockClock()
    strategy = cr.AdaptiveSpin(1, 1000, clock)
    strategy.window_us = 8
    windows = []
    for _ in range(5):
        assert strategy.idle(0)
        clock.jump(9e-6)
        assert not strategy.idle(0)
        windows.append(strategy.window_us)
    assert windows == [4, 2, 1, 1, 1]


def test_an_adaptive_strategy_spins_for_its_window_and_no_longer() -> None:
    clock = MockClock()
    strategy = cr.AdaptiveSpin(100, 1000, clock)
    assert strategy.idle(0)
    clock.jump(99e-6)
    assert strategy.idle(0)
    clock.jump(2e-6)
    assert not strategy.idle(0)


def test_an_adaptive_strategy_refuses_a_window_that_is_none() -> None:
    with pytest.raises(ValueError, match="expected 0 < shortest_us <= longest_us, got 5 and 1"):
        cr.AdaptiveSpin(5, 1)
