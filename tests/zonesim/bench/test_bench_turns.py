"""Taking turns is fair, and the interval of a figure says how far its rounds agree."""

from __future__ import annotations

from collections import Counter
from itertools import pairwise

import pytest

from zonesim.bench.turns import in_turn, interval, own_median, ratio, take_turns, times_as_fast

NAMES = ["a", "b", "c"]


def test_every_candidate_runs_once_in_every_round() -> None:
    order = list(in_turn(4, NAMES))
    assert [sorted(order[begin : begin + 3]) for begin in range(0, 12, 3)] == [NAMES] * 4


def test_each_is_the_first_and_the_last_of_a_round_as_often_as_the_others() -> None:
    order = list(in_turn(6, NAMES))
    assert Counter(order[0::3]) == Counter(order[2::3]) == {"a": 2, "b": 2, "c": 2}


def test_each_follows_on_each_other_as_often() -> None:
    order = list(in_turn(6, NAMES))
    rounds = [order[begin : begin + 3] for begin in range(0, 18, 3)]
    pairs = Counter(pair for turn in rounds for pair in pairwise(turn))
    assert Counter(pairs.values()) == {2: 6}


def test_the_first_run_of_a_candidate_does_not_count() -> None:
    values = {"a": iter([99.0, 1.0, 2.0]), "b": iter([99.0, 3.0, 4.0])}
    samples = take_turns(2, {name: found.__next__ for name, found in values.items()})
    assert samples == {"a": [1.0, 2.0], "b": [3.0, 4.0]}


def test_figures_compare_medians() -> None:
    ours, theirs = [1.0, 2.0, 90.0], [4.0, 4.0, 8.0]
    assert ratio(ours, theirs) == 0.5
    assert times_as_fast(ours, theirs) == 2.0
    assert own_median(ours, theirs) == 2.0


def test_rounds_that_agree_leave_no_doubt() -> None:
    assert interval(ratio, [1.0] * 9, [2.0] * 9) == (0.5, 0.5)


def test_a_disturbance_of_both_sides_of_a_round_is_no_doubt() -> None:
    theirs = [2.0, 40.0, 3.0, 2.0, 500.0]
    low, high = interval(ratio, [value / 2 for value in theirs], theirs)
    assert (low, high) == (pytest.approx(0.5), pytest.approx(0.5))


def test_the_interval_covers_what_the_rounds_cannot_tell_apart() -> None:
    ours = [1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0]
    low, high = interval(own_median, ours, ours)
    assert 1.0 <= low < 4.0 < high <= 7.0
    assert interval(own_median, ours, ours) == (low, high)
