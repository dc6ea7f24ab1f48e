"""A program that uses the public names; type-checked with mypy --strict, never run."""

from __future__ import annotations

from typing import assert_type

import msgspec

import corororo as cr


class Point(msgspec.Struct, frozen=True):
    x: float
    y: float


@cr.async_task
def find_path(start: Point, goal: Point) -> list[Point]:
    return [start, goal]


@cr.async_task(retries=2)
def plan(x: int) -> int:
    return x


@cr.async_task
async def path_length(start: Point, goal: Point, *, scale: float = 1.0) -> float:
    path = await find_path(start, goal)
    return len(assert_type(path, list[Point])) * scale


@cr.async_task(retries=0)
async def report() -> None:
    assert_type(await plan(1), int)


async def child(value: str) -> str:
    await cr.checkpoint()
    return value


async def think(at: Point, goal: Point) -> None:
    assert_type(await find_path(at, goal), list[Point])
    assert_type(await find_path(start=at, goal=goal), list[Point])
    assert_type(await find_path.map([at], [goal]), list[list[Point]])
    assert_type(await find_path.starmap([(at, goal)]), list[list[Point]])
    assert_type(await plan(1), int)
    assert_type(await path_length(at, goal, scale=2.0), float)
    assert_type(await path_length.map([at], [goal]), list[float])
    assert_type(find_path.call_inline(at, goal), list[Point])
    assert_type(await cr.current_scheduler(), cr.Scheduler)
    await cr.gather(child("one"), child("two"))


def program(points: list[Point]) -> None:
    with cr.WorkerPool(workers=2) as pool, cr.Scheduler(pool) as scheduler:
        scheduler.run(think(points[0], points[1]))
        scheduler.schedule(think(points[0], points[1]))
        scheduler.schedule(plan(1))
        scheduler.schedule(lambda: plan(2))
        assert_type(scheduler.tick(), cr.TickReport)
        assert_type(scheduler.tick(deadline=0.4, late="carry"), cr.TickReport)
        assert_type(scheduler.run_expired_tasks(), float)
        assert_type(scheduler.statistics(), cr.SchedulerStatistics)
        assert_type(pool.statistics(), cr.PoolStatistics)
        assert_type(pool.address, str)
    with cr.Scheduler(cr.WorkerPool.attach("address"), clock=cr.SystemClock()) as guest:
        guest.tick()
    with cr.SlackCollector() as collector, cr.Scheduler(garbage=collector) as inline:
        inline.tick()
        collector.collect(0.1)


async def under_trio(scheduler: cr.Scheduler) -> None:
    assert_type(await scheduler.run_tick(deadline=0.4, late="wait"), cr.TickReport)


# Each of these must be an error: with --warn-unused-ignores an ignore without one is reported.
async def mistakes(at: Point, scheduler: cr.Scheduler) -> None:
    await find_path(at)  # type: ignore[call-arg]
    await find_path(at, "goal")  # type: ignore[arg-type]
    await plan(x="one")  # type: ignore[arg-type]
    find_path.call_inline(at, 5)  # type: ignore[arg-type]
    scheduler.tick(late="drop")  # type: ignore[arg-type]
    cr.WorkerPool(worker=2)  # type: ignore[call-arg]
    at.x + await find_path(at, at)  # type: ignore[operator]
