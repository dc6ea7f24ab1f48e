"""Rows, steps and the origin of a made-up run."""

from __future__ import annotations

from msgspec.structs import replace

from zonesim.results.saved_run import RunInfo
from zonesim.results.step_info import StepInfo
from zonesim.wire.messages import TickRow

MS = 1_000_000
TOP_HASH = 2**64 - 1


def row(zone: int, tick: int, **changes: object) -> TickRow:
    scheduled_ns = 10**15 + (tick * 400 + zone) * MS
    plain = TickRow(
        zone=zone,
        tick=tick,
        scheduled_ns=scheduled_ns,
        started_ns=scheduled_ns + 100_000,
        finished_ns=scheduled_ns + (3 + tick % 5) * MS,
        late=tick % 7 == 3,
        missed=tick % 2,
        busy_ns=2 * MS,
        waiting_ns=900_000,
        step_ns=1 * MS,
        encode_ns=200_000,
        resume_ns=400_000,
        gc_ns=1_000,
        tasks=1_584,
        async_submitted=396,
        async_completed=396,
        async_failed=0,
        batches=7,
        retried=1,
        carried=0,
        entities=330,
        players=10,
        world_hash=TOP_HASH - zone,
    )
    return replace(plain, **changes)


def run_info(**changes: object) -> RunInfo:
    plain = RunInfo(
        scenario="scale",
        seed=7,
        scenario_text='zones = [1, 2]\nname = "scale"\n',
        machine={"cpu": "Abacus 3", "cpus": 2},
        versions={"python": "3.11.2", "corororo": "0.1.0"},
        started_utc="2026-11-23T10:15:00Z",
        limits={},
    )
    return replace(plain, **changes)


def step_info(step: int, zones: int) -> StepInfo:
    return StepInfo(
        step=step, zones=zones, zone_processes=zones, workers=2, period_ms=400.0, pace="realtime"
    )
