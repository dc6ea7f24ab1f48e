"""Has the number of a run's workers follow their load. Knows no zones and saves nothing."""

from __future__ import annotations

import time
from collections.abc import Callable

import trio

import corororo as cr
from zonesim.scenario.tables import WorkerBounds
from zonesim.scenario.worker_bounds import Load, desired_workers


class WorkerScaler:
    """Resizes a pool again and again, and tells how many workers there were in the mean.

    ``busy_ns`` says how long all workers together have been busy so far; ``on_scaled`` hears in a
    line what was done and why. Without ``bounds`` the number stays.
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
        self._step_count = HeadCount(pool.workers, time.monotonic_ns())

    def begin_step(self) -> None:
        """From now on counts what ``mean_workers`` tells."""
        self._step_count = HeadCount(self._pool.workers, time.monotonic_ns())

    def mean_workers(self) -> float | None:
        """How many there have been in this step, weighted by time; None where the number stays."""
        return None if self._bounds is None else self._step_count.mean(time.monotonic_ns())

    async def run(self) -> None:
        """Look each ``sync_s``, until it is cancelled."""
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
            # Who is cancelled does not wait for it: the pool closes, and that ends it.
            await trio.to_thread.run_sync(self._pool.resize, desired, abandon_on_cancel=True)
        except (cr.PoolFailed, cr.SessionError, OSError) as error:
            why = f"{why}; {error}"
        finally:
            self._step_count.note(self._pool.workers, time.monotonic_ns())
        self._on_scaled(f"{before} -> {self._pool.workers}: {why}")


class HeadCount:
    """How many there were over a while, each number weighted by how long it held."""

    def __init__(self, number: int, now_ns: int) -> None:
        self._began_ns = self._noted_ns = now_ns
        self._number = number
        self._number_ns = 0  # the sum so far

    def note(self, number: int, now_ns: int) -> None:
        """So many there are from now on."""
        self._number_ns += self._number * (now_ns - self._noted_ns)
        self._number, self._noted_ns = number, now_ns

    def mean(self, now_ns: int) -> float:
        """Since it began."""
        whole_ns = now_ns - self._began_ns
        sum_ns = self._number_ns + self._number * (now_ns - self._noted_ns)
        return sum_ns / whole_ns if whole_ns > 0 else float(self._number)
