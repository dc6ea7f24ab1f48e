"""What each worker did in a step, those that died and their successors counted together.

Knows figures only.
"""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

import corororo as cr
from zonesim.wire.messages import WorkerTotals, add_by_worker


class WorkerRecord(msgspec.Struct):
    """One worker's place in the pool, over a step."""

    worker: int  # counted from 1
    pid: int  # of the process that stands there now
    batches: int = 0
    calls: int = 0
    busy_ns: int = 0
    restarts: int = 0


class WorkerLedger:
    """Takes snapshots of the pool and the totals of the zones, gives records of steps."""

    def __init__(self) -> None:
        self._seen: dict[int, cr.WorkerStatus] = {}  # by number
        self._present: set[int] = set()  # places that are taken
        self._dead: set[int] = set()
        self._died_in_step: list[int] = []
        self._before: dict[int, WorkerTotals] = {}

    def note(self, pool: cr.PoolStatistics) -> list[cr.WorkerStatus]:
        """Learn who is there; returns those that have died since the last time."""
        gone = (*pool.died, *pool.retired, *pool.retiring)
        self._seen.update((worker.number, worker) for worker in (*gone, *pool.workers))
        self._present = {worker.place for worker in (*pool.workers, *pool.retiring)}
        news = [worker for worker in pool.died if worker.number not in self._dead]
        self._dead.update(worker.number for worker in news)
        self._died_in_step += [worker.number for worker in news]
        return news

    def end_step(self, totals: Iterable[WorkerTotals]) -> list[WorkerRecord]:
        """What was done since the last step ended, by those that are there or did anything."""
        now: dict[int, WorkerTotals] = {}
        add_by_worker(now, totals)
        records: dict[int, WorkerRecord] = {}
        for number, status in sorted(self._seen.items()):
            record = records.setdefault(status.place, WorkerRecord(status.place, status.pid))
            record.pid = status.pid
            record.restarts += self._died_in_step.count(number)
            for total, sign in ((now.get(number), 1), (self._before.get(number), -1)):
                if total is not None:
                    record.batches += sign * total.batches
                    record.calls += sign * total.calls
                    record.busy_ns += sign * total.busy_ns
        self._before = now
        self._died_in_step.clear()
        return [r for r in records.values() if r.worker in self._present or r.batches or r.restarts]
