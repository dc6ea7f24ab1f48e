"""Zones that share a thread: each is charged with its own work."""

from __future__ import annotations

import time

import pytest
import trio

import corororo as cr
from zonesim.results.statistics import summarise_step
from zonesim.results.step_info import StepInfo
from zonesim.workloads.base import ZoneSpec
from zonesim.zone.zone import Zone

ZONES, TICKS = 100, 3


@pytest.fixture
async def measured():
    """The rows of 100 zones that tick at once on this thread, and the CPU time that it took."""
    rows = []

    async def tick(zone):
        rows.extend([await zone.tick(None) for _ in range(TICKS)])

    with cr.WorkerPool(2) as pool, cr.SlackCollector() as garbage:
        zones = [
            Zone(ZoneSpec(number, 1, 0.4, "chains", ""), pool, garbage) for number in range(ZONES)
        ]
        async with trio.open_nursery() as nursery:  # sizes of batches are learnt
            for zone in zones:
                nursery.start_soon(zone.tick, None)
        before_ns = time.thread_time_ns()
        async with trio.open_nursery() as nursery:
            for zone in zones:
                nursery.start_soon(tick, zone)
        cpu_ns = time.thread_time_ns() - before_ns
        for zone in zones:
            zone.scheduler.close()
    return rows, cpu_ns


@pytest.mark.trio
async def test_what_zones_are_charged_with_is_what_their_thread_used(measured):
    rows, cpu_ns = measured

    assert 0.9 * cpu_ns <= sum(row.busy_ns for row in rows) <= cpu_ns


@pytest.mark.trio
async def test_the_parts_of_a_tick_add_up_to_it(measured):
    rows, _ = measured
    step = StepInfo(1, ZONES, 1, 2, 400, "max", 1)

    summary = summarise_step(rows, step)

    assert abs(summary.breakdown_ms.other) < 0.1 * summary.tick_ms.mean
