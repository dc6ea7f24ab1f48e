"""Who works in a pool, who was asked to end, who is gone. Starts nobody, and knows no Schedulers.

The thread that minds the workers changes it; whoever waits for a change holds ``changed``.
"""

from __future__ import annotations

import itertools
import threading
from collections import deque

import msgspec

from corororo._worker._main import RETIRED
from corororo.abc import Clock

from ._process import WorkerProcess, WorkerStatus
from ._retiring import Retiring

GONE_KEPT = 100  # dead workers that the statistics remember, and as many that were retired


class PoolStatistics(msgspec.Struct, frozen=True):
    """A pool at one moment."""

    workers: tuple[WorkerStatus, ...]  # those that take calls, or come up to take them
    died: tuple[WorkerStatus, ...]  # the latest that died, oldest first
    restarts: int  # workers that died and were replaced, all of them
    failure: str | None  # why the pool gave up, if it did
    queued: int = 0  # batches that wait for a worker to take them
    retiring: tuple[WorkerStatus, ...] = ()  # those that end after the batch that they have
    retired: tuple[WorkerStatus, ...] = ()  # the latest of those that have, oldest first


class Roster:
    """The workers of one pool. A worker's place is the lowest that was free when it came."""

    def __init__(self, clock: Clock) -> None:
        self.changed = threading.Condition()
        self.wanted = 0  # workers that there are to be
        self.working: list[WorkerProcess] = []
        self.retiring = Retiring(clock)
        self.failure: str | None = None  # why the pool gave up
        self.no_growth: str | None = None  # why there are not as many as were asked for
        self._newcomers: set[int] = set()  # numbers of those that came to be more, and come up
        self._died: deque[WorkerStatus] = deque(maxlen=GONE_KEPT)
        self._retired: deque[WorkerStatus] = deque(maxlen=GONE_KEPT)
        self._restarts = 0

    def everyone(self) -> list[WorkerProcess]:
        """All whose processes are minded."""
        return [*self.working, *self.retiring.workers]

    def find(self, number: int) -> WorkerProcess | None:
        """The worker of this number, or None."""
        return next((worker for worker in self.everyone() if worker.number == number), None)

    def is_newcomer(self, worker: WorkerProcess) -> bool:
        """Whether it came to make the pool larger, and does not take calls yet."""
        return worker.number in self._newcomers

    def is_retiring(self, worker: WorkerProcess) -> bool:
        """Whether it was asked to end."""
        return worker in self.retiring.workers

    @property
    def is_complete(self) -> bool:
        """Whether no newcomer is missing or still comes up."""
        return len(self.working) >= self.wanted and not self._newcomers

    def free_place(self) -> int:
        """The lowest place that nobody has."""
        taken = {worker.place for worker in self.working}
        return next(place for place in itertools.count() if place not in taken)

    def statistics(self, queued: int) -> PoolStatistics:
        """A frozen snapshot; ``queued`` batches wait for a worker."""
        with self.changed:
            return PoolStatistics(
                tuple(worker.status() for worker in self.working),
                tuple(self._died),
                self._restarts,
                self.failure,
                queued,
                tuple(worker.status() for worker in self.retiring.workers),
                tuple(self._retired),
            )

    # -- changes

    def add(self, worker: WorkerProcess, *, newcomer: bool) -> None:
        """It has been started."""
        with self.changed:
            self.working.append(worker)
            self.working.sort(key=lambda one: one.place)
            if newcomer:
                self._newcomers.add(worker.number)

    def takes_calls(self, worker: WorkerProcess) -> None:
        """It has come up."""
        with self.changed:
            worker.ready = True
            self._newcomers.discard(worker.number)

    def replace(self, dead: WorkerProcess, replacement: WorkerProcess) -> None:
        """It died, and another has its place."""
        with self.changed:
            self.working[self.working.index(dead)] = replacement
            self._died.append(dead.status())
            self._restarts += 1

    def remove(self, dead: WorkerProcess) -> None:
        """It died, and nobody takes its place."""
        with self.changed:
            self.working.remove(dead)
            self._newcomers.discard(dead.number)
            self._died.append(dead.status())

    def retire(self) -> None:
        """Ask one to end: who has not come up for sure yet, else who has the last place."""
        with self.changed:
            worker = max(self.working, key=lambda one: (self.is_newcomer(one), one.place))
            self.working.remove(worker)
            self._newcomers.discard(worker.number)
            self.retiring.add(worker)

    def see_off(self, worker: WorkerProcess) -> None:
        """It was asked to end, and has; by itself, unless it died before it came to it."""
        with self.changed:
            self.retiring.remove(worker)
            as_asked = worker.exit_code() == RETIRED
            (self._retired if as_asked else self._died).append(worker.status())

    def want_no_more(self, why: str) -> None:
        """Make do with those that were there before the newcomers, and those that have come up."""
        with self.changed:
            self.wanted = len(self.working) - len(self._newcomers)
            self.no_growth = why
            self.changed.notify_all()
