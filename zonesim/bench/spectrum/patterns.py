"""The plan's four patterns: what an operation costs beyond the work in it.

Overhead is the time of all operations, less the time that their work takes on all workers, per
operation. The work is empty, except in one pattern with the plan's 5 ms in each AsyncTask.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import NamedTuple

import corororo as cr
from zonesim.bench.plan import (
    MIXED,
    ORIGINAL,
    ORIGINAL_ALONE_US,
    ORIGINAL_TASK_US,
    ORIGINAL_TICK_MS,
    PLAN,
    PLAN_IMPACT_MS,
    PLAN_US,
    SWITCH,
    SYMMETRIC,
    WORKER_SWITCH,
    impact_ms,
)
from zonesim.bench.program import (
    CHAINS,
    COROUTINES,
    block_us,
    echo,
    find_number,
    open_scheduler,
    tick_chains,
    timed_us,
)
from zonesim.bench.rows import Row, alone, beside
from zonesim.bench.sampling import Candidate, Samples, each
from zonesim.bench.suite import Setting

AWAITS = 10 * COROUTINES
SEQUENCE = 198  # calls, each awaited when the one before is back
PAIRS = COROUTINES // 2
TICKS = 5  # in a round
WORK_US = 5_000.0
AT_ONCE = f"{SWITCH}, {COROUTINES:,} in a tick"
IN_SEQUENCE = f"{SWITCH}, one after another"
CHAINED = f"{MIXED}, {CHAINS} chains"
WITH_WORK = f"{CHAINED}, 5 ms of work each"


@cr.async_task
async def relay(value: int) -> int:
    """Await another AsyncTask, which runs in the same worker."""
    return await echo(value)


@cr.async_task
def work_5ms(entity: int, ax: float, ay: float, bx: float, by: float) -> int:
    """Keep a worker busy, as the plan's pathfinding does."""
    end_ns = time.perf_counter_ns() + int(WORK_US * 1_000)
    while time.perf_counter_ns() < end_ns:
        pass
    return entity


async def empty() -> None:
    """Do nothing."""


async def await_often(awaits: int) -> None:
    """Await so many empty Tasks, one after another."""
    for _ in range(awaits):
        await empty()


async def one_after_another(calls: int) -> None:
    """Await so many AsyncTasks, one after another."""
    for call in range(calls):
        await echo(call)


async def call_once(leaf: Callable[[int], Awaitable[int]], value: int) -> None:
    """Await one AsyncTask."""
    await leaf(value)


def calls_in_a_tick(
    leaf: Callable[[int], Awaitable[int]], calls: int, scheduler: cr.Scheduler
) -> None:
    """So many Tasks that await one AsyncTask each, in one tick."""
    for call in range(calls):
        scheduler.schedule(call_once(leaf, call))
    scheduler.tick()


class Pattern(NamedTuple):
    """A way in which coroutines await each other; ``run`` makes ``operations`` of them."""

    name: str
    kind: str  # of the plan's four
    operations: int
    run: Callable[[cr.Scheduler], object]
    work_us: float = 0.0  # of all operations together, on one worker
    original_us: float | None = None


PATTERNS = [
    Pattern(
        SYMMETRIC,
        SYMMETRIC,
        AWAITS,
        lambda scheduler: scheduler.run(await_often(AWAITS)),
        original_us=ORIGINAL_TASK_US,
    ),
    Pattern(AT_ONCE, SWITCH, COROUTINES, partial(calls_in_a_tick, echo, COROUTINES)),
    Pattern(
        IN_SEQUENCE,
        SWITCH,
        SEQUENCE,
        lambda scheduler: scheduler.run(one_after_another(SEQUENCE)),
        original_us=ORIGINAL_ALONE_US,
    ),
    Pattern(WORKER_SWITCH, WORKER_SWITCH, COROUTINES, partial(calls_in_a_tick, relay, PAIRS)),
    Pattern(
        CHAINED,
        MIXED,
        COROUTINES,
        lambda scheduler: tick_chains(scheduler, find_number),
        original_us=ORIGINAL_TICK_MS * 1_000 / COROUTINES,
    ),
    Pattern(
        WITH_WORK,
        MIXED,
        COROUTINES,
        lambda scheduler: tick_chains(scheduler, work_5ms),
        CHAINS * WORK_US,
    ),
]


@contextmanager
def open_patterns(setting: Setting) -> Iterator[dict[str, Candidate]]:
    """All patterns on one pool: microseconds of overhead of an operation."""
    with open_scheduler(setting.workers) as scheduler:
        yield {
            pattern.name: partial(overhead_us, pattern, scheduler, setting.workers)
            for pattern in PATTERNS
        }


def overhead_us(pattern: Pattern, scheduler: cr.Scheduler, workers: int) -> float:
    """What an operation costs beyond its share of the work."""
    run = partial(pattern.run, scheduler)
    took_us = timed_us(run) if pattern.work_us else block_us(run, TICKS)
    return (took_us - pattern.work_us / workers) / pattern.operations


def pattern_rows(samples: Samples, setting: Setting) -> Iterable[Row | str]:
    """Each pattern next to the plan and the original, and its impact on a tick of LandSandBoat."""
    for pattern in PATTERNS:
        overhead = samples[pattern.name]
        row = alone("patterns", pattern.name, "us", overhead)
        yield beside(row, PLAN, PLAN_US[pattern.kind])
        if pattern.original_us is not None:
            yield beside(row, ORIGINAL, pattern.original_us)
        name, impact = f"{pattern.name}: impact", each(impact_ms, overhead)
        row = alone("patterns", name, "ms", impact, detail=True)
        yield beside(row, PLAN, PLAN_IMPACT_MS[pattern.kind])
    yield f"an operation is an await, in {MIXED!r} a coroutine; impact is overhead x {COROUTINES:,}"
    yield f"work on {setting.workers} workers is taken off; what they slow each other down is not"
