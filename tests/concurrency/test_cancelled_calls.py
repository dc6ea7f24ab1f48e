"""Calls that are with a worker when their Task is cancelled: dropped, counted, and freed."""

from __future__ import annotations

import time
from pathlib import Path
from random import Random

import pytest
import worker_calls as calls
from waiting import wait_until

import corororo as cr

pytestmark = pytest.mark.timeout(60)


def settle(scheduler: cr.Scheduler) -> cr.SchedulerStatistics:
    """Tick until every reply is back, wanted or not."""

    def all_back() -> bool:
        scheduler.tick()
        return scheduler.statistics().async_tasks_in_flight == 0

    wait_until(all_back, "every call is answered")
    return scheduler.statistics()


def test_a_deadline_ends_a_wait_for_a_worker_and_the_tick_with_it(tmp_path: Path) -> None:
    """The worker would answer when the file is there, which is only after the tick."""
    caught: list[bool] = []

    async def impatient() -> None:
        with cr.move_on_after(0.05) as scope:
            await calls.wait_for_file(str(tmp_path / "gate"), 1)
        caught.append(scope.cancelled_caught)

    with cr.WorkerPool(1) as pool, cr.Scheduler(pool) as scheduler:
        scheduler.schedule(impatient())
        report = scheduler.tick()
        assert (caught, report.async_tasks_carried) == ([True], 1)
        (tmp_path / "gate").touch()
        assert settle(scheduler).async_tasks_dropped == 1
        assert scheduler.run(calls.double(4)) == 8


@pytest.mark.parametrize("length", [2_000, 20_000])  # in the ring, and behind it
def test_records_of_cancelled_calls_are_freed_so_that_the_ring_never_fills(length: int) -> None:
    """Many times the ring's size is sent and cancelled; live calls among them are answered."""
    random = Random(3)
    answered = 0
    cancelled = 0

    async def caller(i: int) -> None:
        nonlocal answered, cancelled
        with cr.CancelScope() as scope:
            if i % 2:
                scope.deadline = (await cr.current_scheduler()).clock.now() + random.random() / 500
            assert await calls.length_of(bytes(length)) == length
            answered += 1
        cancelled += scope.cancelled_caught

    with cr.WorkerPool(2, ring_bytes=1 << 16) as pool, cr.Scheduler(pool) as scheduler:
        for _ in range(10):
            for i in range(60):
                scheduler.schedule(caller(i))
            scheduler.tick()
        statistics = settle(scheduler)
    assert answered + cancelled == 600
    assert answered >= 300
    assert statistics.async_tasks_sent == statistics.async_tasks_taken
    assert statistics.async_tasks_dropped == statistics.async_tasks_taken - answered


@pytest.mark.parametrize("workers", [0, 1, 8])
def test_any_number_of_workers_gives_the_same_values(workers: int) -> None:
    async def main() -> list[int]:
        return await cr.gather(*(calls.double(i) for i in range(300)))

    with cr.WorkerPool(workers) as pool, cr.Scheduler(pool) as scheduler:
        assert scheduler.run(main()) == [2 * i for i in range(300)]


def test_a_scheduler_may_be_closed_at_any_moment_with_calls_in_every_state() -> None:
    random = Random(5)
    with cr.WorkerPool(2) as pool:
        for _ in range(25):
            ended: list[int] = []
            begun: list[int] = []

            async def mob(i: int, begun: list[int] = begun, ended: list[int] = ended) -> None:
                begun.append(i)
                try:
                    while True:
                        with cr.move_on_after(random.random() / 100):
                            async with cr.open_nursery() as nursery:
                                nursery.start_soon(calls.slow_double, i, 0.0005)
                                await calls.double(i)
                            await calls.double.map(range(5))
                        await cr.checkpoint()
                finally:
                    ended.append(i)

            scheduler = cr.Scheduler(pool)
            for i in range(10):
                scheduler.schedule(mob(i))
            until = time.monotonic() + random.random() / 100
            while time.monotonic() < until:
                scheduler.tick(deadline=random.random() / 500, late="carry")
            scheduler.close()
            assert sorted(ended) == sorted(begun)
        with cr.Scheduler(pool) as scheduler:
            assert scheduler.run(calls.double(1)) == 2
