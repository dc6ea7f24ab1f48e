"""Very many of one thing in one tick: allocations, timers; and nothing at all.

The queue is empty between two calls that come alone, and a worker may fall asleep there.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from statistics import fmean

import corororo as cr
from corororo.testing import MockClock

from .core import COROUTINES, mean_us, open_zone, timed_us
from .empty_work import await_often, empty, fourth, number
from .figures import alone, beside
from .launches import each, take_turns
from .pattern_group import impact
from .plan import ORIGINAL, ORIGINAL_ALONE_US, ORIGINAL_STORM_MS
from .suite import Measuring, Setting

AWAITS = 10  # in each Task of the storm
DUE_WITHIN_S = 0.4
CANCELS = 200
TICKS = 200
CALLS = 50
CALLS_AFTER_PAUSE = 8
PAUSE_S = 0.02

ALLOCATIONS = f"{COROUTINES:,} Tasks, {AWAITS} empty awaits in each"
ALLOCATION = f"one of {AWAITS * COROUTINES:,} empty awaits in a tick"
DELAYED = f"schedule_delayed and its run, {COROUTINES:,} due in one tick"
SLEEP = f"sleep and what follows it, {COROUTINES:,} due in one tick"
CANCEL = f"cancel, {CANCELS} of {COROUTINES:,} delayed"
NOTHING = "tick with nothing to do"
CALL_ALONE = "one AsyncTask, there and back"
CALL_AFTER_PAUSE = "one AsyncTask, after 20 ms without any"


def measure_storms(setting: Setting) -> Measuring:
    """Allocations and timers, which need no worker."""
    samples = yield from take_turns(setting.amount, _open_storms)
    row = alone("storms", ALLOCATIONS, "ms", each(lambda us: us / 1_000, samples[ALLOCATIONS]))
    yield beside(row, ORIGINAL, ORIGINAL_STORM_MS)
    awaits = COROUTINES * AWAITS
    each_us = each(lambda us: us / awaits, samples[ALLOCATIONS])
    row = alone("storms", ALLOCATION, "us", each_us)
    yield beside(row, ORIGINAL, ORIGINAL_STORM_MS * 1_000 / awaits)
    yield impact("storms", ALLOCATION, each_us)
    for name in (DELAYED, SLEEP, CANCEL):
        yield alone("storms", name, "us", samples[name])
        yield impact("storms", name, samples[name])


def measure_queue(setting: Setting) -> Measuring:
    """Ticks that find the queue empty."""
    samples = yield from take_turns(setting.amount, partial(_open_queue, setting.workers))
    yield alone("queue", NOTHING, "us", samples[NOTHING])
    yield beside(alone("queue", CALL_ALONE, "us", samples[CALL_ALONE]), ORIGINAL, ORIGINAL_ALONE_US)
    yield alone("queue", CALL_AFTER_PAUSE, "us", samples[CALL_AFTER_PAUSE])
    for name in (NOTHING, CALL_ALONE, CALL_AFTER_PAUSE):
        yield impact("queue", name, samples[name])


def allocations_us() -> float:
    """One tick of Tasks that await empty ones."""
    with cr.Scheduler() as scheduler:

        def storm() -> None:
            for _ in range(COROUTINES):
                scheduler.schedule(await_often(AWAITS))
            scheduler.tick()

        return mean_us(3, storm)


def delayed_us() -> float:
    """A timer: set, due, and its Task run."""
    clock = MockClock()
    with cr.Scheduler(clock=clock) as scheduler:

        def set_all() -> None:
            for delay_s in _delays_s():
                scheduler.schedule_delayed(delay_s, empty())

        took_us = timed_us(set_all)
        clock.jump(DUE_WITHIN_S)
        return (took_us + timed_us(scheduler.tick)) / COROUTINES


def sleep_us() -> float:
    """A Task: started, asleep, awake, ended."""
    clock = MockClock()
    with cr.Scheduler(clock=clock) as scheduler:

        def send_to_sleep() -> None:
            for delay_s in _delays_s():
                scheduler.schedule(cr.sleep(delay_s))
            scheduler.tick()

        took_us = timed_us(send_to_sleep)
        clock.jump(DUE_WITHIN_S)
        return (took_us + timed_us(scheduler.tick)) / COROUTINES


def cancel_us() -> float:
    """A timer that is given up, with its Task, which has not begun."""
    with cr.Scheduler(clock=MockClock()) as scheduler:
        tokens = [scheduler.schedule_delayed(delay_s, empty()) for delay_s in _delays_s()]
        cancelled = random.Random(2).sample(tokens, CANCELS)

        def cancel_all() -> None:
            for token in cancelled:
                token.cancel()

        return timed_us(cancel_all) / CANCELS


def _delays_s() -> list[float]:
    draw = random.Random(1)
    return [draw.uniform(0.0, DUE_WITHIN_S) for _ in range(COROUTINES)]


@contextmanager
def _open_storms() -> Iterator[dict[str, Callable[[], float]]]:
    yield {
        ALLOCATIONS: allocations_us,
        DELAYED: delayed_us,
        SLEEP: sleep_us,
        CANCEL: cancel_us,
    }


@contextmanager
def _open_queue(workers: int) -> Iterator[dict[str, Callable[[], float]]]:
    with open_zone(workers) as zone:

        def call() -> None:
            zone.run(fourth(number, 1))

        def call_after_pause() -> float:
            time.sleep(PAUSE_S)
            return timed_us(call)

        yield {
            NOTHING: lambda: mean_us(TICKS, zone.tick),
            CALL_ALONE: lambda: mean_us(CALLS, call),
            CALL_AFTER_PAUSE: lambda: fmean(call_after_pause() for _ in range(CALLS_AFTER_PAUSE)),
        }
