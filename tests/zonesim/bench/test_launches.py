"""Turns, launches and intervals, on made-up figures."""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from without_pauses import outcome_of

from zonesim.bench.launches import (
    Amount,
    _widening,
    each,
    flat,
    in_turn,
    interval,
    one_of,
    own_median,
    ratio,
    take_turns,
    times_as_fast,
)


def test_everyone_has_a_turn_in_each_round_and_is_first_as_often():
    rounds = list(in_turn(6, ["a", "b", "c"]))
    by_round = [rounds[begin : begin + 3] for begin in range(0, 18, 3)]
    assert all(sorted(names) == ["a", "b", "c"] for names in by_round)
    assert sorted(names[0] for names in by_round) == ["a", "a", "b", "b", "c", "c"]


def test_every_launch_opens_its_own_candidates_and_leaves_out_their_first_figure():
    opened, closed = [], []

    @contextmanager
    def open_candidates() -> Iterator[dict[str, object]]:
        launch = len(opened)
        opened.append(launch)
        counts = iter(range(100))
        yield {"only": lambda: launch * 100.0 + next(counts)}
        closed.append(launch)

    samples = outcome_of(take_turns(Amount(launches=3, rounds=2), open_candidates))
    assert samples == {"only": [[1.0, 2.0], [101.0, 102.0], [201.0, 202.0]]}
    assert opened == closed == [0, 1, 2]


def test_what_was_opened_is_closed_when_a_candidate_fails():
    closed = []

    @contextmanager
    def open_candidates() -> Iterator[dict[str, object]]:
        try:
            yield {"broken": lambda: 1 / 0}
        finally:
            closed.append(True)

    with pytest.raises(ZeroDivisionError):
        outcome_of(take_turns(Amount(2, 2), open_candidates))
    assert closed == [True]


def test_candidates_may_give_several_figures_at_once():
    @contextmanager
    def open_candidates() -> Iterator[dict[str, object]]:
        counts = iter(range(100))
        yield {"both": lambda: {"up": float(next(counts)), "same": 7.0}}

    samples = outcome_of(take_turns(Amount(launches=2, rounds=2), open_candidates))
    assert one_of(samples["both"], "up") == [[1.0, 2.0], [1.0, 2.0]]
    assert one_of(samples["both"], "same") == [[7.0, 7.0], [7.0, 7.0]]


def test_rounds_are_told_in_another_unit_one_by_one():
    assert each(lambda us: us / 1_000, [[1_000.0, 2_000.0], [500.0]]) == [[1.0, 2.0], [0.5]]


def test_statistics_are_of_medians():
    assert ratio([1, 2, 90], [4, 4, 4]) == 0.5
    assert times_as_fast([1, 2, 90], [4, 4, 4]) == 2.0
    assert own_median([1, 2, 90], []) == 2


def test_figures_that_are_all_alike_have_an_interval_of_no_width():
    same = [[2.0, 2.0], [2.0, 2.0], [2.0, 2.0]]
    assert interval(own_median, same, same) == (2.0, 2.0)


def test_of_a_single_figure_no_interval_is_known():
    assert interval(own_median, [[3.0]], [[3.0]]) is None


@pytest.mark.parametrize(("launches", "t"), [(2, 12.706), (3, 4.303), (6, 2.571)])
def test_few_launches_widen_an_interval_as_student_s_t_has_it(launches, t):
    found = _widening(launches)
    assert found == pytest.approx(t / 1.95996 * (2 * launches / (launches - 1)) ** 0.5, rel=1e-3)


def test_an_interval_goes_below_zero_only_where_figures_do():
    scattered = [[1.0, 9.0], [0.1, 20.0]]
    assert interval(own_median, scattered, scattered)[0] == 0.0
    below = [[value - 5.0 for value in launch] for launch in scattered]
    assert interval(own_median, below, below)[0] < min(flat(below))


def test_an_interval_is_about_its_figure_and_the_same_each_time():
    draw = random.Random(2)
    ours = [[draw.gauss(10, 1) for _ in range(5)] for _ in range(8)]
    theirs = [[draw.gauss(20, 1) for _ in range(5)] for _ in range(8)]
    low, high = interval(ratio, ours, theirs)
    assert low < ratio(flat(ours), flat(theirs)) < high
    assert (low, high) == interval(ratio, ours, theirs)


def made_up_run(draw: random.Random) -> list[list[float]]:
    """Eight launches whose processes are placed well or badly, as a system does it."""
    launches = []
    for _ in range(8):
        place = draw.choice([10.0, 14.0])
        launches.append([draw.gauss(place, 0.5) for _ in range(5)])
    return launches


def test_another_run_is_found_in_the_interval_also_where_launches_differ():
    draw = random.Random(3)
    found = 0
    for _ in range(60):
        first, second = made_up_run(draw), made_up_run(draw)
        low, high = interval(own_median, first, first)
        found += low <= own_median(flat(second), []) <= high
    assert found >= 54
