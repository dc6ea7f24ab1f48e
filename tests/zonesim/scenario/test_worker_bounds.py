"""How many workers a load needs: up at once, down when it has lasted."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zonesim.scenario.tables import WorkerBounds
from zonesim.scenario.worker_bounds import Load, desired_workers

BOUNDS = WorkerBounds(min=1, max=4)

loads = st.builds(Load, st.integers(1, 300), st.floats(0, 1e4), st.floats(0.01, 60))
bounds = st.builds(
    lambda low, more, target, buffer, hold: WorkerBounds(
        min=low, max=low + more, target_utilisation=target, buffer=buffer, hold=hold
    ),
    st.integers(1, 100),
    st.integers(0, 100),
    st.floats(0.01, 1),
    st.integers(0, 9),
    st.integers(1, 5),
)


def load(workers: int, utilisation: float) -> Load:
    return Load(workers, workers * utilisation * 2.0, 2.0)


@pytest.mark.parametrize(
    ("workers", "utilisation", "desired"),
    [(1, 0.0, 1), (1, 0.7, 1), (1, 0.71, 2), (1, 1.0, 2), (2, 0.7, 2), (2, 1.0, 3), (3, 1.0, 4)],
)
def test_there_are_as_many_as_keep_each_at_the_target(workers, utilisation, desired):
    assert desired_workers([load(workers, utilisation)], BOUNDS) == desired


@given(st.lists(loads, min_size=1, max_size=8), bounds)
def test_the_number_is_always_within_the_bounds(some, within):
    assert within.min <= desired_workers(some, within) <= within.max


@given(st.lists(loads, min_size=1, max_size=8), loads, bounds)
def test_more_are_wanted_at_once_whatever_was_before(before, latest, within):
    alone = desired_workers([latest], within)
    if alone > latest.workers:
        assert desired_workers([*before, latest], within) == alone


def test_fewer_are_wanted_when_fewer_would_have_done_for_several_syncs_in_a_row():
    idle, busy = load(4, 0.0), load(4, 0.6)
    assert desired_workers([busy, idle], BOUNDS) == 4
    assert desired_workers([busy, idle, idle], BOUNDS) == 4
    assert desired_workers([busy, idle, idle, idle], BOUNDS) == 1


def test_it_goes_down_to_what_the_busiest_of_them_needed():
    some = [load(4, 0.1), load(4, 0.3), load(4, 0.0)]
    assert desired_workers(some, BOUNDS) == 2


def test_a_load_that_swings_does_not_make_the_number_swing():
    numbers = []
    workers, some = 1, []
    for turn in range(40):
        some.append(Load(workers, min(2.0 if turn % 3 == 0 else 0.2, workers * 2.0), 2.0))
        workers = desired_workers(some, BOUNDS)
        numbers.append(workers)
    assert numbers == [2] * 40


def test_the_buffer_stands_by_beside_those_that_are_needed():
    within = WorkerBounds(min=1, max=4, buffer=2)
    assert desired_workers([load(2, 0.1)], within) == 3
    assert desired_workers([load(4, 1.0)], within) == 4


def test_a_tick_that_tells_late_what_it_used_does_not_count_for_more_than_there_were():
    assert Load(2, 40.0, 2.0).busy_workers == 2.0
    assert desired_workers([Load(2, 40.0, 2.0)], WorkerBounds(max=100)) == 3


def test_bounds_that_are_no_interval_are_refused():
    with pytest.raises(ValueError, match="min to be at most max, found 3 and 2"):
        WorkerBounds(min=3, max=2)
