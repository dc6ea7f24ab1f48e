"""The same calls one by one, in tens, and as one vector: what batching by hand still wins."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from statistics import median

import corororo as cr

from .core import COROUTINES, mean_us, open_zone
from .empty_work import number
from .figures import Comparison, alone
from .launches import Figures, flat, one_of, ratio, take_turns
from .pattern_group import calls_in_a_tick, impact
from .plan import VECTORS_SAVE
from .suite import Measuring, Setting

TICKS = 5
TENS = 10
ONE_BY_ONE = f"{COROUTINES:,} calls, each awaited by a Task of its own"
IN_TENS = f"{COROUTINES:,} calls, in tens by .map"
VECTOR = f"{COROUTINES:,} calls, one .map"


def measure_batching(setting: Setting) -> Measuring:
    """The time of a call, and what travels in a tick."""
    samples = yield from take_turns(setting.amount, partial(_open, setting.workers))
    one_by_one = one_of(samples[ONE_BY_ONE], "us")
    yield alone("batching", ONE_BY_ONE, "us", one_by_one)
    for name in (IN_TENS, VECTOR):
        comparison = Comparison("batching", name, "one by one", "us", ratio)
        yield comparison.row(one_of(samples[name], "us"), one_by_one)
    for name in (ONE_BY_ONE, IN_TENS, VECTOR):
        yield impact("batching", name, one_of(samples[name], "us"))
    batches = {name: one_of(rounds, "batches") for name, rounds in samples.items()}
    for name, rounds in batches.items():
        yield alone("batching", f"batches: {name}", "", rounds)
    alone_batches, tens_batches = (median(flat(batches[n])) for n in (ONE_BY_ONE, IN_TENS))
    yield (
        f"the plan found vectors to save {VECTORS_SAVE:.2%}, and wants {COROUTINES:,} switches to "
        f"become 20 to 50: one by one they become {alone_batches:.0f} here; every .map travels by "
        f"itself, so tens make {tens_batches:.0f}"
    )


def in_tens(scheduler: cr.Scheduler) -> None:
    """Tasks that map ten calls each, in one tick."""
    for begin in range(0, COROUTINES, TENS):
        scheduler.schedule(_map(range(begin, begin + TENS)))
    scheduler.tick()


def as_vector(scheduler: cr.Scheduler) -> None:
    """One Task that maps all of them."""
    scheduler.schedule(_map(range(COROUTINES)))
    scheduler.tick()


async def _map(arguments: range) -> None:
    await number.map(arguments)


@contextmanager
def _open(workers: int) -> Iterator[dict[str, Callable[[], Figures]]]:
    with open_zone(workers) as zone:
        yield {
            ONE_BY_ONE: lambda: _figures(zone, partial(calls_in_a_tick, number, COROUTINES)),
            IN_TENS: lambda: _figures(zone, in_tens),
            VECTOR: lambda: _figures(zone, as_vector),
        }


def _figures(zone: cr.Scheduler, tick: Callable[[cr.Scheduler], object]) -> Figures:
    before = zone.statistics()
    us = mean_us(TICKS, lambda: tick(zone)) / COROUTINES
    after = zone.statistics()
    ticks = after.ticks - before.ticks
    return {"us": us, "batches": (after.batches - before.batches) / ticks}
