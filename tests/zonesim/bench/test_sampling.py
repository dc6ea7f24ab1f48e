"""Turns, launches and intervals, on made-up figures."""

from __future__ import annotations

import random
from contextlib import contextmanager

import pytest

from zonesim.bench.sampling import (
    _widening,
    flat,
    in_turn,
    interval,
    own_median,
    ratio,
    sample_launch,
    times_as_fast,
)


@contextmanager
def opened(**candidates):
    yield candidates


def test_every_candidate_runs_once_a_round_and_comes_first_as_often():
    rounds = list(in_turn(6, ["a", "b", "c"]))
    by_round = [rounds[begin : begin + 3] for begin in range(0, 18, 3)]
    assert all(sorted(names) == ["a", "b", "c"] for names in by_round)
    assert sorted(names[0] for names in by_round) == ["a", "a", "b", "b", "c", "c"]


@pytest.mark.parametrize(("warm_up", "found"), [(True, [1.0, 2.0]), (False, [0.0, 1.0])])
def test_a_warm_up_runs_first_and_does_not_count(warm_up, found):
    counts = map(float, range(10))
    candidates = opened(only=lambda: next(counts))
    assert sample_launch(candidates, 2, 0, warm_up=warm_up) == {"only": found}


def test_a_candidate_may_return_several_figures():
    samples = sample_launch(opened(both=lambda: {"us": 1.0, "batches": 7.0}), 2, 0)
    assert samples == {"both: us": [1.0, 1.0], "both: batches": [7.0, 7.0]}


def test_candidates_are_closed_when_one_fails():
    closed = []

    @contextmanager
    def open_broken():
        try:
            yield {"broken": lambda: 1 / 0}
        finally:
            closed.append(True)

    with pytest.raises(ZeroDivisionError):
        sample_launch(open_broken(), 1, 0)
    assert closed == [True]


def test_statistics_compare_medians():
    assert ratio([1, 2, 90], [4, 4, 4]) == 0.5
    assert times_as_fast([1, 2, 90], [4, 4, 4]) == 2.0


def test_equal_samples_have_an_interval_of_no_width_and_a_single_one_has_none():
    same = [[2.0, 2.0], [2.0, 2.0], [2.0, 2.0]]
    assert interval(own_median, same, same) == (2.0, 2.0)
    assert interval(own_median, [[3.0]], [[3.0]]) is None


@pytest.mark.parametrize(("launches", "t"), [(2, 12.706), (3, 4.303), (6, 2.571)])
def test_few_launches_widen_an_interval_by_student_s_t(launches, t):
    found = _widening(launches)
    assert found == pytest.approx(t / 1.95996 * (2 * launches / (launches - 1)) ** 0.5, rel=1e-3)


def test_an_interval_goes_below_zero_only_if_samples_do():
    scattered = [[1.0, 9.0], [0.1, 20.0]]
    assert interval(own_median, scattered, scattered)[0] == 0.0
    below = [[value - 5.0 for value in launch] for launch in scattered]
    assert interval(own_median, below, below)[0] < min(flat(below))


def made_up_run(draw: random.Random) -> list[list[float]]:
    """Eight launches whose processes have good or bad places, as a system gives them."""
    launches = []
    for _ in range(8):
        place = draw.choice([10.0, 14.0])
        launches.append([draw.gauss(place, 0.5) for _ in range(5)])
    return launches


def test_another_run_falls_into_the_interval_even_if_launches_differ():
    draw = random.Random(3)
    found = 0
    for _ in range(60):
        first, second = made_up_run(draw), made_up_run(draw)
        low, high = interval(own_median, first, first)
        found += low <= own_median(flat(second), []) <= high
    assert found >= 54
