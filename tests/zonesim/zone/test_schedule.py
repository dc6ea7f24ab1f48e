from __future__ import annotations

from math import ceil
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zonesim.scenario.supervision import Missed
from zonesim.zone.schedule import Schedule

FIRST_NS, PERIOD_NS = 1000, 400
policies = st.sampled_from(get_args(Missed))


def finish_all(schedule, took_ns):
    """Run ticks that take so long, each as soon as it is due; (due, late, missed) of each."""
    now_ns, told = 0, []
    for took in took_ns:
        if schedule.is_over:
            break
        due_ns = schedule.due_ns
        now_ns = max(now_ns, due_ns) + took
        told.append((due_ns, *schedule.finish(now_ns)))
    return told


@pytest.mark.parametrize("missed", get_args(Missed))
def test_in_time_ticks_are_due_each_period_whatever_the_policy(missed):
    told = finish_all(Schedule(FIRST_NS, PERIOD_NS, missed), [0, 399, 400, 1])
    assert told == [(due, False, 0) for due in (1000, 1400, 1800, 2200)]


@pytest.mark.parametrize(
    ("finished_ns", "late", "missed"),
    [
        (1400, False, 0),  # when the next one is due
        (1401, True, 0),  # the next one runs late
        (1799, True, 0),
        (1800, True, 1),  # a whole period after the next one was due: that one never runs
        (2199, True, 1),
        (2200, True, 2),
        (9000, True, 19),
    ],
)
def test_skip_misses_what_is_overdue_by_whole_periods_and_keeps_the_phase(
    finished_ns, late, missed
):
    schedule = Schedule(FIRST_NS, PERIOD_NS, "skip")
    assert schedule.finish(finished_ns) == (late, missed)
    assert schedule.due_ns == 1400 + missed * 400


def test_burst_misses_nothing_and_counts_from_when_each_tick_was_due():
    told = finish_all(Schedule(FIRST_NS, PERIOD_NS, "burst"), [1300, 100, 100, 100, 100, 100])
    # Ends: 2300, 2400, 2500, 2600: there it has caught up, and waits for 2600 and 3000.
    assert told == [
        (1000, True, 0),
        (1400, True, 0),
        (1800, True, 0),
        (2200, False, 0),
        (2600, False, 0),
        (3000, False, 0),
    ]


def test_delay_shifts_the_phase_to_a_period_after_the_end_of_a_late_tick():
    schedule = Schedule(FIRST_NS, PERIOD_NS, "delay")
    assert schedule.finish(1500) == (True, 1)  # 1900 in place of 1400 and 1800: one period lost
    assert schedule.due_ns == 1900
    assert schedule.finish(2000) == (False, 0)
    assert schedule.due_ns == 2300


def test_shifts_that_add_up_to_a_period_are_counted_when_they_have():
    schedule = Schedule(FIRST_NS, PERIOD_NS, "delay")
    told = finish_all(schedule, [500] * 5)
    # Each tick loses 500 ns: 1.25 periods.
    assert [due for due, *_ in told] == [1000, 1900, 2800, 3700, 4600]
    assert [missed for *_, missed in told] == [1, 1, 1, 2, 1]


@pytest.mark.parametrize(
    ("end_ns", "missed"), [(1400, 0), (1401, 1), (1800, 1), (1801, 2), (2200, 2), (10**6, 19)]
)
@pytest.mark.parametrize("policy", ["skip", "delay"])
def test_nothing_is_missed_that_would_be_due_at_the_end_or_later(policy, end_ns, missed):
    schedule = Schedule(FIRST_NS, PERIOD_NS, policy, end_ns=end_ns)
    expected = missed + (policy == "delay" and end_ns == 10**6)  # waits for a period more
    assert schedule.finish(9000) == (True, expected)
    assert schedule.is_over == (end_ns <= 2200)


def test_a_burst_comes_to_its_end_when_all_that_was_due_before_has_run():
    schedule = Schedule(FIRST_NS, PERIOD_NS, "burst", end_ns=2200)
    assert finish_all(schedule, [9000] * 9) == [
        (1000, True, 0),
        (1400, True, 0),
        (1800, True, 0),
    ]


@pytest.mark.parametrize("missed", get_args(Missed))
def test_nothing_is_missed_after_the_last_of_so_many_ticks(missed):
    schedule = Schedule(FIRST_NS, PERIOD_NS, missed, ticks=2)
    assert schedule.finish(1100) == (False, 0)
    assert schedule.finish(99_999) == (True, 0)
    assert schedule.is_over


def test_a_schedule_that_begins_at_its_end_is_over():
    assert Schedule(FIRST_NS, PERIOD_NS, end_ns=FIRST_NS).is_over
    assert not Schedule(FIRST_NS, PERIOD_NS, end_ns=FIRST_NS + 1).is_over


@given(policies, st.lists(st.integers(0, 3000), max_size=40))
def test_executed_and_missed_are_what_was_due_before_the_next_due_time(policy, took_ns):
    schedule = Schedule(FIRST_NS, PERIOD_NS, policy)
    told = finish_all(schedule, took_ns)
    assert schedule.executed == len(told) == len(took_ns)
    assert schedule.missed == sum(missed for *_, missed in told)
    assert all(missed >= 0 for *_, missed in told)
    assert schedule.executed + schedule.missed == (schedule.due_ns - FIRST_NS) // PERIOD_NS
    if policy != "delay":
        assert (schedule.due_ns - FIRST_NS) % PERIOD_NS == 0  # the phase is kept
    if policy == "burst":
        assert schedule.missed == 0


@given(policies, st.integers(1001, 9000), st.lists(st.integers(0, 3000), min_size=30, max_size=30))
def test_at_the_end_executed_and_missed_are_all_that_was_ever_due(policy, end_ns, took_ns):
    schedule = Schedule(FIRST_NS, PERIOD_NS, policy, end_ns=end_ns)
    told = finish_all(schedule, took_ns)
    assert schedule.is_over
    assert all(missed >= 0 and due < end_ns for due, _, missed in told)
    assert schedule.executed + schedule.missed == ceil((end_ns - FIRST_NS) / PERIOD_NS)


@given(st.lists(st.integers(401, 3000), min_size=1, max_size=20))
def test_with_delay_a_period_passes_after_each_late_tick(took_ns):
    schedule = Schedule(FIRST_NS, PERIOD_NS, "delay")
    for took in took_ns:
        finished_ns = schedule.due_ns + took
        schedule.finish(finished_ns)
        assert schedule.due_ns == finished_ns + PERIOD_NS
