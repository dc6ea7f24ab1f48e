"""Resizes the pool of workers with their load, after the autoscaler of Agones.

At each sync the workers in use and a buffer are wanted, within bounds. In use are as many as keep
each of them at the target utilisation. More are started at once, fewer are kept only when fewer
would have done for several syncs in a row.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from typing import NamedTuple

import trio

import corororo as cr
from zonesim.scenario.loading import WorkerBounds

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

    @property
    def utilisation(self) -> float:
        """The share of its time that each was busy, on average."""
        return self.busy_workers / self.workers if self.workers else 0.0


def desired_workers(loads: Sequence[Load], bounds: WorkerBounds) -> int:
    """How many workers there should be after these loads, the latest last; needs one or more."""
    wanted = [_wanted(load, bounds) for load in loads[-bounds.hold :]]
    now = min(max(loads[-1].workers, bounds.min), bounds.max)
    if wanted[-1] >= now:
        return wanted[-1]
    return now if len(wanted) < bounds.hold else min(now, max(wanted))


def _wanted(load: Load, bounds: WorkerBounds) -> int:
    needed = math.ceil(load.busy_workers / bounds.target_utilisation - _ROUNDING)
    return min(max(needed + bounds.buffer, bounds.min), bounds.max)


class WorkerScaler:
    """Resizes a pool at each sync, and measures the mean number of workers in a step.

    ``busy_ns`` gives how long all workers together have been busy; ``on_scaled`` gets a line about
    each change. Without ``bounds`` the number stays.
    """

    def __init__(
        self,
        pool: cr.WorkerPool,
        bounds: WorkerBounds | None,
        busy_ns: Callable[[], int],
        on_scaled: Callable[[str], None],
    ) -> None:
        self._pool = pool
        self._bounds = bounds
        self._busy_ns = busy_ns
        self._on_scaled = on_scaled
        self.begin_step()

    def begin_step(self) -> None:
        """Begin a new mean."""
        self._mean = TimeWeightedMean(self._pool.workers, time.monotonic_ns())

    def mean_workers(self) -> float | None:
        """The mean number of workers in this step; None where the number stays."""
        return None if self._bounds is None else self._mean.at(time.monotonic_ns())

    async def run(self) -> None:
        """Sync until cancelled."""
        if self._bounds is None:
            return
        loads: list[Load] = []
        while True:
            began_ns, busy_ns = time.monotonic_ns(), self._busy_ns()
            await trio.sleep(self._bounds.sync_s)
            period_s = (time.monotonic_ns() - began_ns) / 1e9
            busy_s = (self._busy_ns() - busy_ns) / 1e9
            loads = [*loads[-self._bounds.hold :], Load(self._pool.workers, busy_s, period_s)]
            await self._scale(loads, self._bounds)

    async def _scale(self, loads: list[Load], bounds: WorkerBounds) -> None:
        before, desired = self._pool.workers, desired_workers(loads, bounds)
        if desired == before:
            return
        why = f"utilisation {loads[-1].utilisation:.2f} of target {bounds.target_utilisation:.2f}"
        try:
            # Abandoned when cancelled: the pool closes then, and that ends the resize.
            await trio.to_thread.run_sync(self._pool.resize, desired, abandon_on_cancel=True)
        except (cr.PoolFailed, cr.SessionError, OSError) as error:
            why = f"{why}; {error}"
        finally:
            self._mean.change(self._pool.workers, time.monotonic_ns())
        self._on_scaled(f"{before} -> {self._pool.workers}: {why}")


class TimeWeightedMean:
    """The mean of a number, each value weighted by how long it held."""

    def __init__(self, value: int, now_ns: int) -> None:
        self._began_ns = self._changed_ns = now_ns
        self._value = value
        self._sum_ns = 0

    def change(self, value: int, now_ns: int) -> None:
        """Set the value from now on."""
        self._sum_ns += self._value * (now_ns - self._changed_ns)
        self._value, self._changed_ns = value, now_ns

    def at(self, now_ns: int) -> float:
        """The mean since the beginning."""
        whole_ns = now_ns - self._began_ns
        sum_ns = self._sum_ns + self._value * (now_ns - self._changed_ns)
        return sum_ns / whole_ns if whole_ns > 0 else float(self._value)
