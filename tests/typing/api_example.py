"""A program that uses the public names; checked with mypy --strict and pyright, never run."""

from __future__ import annotations

import functools
from collections.abc import AsyncIterator, Sequence
from typing import Any, assert_type

import msgspec
import trio

import corororo as cr
from corororo import abc, testing


class Point(msgspec.Struct, frozen=True):
    x: float
    y: float


# -- functions whose calls are AsyncTasks


@cr.async_task
def find_path(start: Point, goal: Point) -> list[Point]:
    return [start, goal]


@cr.async_task(retries=2)
def plan(x: int) -> int:
    return x


@cr.async_task(timeout=0.5, retries=2)
def guess(x: int) -> str:
    return str(x)


@cr.async_task
async def path_length(start: Point, goal: Point, *, scale: float = 1.0) -> float:
    path = await find_path(start, goal)
    return len(assert_type(path, list[Point])) * scale


@cr.async_task(retries=0)
async def report() -> None:
    assert_type(await plan(1), int)


async def calls(at: Point, goal: Point) -> None:
    assert_type(await find_path(at, goal), list[Point])
    assert_type(await find_path(start=at, goal=goal), list[Point])
    assert_type(await find_path.map([at], [goal]), list[list[Point]])
    assert_type(await find_path.starmap([(at, goal)]), list[list[Point]])
    assert_type(find_path.map_unordered([at], [goal]), AsyncIterator[list[Point]])
    async for path in find_path.map_unordered([at], [goal]):
        assert_type(path, list[Point])
    assert_type(await plan(1), int)
    assert_type(await guess(1), str)
    assert_type(await guess.with_options(timeout=1.0)(1), str)
    assert_type(await guess.with_options(timeout=None, retries=0).map([1, 2]), list[str])
    assert_type(await path_length(at, goal, scale=2.0), float)
    assert_type(await path_length.map([at], [goal]), list[float])
    assert_type(find_path.call_inline(at, goal), list[Point])
    assert_type(path_length.call_inline(at, goal), float)
    assert_type(find_path.timeout, float | None)
    assert_type(find_path.retries, int)


# -- inside a Task


async def child(value: str) -> str:
    await cr.checkpoint()
    await cr.sleep(0.4)
    return value


async def together() -> None:
    await cr.gather(child("one"), child("two"), plan(1))
    async with cr.open_nursery() as nursery:
        assert_type(nursery, cr.Nursery)
        nursery.start_soon(child, "three")
        nursery.start_soon(plan, 1)
        nursery.cancel_scope.deadline += 1.0
        assert_type(nursery.cancel_scope, cr.CancelScope)


async def limited() -> str:
    with cr.move_on_after(0.05) as scope:
        assert_type(scope, cr.CancelScope)
        await child("in time")
    assert_type(scope.cancelled_caught, bool)
    scheduler = await cr.current_scheduler()
    assert_type(scheduler, cr.Scheduler)
    with cr.move_on_at(scheduler.clock.now() + 1.0, shield=True):
        await cr.sleep_until(scheduler.clock.now() + 0.5)
    with cr.CancelScope(deadline=1.0, shield=True) as outer:
        outer.shield = False
        outer.cancel()
    try:
        with cr.fail_after(0.05) as strict:
            assert_type(strict, cr.CancelScope)
            return await child("value")
    except cr.TooSlowError as error:
        assert_type(error, cr.TooSlowError)
        return "too slow"


async def read_count(name: str) -> int:
    await trio.sleep(0.1)
    return len(name)


async def with_trio() -> None:
    assert_type(await cr.run_in_trio(read_count, "players"), int)


async def failing() -> None:
    try:
        await guess(1)
    except (cr.AsyncTaskTimeout, cr.TooSlowError) as error:
        late: TimeoutError = error
        raise late from None
    except (cr.WorkerDied, cr.AsyncTaskFailed, cr.PoolClosed, cr.PoolFailed) as error:
        ours: cr.CorororoError = error
        raise ours from None


# -- outside of Tasks


def program(points: list[Point]) -> None:
    with cr.WorkerPool(workers=2) as pool, cr.Scheduler(pool) as scheduler:
        assert_type(pool, cr.WorkerPool)
        assert_type(scheduler, cr.Scheduler)
        scheduler.run(calls(points[0], points[1]))
        scheduler.schedule(calls(points[0], points[1]))
        scheduler.schedule(plan(1))
        scheduler.schedule(lambda: plan(2))
        scheduler.schedule(functools.partial(child, "three"))
        assert_type(scheduler.tick(), cr.TickReport)
        assert_type(scheduler.tick(deadline=0.4, late="carry"), cr.TickReport)
        assert_type(scheduler.run_expired_tasks(), float)
        assert_type(scheduler.statistics(), cr.SchedulerStatistics)
        assert_type(scheduler.statistics().worker_use, list[abc.WorkerUse])
        assert_type(pool.statistics(), cr.PoolStatistics)
        assert_type(pool.statistics().workers, tuple[cr.WorkerStatus, ...])
        assert_type(pool.address, str)
        assert_type(pool.workers, int)
        pool.resize(2)


