from __future__ import annotations

import pytest

from zonesim.controller.zone_gauge import TICKS_KEPT, ZoneGauge
from zonesim.wire.ticks import TickRow

MS = 1_000_000
PERIOD_NS = 400.0 * MS


def row(started_ms: float, took_ms: float = 20.0, busy_ms: float = 10.0, **changes: int) -> TickRow:
    plain = dict.fromkeys(TickRow.__struct_fields__, 0)
    started_ns = round(started_ms * MS)
    times = {
        "scheduled_ns": started_ns,
        "started_ns": started_ns,
        "finished_ns": started_ns + round(took_ms * MS),
        "busy_ns": round(busy_ms * MS),
    }
    return TickRow(**{**plain, "late": False, **times, **changes})


def gauge_of(*rows: TickRow) -> ZoneGauge:
    gauge = ZoneGauge(0)
    for each in rows:
        gauge.take(each, each.finished_ns - each.scheduled_ns)
    return gauge


def tps(gauge: ZoneGauge, now_ms: float, period_ns: float = PERIOD_NS) -> float:
    return round(gauge.tps(round(now_ms * MS), period_ns), 3)


def test_a_zone_that_keeps_its_period_has_the_ticks_per_second_of_the_period():
    steady = gauge_of(*(row(400 * n) for n in range(10)))

    assert [tps(steady, now_ms) for now_ms in (3620, 3999, 4300)] == [2.5, 2.5, 2.5]


def test_the_first_tick_counts_as_one_in_a_period_or_in_as_long_as_it_took():
    assert tps(gauge_of(row(0)), 21) == 2.5
    assert tps(gauge_of(row(0, took_ms=10_000)), 10_001) == 0.1


def test_ticks_that_take_longer_than_the_period_are_fewer():
    slow = gauge_of(*(row(800 * n, took_ms=790) for n in range(5)))

    assert tps(slow, 5 * 800) == 1.25


def test_a_zone_that_stands_still_has_fewer_and_fewer():
    stopped = gauge_of(row(0), row(400), row(800))

    assert tps(stopped, 1600) == 2.5
    assert tps(stopped, 3000) == 1.0
    assert tps(stopped, 6000) == 0.5
    stopped.forget_before(6000 * MS)
    assert tps(stopped, 6000) == 0.0


def test_at_full_speed_nothing_is_due_and_a_tick_is_as_long_as_it_took():
    assert tps(gauge_of(row(0, took_ms=2)), 3, period_ns=0.0) == 500.0
    assert tps(gauge_of(row(0, took_ms=0)), 0, period_ns=0.0) == 1e9


def test_utilisation_is_the_mean_busy_time_over_the_period_and_may_be_more_than_all_of_it():
    assert ZoneGauge(0).utilisation(PERIOD_NS) == 0.0
    assert gauge_of(row(0, busy_ms=100), row(400, busy_ms=300)).utilisation(PERIOD_NS) == 0.5
    assert gauge_of(row(0, busy_ms=800)).utilisation(PERIOD_NS) == 2.0


def test_what_is_long_past_is_forgotten_but_the_late_ticks_of_the_step_stay_counted():
    gauge = gauge_of(row(0, busy_ms=400, late=True), row(400, busy_ms=100))

    gauge.forget_before(100 * MS)

    assert gauge.utilisation(PERIOD_NS) == 0.25
    assert gauge.late == 1


def test_at_full_speed_only_so_many_ticks_are_kept():
    gauge = gauge_of(*(row(n, took_ms=1, busy_ms=1) for n in range(TICKS_KEPT + 10)))

    assert len(gauge.recent) == TICKS_KEPT
    assert gauge.utilisation(PERIOD_NS) == pytest.approx(1 / 400)


def test_a_line_tells_the_whole_tick_with_its_wait_and_who_was_there_last():
    ticks = (row(400 * n, took_ms=n, busy_ms=1, players=n, entities=10 * n) for n in range(1, 12))
    line = gauge_of(*ticks).line(7, "Allocated", 0.25, 2.5)

    assert (line.zone, line.state, line.utilisation, line.tps) == (7, "Allocated", 0.25, 2.5)
    assert (line.mspt_p50_ms, line.mspt_p95_ms) == (6.0, 11.0)
    assert (line.players, line.entities, line.late) == (11, 110, 0)


def test_a_zone_without_a_recent_tick_has_a_line_of_zeros():
    line = ZoneGauge(0).line(7, "Unhealthy", 0.0, 0.0)

    assert (line.mspt_p50_ms, line.mspt_p95_ms, line.players) == (0.0, 0.0, 0)
