from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zonesim.zone.phases import due_times, first_due_ns, phase_ns

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
    from_a, from_b = (due_times(origin, zone, period, begin) for begin in (a, b))
    assert from_a.before(b) + from_b.before(c) == from_a.before(c) >= 0


def test_a_zone_is_due_at_the_begin_of_a_window_and_not_at_its_end():
    assert due_times(1000, 0, 100, 1000).before(1300) == 3
    assert due_times(1000, 0, 100, 1001).before(1300) == 2
    assert due_times(1000, 0, 100, 1000).before(1301) == 4
    assert due_times(1000, 0, 100, 1300).before(1000) == 0