def timers(scheduler: cr.Scheduler) -> None:
    token = scheduler.schedule_interval(0.4, together, missed="skip")
    assert_type(token, cr.CancellationToken)
    assert_type(token.valid, bool)
    token.cancel()
    scheduler.schedule_delayed(5.0, child("later"))
    with scheduler.schedule_at(scheduler.clock.now() + 60.0, together) as held:
        assert_type(held, cr.CancellationToken)


def pools() -> None:
    strategies: list[abc.IdleStrategy] = [
        cr.Park(),
        cr.BusySpin(),
        cr.Yielding(),
        cr.Backoff(spins=10, yields=10),
        cr.AdaptiveSpin(shortest_us=1.0, longest_us=1000.0),
    ]
    for idle in strategies:
        cr.WorkerPool(workers=1, idle=idle, pin="spread").close()
    cr.WorkerPool(workers=1, pin=[0, 1], imports=["json"], ring_bytes=1 << 20).close()
    guest_pool = cr.WorkerPool.attach("address")
    assert_type(guest_pool, cr.AttachedPool)
    with cr.Scheduler(guest_pool, inline="direct", clock=cr.SystemClock()) as guest:
        guest.tick()
    with cr.SlackCollector() as collector, cr.Scheduler(garbage=collector) as inline:
        inline.tick()
        collector.collect(0.1)


def options_of_a_pool() -> None:
    cr.WorkerPool(2, max_pending=1_000, max_batch=64, max_message_bytes=1 << 20)


def kept(picture: memoryview) -> None:
    assert_type(cr.keep(picture), memoryview)


def handles() -> None:
    slots: cr.HandlePool[Point] = cr.HandlePool()
    handle = slots.acquire(Point(0, 0))
    assert_type(handle, cr.Handle)
    assert_type(slots.get(handle), Point)


async def under_trio(scheduler: cr.Scheduler) -> None:
    assert_type(await scheduler.run_tick(deadline=0.4, late="wait"), cr.TickReport)


# -- what a user may replace, and tests


class Inline:
    in_flight = 0
    batches_sent = 0
    calls_retried = 0
    max_pending = 1_000

    def begin_tick(self) -> None: ...
    def lend(self, function: abc.AsyncFunction, values: Sequence[Any]) -> None: ...
    def worth_sending(self, function: abc.AsyncFunction) -> int:
        return 64

    def send_nowait(
        self, function: abc.AsyncFunction, ticket: Any, arguments: Sequence[Any]
    ) -> None:
        assert_type(function.name, str)

    def take_nowait(self) -> list[abc.Completion]:
        return [abc.Completion(ticket=None, start=0, values=[1], failures=None)]

    def wait(self, timeout_s: float | None) -> None: ...
    def fileno(self) -> int:
        return -1

    def longest_wait_s(self) -> float | None:
        return None

    def likely_wait_s(self) -> float:
        return 0.0

    def worker_use(self) -> list[abc.WorkerUse]:
        return []

    def close(self) -> None: ...


class Source:
    def open_transfer(self) -> abc.Transfer:
        return Inline()


class Steps(abc.Instrument):
    def async_task_sent(self, name: str, calls: int) -> None:
        assert_type(calls, int)


def replaced() -> None:
    instruments: Sequence[abc.Instrument] = [Steps()]
    clock: abc.Clock = testing.MockClock(start=5.0)
    cr.Scheduler(Source(), clock=clock, instruments=instruments).close()


def tested() -> None:
    clock = testing.MockClock()
    clock.jump(1.0)
    assert_type(testing.run(child("one")), str)
    assert_type(testing.run(functools.partial(child, "one"), clock=clock), str)
    assert_type(testing.run(plan(1)), int)
    assert_type(testing.inline_pool(), cr.WorkerPool)


# Each of these must be an error: with --warn-unused-ignores an ignore without one is reported.
async def mistakes(at: Point, scheduler: cr.Scheduler) -> None:
    await find_path(at)  # type: ignore[call-arg]
    await find_path(at, "goal")  # type: ignore[arg-type]
    await plan(x="one")  # type: ignore[arg-type]
    await guess.with_options(retry=1)(1)  # type: ignore[call-arg]
    await guess.with_options(timeout=1.0)("one")  # type: ignore[arg-type]
    await cr.sleep("long")  # type: ignore[arg-type]
    find_path.call_inline(at, 5)  # type: ignore[arg-type]
    scheduler.tick(late="drop")  # type: ignore[arg-type]
    scheduler.schedule_interval(0.4, together())  # type: ignore[arg-type]
    scheduler.schedule_interval(0.4, together, missed="never")  # type: ignore[arg-type]
    cr.WorkerPool(worker=2)  # type: ignore[call-arg]
    cr.WorkerPool(pin="all")  # type: ignore[arg-type]
    cr.Scheduler(pool=object())  # type: ignore[arg-type]
    at.x + await find_path(at, at)  # type: ignore[operator]
