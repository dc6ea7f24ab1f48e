"""Nothing grows with use: neither Python's objects nor the process, on either side."""

from __future__ import annotations

import gc
import os
import tracemalloc
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import worker_calls as calls
from waiting import pids

import corororo as cr

LIMIT_BYTES = 2 << 20
TASKS = 100


@pytest.fixture(autouse=True)
def _proc_is_there() -> None:
    if not Path("/proc/self/statm").exists():
        pytest.skip("resident memory is read from /proc")


@pytest.fixture
def scheduler() -> Iterator[cr.Scheduler]:
    with cr.Scheduler() as scheduler:
        yield scheduler


def resident_bytes(pid: int | None = None) -> int:
    fields = Path(f"/proc/{pid or 'self'}/statm").read_text().split()
    return int(fields[1]) * os.sysconf("SC_PAGE_SIZE")


async def leaf(x: int) -> int:
    return x


async def thousand_awaits() -> None:
    for i in range(1_000):
        await leaf(i)


async def some_of_everything() -> None:
    with cr.move_on_after(10):
        async with cr.open_nursery() as nursery:
            nursery.start_soon(leaf, 1)
        await cr.gather(leaf(1), leaf(2))
    with cr.CancelScope() as scope:
        scope.cancel()
        await cr.checkpoint()


def assert_flat(work: Callable[[], Any], rounds: int, processes: list[int]) -> None:
    """Both measures, after a first part of the rounds in which everything is warm."""
    for _ in range(max(rounds // 4, 3)):
        work()
    gc.collect()
    residents = [resident_bytes(pid) for pid in (os.getpid(), *processes)]
    tracemalloc.start()
    try:
        work()
        before, _ = tracemalloc.get_traced_memory()
        for _ in range(min(rounds, 20)):
            work()
        gc.collect()
        after, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert after - before < LIMIT_BYTES // 8
    for _ in range(rounds):
        work()
    gc.collect()
    grown = [
        resident_bytes(pid) - was
        for pid, was in zip((os.getpid(), *processes), residents, strict=True)
    ]
    # What tracemalloc itself leaves behind in the process is part of the allowance.
    assert max(grown) < LIMIT_BYTES


ROUNDS = [pytest.param(10, id="quick"), pytest.param(1_000, id="long", marks=pytest.mark.slow)]


@pytest.mark.timeout(600)
@pytest.mark.parametrize("rounds", ROUNDS)
def test_a_million_awaits_leave_nothing(scheduler: cr.Scheduler, rounds: int) -> None:
    assert_flat(lambda: scheduler.run(thousand_awaits()), rounds, [])


@pytest.mark.timeout(600)
@pytest.mark.parametrize("rounds", ROUNDS)
def test_scopes_nurseries_and_gathers_leave_nothing(scheduler: cr.Scheduler, rounds: int) -> None:
    def work() -> None:
        for _ in range(TASKS):
            scheduler.schedule(some_of_everything())
        scheduler.tick()
        scheduler.tick()

    assert_flat(work, rounds, [])


@pytest.mark.timeout(600)
@pytest.mark.parametrize(
    "rounds",
    [pytest.param(20, id="quick"), pytest.param(2_000, id="long", marks=pytest.mark.slow)],
)
def test_two_hundred_thousand_async_tasks_leave_nothing_here_nor_in_the_workers(
    rounds: int,
) -> None:
    async def mob(i: int) -> None:
        await calls.double(i)
        with cr.move_on_after(0):
            await calls.double(i)

    def work() -> None:
        for i in range(TASKS):
            scheduler.schedule(mob(i))
        scheduler.tick()

    with cr.WorkerPool(2) as pool, cr.Scheduler(pool) as scheduler:
        work()
        assert_flat(work, rounds, pids(pool))
        assert scheduler.statistics().async_tasks_in_flight == 0


def test_five_hundred_results_of_40_kilobytes_are_given_back() -> None:
    async def mob() -> None:
        assert len(await calls.swell(40_960)) == 40_960

    def work() -> None:
        for _ in range(500):
            scheduler.schedule(mob())
        scheduler.tick()

    with cr.WorkerPool(2) as pool, cr.Scheduler(pool) as scheduler:
        work()
        gc.collect()
        tracemalloc.start()
        try:
            work()
            before, _ = tracemalloc.get_traced_memory()
            for _ in range(3):
                work()
            gc.collect()
            after, _ = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
    assert after - before < LIMIT_BYTES // 8
