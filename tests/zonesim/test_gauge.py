from __future__ import annotations

import time

import msgspec
import pytest

import corororo as cr
from zonesim.control import WorkerTotals
from zonesim.gauge import Gauge
from zonesim.scenario import Scenario
from zonesim.ticks import TickRow
from zonesim.zone_states import ZoneState

NOBODY = cr.PoolStatistics((), (), 0, None)
WORKER = cr.PoolStatistics((cr.WorkerStatus(1, 10, "zonesim worker 1", True),), (), 3, None)
STATES = {0: ZoneState.READY, 1: ZoneState.ALLOCATED, 2: ZoneState.READY, 3: ZoneState.STARTING}


def row(zone: int = 0, **changes: object) -> TickRow:
    """A tick of 2 ms that began 1 ms after it was due, just now."""
    now_ns = time.monotonic_ns()
    plain = dict.fromkeys(TickRow.__struct_fields__, 0)
    times = {
        "scheduled_ns": now_ns - 3_000_000,
        "started_ns": now_ns - 2_000_000,
        "finished_ns": now_ns,
    }
    return TickRow(**{**plain, "zone": zone, "late": False, **times, **changes})


@pytest.fixture
def gauge():
    gauge = Gauge(Scenario(zones=[1, 2], ticks=30))
    gauge.begin("running", 2, 2)
    return gauge


def test_ticks_are_counted_with_the_late_and_the_missed(gauge):
    gauge.take([row(), row(1, late=True, missed=2)])
    gauge.take([row(late=True)])

    progress = gauge.progress(STATES, [], NOBODY)

    assert (progress.ticks, progress.late, progress.missed) == (3, 2, 2)
    assert (progress.step, progress.steps, progress.zones, progress.zones_ready) == (2, 2, 2, 2)
    assert progress.zones_by_state == {"Ready": 2, "Allocated": 1, "Starting": 1}
    assert (progress.ticks_wanted, progress.duration_s) == (60, None)


def test_the_response_counts_from_the_moment_a_tick_was_due(gauge):
    gauge.take([row(), row(1)])

    progress = gauge.progress(STATES, [], NOBODY)

    figures = (progress.response_p50_ms, progress.response_p95_ms, progress.response_p99_ms)
    assert figures == (3.0, 3.0, 3.0)


def test_at_full_speed_nothing_is_due_and_the_response_is_the_tick():
    gauge = Gauge(Scenario(pace="max"))
    gauge.begin("running", 1, 1)
    gauge.take([row()])

    assert gauge.progress(STATES, [], NOBODY).response_p50_ms == 2.0


def test_percentiles_forget_what_is_long_past(gauge):
    past_ns = time.monotonic_ns() - 60_000_000_000
    gauge.take([row(scheduled_ns=past_ns - 10**9, started_ns=past_ns, finished_ns=past_ns)])

    progress = gauge.progress(STATES, [], NOBODY)

    assert (progress.ticks, progress.response_p99_ms) == (1, 0.0)


def test_calls_in_flight_are_those_of_the_latest_tick_of_each_zone(gauge):
    gauge.take([row(0, carried=5), row(1, carried=7), row(0, carried=1)])

    assert gauge.progress(STATES, [], NOBODY).async_in_flight == 8


def test_a_new_step_begins_with_counts_of_zero(gauge):
    gauge.take([row(late=True, missed=1)])
    gauge.begin("starting", 1, 5)

    progress = gauge.progress(STATES, [], NOBODY)

    assert (progress.phase, progress.step, progress.zones) == ("starting", 1, 5)
    assert (progress.ticks, progress.late, progress.missed) == (0, 0, 0)
    assert not gauge.running


def test_a_worker_is_as_busy_as_it_was_since_the_last_look(gauge):
    hour_ns = 3_600_000_000_000
    gauge.progress(STATES, [WorkerTotals(1, 0, 0, hour_ns)], WORKER)

    idle = gauge.progress(STATES, [WorkerTotals(1, 0, 0, hour_ns)], WORKER)
    busy = gauge.progress(STATES, [WorkerTotals(1, 0, 0, 2 * hour_ns)], WORKER)

    assert [line.utilisation for line in idle.workers] == [0.0]
    assert [line.utilisation for line in busy.workers] == [1.0]
    assert busy.workers[0].name == "zonesim worker 1"
    assert busy.worker_restarts == 3


def test_a_snapshot_is_frozen(gauge):
    with pytest.raises(AttributeError):
        gauge.progress(STATES, [], NOBODY).ticks = 1
    assert msgspec.structs.asdict(gauge.progress(STATES, [], NOBODY))["ticks"] == 0
