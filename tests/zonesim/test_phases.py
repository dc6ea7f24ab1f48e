from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zonesim.phases import first_due_ns, phase_ns, times_due

PERIOD_NS = 400_000_000
ZONES = st.integers(0, 999)
MOMENTS = st.integers(0, 2**62)
PERIODS = st.integers(1_000_000, 60_000_000_000)


def test_a_zone_has_its_place_in_the_period_whoever_else_is_there():
    assert [phase_ns(zone, 1000) for zone in range(6)] == [0, 618, 236, 854, 472, 90]


@pytest.mark.parametrize("zones", range(2, 1001, 7))
def test_any_number_of_zones_is_spread_evenly(zones):
    phases = sorted(phase_ns(zone, PERIOD_NS) for zone in range(zones))
    gaps = [b - a for a, b in pairwise([*phases, PERIOD_NS + phases[0]])]
    # With this ratio no gap is further from the even one than this, however many zones there are.
    assert max(gaps) < 1.9 * PERIOD_NS / zones
    assert min(gaps) > 0.37 * PERIOD_NS / zones


@given(MOMENTS, ZONES, PERIODS, MOMENTS)
def test_the_first_moment_is_on_schedule_and_none_lies_before_it(origin, zone, period, begin):
    first = first_due_ns(origin, zone, period, begin)
    assert first >= begin
    assert (first - origin - phase_ns(zone, period)) % period == 0
    assert first - period < max(begin, origin)


@given(MOMENTS, ZONES, PERIODS, st.lists(st.integers(0, 10**11), min_size=3, max_size=3))
def test_windows_that_follow_each_other_share_all_moments_out(origin, zone, period, offsets):
    a, b, c = sorted(origin + offset for offset in offsets)
    both = times_due(origin, zone, period, a, b) + times_due(origin, zone, period, b, c)
    assert both == times_due(origin, zone, period, a, c) >= 0


def test_a_zone_is_due_at_the_begin_of_a_window_and_not_at_its_end():
    assert times_due(1000, 0, 100, 1000, 1300) == 3
    assert times_due(1000, 0, 100, 1001, 1300) == 2
    assert times_due(1000, 0, 100, 1000, 1301) == 4
    assert times_due(1000, 0, 100, 1300, 1000) == 0
