"""The program that benchmarks run: a tick of 396 chains of 4 Tasks that end in one AsyncTask."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from statistics import median
from typing import TypeAlias

import corororo as cr
from corororo.abc import IdleStrategy

CHAINS = 396
COROUTINES = 5 * CHAINS

Path: TypeAlias = list[tuple[float, float]]
Call: TypeAlias = tuple[int, float, float, float, float]  # an entity, start x and y, goal x and y
Leaf: TypeAlias = Callable[[int, float, float, float, float], Awaitable[object]]

CALLS: list[Call] = [(entity, 1.0, 2.0, 3.0, 4.0) for entity in range(CHAINS)]


# -- the work: empty, so that only scheduling is left to measure


def plain_path(entity: int, ax: float, ay: float, bx: float, by: float) -> Path:
    """Return a path of five waypoints."""
    return [(ax, ay), (bx, by), (ax, ay), (bx, by), (5.0, 6.0)]


def path_of_call(call: Call) -> Path:
    """Return the same for a call that travels as one argument."""
    return plain_path(*call)


def plain_echo(value: int) -> int:
    """Return the argument."""
    return value


@cr.async_task
def find_path(entity: int, ax: float, ay: float, bx: float, by: float) -> Path:
    """Return the same as ``plain_path``."""
    return plain_path(entity, ax, ay, bx, by)


@cr.async_task
def find_number(entity: int, ax: float, ay: float, bx: float, by: float) -> int:
    """Take the same arguments and return a number."""
    return entity


@cr.async_task
def echo(value: int) -> int:
    """Return the argument."""
    return value


async def plain_task(entity: int, ax: float, ay: float, bx: float, by: float) -> int:
    """Stand in for the AsyncTask at the end of a chain."""
    return entity


# -- the chain


async def first(leaf: Leaf, entity: int) -> object:
    """Await the second of the four Tasks."""
    return await second(leaf, entity)


async def second(leaf: Leaf, entity: int) -> object:
    """Await the third."""
    return await third(leaf, entity)


async def third(leaf: Leaf, entity: int) -> object:
    """Await the fourth."""
    return await fourth(leaf, entity)


async def fourth(leaf: Leaf, entity: int) -> object:
    """Await the AsyncTask."""
    return await leaf(entity, 1.0, 2.0, 3.0, 4.0)


def tick_chains(scheduler: cr.Scheduler, leaf: Leaf) -> None:
    """Start every chain and run them all in one tick."""
    for entity in range(CHAINS):
        scheduler.schedule(first(leaf, entity))
    scheduler.tick()


# -- timing


def timed_us(work: Callable[[], object]) -> float:
    """Microseconds that one call takes."""
    began_ns = time.perf_counter_ns()
    work()
    return (time.perf_counter_ns() - began_ns) / 1_000


def block_us(work: Callable[[], object], times: int, pause_s: float = 0.0) -> float:
    """The median of so many calls, with a pause before each.

    Without a pause, one more call runs first and does not count.
    """
    found = []
    if not pause_s:
        work()
    for _ in range(times):
        if pause_s:
            time.sleep(pause_s)
        found.append(timed_us(work))
    return median(found)


@contextmanager
def open_scheduler(workers: int, idle: IdleStrategy | None = None) -> Iterator[cr.Scheduler]:
    """A Scheduler on a new pool; both end with the block."""
    with cr.WorkerPool(workers, idle=idle) as pool, cr.Scheduler(pool) as scheduler:
        yield scheduler
