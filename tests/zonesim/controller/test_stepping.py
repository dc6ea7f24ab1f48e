from __future__ import annotations

import pytest

from zonesim.controller.stepping import (
    LEAD_FOR_EACH_ZONE_S,
    LEAD_S,
    WARM_UP_FOR_EACH_ZONE_S,
    WARM_UP_PERIODS,
    Stepping,
)
from zonesim.scenario.loading import Scenario

SECOND_NS = 1_000_000_000


def legs_of(scenario, *moments_s):
    stepping = Stepping(scenario)
    return stepping, [stepping.begin(moment * SECOND_NS) for moment in moments_s]


def test_a_step_of_a_continuous_run_has_no_end_until_the_last_one():
    scenario = Scenario(zones=[1, 3], duration_s=2.0)

    stepping, (first, last) = legs_of(scenario, 10, 13)

    assert stepping.continuous
    assert (first.step, last.step) == (1, 2)
    assert first.start_ns == 10 * SECOND_NS + int((LEAD_S + LEAD_FOR_EACH_ZONE_S) * 1e9)
    assert first.end_ns is None
    assert last.end_ns == last.start_ns + 2 * SECOND_NS


def test_a_step_starts_later_the_more_zones_are_new_and_have_to_rehearse():
    for pace, allowance_s in (("realtime", WARM_UP_FOR_EACH_ZONE_S), ("max", 0.0)):
        scenario = Scenario(zones=[1000], duration_s=2.0, pace=pace, period_ms=400.0)
        none, two, all_new = (
            Stepping(scenario).begin(0, new_zones).start_ns for new_zones in (0, 2, 1000)
        )
        assert two - none == pytest.approx(2 * allowance_s * 1e9)
        assert all_new - none <= WARM_UP_PERIODS * 400_000_000


def test_all_steps_of_a_continuous_run_keep_the_schedule_of_the_first():
    _, legs = legs_of(Scenario(zones=[2, 3, 1], duration_s=1.0), 1, 2, 3)

    assert {leg.origin_ns for leg in legs} == {legs[0].start_ns}
    assert [sorted(leg.until) for leg in legs] == [[0, 1], [0, 1, 2], [0]]
    assert {bound for leg in legs for bound in leg.until.values()} == {None}


def test_ticks_bound_each_zone_by_the_number_of_the_tick_that_it_has_come_to():
    stepping, legs = legs_of(Scenario(zones=[1, 2, 1], ticks=5), 1, 2, 3)

    assert not stepping.continuous
    assert [leg.until for leg in legs] == [{0: 5}, {0: 10, 1: 5}, {0: 15}]
    assert [leg.origin_ns for leg in legs] == [leg.start_ns for leg in legs]
    assert [leg.end_ns for leg in legs] == [None] * 3


def test_a_tick_belongs_to_the_step_in_whose_window_it_was_due_however_late_it_comes():
    stepping, legs = legs_of(Scenario(zones=[1, 2, 1], duration_s=1.0), 1, 5, 9)

    for leg in legs:
        assert stepping.step_of(leg.start_ns) == leg.step
        assert stepping.step_of(leg.start_ns + SECOND_NS) == leg.step
    assert stepping.step_of(legs[1].start_ns - 1) == 1
    assert stepping.step_of(legs[2].start_ns - 1) == 2
    assert stepping.step_of(0) == 1
