from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zonesim.processes.restarts import Restarts
from zonesim.scenario.supervision import Supervision

EIGHTH_S = 0.125  # times are whole numbers of it, so that no sum of them is rounded
times_s = st.integers(0, 80).map(lambda count: count * EIGHTH_S)
policies = st.builds(
    Supervision,
    restarts=st.integers(0, 6),
    window_s=st.integers(1, 80).map(lambda count: count * EIGHTH_S),
    backoff_s=times_s,
    backoff_max_s=times_s,
)


def waits(restarts: Restarts, *deaths_s: float) -> list[float | None]:
    return [restarts.after_death(death_s) for death_s in deaths_s]


def test_the_wait_doubles_with_each_death_until_it_is_as_long_as_it_may_be():
    restarts = Restarts(Supervision(restarts=10, backoff_s=0.5, backoff_max_s=3.0))
    assert waits(restarts, 0, 1, 2, 3, 4) == [0.5, 1.0, 2.0, 3.0, 3.0]


def test_one_death_more_than_there_may_be_is_the_last():
    restarts = Restarts(Supervision(restarts=3, backoff_s=1.0, window_s=60.0))
    assert waits(restarts, 0, 1, 2, 3) == [1.0, 2.0, 4.0, None]
    assert restarts.recent == 4


def test_where_no_restart_is_allowed_the_first_death_is_the_last():
    assert waits(Restarts(Supervision(restarts=0)), 5) == [None]


def test_a_death_counts_for_as_long_as_the_window_and_no_moment_longer():
    policy = Supervision(restarts=1, window_s=10.0, backoff_s=1.0)
    assert waits(Restarts(policy), 0, 10) == [1.0, 1.0]
    assert waits(Restarts(policy), 0, 10 - EIGHTH_S) == [1.0, None]


def test_whoever_has_lived_long_is_started_again_as_fast_as_the_first_time():
    restarts = Restarts(Supervision(restarts=5, window_s=10.0, backoff_s=0.5))
    assert waits(restarts, 0, 1, 2, 100) == [0.5, 1.0, 2.0, 0.5]
    assert restarts.recent == 1


def test_nobody_waits_where_there_is_no_backoff():
    restarts = Restarts(Supervision(restarts=4, backoff_s=0.0))
    assert waits(restarts, 0, 0, 0, 0, 0) == [0.0, 0.0, 0.0, 0.0, None]


def test_the_longest_wait_holds_for_the_first_one_as_well():
    restarts = Restarts(Supervision(backoff_s=2.0, backoff_max_s=0.5))
    assert waits(restarts, 0, 1) == [0.5, 0.5]


def test_as_many_restarts_as_may_be_asked_for_have_waits_that_can_be_waited_for():
    most = 1000
    restarts = Restarts(Supervision(restarts=most, backoff_s=60.0, backoff_max_s=600.0))
    assert waits(restarts, *[0.0] * (most + 1)) == [60, 120, 240, 480] + [600] * (most - 4) + [None]


def test_before_anybody_has_died_nothing_counts():
    assert Restarts(Supervision()).recent == 0


@given(policies, st.lists(times_s, max_size=60), st.booleans())
def test_no_window_holds_more_restarts_than_allowed_and_nobody_is_given_up_before(
    policy, gaps_s, waits_too
):
    """Deaths as they may come: at any moment, or not before the wait for the start is over."""
    restarts, now_s, restarted_s, wait_s = Restarts(policy), 0.0, list[float](), 0.0
    for gap_s in gaps_s:
        now_s += gap_s + (wait_s if waits_too else 0.0)
        wait_s = restarts.after_death(now_s)
        in_window = [then_s for then_s in restarted_s if then_s > now_s - policy.window_s]
        assert restarts.recent == len(in_window) + 1
        if wait_s is None:
            assert len(in_window) == policy.restarts
            return
        restarted_s.append(now_s)
        assert len(in_window) + 1 <= policy.restarts


@given(policies, st.lists(times_s, min_size=1, max_size=60))
def test_a_wait_is_twice_the_one_before_or_the_longest_and_begins_anew_with_the_window(
    policy, gaps_s
):
    restarts, now_s = Restarts(policy), 0.0
    shortest_s = min(policy.backoff_s, policy.backoff_max_s)
    by_count = {1: shortest_s}
    for gap_s in gaps_s:
        now_s += gap_s
        wait_s = restarts.after_death(now_s)
        if wait_s is None:
            return
        count = restarts.recent
        assert shortest_s <= wait_s <= policy.backoff_max_s
        assert by_count.setdefault(count, wait_s) == wait_s
        if count - 1 in by_count:
            assert wait_s == min(2 * by_count[count - 1], policy.backoff_max_s)


@pytest.mark.parametrize("ages_s", [(0,), (0, 3, 6, 9)])
def test_places_have_their_deaths_for_themselves(ages_s):
    policy = Supervision(restarts=1)
    first, other = Restarts(policy), Restarts(policy)
    waits(first, *ages_s)
    assert other.recent == 0
    assert other.after_death(10) == policy.backoff_s


def test_a_process_that_hangs_ever_again_is_given_up_however_long_that_takes_to_find():
    policy = Supervision()
    restarts, apart_s = Restarts(policy), 1.25 * policy.tick_bound_s
    assert apart_s > policy.window_s
    found = [
        restarts.after_death(number * apart_s, hung=True) for number in range(policy.restarts + 1)
    ]
    assert found[-1] is None
    assert None not in found[:-1]
    assert restarts.recent == policy.restarts + 1


def test_a_process_that_has_got_on_since_it_hung_begins_anew():
    restarts = Restarts(Supervision(restarts=1, window_s=10.0, backoff_s=1.0))
    assert restarts.after_death(0, hung=True) == 1.0
    restarts.got_on()
    assert restarts.after_death(100, hung=True) == 1.0
    assert restarts.after_death(200, hung=True) is None
