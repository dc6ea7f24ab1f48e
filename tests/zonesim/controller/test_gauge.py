from __future__ import annotations

import time

import msgspec
import pytest

import corororo as cr
from zonesim.controller.gauge import Gauge, headroom
from zonesim.controller.zone_states import ZoneState
from zonesim.live.progress import Progress
from zonesim.results.step_info import StepInfo
from zonesim.scenario.loading import Scenario
from zonesim.wire.messages import WorkerTotals
from zonesim.wire.ticks import TickRow

NOBODY = cr.PoolStatistics((), (), 0, None)
WORKER = cr.PoolStatistics(
    (cr.WorkerStatus(1, 10, "zonesim worker 1", True, place=1),), (), 3, None
)

PERIOD_NS = 400_000_000
BOTH = {0: ZoneState.READY, 1: ZoneState.ALLOCATED}


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
    gauge = Gauge(Scenario(zones=[1, 2, 5], ticks=30))
    gauge.run(step_that_began(0), {0: 30, 1: 30})
    return gauge


def step_that_began(ago_ns: int, **changes: object) -> StepInfo:
    """The second step, of two zones."""
    begin_ns = time.monotonic_ns() - ago_ns
    plain = StepInfo(2, 2, 2, 2, 400.0, "realtime", origin_ns=begin_ns, begin_ns=begin_ns, ticks=30)
    return msgspec.structs.replace(plain, **changes)


def test_ticks_are_counted_with_the_late_and_the_missed(gauge):
    step = step_that_began(10 * PERIOD_NS)
    gauge.run(step, {0: 30, 1: 30})
    due_ns = [step.begin_ns + tick * PERIOD_NS for tick in range(9)]
    gauge.take([row(scheduled_ns=due_ns[0]), row(1, late=True, scheduled_ns=due_ns[1])])
    gauge.take([row(late=True, scheduled_ns=due_ns[3])])

    progress = gauge.progress(BOTH, [], NOBODY)

    assert (progress.ticks, progress.late, progress.missed) == (3, 2, 2)
    assert (progress.step, progress.steps, progress.zones, progress.zones_ready) == (2, 3, 2, 2)
    assert (progress.ticks_wanted, progress.duration_s) == (60, None)


def test_the_response_counts_from_the_moment_a_tick_was_due(gauge):
    gauge.take([row(), row(1)])

    progress = gauge.progress(BOTH, [], NOBODY)

    figures = (progress.response_p50_ms, progress.response_p95_ms, progress.response_p99_ms)
    assert figures == (3.0, 3.0, 3.0)


def test_at_full_speed_nothing_is_due_and_the_response_is_the_tick():
    gauge = Gauge(Scenario(pace="max"))
    gauge.begin("running", 1, 1)
    gauge.take([row()])

    assert gauge.progress(BOTH, [], NOBODY).response_p50_ms == 2.0


def test_percentiles_forget_what_is_long_past(gauge):
    past_ns = time.monotonic_ns() - 60_000_000_000
    gauge.take([row(scheduled_ns=past_ns - 10**9, started_ns=past_ns, finished_ns=past_ns)])

    progress = gauge.progress(BOTH, [], NOBODY)

    assert (progress.ticks, progress.response_p99_ms) == (1, 0.0)


def test_calls_in_flight_are_those_of_the_latest_tick_of_each_zone(gauge):
    gauge.take([row(0, carried=5), row(1, carried=7), row(0, carried=1)])

    assert gauge.progress(BOTH, [], NOBODY).async_in_flight == 8


def test_a_new_step_begins_with_counts_of_zero(gauge):
    gauge.run(step_that_began(10 * PERIOD_NS), {0: 30, 1: 30})
    gauge.take([row(late=True)])
    gauge.begin("starting", 3, 5)

    progress = gauge.progress(BOTH, [], NOBODY)

    assert (progress.phase, progress.step, progress.zones) == ("starting", 3, 5)
    assert (progress.ticks, progress.late, progress.missed) == (0, 0, 0)
    assert not gauge.running


def test_workers_are_told_by_name_with_their_restarts(gauge):
    progress = gauge.progress(BOTH, [WorkerTotals(1, 1, 1, 1)], WORKER)

    assert [line.worker for line in progress.workers] == [1]
    assert progress.worker_restarts == 3


def test_batches_that_wait_are_those_that_the_pool_tells_of(gauge):
    pool = cr.PoolStatistics((), (), 0, None, 17)

    assert gauge.progress(BOTH, [], pool).batches_queued == 17


def test_zones_are_counted_by_state_with_those_that_are_still_to_be_made(gauge):
    gauge.begin("starting", 2, 5)
    states = {**BOTH, 2: ZoneState.STARTING}

    progress = gauge.progress(states, [], NOBODY)

    assert progress.zones_by_state == {"Creating": 2, "Starting": 1, "Ready": 1, "Allocated": 1}
    assert progress.zones_ready == 2


