"""What the faults of a scenario may strike in a run: its processes and its disk. Strikes nobody."""

from __future__ import annotations

import time
from collections.abc import Mapping

import corororo as cr
from zonesim.controller.fleet import Fleet
from zonesim.results.writer import RunWriter


class RunTargets:
    """Those of one run."""

    def __init__(self, pool: cr.WorkerPool, fleet: Fleet, writer: RunWriter) -> None:
        self._pool = pool
        self._fleet = fleet
        self._writer = writer

    def workers(self) -> Mapping[int, int]:
        """The process ids of the workers that take calls, by place.

        Not of those that come up: a pool whose workers die before they take a call gives up, as
        it has to where a module cannot be imported.
        """
        workers = self._pool.statistics().workers
        return {worker.place: worker.pid for worker in workers if worker.ready}

    def zones(self) -> Mapping[int, int]:
        """The process ids of the zones that can tick."""
        return self._fleet.zone_pids()

    async def slow_disk(self, delay_s: float, for_s: float) -> None:
        """Have each write of results and checkpoints take longer, for a while."""
        until_ns = time.monotonic_ns() + round(for_s * 1e9)
        self._writer.slow_down(delay_s, until_ns)
        await self._fleet.slow_disk(delay_s, until_ns)
