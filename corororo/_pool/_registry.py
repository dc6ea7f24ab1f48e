"""The registry of a pool's workers: those at work, those retiring, those that have ended.

The monitor's thread changes it; who waits for a change holds ``changed``.
"""

from __future__ import annotations

import itertools
import threading
from collections import deque

import msgspec

from ._spawner import WorkerProcess, WorkerStatus

ENDED_KEPT = 100  # workers that died, and as many that retired, for the statistics


class PoolStatistics(msgspec.Struct, frozen=True):
    """A pool at one moment."""

    workers: tuple[WorkerStatus, ...]  # those that take calls, or start up
    died: tuple[WorkerStatus, ...]  # the latest that died, oldest first
    restarts: int  # all workers that died and were replaced
    failure: str | None  # why the pool gave up, if it did
    queued: int = 0  # batches that no worker has taken yet
    retiring: tuple[WorkerStatus, ...] = ()  # those that end after the batch that they run
    retired: tuple[WorkerStatus, ...] = ()  # the latest that have, oldest first


class Registry:
    """The workers of one pool, ordered by place."""

    def __init__(self) -> None:
        self.changed = threading.Condition()
        self.stopping = threading.Event()  # ends every wait
        self.size = 0  # workers that the pool is to have
        self.working: list[WorkerProcess] = []
        self.retiring: list[WorkerProcess] = []
        self.failure: str | None = None  # why the pool gave up
        self.growth_failure: str | None = None  # why it has fewer workers than a resize asked for
        self._died: deque[WorkerStatus] = deque(maxlen=ENDED_KEPT)
        self._retired: deque[WorkerStatus] = deque(maxlen=ENDED_KEPT)
        self._restarts = 0

    def all(self) -> list[WorkerProcess]:
        """The workers that have not been reaped."""
        return [*self.working, *self.retiring]

    def find(self, number: int) -> WorkerProcess | None:
        """The worker of this number, or None."""
        return next((worker for worker in self.all() if worker.number == number), None)

    @property
    def is_complete(self) -> bool:
        """Whether the pool has its size and no newcomer still starts up."""
        newcomers = any(worker.is_newcomer for worker in self.working)
        return len(self.working) >= self.size and not newcomers

    def free_place(self) -> int:
        """The lowest place without a worker."""
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
                tuple(worker.status() for worker in self.retiring),
                tuple(self._retired),
            )

    # -- changes

    def add(self, worker: WorkerProcess) -> None:
        """A worker was spawned."""
        with self.changed:
            self.working.append(worker)
            self.working.sort(key=lambda one: one.place)

    def replace(self, dead: WorkerProcess, replacement: WorkerProcess) -> None:
        """A worker died, and another one has its place."""
        with self.changed:
            self.working[self.working.index(dead)] = replacement
            self._died.append(dead.status())
            self._restarts += 1

    def remove(self, dead: WorkerProcess) -> None:
        """A worker has ended and is not replaced."""
        with self.changed:
            (self.retiring if dead in self.retiring else self.working).remove(dead)
            (self._retired if dead.has_retired else self._died).append(dead.status())

    def retire_one(self, now: float) -> None:
        """Ask a worker to end: a newcomer if there is one, else that of the last place."""
        with self.changed:
            worker = max(self.working, key=lambda one: (one.is_newcomer, one.place))
            self.working.remove(worker)
            self.retiring.append(worker)
            worker.ask_to_retire(now)

    def give_up_growth(self, why: str) -> None:
        """Shrink the wanted size to the workers without the newcomers."""
        with self.changed:
            settled = sum(not worker.is_newcomer for worker in self.working)
            self.size = min(self.size, settled)
            self.growth_failure = why
            self.changed.notify_all()
