"""Calls of workers leave nothing behind: neither Python objects nor pages, on either side."""

from __future__ import annotations

import gc
import os
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import pytest
import worker_calls as calls
from waiting import pids

import corororo as cr

pytestmark = [
    pytest.mark.timeout(600),
    pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="/proc tells of the memory"),
]
LIMIT_BYTES = 2 << 20
TASKS = 100


def resident_bytes(pid: int) -> int:
    fields = Path(f"/proc/{pid}/statm").read_text().split()
    return int(fields[1]) * os.sysconf("SC_PAGE_SIZE")


def traced_growth_bytes(work: Callable[[], None], rounds: int) -> int:
    """What Python holds after so many rounds and did not hold after the first."""
    gc.collect()
    tracemalloc.start()
    try:
        work()
        before, _ = tracemalloc.get_traced_memory()
        for _ in range(rounds):
            work()
        gc.collect()
        after, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    return after - before


@pytest.mark.parametrize(
    "rounds",
    [pytest.param(20, id="quick"), pytest.param(2_000, id="long", marks=pytest.mark.slow)],
)
def test_many_async_tasks_leave_nothing_here_nor_in_the_workers(rounds: int) -> None:
    async def mob(i: int) -> None:
        await calls.double(i)
        with cr.move_on_after(0):
            await calls.double(i)

    def work() -> None:
        for i in range(TASKS):
            scheduler.schedule(mob(i))
        scheduler.tick()

    with cr.WorkerPool(2) as pool, cr.Scheduler(pool) as scheduler:
        for _ in range(5):
            work()
        processes = [os.getpid(), *pids(pool)]
        residents = [resident_bytes(pid) for pid in processes]
        assert traced_growth_bytes(work, 20) < LIMIT_BYTES // 8
        for _ in range(rounds):
            work()
        gc.collect()
        grown = [resident_bytes(pid) - was for pid, was in zip(processes, residents, strict=True)]
        # What tracemalloc itself leaves behind is part of the allowance.
        assert max(grown) < LIMIT_BYTES


def test_five_hundred_results_of_40_kilobytes_are_given_back() -> None:
    async def mob() -> None:
        assert len(await calls.swell(40_960)) == 40_960

    def work() -> None:
        for _ in range(500):
            scheduler.schedule(mob())
        scheduler.tick()

    with cr.WorkerPool(2) as pool, cr.Scheduler(pool) as scheduler:
        work()
        assert traced_growth_bytes(work, 3) < LIMIT_BYTES // 8
