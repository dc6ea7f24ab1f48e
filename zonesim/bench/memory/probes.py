"""Measurements of memory, each made in a process of its own."""

from __future__ import annotations

import gc
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import corororo as cr
from zonesim.bench.program import CHAINS, find_number, open_scheduler, tick_chains
from zonesim.bench.spectrum.patterns import empty
from zonesim.controller.run import run_for_figures
from zonesim.processes.preload import PRELOAD
from zonesim.scenario.loading import load_scenario
from zonesim.system.operating_system import own_memory_mb, pss_mb

COUNT, HANDLES, IN_FLIGHT = 20_000, 200_000, 10_000
LONG_S = 3_600.0
BLOCKED_S = 60.0  # a worker that does not answer; it is killed before
TICKS = 3  # until every zone and worker holds what it needs for ticks
WARM_TICKS = 200  # until every buffer has its final size
BLOCK_BYTES = 512  # the unit of st_blocks
A_MILLION = 1_000_000


# -- objects


@cr.async_task
def block(number: int) -> int:
    """Keep the worker from answering."""
    time.sleep(BLOCKED_S)
    return number


class Growth:
    """Memory that has been added since this object was made."""

    def __init__(self) -> None:
        gc.collect()
        self._before_mb = own_memory_mb()

    def bytes_each(self, count: int) -> float:
        """The share of one of so many objects."""
        gc.collect()
        return (own_memory_mb() - self._before_mb) * 1e6 / count


def size_of(name: str) -> dict[str, float]:
    """Bytes of one object of a kind."""
    return {name: OBJECTS[name]()}


def scheduled_task() -> float:
    """A Task that has not begun, with its coroutine."""
    with cr.Scheduler() as scheduler:
        growth = Growth()
        for _ in range(COUNT):
            scheduler.schedule(empty())
        return growth.bytes_each(COUNT)


def parked_task() -> float:
    """A Task that sleeps."""
    with cr.Scheduler() as scheduler:
        growth = Growth()
        for _ in range(COUNT):
            scheduler.schedule(cr.sleep(LONG_S))
        scheduler.tick()
        return growth.bytes_each(COUNT)


def task_in_flight() -> float:
    """A Task and the AsyncTask that it awaits."""

    async def ask(number: int) -> None:
        await block(number)

    with _blocked_scheduler() as scheduler:
        growth = Growth()
        for number in range(IN_FLIGHT):
            scheduler.schedule(ask(number))
        scheduler.tick(deadline=0, late="carry")
        return growth.bytes_each(scheduler.statistics().async_tasks_in_flight)


def mapped_in_flight() -> float:
    """One of the AsyncTasks of a ``map`` that one Task awaits."""

    async def ask() -> None:
        await block.map(range(IN_FLIGHT))

    with _blocked_scheduler() as scheduler:
        growth = Growth()
        scheduler.schedule(ask())
        scheduler.tick(deadline=0, late="carry")
        return growth.bytes_each(scheduler.statistics().async_tasks_in_flight)


def handle() -> float:
    """A Handle, and its slot."""
    pool = cr.HandlePool[None]()
    growth = Growth()
    handles = [pool.acquire(None) for _ in range(HANDLES)]
    return growth.bytes_each(len(handles))


OBJECTS: dict[str, Callable[[], float]] = {
    "a Task, scheduled": scheduled_task,
    "a Task, parked": parked_task,
    "a Task and its AsyncTask, in flight": task_in_flight,
    "an AsyncTask of a map, in flight": mapped_in_flight,
    "a Handle": handle,
}


@contextmanager
def _blocked_scheduler() -> Iterator[cr.Scheduler]:
    """On a pool whose only worker does not answer."""
    with open_scheduler(1) as scheduler:
        scheduler.schedule(block(0))
        scheduler.tick(deadline=0, late="carry")
        yield scheduler


# -- processes and rings


def zone_process_mb(workload: str, zones: int, workers: int) -> dict[str, float]:
    """Memory of a zone process among so many."""
    scenario = load_scenario(workload, {"zones": zones, "ticks": TICKS, "workers": workers})
    with tempfile.TemporaryDirectory() as place:
        mb = run_for_figures(scenario, Path(place)).steps[0].pss_mb_per_zone
    return {} if mb is None else {f"a zone process of {zones}, {workload}": mb}


def worker_mb(what: str, imports: list[str], workers: int) -> dict[str, float]:
    """Memory of a worker among so many, after some calls."""
    with (
        cr.WorkerPool(workers, imports=imports, preload=PRELOAD) as pool,
        cr.Scheduler(pool) as scheduler,
    ):
        for _ in range(TICKS):
            tick_chains(scheduler, find_number)
        mb = _workers_mb(pool)
    return {} if mb is None else {f"a worker of {workers}, {what}": mb / workers}


def ring_bytes() -> dict[str, float]:
    """The ring of a Scheduler that has sent calls."""
    with cr.WorkerPool(1) as pool, cr.Scheduler(pool) as scheduler:
        for _ in range(TICKS):
            tick_chains(scheduler, find_number)
        [file] = Path(pool.address).glob("*.ring")
        found = file.stat()
        return {
            "a ring, its file": found.st_size,
            "a ring, reserved on the disk": found.st_blocks * BLOCK_BYTES,
        }


def _workers_mb(pool: cr.WorkerPool) -> float | None:
    """Memory of all workers; None where the system does not tell."""
    found = [pss_mb(worker.pid) for worker in pool.statistics().workers]
    known = [mb for mb in found if mb is not None]
    return sum(known) if known and len(known) == len(found) else None


# -- growth


def grow_by_async_tasks(calls: int, workers: int) -> dict[str, float]:
    """MB that a million AsyncTasks leave behind, in this process and in all workers."""
    with cr.WorkerPool(workers) as pool, cr.Scheduler(pool) as scheduler:

        def look_mb() -> dict[str, float]:
            workers_mb = _workers_mb(pool)
            found = {"the main process, by a million AsyncTasks": own_memory_mb()}
            if workers_mb is not None:
                found["all workers, by a million AsyncTasks"] = workers_mb
            return found

        return _grown(calls, lambda: tick_chains(scheduler, find_number), look_mb)


def grow_by_tasks(calls: int) -> dict[str, float]:
    """MB that a million Tasks leave behind."""
    with cr.Scheduler() as scheduler:

        def tick() -> None:
            for _ in range(CHAINS):
                scheduler.schedule(empty())
            scheduler.tick()

        name = "the main process, by a million Tasks"
        return _grown(calls, tick, lambda: {name: own_memory_mb()})


def _grown(
    calls: int, tick: Callable[[], object], look_mb: Callable[[], dict[str, float]]
) -> dict[str, float]:
    """Growth over so many calls, a tick of 396 at a time, as of a million."""

    def after(ticks: int) -> dict[str, float]:
        for _ in range(ticks):
            tick()
        gc.collect()
        return look_mb()

    ticks = -(-calls // CHAINS)
    before_mb, after_mb = after(WARM_TICKS), after(ticks)
    factor = A_MILLION / (ticks * CHAINS)
    return {name: (after_mb[name] - before_mb[name]) * factor for name in after_mb}
