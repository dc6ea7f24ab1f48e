"""Resizes the pool of workers with their load, after the autoscaler of Agones.

At each sync the workers in use and a buffer are wanted, within bounds. In use are as many as keep
each of them at the target utilisation. More are started at once, fewer are kept only when fewer
would have done for several syncs in a row.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

import trio

import corororo as cr
from zonesim.processes.supervisor import OnEvent
from zonesim.scenario.loading import WorkerBounds
from zonesim.wire.messages import WorkerTotals

_ROUNDING = 1e-9  # 1.4 busy workers at a target of 0.7 are two, whatever binary fractions say


class Load(NamedTuple):
    """What the workers of a pool did between two syncs."""

    workers: int
    busy_s: float  # of all of them together
    period_s: float

    @property
    def busy_workers(self) -> float:
        """How many were busy on average; a long tick may report time of earlier syncs."""
        return min(self.busy_s / self.period_s, float(self.workers)) if self.period_s > 0 else 0.0


def desired_workers(loads: Sequence[Load], bounds: WorkerBounds) -> int:
    """How many workers there should be after these loads, the latest last; needs one or more."""
    wanted = []
    for load in loads[-bounds.hold :]:
        needed = math.ceil(load.busy_workers / bounds.target_utilisation - _ROUNDING)
        wanted.append(min(max(needed + bounds.buffer, bounds.min), bounds.max))
    now = min(max(loads[-1].workers, bounds.min), bounds.max)
    if wanted[-1] >= now:
        return wanted[-1]
    return now if len(wanted) < bounds.hold else min(now, max(wanted))


class WorkerScaler:
    """Resizes a pool at each sync, and measures the mean number of workers in a step.

    ``work`` gives what the workers have done so far. Without ``bounds`` their number stays.
    """

    def __init__(
        self,
        pool: cr.WorkerPool,
        bounds: WorkerBounds | None,
        work: Callable[[], Iterable[WorkerTotals]],
        on_event: OnEvent,
    ) -> None:
        self._pool = pool
        self._bounds = bounds
        self._work = work
        self._on_event = on_event
        self.begin_step()

    def begin_step(self) -> None:
        """Begin a new mean."""
        self._began_ns = self._changed_ns = time.monotonic_ns()
        self._worker_ns = 0  # in the step until the last change, of all workers

    def mean_workers(self) -> float | None:
        """The mean number of workers in this step; None where the number stays."""
        if self._bounds is None:
            return None
        self._count(self._pool.workers)
        return self._worker_ns / max(1, self._changed_ns - self._began_ns)

    def _count(self, workers: int) -> None:
        now_ns = time.monotonic_ns()
        self._worker_ns += workers * (now_ns - self._changed_ns)
        self._changed_ns = now_ns

    async def run(self) -> None:
        """Sync until cancelled."""
        if self._bounds is None:
            return
        loads: list[Load] = []
        while True:
            began_ns, before_ns = time.monotonic_ns(), sum(each.busy_ns for each in self._work())
            await trio.sleep(self._bounds.sync_s)
            period_s = (time.monotonic_ns() - began_ns) / 1e9
            busy_s = (sum(each.busy_ns for each in self._work()) - before_ns) / 1e9
            loads = [*loads[-self._bounds.hold :], Load(self._pool.workers, busy_s, period_s)]
            await self._scale(loads, self._bounds)

    async def _scale(self, loads: list[Load], bounds: WorkerBounds) -> None:
        before, desired = self._pool.workers, desired_workers(loads, bounds)
        if desired == before:
            return
        busy = loads[-1].busy_workers / max(1, before)
        why = f"utilisation {busy:.2f} of target {bounds.target_utilisation:.2f}"
        try:
            # Abandoned when cancelled: the pool closes then, and that ends the resize.
            await trio.to_thread.run_sync(self._pool.resize, desired, abandon_on_cancel=True)
        except (cr.PoolFailed, cr.SessionError, OSError) as error:
            why = f"{why}; {error}"
        finally:
            self._count(before)
        self._on_event("workers-scaled", f"{before} -> {self._pool.workers}: {why}")
