"""The staff of one pool, as its owner's threads order it about. Knows no Schedulers.

Orders are left in the roster: a thread of its own carries them out, and minds who is there.
"""

from __future__ import annotations

import contextlib
import threading
from pathlib import Path

from corororo._clock import SystemClock
from corororo._exceptions import PoolClosed, PoolFailed
from corororo._ring import FifoReader, FifoWriter, Session
from corororo.processes import kill_forkserver

from ._monitor import Minder
from ._process import WorkerProcess
from ._registry import PoolStatistics, Roster
from ._spawning import Hiring, Plan

STOP_S = 1.0  # what a worker gets to end by itself
START_S = 60.0  # what the workers get to come up
HANGS_S = 10.0  # a fork server that starts nothing for so long, while all ends
RETIRE_S = 1.0  # how long those that were asked to end are waited for


class Staff:
    """The worker processes of a pool, and the thread that minds them."""

    def __init__(self, session: Session, plan: Plan) -> None:
        self.session = session
        clock = SystemClock()
        self._roster = Roster(clock)
        self._changed = self._roster.changed
        self._stopping = threading.Event()
        self._hiring = Hiring(session, plan, self._stopping)
        with contextlib.ExitStack() as undo:
            undo.callback(session.remove)
            _, self._lifeline = self._keep_open(undo, session.lifeline)
            self._calls = [self._keep_open(undo, session.calls)[0]]  # never read here, only counted
            self._keep_open(undo, session.status)
            self._minder = Minder(
                session, self._lifeline, self._roster, self._hiring, clock, self._stopping
            )
            undo.callback(self._minder.close)
            self._parts = undo.pop_all()
        self._thread = threading.Thread(target=self._minder.mind, name="corororo pool", daemon=True)

    @property
    def wanted(self) -> int:
        """How many workers there are to be."""
        return self._roster.wanted

    def start(self, workers: int) -> None:
        """Start the workers, and return when all of them take calls; raises PoolFailed."""
        roster = self._roster
        roster.wanted = workers
        for place in range(workers):
            roster.add(self._hiring.start(place, patient=False), newcomer=False)
        self._thread.start()
        with self._changed:
            come = self._changed.wait_for(
                lambda: roster.failure or all(worker.ready for worker in roster.working), START_S
            )
        self.must_be_well()
        if not come:
            raise PoolFailed(f"the workers did not come up within {START_S:.0f} s")

    def resize(self, workers: int) -> None:
        """Have so many workers; for one caller at a time.

        Returns when those that are new take calls, and those that were retired have ended, or are
        at a long batch. Raises PoolFailed where no more can be had, PoolClosed after ``stop``.
        """
        roster = self._roster
        with self._changed:
            grows = workers > roster.wanted
            leaving = list(roster.retiring.workers)
            roster.wanted, roster.no_growth = workers, None
        self._wake_up()
        if grows:
            self._wait_for_newcomers(workers)
        else:
            self._wait_for_the_end_of_all_but(leaving)

    def must_be_well(self) -> None:
        if self._roster.failure:
            raise PoolFailed(self._roster.failure)

    def statistics(self) -> PoolStatistics:
        with self._changed:
            queued = sum(calls.queued() for calls in self._calls)
        return self._roster.statistics(queued)

    def stop(self) -> None:
        """End the workers and remove the session; may be called again where it was broken off."""
        with self._changed:
            self._stopping.set()
            self._changed.notify_all()
        if self._thread.is_alive():
            self._minder.wake_up()
            self._thread.join(HANGS_S)
            if self._thread.is_alive():  # it waits for a worker from a fork server that hangs
                kill_forkserver()
                self._thread.join()
        self._lifeline.close()  # the workers' signal to end, and the zones' that nobody answers
        for workers in (self._roster.working, self._roster.retiring.workers):
            while workers:
                workers[-1].stop(STOP_S)
                workers.pop()
        with self._changed:
            self._calls.clear()  # whoever asks for statistics in another thread finds none
        self._parts.close()

    @staticmethod
    def _keep_open(undo: contextlib.ExitStack, path: Path) -> tuple[FifoReader, FifoWriter]:
        """Hold both ends of a FIFO, so that those who use it come and go without closing it."""
        reader = FifoReader(path, blocking=False)
        undo.callback(reader.close)
        writer = FifoWriter(path)
        undo.callback(writer.close)
        return reader, writer

    def _wake_up(self) -> None:
        with self._changed:
            if not self._stopping.is_set():  # else there may be nobody left
                self._minder.wake_up()

    def _wait_for_newcomers(self, workers: int) -> None:
        roster = self._roster
        with self._changed:
            come = self._changed.wait_for(
                lambda: self._is_over() or roster.no_growth or roster.is_complete, START_S
            )
        if not come:
            roster.want_no_more(f"they did not come up within {START_S:.0f} s")
            self._wake_up()
        self._must_go_on()
        if roster.no_growth:
            raise PoolFailed(
                f"expected {workers} workers, found that more than {roster.wanted} cannot be had, "
                f"which go on: {roster.no_growth}"
            )

    def _wait_for_the_end_of_all_but(self, others: list[WorkerProcess]) -> None:
        roster = self._roster

        def has_shrunk() -> bool:
            there = set(roster.retiring.workers) - set(others)
            return len(roster.working) <= roster.wanted and not there

        with self._changed:
            self._changed.wait_for(lambda: self._is_over() or has_shrunk(), RETIRE_S)
        self._must_go_on()

    def _is_over(self) -> bool:
        return self._stopping.is_set() or self._roster.failure is not None

    def _must_go_on(self) -> None:
        self.must_be_well()
        if self._stopping.is_set():
            raise PoolClosed("the pool was closed while the number of its workers changed")
