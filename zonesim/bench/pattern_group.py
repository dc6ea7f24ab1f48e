"""The plan's four patterns: what an operation costs beyond the work in it.

Overhead is the time of all operations, less the time that their work has to take, by operation.
Work on the zone's own thread: all of it. Work in AsyncTasks: calls x work / workers, or all of it
where one call waits for the one before. Empty work has to take nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import NamedTuple

import corororo as cr

from .core import CHAINS, COROUTINES, mean_us, open_zone, tick_chains, timed_us
from .empty_work import Leaf, await_often, fourth, number
from .figures import Row, alone, beside
from .known_work import (
    one_after_another,
    relay,
    relay_often,
    relay_spin_100us,
    spin_5ms,
    spin_100us,
)
from .launches import Rounds, each, take_turns
from .plan import (
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
from .suite import Measuring, Setting

AWAITS = 10 * COROUTINES
PAIRS = COROUTINES // 2
SEQUENCE = 198  # calls, each awaited when the one before is back
TICKS = 5  # back to back, in a round
AT_ONCE = f"{SWITCH}, {COROUTINES:,} in a tick"
IN_SEQUENCE = f"{SWITCH}, one after another"
CHAINED = f"{MIXED}, {CHAINS} chains"


class Pattern(NamedTuple):
    """One way of coroutines to await each other; ``run`` makes ``operations`` of them."""

    name: str
    kind: str  # of the plan's four
    operations: int
    run: Callable[[cr.Scheduler], object]
    expected_us: Callable[[int], float] = lambda workers: 0.0  # of a run, by the number of workers
    times: int = TICKS  # in a round; before more than one stands another that does not count
    original_us: float | None = None


def measure_patterns(setting: Setting) -> Measuring:
    """With empty work: all that is measured is overhead."""
    yield from _measure("patterns", setting, EMPTY)
    yield "the work is empty and expected to take nothing: all of the time is overhead"
    yield (
        f"an operation is an await; in {CHAINED!r}, the plan's mixed workload "
        "Task->Task->Task->Task->AsyncTask, it is a coroutine"
    )
    yield f"an impact is overhead x {COROUTINES:,} / 1,000, the plan's formula"


def measure_work(setting: Setting) -> Measuring:
    """With work in each AsyncTask that takes a known time."""
    yield from _measure("work", setting, WORKING)
    yield (
        f"overhead is the time less calls x work / {setting.workers} workers; of calls one after "
        "another, less calls x work"
    )
    yield (
        f"the zone's thread and {setting.workers} busy workers share the CPUs: "
        "what they take from each other counts as overhead"
    )


def overhead_us(pattern: Pattern, workers: int, took_us: float) -> float:
    """What an operation cost beyond its share of the work."""
    return (took_us - pattern.expected_us(workers)) / pattern.operations


def calls_in_a_tick(leaf: Leaf, calls: int, scheduler: cr.Scheduler) -> None:
    """So many Tasks that await one AsyncTask each, in one tick."""
    for call in range(calls):
        scheduler.schedule(fourth(leaf, call))
    scheduler.tick()


def impact(group: str, name: str, overhead_us: Rounds) -> Row:
    """What an operation's overhead makes of a tick of LandSandBoat, by the plan's formula."""
    return alone(group, f"{name}: impact", "ms", each(impact_ms, overhead_us))


def _measure(group: str, setting: Setting, patterns: list[Pattern]) -> Measuring:
    @contextmanager
    def opened() -> Iterator[dict[str, Callable[[], float]]]:
        with open_zone(setting.workers) as scheduler:
            yield {p.name: partial(_took_us, p, scheduler) for p in patterns}

    samples = yield from take_turns(setting.amount, opened)
    for pattern in patterns:
        overhead = each(partial(overhead_us, pattern, setting.workers), samples[pattern.name])
        yield from _rows(group, pattern, overhead)


def _took_us(pattern: Pattern, scheduler: cr.Scheduler) -> float:
    run = partial(pattern.run, scheduler)
    return mean_us(pattern.times, run) if pattern.times > 1 else timed_us(run)


def _rows(group: str, pattern: Pattern, overhead: Rounds) -> Iterator[Row]:
    row = alone(group, pattern.name, "us", overhead)
    yield beside(row, PLAN, PLAN_US[pattern.kind])
    if pattern.original_us is not None:
        yield beside(row, ORIGINAL, pattern.original_us)
    yield beside(impact(group, pattern.name, overhead), PLAN, PLAN_IMPACT_MS[pattern.kind])


def _shared(calls: int, work_us: float) -> Callable[[int], float]:
    """The time of work that the workers have between them."""
    return lambda workers: calls * work_us / workers


EMPTY = [
    Pattern(
        SYMMETRIC,
        SYMMETRIC,
        AWAITS,
        lambda zone: zone.run(await_often(AWAITS)),
        times=1,
        original_us=ORIGINAL_TASK_US,
    ),
    Pattern(AT_ONCE, SWITCH, COROUTINES, partial(calls_in_a_tick, number, COROUTINES)),
    Pattern(
        IN_SEQUENCE,
        SWITCH,
        SEQUENCE,
        lambda zone: zone.run(one_after_another(number, SEQUENCE)),
        original_us=ORIGINAL_ALONE_US,
    ),
    Pattern(
        f"{WORKER_SWITCH}, inside a worker",
        WORKER_SWITCH,
        COROUTINES,
        lambda zone: zone.run(fourth(relay_often, COROUTINES)),
    ),
    Pattern(
        f"{WORKER_SWITCH}, {PAIRS} pairs in a tick",
        WORKER_SWITCH,
        COROUTINES,
        partial(calls_in_a_tick, relay, PAIRS),
    ),
    Pattern(
        CHAINED,
        MIXED,
        COROUTINES,
        lambda zone: tick_chains(zone, number),
        original_us=ORIGINAL_TICK_MS * 1_000 / COROUTINES,
    ),
]

WORKING = [
    Pattern(
        f"{AT_ONCE}, 100 us",
        SWITCH,
        COROUTINES,
        partial(calls_in_a_tick, spin_100us, COROUTINES),
        _shared(COROUTINES, 100),
        1,
    ),
    Pattern(
        f"{IN_SEQUENCE}, 100 us",
        SWITCH,
        SEQUENCE,
        lambda zone: zone.run(one_after_another(spin_100us, SEQUENCE)),
        lambda workers: SEQUENCE * 100,
        1,
    ),
    Pattern(
        f"{WORKER_SWITCH}, {PAIRS} pairs, 100 us",
        WORKER_SWITCH,
        COROUTINES,
        partial(calls_in_a_tick, relay_spin_100us, PAIRS),
        _shared(PAIRS, 100),
        1,
    ),
    Pattern(
        f"{CHAINED}, 100 us",
        MIXED,
        COROUTINES,
        lambda zone: tick_chains(zone, spin_100us),
        _shared(CHAINS, 100),
        1,
    ),
    Pattern(
        f"{CHAINED}, 5 ms",
        MIXED,
        COROUTINES,
        lambda zone: tick_chains(zone, spin_5ms),
        _shared(CHAINS, 5_000),
        1,
    ),
]
