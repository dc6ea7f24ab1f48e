"""The tick that all figures speak of, what runs it, and a stopwatch. Knows no comparison."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from statistics import fmean
from time import perf_counter_ns
from typing import TypeVar

import corororo as cr
from corororo.abc import IdleStrategy

from .empty_work import Leaf, first

T = TypeVar("T")

CHAINS = 396  # of 4 Tasks and 1 AsyncTask: 1,980 coroutines, the tick that all figures speak of
COROUTINES = 5 * CHAINS


def tick_chains(scheduler: cr.Scheduler, leaf: Leaf) -> cr.TickReport:
    """Start every chain, and run them in one tick."""
    for chain in range(CHAINS):
        scheduler.schedule(first(leaf, chain))
    return scheduler.tick()


def timed_us(work: Callable[[], object]) -> float:
    """Microseconds that one call takes."""
    began_ns = perf_counter_ns()
    work()
    return (perf_counter_ns() - began_ns) / 1_000


def mean_us(times: int, work: Callable[[], object]) -> float:
    """Microseconds of one call of so many; one more stands before those that count."""
    work()
    return fmean(timed_us(work) for _ in range(times))


def drive(coroutine: Coroutine[object, None, T]) -> T:
    """Run a coroutine that never waits, as bare Python can."""
    try:
        coroutine.send(None)
    except StopIteration as stop:
        value: T = stop.value
        return value
    raise AssertionError("the coroutine waits for something")


@contextmanager
def open_zone(
    workers: int, idle: IdleStrategy | None = None, pin: list[int] | None = None
) -> Iterator[cr.Scheduler]:
    """A Scheduler on new workers; both end with the block."""
    with cr.WorkerPool(workers, idle=idle, pin=pin) as pool, cr.Scheduler(pool) as scheduler:
        yield scheduler