def test_the_speed_of_the_slowest_and_of_the_fastest_zone_is_told(gauge):
    half_s = 500_000_000
    gauge.take([row(0, started_ns=row().started_ns - half_s), row(0)])
    gauge.take([row(1)])

    progress = gauge.progress(BOTH, [], NOBODY)

    assert progress.tps_lowest == pytest.approx(2.0, rel=0.01)
    assert progress.tps_median == progress.tps_highest == 2.5


def test_a_zone_that_has_not_had_its_turn_yet_is_not_slow(gauge):
    gauge.take([row(0)])

    assert gauge.progress(BOTH, [], NOBODY).tps_lowest == 2.5


@pytest.mark.parametrize("state", [ZoneState.READY, ZoneState.UNHEALTHY])
def test_a_zone_that_has_not_ticked_for_long_has_no_speed_at_all(gauge, state):
    past_ns = time.monotonic_ns() - 60_000_000_000
    gauge.take([row(0), row(1, started_ns=past_ns, finished_ns=past_ns + 1)])

    progress = gauge.progress({0: ZoneState.READY, 1: state}, [], NOBODY)

    assert (progress.tps_lowest, progress.tps_highest) == (0.0, 2.5)


def test_a_zone_that_drains_or_starts_is_not_expected_to_tick(gauge):
    past_ns = time.monotonic_ns() - 60_000_000_000
    gauge.take([row(0), row(1, started_ns=past_ns, finished_ns=past_ns + 1)])

    for state in (ZoneState.DRAINING, ZoneState.STARTING):
        progress = gauge.progress({0: ZoneState.READY, 1: state}, [], NOBODY)
        assert (progress.tps_lowest, len(progress.busiest)) == (2.5, 1)


def test_the_busiest_zones_come_first_and_those_that_are_as_busy_in_order(gauge):
    for zone, busy_ms in enumerate((40, 200, 41, 360)):
        gauge.take([row(zone, busy_ns=busy_ms * 1_000_000)])

    progress = gauge.progress(dict.fromkeys(range(4), ZoneState.READY), [], NOBODY)

    assert [line.zone for line in progress.busiest] == [3, 1, 0, 2]
    assert progress.utilisation_highest == 0.9
    assert progress.utilisation_mean == pytest.approx(641 / 1600)
    assert progress.headroom == pytest.approx(0.1)


@pytest.mark.parametrize(
    ("p99_share", "utilisation", "left"), [(0.0, 0.0, 1.0), (0.75, 0.2, 0.25), (0.1, 1.2, 0.0)]
)
def test_headroom_is_what_the_slowest_ticks_or_the_busiest_zone_leave(p99_share, utilisation, left):
    assert headroom(p99_share, utilisation) == left


def test_zones_that_are_gone_are_forgotten(gauge):
    gauge.take([row(0, carried=5), row(1, carried=7, busy_ns=10**9)])

    progress = gauge.progress({0: ZoneState.READY}, [], NOBODY)

    assert (progress.async_in_flight, len(progress.busiest), progress.utilisation_highest) == (
        5,
        1,
        0.0,
    )


def test_a_step_that_has_ended_is_remembered_with_its_figures(gauge):
    gauge.run(step_that_began(PERIOD_NS), {0: 30, 1: 30})
    gauge.take([row(late=True, scheduled_ns=time.monotonic_ns()), row(1)])
    gauge.write()
    gauge.begin("starting", 3, 5)
    gauge.begin("running", 3, 5)

    [step] = gauge.progress(BOTH, [], NOBODY).ended

    assert (step.step, step.zones, step.ticks, step.late, step.missed) == (2, 2, 2, 1, 1)
    assert step.response_p50_ms == step.response_p99_ms == 3.0


def test_figures_stand_while_a_step_is_written(gauge):
    gauge.take([row()])
    gauge.write()

    first, second = (gauge.progress(BOTH, [], NOBODY) for _ in range(2))

    assert (first.phase, first.tps_lowest) == ("writing", 2.5)
    assert first.elapsed_s == second.elapsed_s


def test_the_latest_events_are_told_with_their_time_since_the_run_began(gauge):
    now_ns = time.monotonic_ns()
    for number in range(20):
        gauge.note(now_ns + 10**9, f"worker-died: worker {number}")

    events = gauge.progress(BOTH, [], NOBODY).events

    assert [event.text for event in events] == [f"worker-died: worker {n}" for n in range(12, 20)]
    assert 0 < events[0].at_s < 60


def test_a_snapshot_survives_being_encoded(gauge):
    gauge.take([row(0, players=3), row(1)])
    progress = gauge.progress(BOTH, [WorkerTotals(1, 1, 1, 1)], WORKER)

    assert msgspec.json.decode(msgspec.json.encode(progress), type=Progress) == progress


def test_a_snapshot_is_frozen(gauge):
    with pytest.raises(AttributeError):
        gauge.progress({}, [], NOBODY).ticks = 1
    assert msgspec.structs.asdict(gauge.progress({}, [], NOBODY))["ticks"] == 0
