"""What one thing takes, from very many of them: in the process that this runs in."""

from __future__ import annotations

import gc
import time
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from types import coroutine

import trio
import trio.testing

import corororo as cr
from zonesim.system.machine import own_memory_mb

from .empty_work import empty

COUNT = 20_000
HANDLES = 200_000
IN_FLIGHT = 10_000
LONG_S = 3_600.0
BLOCKED_S = 60.0  # the worker, unless it is ended before


@cr.async_task
def block(number: int) -> int:
    """Keep the worker from answering."""
    time.sleep(BLOCKED_S)
    return number


def each_of(kind: str) -> Iterator[dict[str, float]]:
    """Bytes that one of a kind takes."""
    yield {kind: KINDS[kind]()}


class Growth:
    """Memory that a block takes, as long as it holds it."""

    def __init__(self) -> None:
        gc.collect()
        self._before_mb = own_memory_mb()

    def bytes_each(self, count: int) -> float:
        """Of what there are so many now."""
        gc.collect()
        return (own_memory_mb() - self._before_mb) * 1e6 / count


def scheduled_task() -> float:
    """A Task that has not begun, with its coroutine."""
    with cr.Scheduler() as scheduler:
        growth = Growth()
        for _ in range(COUNT):
            scheduler.schedule(empty())
        return growth.bytes_each(COUNT)


def parked_task() -> float:
    """A Task that sleeps."""

    async def park() -> None:
        await cr.sleep(LONG_S)

    with cr.Scheduler() as scheduler:
        growth = Growth()
        for _ in range(COUNT):
            scheduler.schedule(park())
        scheduler.tick()
        return growth.bytes_each(COUNT)


def task_in_flight() -> float:
    """A Task and the AsyncTask that it awaits."""

    async def ask(number: int) -> None:
        await block(number)

    with _scheduler_that_waits() as scheduler:
        growth = Growth()
        for number in range(IN_FLIGHT):
            scheduler.schedule(ask(number))
        scheduler.tick(deadline=0, late="carry")
        return growth.bytes_each(_in_flight(scheduler))


def mapped_in_flight() -> float:
    """One of the AsyncTasks of a ``map``, which one Task awaits."""

    async def ask() -> None:
        await block.map(range(IN_FLIGHT))

    with _scheduler_that_waits() as scheduler:
        growth = Growth()
        scheduler.schedule(ask())
        scheduler.tick(deadline=0, late="carry")
        return growth.bytes_each(_in_flight(scheduler))


def handle() -> float:
    """A Handle, and its slot."""
    pool = cr.HandlePool[None]()
    growth = Growth()
    handles = [pool.acquire(None) for _ in range(HANDLES)]
    return growth.bytes_each(len(handles))


def bare_coroutine() -> float:
    """A coroutine of Python's own that waits, of two frames as a parked Task has."""

    @coroutine
    def wait() -> Generator[None, None, None]:
        yield

    async def park() -> None:
        await wait()

    growth = Growth()
    waiting = [park() for _ in range(COUNT)]
    for one in waiting:
        one.send(None)
    found = growth.bytes_each(COUNT)
    for one in waiting:
        one.close()
    return found


def trio_task() -> float:
    """A task of trio that sleeps."""

    async def park_all() -> float:
        growth = Growth()
        async with trio.open_nursery() as nursery:
            for _ in range(COUNT):
                nursery.start_soon(trio.sleep, LONG_S)
            await trio.testing.wait_all_tasks_blocked()
            found = growth.bytes_each(COUNT)
            nursery.cancel_scope.cancel()
        return found

    return trio.run(park_all)


KINDS: dict[str, Callable[[], float]] = {
    "a Task, scheduled": scheduled_task,
    "a Task, parked": parked_task,
    "a Task and its AsyncTask, in flight": task_in_flight,
    "an AsyncTask of a map, in flight": mapped_in_flight,
    "a Handle": handle,
    "a coroutine without a scheduler, suspended": bare_coroutine,
    "a trio task, parked": trio_task,
}


@contextmanager
def _scheduler_that_waits() -> Iterator[cr.Scheduler]:
    """On a pool that has been used before, and whose one worker does not answer."""
    with cr.WorkerPool(1) as pool, cr.Scheduler(pool) as scheduler:
        scheduler.schedule(block(0))
        scheduler.tick(deadline=0, late="carry")
        yield scheduler


def _in_flight(scheduler: cr.Scheduler) -> int:
    return scheduler.statistics().async_tasks_in_flight
