"""Very many zones on one main thread: how long a tick of all of them takes."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from time import perf_counter_ns

import trio

import corororo as cr

from .chains import tick_zones
from .core import COROUTINES
from .figures import Goal, alone
from .launches import each, take_turns
from .suite import Measuring, Setting

ZONES = 100
ROUND = f"a tick of {ZONES} zones of {COROUTINES:,}"
ONE_ZONE = f"one of {ZONES} zones, in a tick of all"


def measure_zones(setting: Setting) -> Measuring:
    """The round, and a zone's share of it."""
    samples = yield from take_turns(setting.amount, partial(_open, setting.workers))
    yield alone("zones", ROUND, "ms", samples[ROUND], goal=Goal("at most", 100.0))
    yield alone("zones", ONE_ZONE, "ms", each(lambda ms: ms / ZONES, samples[ROUND]))
    yield "all zones on one main thread, under trio, with one pool of workers"


@contextmanager
def _open(workers: int) -> Iterator[dict[str, Callable[[], float]]]:
    with ExitStack() as stack:
        pool = stack.enter_context(cr.WorkerPool(workers, rings=ZONES))
        zones = [stack.enter_context(cr.Scheduler(pool)) for _ in range(ZONES)]
        yield {ROUND: lambda: _in_trio(partial(_round_ms, zones))}


def _in_trio(measure: Callable[[], Awaitable[float]]) -> float:
    """Ctrl-C reaches one of many tasks, and comes out of trio as one error of a group."""
    try:
        return trio.run(measure)
    except BaseExceptionGroup as group:
        if group.subgroup(KeyboardInterrupt):
            raise KeyboardInterrupt from None
        raise


async def _round_ms(zones: list[cr.Scheduler]) -> float:
    began_ns = perf_counter_ns()
    await tick_zones(zones)
    return (perf_counter_ns() - began_ns) / 1e6
