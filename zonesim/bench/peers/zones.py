"""One hundred zones on one main thread, and the prototype with as many."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from functools import partial
from typing import Any, TypeVar

import trio

import corororo as cr
from zonesim.bench.program import CHAINS, find_path, first
from zonesim.bench.sampling import Candidate
from zonesim.bench.suite import Setting

from .prototype import Prototype

T = TypeVar("T")

ZONES = 100
ROUND = f"a tick of each of {ZONES} zones"
ONE_ZONE = f"a tick of one of {ZONES} zones"
OURS, PROTOTYPE = "ours", "prototype"
WALL, CPU = "wall ms", "CPU ms of the process"


@contextmanager
def open_zones(setting: Setting) -> Iterator[dict[str, Candidate]]:
    """A round in which every zone ticks once: its time, and the CPU time of the process."""
    with ExitStack() as stack:
        pool = stack.enter_context(cr.WorkerPool(setting.workers, rings=ZONES))
        zones = [stack.enter_context(cr.Scheduler(pool)) for _ in range(ZONES)]
        prototype = stack.enter_context(closing(Prototype(setting.workers, ZONES)))
        yield {
            OURS: partial(_round_ms, partial(run_trio, _tick_all, zones)),
            PROTOTYPE: partial(_round_ms, prototype.tick),
        }


def run_trio(main: Callable[..., Awaitable[T]], *arguments: Any) -> T:  # noqa: ANN401 - as trio.run
    """Run as ``trio.run``, but raise Ctrl-C as itself and not in a group."""
    try:
        return trio.run(main, *arguments)
    except BaseExceptionGroup as group:
        if group.subgroup(KeyboardInterrupt):
            raise KeyboardInterrupt from None
        raise


async def _tick_all(zones: list[cr.Scheduler]) -> None:
    async with trio.open_nursery() as nursery:
        for zone in zones:
            nursery.start_soon(_tick, zone)


async def _tick(zone: cr.Scheduler) -> None:
    for entity in range(CHAINS):
        zone.schedule(first(find_path, entity))
    await zone.run_tick()


def _round_ms(work: Callable[[], object]) -> dict[str, float]:
    began_ns, began_cpu_ns = time.perf_counter_ns(), time.process_time_ns()
    work()
    return {
        WALL: (time.perf_counter_ns() - began_ns) / 1e6,
        CPU: (time.process_time_ns() - began_cpu_ns) / 1e6,
    }
