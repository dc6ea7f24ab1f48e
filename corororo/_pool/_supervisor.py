"""The supervisor of one pool: what its owner's threads ask of the workers and their monitor.

Requests are left in the registry; the monitor's thread carries them out.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable
from pathlib import Path

from corororo._exceptions import PoolClosed, PoolFailed
from corororo._ring import FifoReader, FifoWriter, Session
from corororo._worker._main import WorkerPlan
from corororo.processes import kill_forkserver

from ._monitor import Monitor
from ._registry import PoolStatistics, Registry
from ._spawner import Spawner

START_S = 60.0  # how long workers may take to start
STOP_S = 1.0  # how long a worker may take to end by itself
RETIRE_S = 1.0  # how long ``resize`` waits for workers that retire
SERVER_HANGS_S = 10.0  # after so long a forkserver that spawns nothing is killed, at the end


class Supervisor:
    """The workers of a pool, and the thread that monitors them."""

    def __init__(self, session: Session, plan: WorkerPlan) -> None:
        self.session = session
        self._registry = Registry()
        self._changed = self._registry.changed
        self._stopping = self._registry.stopping
        self._spawner = Spawner(session, plan, self._stopping)
        self._imports = f", importing {', '.join(plan.imports)}" if plan.imports else ""
        with contextlib.ExitStack() as undo:
            undo.callback(session.remove)
            _, self._lifeline = self._keep_open(undo, session.lifeline)
            self._calls, _ = self._keep_open(undo, session.calls)  # counted here, never read
            self._keep_open(undo, session.status)
            self._monitor = Monitor(session, self._lifeline, self._registry, self._spawner)
            undo.callback(self._monitor.close)
            self._parts = undo.pop_all()
        self._thread = threading.Thread(target=self._monitor.run, name="corororo pool", daemon=True)

    @property
    def size(self) -> int:
        """How many workers the pool is to have."""
        return self._registry.size

    def start(self, workers: int) -> None:
        """Start the workers, and return when all of them take calls; raises PoolFailed."""
        registry = self._registry
        registry.size = workers
        for place in range(workers):
            registry.add(self._spawner.spawn(place, wait_for_files=False))
        self._thread.start()
        failure: str | None = f"the workers did not come up within {START_S:.0f} s{self._imports}"
        if self._wait_for(lambda: all(worker.ready for worker in registry.working), START_S):
            failure = registry.failure
        if failure:
            raise PoolFailed(failure)

    def resize(self, workers: int) -> None:
        """Have so many workers; for one caller at a time.

        Returns when new workers take calls, and retired ones have ended or run a long batch.
        Raises PoolFailed where no more can be had, PoolClosed after ``stop``.
        """
        registry = self._registry
        with self._changed:
            grows = workers > registry.size
            retiring_before = set(registry.retiring)
            registry.size, registry.growth_failure = workers, None
        self._wake_monitor()
        if grows:
            self._wait_for_growth(workers)
        else:
            self._wait_for(
                lambda: (
                    len(registry.working) <= registry.size
                    and retiring_before.issuperset(registry.retiring)
                ),
                RETIRE_S,
            )
        self._check_open()

    def check(self) -> None:
        """Raise PoolFailed if the pool has failed."""
        if self._registry.failure:
            raise PoolFailed(self._registry.failure)

    def statistics(self) -> PoolStatistics:
        """A frozen snapshot."""
        with self._changed:
            queued = 0 if self._stopping.is_set() else self._calls.queued()
        return self._registry.statistics(queued)

    def stop(self) -> None:
        """End the workers and remove the session; may be called again where it was interrupted."""
        with self._changed:
            self._stopping.set()
            self._changed.notify_all()
        if self._thread.is_alive():
            self._monitor.wake_up()
            self._thread.join(SERVER_HANGS_S)
            if self._thread.is_alive():  # it waits for a forkserver that hangs
                kill_forkserver()
                self._thread.join()
        self._lifeline.close()  # tells workers to end, and zones that the pool is closed
        for workers in (self._registry.working, self._registry.retiring):
            while workers:
                workers[-1].stop(STOP_S)
                workers.pop()
        self._parts.close()

    @staticmethod
    def _keep_open(undo: contextlib.ExitStack, path: Path) -> tuple[FifoReader, FifoWriter]:
        """Hold both ends of a FIFO, so that its users can come and go without closing it."""
        reader = FifoReader(path, blocking=False)
        undo.callback(reader.close)
        writer = FifoWriter(path)
        undo.callback(writer.close)
        return reader, writer

    def _wake_monitor(self) -> None:
        with self._changed:
            if not self._stopping.is_set():  # else its files may be closed
                self._monitor.wake_up()

    def _wait_for_growth(self, workers: int) -> None:
        registry = self._registry
        if not self._wait_for(lambda: registry.growth_failure or registry.is_complete, START_S):
            registry.give_up_growth(f"they did not come up within {START_S:.0f} s")
            self._wake_monitor()
        self._check_open()
        if registry.growth_failure:
            raise PoolFailed(
                f"expected {workers} workers, found that more than {registry.size} cannot be had, "
                f"which go on: {registry.growth_failure}"
            )

    def _wait_for(self, condition: Callable[[], object], timeout_s: float) -> bool:
        """Whether the condition came true in time; True where the pool failed or was stopped."""
        with self._changed:
            return bool(
                self._changed.wait_for(
                    lambda: self._stopping.is_set() or self._registry.failure or condition(),
                    timeout_s,
                )
            )

    def _check_open(self) -> None:
        self.check()
        if self._stopping.is_set():
            raise PoolClosed("the pool was closed while the number of its workers changed")
