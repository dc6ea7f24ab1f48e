from __future__ import annotations

import time
from collections import deque

import pytest

import corororo as cr
from zonesim.controller.gauge import Gauge, ticks_per_second
from zonesim.controller.slots import ZoneState
from zonesim.live.progress import Progress
from zonesim.scenario.loading import Scenario
from zonesim.wire.messages import TickRow, WorkerTotals

MS = 1_000_000
PERIOD_NS = 400 * MS
NO_WORKERS = cr.PoolStatistics((), (), 0, None)
BOTH = {0: ZoneState.READY, 1: ZoneState.ALLOCATED}


def row(zone: int = 0, ago_ms: int = 0, **changes: object) -> TickRow:
    """A tick of 2 ms that began 1 ms after it was due, and has just ended."""
    now_ns = time.monotonic_ns() - ago_ms * MS
    plain = dict.fromkeys(TickRow.__struct_fields__, 0)
    times = {
        "scheduled_ns": now_ns - 3 * MS,
        "started_ns": now_ns - 2 * MS,
        "finished_ns": now_ns,
    }
    return TickRow(**{**plain, "zone": zone, "late": False, **times, **changes})


@pytest.fixture
def gauge():
    gauge = Gauge(Scenario(zones=[1, 2, 5], ticks=30))
    gauge.begin("running", 2, 2)
    return gauge


def progress_of(gauge: Gauge, states=BOTH, work=(), pool=NO_WORKERS) -> Progress:
    return gauge.progress(states, work, pool)


def test_ticks_are_counted_with_the_late_and_the_missed(gauge):
    gauge.take([row(scheduled_ns=PERIOD_NS), row(1, late=True, scheduled_ns=2 * PERIOD_NS)])
    gauge.take([row(late=True, scheduled_ns=4 * PERIOD_NS)])
    progress = progress_of(gauge)
    assert (progress.ticks, progress.late, progress.missed) == (3, 2, 2)
    assert (progress.step, progress.steps, progress.zones, progress.zones_ready) == (2, 3, 2, 2)
    assert (progress.ticks_wanted, progress.duration_s) == (60, None)


@pytest.mark.parametrize(("pace", "response_ms"), [("realtime", 3.0), ("max", 2.0)])
def test_the_response_counts_from_when_a_tick_was_due_or_began_at_full_speed(pace, response_ms):
    gauge = Gauge(Scenario(pace=pace))
    gauge.begin("running", 1, 1)
    gauge.take([row(), row(1)])
    progress = progress_of(gauge)
    assert {progress.response_p50_ms, progress.response_p95_ms, progress.response_p99_ms} == {
        response_ms
    }
    assert progress.missed == 0


def test_old_ticks_leave_the_recent_figures_and_not_the_counts(gauge):
    gauge.take([row(ago_ms=60_000, late=True, busy_ns=PERIOD_NS)])
    progress = progress_of(gauge)
    assert (progress.ticks, progress.late, progress.response_p99_ms) == (1, 1, 0.0)
    assert (progress.utilisation_highest, progress.tps_lowest) == (0.0, 0.0)


def test_a_step_that_has_ended_is_kept_and_the_next_one_begins_at_zero(gauge):
    gauge.take([row(late=True), row(1)])
    gauge.write()
    first, second = progress_of(gauge), progress_of(gauge)
    assert (first.phase, first.elapsed_s) == ("writing", second.elapsed_s)
    gauge.begin("starting", 3, 5)
    progress = progress_of(gauge)
    assert (progress.phase, progress.step, progress.zones) == ("starting", 3, 5)
    assert (progress.ticks, progress.late, progress.missed) == (0, 0, 0)
    [step] = progress.ended
    assert (step.step, step.zones, step.ticks, step.late, step.missed) == (2, 2, 2, 1, 0)
    assert step.response_p50_ms == step.response_p99_ms == 3.0


def test_the_rates_of_the_slowest_and_the_fastest_zone_are_given(gauge):
    gauge.take([row(0, ago_ms=500), row(0), row(1)])
    progress = progress_of(gauge)
    assert progress.tps_lowest == pytest.approx(2.0, rel=0.01)
    assert progress.tps_median == progress.tps_highest == 2.5


@pytest.mark.parametrize(
    ("state", "lowest"),
    [
        (ZoneState.READY, 0.0),
        (ZoneState.UNHEALTHY, 0.0),
        (ZoneState.DRAINING, 2.5),
        (ZoneState.STARTING, 2.5),
    ],
)
def test_a_zone_without_recent_ticks_has_no_rate_where_it_should_tick(gauge, state, lowest):
    gauge.take([row(0), row(1, ago_ms=60_000)])
    assert progress_of(gauge, {0: ZoneState.READY, 1: state}).tps_lowest == lowest


