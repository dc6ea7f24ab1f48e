"""What users of Coro-Roro rely on, as behaviours of this scheduler. AsyncTasks run inline."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from random import Random

import pytest

import corororo as cr
from corororo.testing import MockClock


@cr.async_task
def double(x: int) -> int:
    return 2 * x


@cr.async_task
def forty_kilobytes(fill: int) -> bytes:
    return bytes([fill % 256]) * 40_960


@pytest.fixture
def clock() -> MockClock:
    return MockClock()


@pytest.fixture
def scheduler(clock: MockClock) -> Iterator[cr.Scheduler]:
    with cr.Scheduler(clock=clock) as scheduler:
        yield scheduler


def test_schedulers_are_made_and_closed_without_ever_running() -> None:
    for _ in range(100):
        cr.Scheduler().close()
    with cr.Scheduler() as scheduler:
        scheduler.schedule(lambda: None)


def test_results_of_40_kilobytes_pass_by_the_hundred(scheduler: cr.Scheduler) -> None:
    async def mob(i: int) -> None:
        assert await forty_kilobytes(i) == bytes([i % 256]) * 40_960

    for i in range(500):
        scheduler.schedule(mob(i))
    report = scheduler.tick()
    assert (report.tasks_finished, report.async_tasks_taken) == (500, 500)


def test_a_mixed_load_is_all_done_in_one_tick(scheduler: cr.Scheduler) -> None:
    done = {"simple": 0, "complex": 0, "async": 0}

    async def simple() -> None:
        done["simple"] += 1

    async def complex_(i: int) -> None:
        first = await double(i)
        values = await cr.gather(double(first), double(i))
        async with cr.open_nursery() as nursery:
            nursery.start_soon(double, 1)
        assert values == [4 * i, 2 * i]
        done["complex"] += 1

    async def heavy(i: int) -> None:
        assert await double(i) == 2 * i
        done["async"] += 1

    work = [simple] * 200 + [partial(complex_, i) for i in range(100)]
    work += [partial(heavy, i) for i in range(150)]
    Random(1).shuffle(work)
    for function in work:
        scheduler.schedule(function)
    report = scheduler.tick()
    assert done == {"simple": 200, "complex": 100, "async": 150}
    assert report.async_tasks_taken == 100 * 4 + 150


@pytest.mark.parametrize("spin_ms", [0, 5, 10])
def test_bursts_of_work_between_ticks_are_done_to_the_last(
    scheduler: cr.Scheduler, clock: MockClock, spin_ms: int
) -> None:
    done: list[int] = []

    async def work(i: int) -> None:
        clock.jump(spin_ms / 1000)
        done.append(await double(i))

    for burst in range(20):
        for i in range(10):
            scheduler.schedule(work(10 * burst + i))
        assert scheduler.tick().tasks_finished == 10
    assert done == [2 * i for i in range(200)]


def test_an_uncaught_exception_leaves_everything_else_as_it_was(
    scheduler: cr.Scheduler, clock: MockClock
) -> None:
    ran: list[str] = []

    async def fails() -> None:
        await cr.sleep(1)
        raise LookupError("uncaught")

    async def sleeper() -> None:
        await cr.sleep(2)
        ran.append("sleeper")

    scheduler.schedule_interval(1, partial(ran.append, "interval"))
    scheduler.schedule_delayed(2, partial(ran.append, "delayed"))
    scheduler.schedule(fails())
    scheduler.schedule(sleeper())
    scheduler.tick()
    clock.jump(1)
    with pytest.raises(LookupError, match="uncaught"):
        scheduler.tick()
    clock.jump(1)
    scheduler.tick()
    assert sorted(ran) == ["delayed", "interval", "interval", "interval", "sleeper"]
    assert scheduler.run(double(4)) == 8


def test_tasks_scheduled_from_an_interval_run_in_the_next_tick(
    scheduler: cr.Scheduler, clock: MockClock
) -> None:
    seen: list[float] = []
    scheduler.schedule_interval(1, lambda: scheduler.schedule(lambda: seen.append(clock.now())))
    for _ in range(3):
        scheduler.tick()
        clock.jump(0.25)
        scheduler.tick()
        clock.jump(0.75)
    assert seen == [0.25, 1.25, 2.25]


@pytest.mark.parametrize("ticks", range(8))
def test_it_may_be_closed_at_any_moment_of_any_work(ticks: int) -> None:
    """Sleeping, waiting, in scopes and nurseries, before and after each tick: close() returns."""
    ended: list[int] = []
    begun: list[int] = []

    async def work(i: int, depth: int = 2) -> None:
        begun.append(i)
        try:
            with cr.move_on_after(3):
                await cr.sleep(i % 4)
                async with cr.open_nursery() as nursery:
                    for _ in range(depth):
                        nursery.start_soon(work, i, depth - 1)
                    await double(i)
                    await cr.checkpoint()
                await cr.gather(cr.sleep(1), double(i))
        finally:
            ended.append(i)

    clock = MockClock()
    scheduler = cr.Scheduler(clock=clock)
    for i in range(12):
        scheduler.schedule(work(i))
    scheduler.schedule_interval(1, partial(work, 1))
    scheduler.schedule_delayed(1, work(1))
    for _ in range(ticks):
        scheduler.tick()
        clock.jump(0.5)
    scheduler.close()
    assert sorted(ended) == sorted(begun)
