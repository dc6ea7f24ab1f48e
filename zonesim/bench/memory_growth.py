"""What very many calls leave behind: in the process that this runs in, and in its workers."""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterator

import corororo as cr
from zonesim.system.machine import own_memory_mb, pss_mb

from .core import CHAINS, tick_chains
from .empty_work import empty, number

A_MILLION = 1_000_000
WARM_TICKS = 200  # until every buffer has its size
HERE = "the main process, by a million"
WORKERS = "all workers, by a million"


def grow_by_async_tasks(calls: int, workers: int) -> Iterator[dict[str, float]]:
    """MB for a million AsyncTasks, from so many of them."""
    with cr.WorkerPool(workers) as pool, cr.Scheduler(pool) as scheduler:
        yield _grown(
            "AsyncTasks",
            calls,
            lambda: tick_chains(scheduler, number),
            lambda: {HERE: own_memory_mb(), **workers_mb(WORKERS, pool)},
        )


def grow_by_tasks(calls: int) -> Iterator[dict[str, float]]:
    """MB for a million Tasks, which need no workers."""
    with cr.Scheduler() as scheduler:

        def tick() -> None:
            for _ in range(CHAINS):
                scheduler.schedule(empty())
            scheduler.tick()

        yield _grown("Tasks", calls, tick, lambda: {HERE: own_memory_mb()})


def workers_mb(name: str, pool: cr.WorkerPool) -> dict[str, float]:
    """Proportional memory of all workers under this name; nothing where the system tells none."""
    found = [pss_mb(worker.pid) for worker in pool.statistics().workers]
    known = [mb for mb in found if mb is not None]
    return {name: sum(known)} if known and len(known) == len(found) else {}


def _grown(
    what: str, calls: int, tick: Callable[[], object], look_mb: Callable[[], dict[str, float]]
) -> dict[str, float]:
    """What ticks of as many calls as there are chains have left behind, for a million calls."""

    def after(ticks: int) -> dict[str, float]:
        for _ in range(ticks):
            tick()
        gc.collect()
        return look_mb()

    ticks = -(-calls // CHAINS)
    before_mb = after(WARM_TICKS)
    after_mb = after(ticks)
    factor = A_MILLION / (ticks * CHAINS)
    return {f"{name} {what}": (after_mb[name] - before_mb[name]) * factor for name in after_mb}