def test_the_busiest_zones_come_first_and_equally_busy_ones_in_order(gauge):
    for zone, busy_ms in enumerate((40, 200, 41, 360)):
        gauge.take([row(zone, busy_ns=busy_ms * MS, players=zone, entities=10 * zone)])
    progress = progress_of(gauge, dict.fromkeys(range(4), ZoneState.READY))
    assert [line.zone for line in progress.busiest] == [3, 1, 0, 2]
    assert progress.utilisation_highest == 0.9
    assert progress.utilisation_mean == pytest.approx(641 / 1600)
    assert progress.headroom == pytest.approx(0.1)
    busiest = progress.busiest[0]
    assert (busiest.state, busiest.mspt_p50_ms, busiest.mspt_p95_ms) == ("Ready", 2.0, 2.0)
    assert (busiest.players, busiest.entities, busiest.late) == (3, 30, 0)


def test_zones_that_have_ended_are_forgotten(gauge):
    gauge.take([row(0, carried=5), row(1, carried=7, busy_ns=10**9)])
    progress = progress_of(gauge, {0: ZoneState.READY})
    assert (progress.async_in_flight, len(progress.busiest)) == (5, 1)
    assert progress.utilisation_highest == 0.0


def ticks_at(*started_ms: int, took_ms: int = 20) -> deque[TickRow]:
    return deque(
        row(started_ns=each * MS, finished_ns=(each + took_ms) * MS) for each in started_ms
    )


@pytest.mark.parametrize(
    ("ticks", "now_ms", "period_ms", "tps"),
    [
        (ticks_at(*range(0, 4000, 400)), 4300, 400, 2.5),
        (ticks_at(0), 21, 400, 2.5),
        (ticks_at(0, took_ms=10_000), 10_001, 400, 0.1),
        (ticks_at(*range(0, 4000, 800), took_ms=790), 4000, 400, 1.25),
        (ticks_at(0, 400, 800), 1600, 400, 2.5),
        (ticks_at(0, 400, 800), 3000, 400, 1.0),
        (ticks_at(0, 400, 800), 6000, 400, 0.5),
        (ticks_at(0, took_ms=2), 3, 0, 500.0),
        (ticks_at(), 3, 400, 0.0),
    ],
)
def test_the_rate_is_that_of_starts_and_falls_while_a_zone_stands_still(
    ticks, now_ms, period_ms, tps
):
    assert ticks_per_second(ticks, now_ms * MS, period_ms * MS) == pytest.approx(tps)


def test_the_latest_events_are_shown_with_their_time_since_the_run_began(gauge):
    now_ns = time.monotonic_ns()
    for number in range(20):
        gauge.note(now_ns + 10**9, f"worker-died: worker {number}")
    events = progress_of(gauge).events
    assert [event.text for event in events] == [f"worker-died: worker {n}" for n in range(12, 20)]
    assert 0 < events[0].at_s < 60


def test_the_use_of_workers_is_their_share_of_the_time_since_an_earlier_look(gauge, monkeypatch):
    now_s = [1000.0]
    monkeypatch.setattr(time, "monotonic_ns", lambda: round(now_s[0] * 1e9))
    gauge = Gauge(Scenario())
    statuses = tuple(cr.WorkerStatus(n, 100 + n, "", True, place=n) for n in (1, 2))
    pool = cr.PoolStatistics(statuses, (), 3, None, 17)

    def shares(at_s: float, *busy_s: float) -> list[float]:
        now_s[0] = at_s
        work = [WorkerTotals(n, 0, 0, round(s * 1e9)) for n, s in enumerate(busy_s, start=1)]
        return [line.utilisation for line in progress_of(gauge, {}, work, pool).workers]

    assert shares(1000, 3600, 0) == [0.0, 0.0]
    assert shares(1001, 3600.5, 3.0) == [0.5, 1.0]
    assert shares(1005, 3602, 3.0) == [0.4, 0.6]
    assert shares(1011, 3602, 3.0) == [0.0, 0.0]  # what is longer ago is forgotten
    progress = progress_of(gauge, {}, [], pool)
    assert [line.worker for line in progress.workers] == [1, 2]
    assert (progress.worker_restarts, progress.batches_queued) == (3, 17)
