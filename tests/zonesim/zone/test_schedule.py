from __future__ import annotations

from itertools import pairwise
from math import ceil
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zonesim.scenario.supervision import Missed
from zonesim.zone.schedule import Schedule, due_times, phase_ns

FIRST_NS, PERIOD_NS = 1000, 400
POLICIES = get_args(Missed)
ZONES = st.integers(0, 999)
MOMENTS = st.integers(0, 2**62)
PERIODS = st.integers(1_000_000, 60_000_000_000)
policies = st.sampled_from(POLICIES)


def finish_all(schedule, took_ns):
    """Run ticks of these durations, each as soon as it is due; (due, late, missed) of each."""
    now_ns, verdicts = 0, []
    for took in took_ns:
        if schedule.is_over:
            break
        due_ns = schedule.due_ns
        now_ns = max(now_ns, due_ns) + took
        verdicts.append((due_ns, *schedule.finish(now_ns)))
    return verdicts


# -- phases


@pytest.mark.parametrize("zones", range(2, 1001, 49))
def test_any_number_of_zones_is_spread_evenly_over_the_period(zones):
    period_ns = 400_000_000
    phases = sorted(phase_ns(zone, period_ns) for zone in range(zones))
    gaps = [b - a for a, b in pairwise([*phases, period_ns + phases[0]])]
    assert max(gaps) < 1.9 * period_ns / zones
    assert min(gaps) > 0.37 * period_ns / zones


@given(MOMENTS, ZONES, PERIODS, MOMENTS)
def test_the_first_due_moment_is_on_schedule_and_none_lies_before_it(origin, zone, period, begin):
    first = due_times(origin, zone, period, begin).first_ns
    assert first >= begin
    assert (first - origin - phase_ns(zone, period)) % period == 0
    assert first - period < max(begin, origin)


@given(MOMENTS, ZONES, PERIODS, st.lists(st.integers(0, 10**11), min_size=3, max_size=3))
def test_consecutive_windows_share_all_due_moments_out(origin, zone, period, offsets):
    a, b, c = sorted(origin + offset for offset in offsets)
    from_a, from_b = (due_times(origin, zone, period, begin) for begin in (a, b))
    assert from_a.before(b) + from_b.before(c) == from_a.before(c) >= 0


def test_a_window_includes_its_begin_and_excludes_its_end():
    assert due_times(1000, 0, 100, 1000).before(1300) == 3
    assert due_times(1000, 0, 100, 1001).before(1300) == 2
    assert due_times(1000, 0, 100, 1000).before(1301) == 4


# -- late ticks


@pytest.mark.parametrize("missed", POLICIES)
def test_ticks_on_time_are_due_each_period_under_every_policy(missed):
    verdicts = finish_all(Schedule(FIRST_NS, PERIOD_NS, missed), [0, 399, 400, 1])
    assert verdicts == [(due, False, 0) for due in (1000, 1400, 1800, 2200)]


@pytest.mark.parametrize(
    ("finished_ns", "late", "missed"),
    [(1400, False, 0), (1401, True, 0), (1799, True, 0), (1800, True, 1), (9000, True, 19)],
)
def test_skip_misses_ticks_overdue_by_whole_periods_and_keeps_the_phase(finished_ns, late, missed):
    schedule = Schedule(FIRST_NS, PERIOD_NS, "skip")
    assert schedule.finish(finished_ns) == (late, missed)
    assert schedule.due_ns == 1400 + missed * 400


def test_burst_misses_nothing_and_counts_from_the_original_due_times():
    verdicts = finish_all(Schedule(FIRST_NS, PERIOD_NS, "burst"), [1300, 100, 100, 100, 100, 100])
    late = [True, True, True, False, False, False]  # it has caught up after three ticks
    assert verdicts == [(1000 + 400 * i, late[i], 0) for i in range(6)]


def test_delay_shifts_the_phase_and_counts_shifts_once_they_add_up_to_a_period():
    schedule = Schedule(FIRST_NS, PERIOD_NS, "delay")
    verdicts = finish_all(schedule, [500] * 5)  # each tick loses 500 ns: 1.25 periods
    assert [due for due, *_ in verdicts] == [1000, 1900, 2800, 3700, 4600]
    assert [missed for *_, missed in verdicts] == [1, 1, 1, 2, 1]


@pytest.mark.parametrize(
    ("end_ns", "missed"), [(1400, 0), (1401, 1), (1800, 1), (1801, 2), (2200, 2), (10**6, 19)]
)
@pytest.mark.parametrize("policy", ["skip", "delay"])
def test_ticks_due_at_the_end_or_later_are_not_missed(policy, end_ns, missed):
    schedule = Schedule(FIRST_NS, PERIOD_NS, policy, end_ns=end_ns)
    expected = missed + (policy == "delay" and end_ns == 10**6)  # it waits for a period more
    assert schedule.finish(9000) == (True, expected)
    assert schedule.is_over == (end_ns <= 2200)


@pytest.mark.parametrize("missed", POLICIES)
def test_nothing_is_missed_after_the_last_of_a_number_of_ticks(missed):
    schedule = Schedule(FIRST_NS, PERIOD_NS, missed, ticks=2)
    assert schedule.finish(1100) == (False, 0)
    assert schedule.finish(99_999) == (True, 0)
    assert schedule.is_over


@given(policies, st.lists(st.integers(0, 3000), max_size=40))
def test_executed_and_missed_add_up_to_the_ticks_due_so_far(policy, took_ns):
    schedule = Schedule(FIRST_NS, PERIOD_NS, policy)
    verdicts = finish_all(schedule, took_ns)
    assert schedule.executed == len(verdicts) == len(took_ns)
    assert schedule.missed == sum(missed for *_, missed in verdicts)
    assert all(missed >= 0 for *_, missed in verdicts)
    assert schedule.executed + schedule.missed == (schedule.due_ns - FIRST_NS) // PERIOD_NS
    if policy != "delay":
        assert (schedule.due_ns - FIRST_NS) % PERIOD_NS == 0  # the phase is kept
    if policy == "burst":
        assert schedule.missed == 0


@given(policies, st.integers(1000, 9000), st.lists(st.integers(0, 3000), min_size=30, max_size=30))
def test_at_the_end_executed_and_missed_are_all_ticks_that_were_due(policy, end_ns, took_ns):
    schedule = Schedule(FIRST_NS, PERIOD_NS, policy, end_ns=end_ns)
    verdicts = finish_all(schedule, took_ns)
    assert schedule.is_over
    assert all(missed >= 0 and due < end_ns for due, _, missed in verdicts)
    assert schedule.executed + schedule.missed == ceil((end_ns - FIRST_NS) / PERIOD_NS)
