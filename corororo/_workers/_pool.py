"""WorkerPool: starts workers, replaces those that die, and tells the zones of it.

Knows no Tasks. A thread watches the workers, so a pool keeps its word while its owner's main
thread is busy or waits, whichever process the calls come from.
"""

from __future__ import annotations

import atexit
import contextlib
import os
import threading
import types
from collections import deque
from collections.abc import Sequence
from multiprocessing.connection import wait
from pathlib import Path
from typing import Self

import msgspec

from corororo._core import Inline
from corororo._exceptions import FifoFull, PoolClosed, PoolFailed
from corororo._ring import FifoReader, FifoWriter, Kind, Session
from corororo.abc import Transfer

from ._config import PoolConfig, read_config, write_config
from ._process import WorkerProcess, WorkerStatus
from ._transfer import SharedRing
from ._worker import die_with_owner

STOP_S = 1.0  # what a worker gets to end by itself
START_S = 60.0  # what the workers get to come up
RING_BYTES_MAX = 1 << 31  # an offset in a descriptor has 32 bits
RETRY_S = 0.01  # between two tries to tell a zone whose FIFO is full
START_TRIES = 100  # RETRY_S apart
SWEEP_S = 5.0  # between two looks for rings of zones that were killed
DIED_KEPT = 100  # dead workers that the statistics remember
STILLBORN_LIMIT = 3  # workers that die one after another before any of them has read a call


class PoolStatistics(msgspec.Struct, frozen=True):
    """A pool at one moment."""

    workers: tuple[WorkerStatus, ...]
    died: tuple[WorkerStatus, ...]  # the latest of those that were replaced, oldest first
    restarts: int  # workers that died and were replaced, all of them
    failure: str | None  # why the pool gave up, if it did


class WorkerPool:
    """``workers`` processes that run AsyncTasks for every Scheduler that attaches.

    Args:
        workers: processes; as many as there are CPUs to use by default. 0 runs AsyncTasks inline.
        ring_bytes: shared memory for each Scheduler's calls and replies, reserved when it opens.
        max_batch: calls that travel together at most.
        max_reply_bytes: the size up to which one result is accepted.
        rings: Schedulers that are expected; the session directory goes where their rings fit.
        name: what the processes call themselves: ``<name> worker 3``.
        imports: modules that each worker imports before it takes its first call.
        preload: modules for the server from which all processes are forked.
        directory: where to put the session directory, instead of the usual places.

    Use it as a context manager, or call ``start`` and ``close``. Raises SessionError where there
    is no room for the rings, PoolFailed where the workers do not come up.
    """

    def __init__(
        self,
        workers: int | None = None,
        *,
        ring_bytes: int = 1 << 20,
        max_batch: int = 256,
        max_reply_bytes: int = 64 << 20,
        rings: int = 1,
        name: str = "corororo",
        imports: Sequence[str] = (),
        preload: Sequence[str] = (),
        directory: Path | None = None,
    ) -> None:
        count = usable_cpus() if workers is None else workers
        _check_at_least("workers", count, 0)
        _check_at_least("ring_bytes", ring_bytes, 1 << 14)
        if ring_bytes > RING_BYTES_MAX:
            raise ValueError(f"ring_bytes must be at most {RING_BYTES_MAX}, got {ring_bytes}")
        _check_at_least("max_batch", max_batch, 1)
        _check_at_least("max_reply_bytes", max_reply_bytes, 1)
        _check_at_least("rings", rings, 1)
        self._config = PoolConfig(count, (ring_bytes + 63) & ~63, max_batch, max_reply_bytes)
        self._rings = rings
        self._name = name
        self._imports = imports
        self._preload = preload
        self._base = directory
        self._staff: _Staff | None = None

    @staticmethod
    def attach(address: str) -> AttachedPool:
        """The pool of another process, by its ``address``; raises PoolClosed when it is gone."""
        return AttachedPool(address)

    @property
    def workers(self) -> int:
        """How many workers it keeps."""
        return self._config.workers

    @property
    def address(self) -> str:
        """What ``attach`` takes in another process: the path of the session directory."""
        return str(self._open_staff().session.directory)

    def start(self) -> None:
        """Make the session and start the workers; returns when all of them take calls."""
        if self._staff is not None:
            raise RuntimeError("the pool has been started already")
        rings_bytes = self._config.ring_bytes * self._rings if self._config.workers else 0
        session = Session.create(rings_bytes, self._base)
        try:
            write_config(session, self._config)
            self._staff = _Staff(session, self._name, self._imports, self._preload)
            self._staff.start(self._config.workers)
        except BaseException:
            self.close()
            session.remove()
            raise
        atexit.register(self.close)

    def open_transfer(self) -> Transfer:
        """The way to the workers for one Scheduler; raises PoolFailed where none can be had."""
        staff = self._open_staff()
        staff.must_be_well()
        return open_transfer(staff.session, self._config)

    def statistics(self) -> PoolStatistics:
        """A frozen snapshot."""
        return PoolStatistics((), (), 0, None) if self._staff is None else self._staff.statistics()

    def close(self) -> None:
        """End the workers and remove the session directory; idempotent.

        AsyncTasks in flight come to nothing: Schedulers that wait for them get PoolClosed.
        """
        if self._staff is not None:
            self._staff.stop()
            self._staff = None
            atexit.unregister(self.close)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: types.TracebackType | None,
    ) -> None:
        self.close()

    def _open_staff(self) -> _Staff:
        if self._staff is None:
            raise PoolClosed("the pool is not running; use it as `with WorkerPool() as pool:`")
        return self._staff


class AttachedPool:
    """A pool that another process owns; good for ``Scheduler(...)``."""

    def __init__(self, address: str) -> None:
        self.address = address
        self._session = Session.attach(address)
        self._config = read_config(self._session)

    def open_transfer(self) -> Transfer:
        """The way to the workers for one Scheduler."""
        return open_transfer(self._session, self._config)

    def end_with_owner(self) -> None:
        """From now on, end this process when the owner of the pool ends, whatever it does then.

        Raises PoolClosed when the owner has ended already.
        """
        die_with_owner(self._session)


def open_transfer(session: Session, config: PoolConfig) -> Transfer:
    """The way from one Scheduler to the workers, or to itself where the pool has none."""
    return SharedRing(session, config) if config.workers else Inline()


class _Staff:
    """The worker processes of a pool, and the thread that minds them."""

    def __init__(
        self, session: Session, name: str, imports: Sequence[str], preload: Sequence[str]
    ) -> None:
        self.session = session
        self._name = name
        self._imports = imports
        self._preload = preload
        self._workers: list[WorkerProcess] = []
        self._restarts = 0
        self._died: deque[WorkerStatus] = deque(maxlen=DIED_KEPT)
        self._next_number = 1
        self._stillborn = 0
        self._untold: list[tuple[Path, int]] = []  # reply FIFOs that were full, and who died
        self._failure: str | None = None
        self._changed = threading.Condition()
        self._stopping = False
        self._thread = threading.Thread(target=self._mind, name="corororo pool", daemon=True)
        with contextlib.ExitStack() as undo:
            undo.callback(session.remove)
            self._lifeline = self._keep_open(undo, session.lifeline)
            self._keep_open(undo, session.calls)
            self._keep_open(undo, session.status)
            self._status = FifoReader(session.status, blocking=False)
            undo.callback(self._status.close)
            self._wake_reader, self._wake_writer = os.pipe()
            undo.callback(os.close, self._wake_reader)
            undo.callback(os.close, self._wake_writer)
            self._parts = undo.pop_all()

    def start(self, workers: int) -> None:
        """Start the workers, and return when all of them take calls; raises PoolFailed."""
        for place in range(workers):
            self._workers.append(self._start_worker(place))
        self._thread.start()
        with self._changed:
            come = self._changed.wait_for(
                lambda: self._failure or all(worker.ready for worker in self._workers), START_S
            )
        self.must_be_well()
        if not come:
            raise PoolFailed(f"the workers did not come up within {START_S:.0f} s")

    def must_be_well(self) -> None:
        if self._failure:
            raise PoolFailed(self._failure)

    def statistics(self) -> PoolStatistics:
        with self._changed:
            workers = tuple(worker.status() for worker in self._workers)
            return PoolStatistics(workers, tuple(self._died), self._restarts, self._failure)

    def stop(self) -> None:
        """End the workers and remove the session; may be called again where it was broken off."""
        self._stopping = True
        if self._thread.is_alive():
            os.write(self._wake_writer, b"\0")
            self._thread.join()
        self._lifeline.close()  # the workers' signal to end, and the zones' that nobody answers
        while self._workers:
            self._workers[-1].stop(STOP_S)
            self._workers.pop()
        self._parts.close()

    @staticmethod
    def _keep_open(undo: contextlib.ExitStack, path: Path) -> FifoWriter:
        """Hold both ends of a FIFO, so that those who use it come and go without closing it."""
        reader = FifoReader(path, blocking=False)
        undo.callback(reader.close)
        writer = FifoWriter(path)
        undo.callback(writer.close)
        return writer

    # -- the thread

    def _mind(self) -> None:
        try:
            while not self._stopping and self._failure is None:
                self._watch()
        except Exception as error:  # nobody minds the workers from here on: say so, and end all
            self._fail(f"the pool cannot go on: {error!r}")

    def _watch(self) -> None:
        sentinels: list[int] = [worker.sentinel for worker in self._workers]
        timeout_s = RETRY_S if self._untold else SWEEP_S
        if not wait([*sentinels, self._status.fileno(), self._wake_reader], timeout_s):
            self.session.remove_rings_left_behind()
        self._note_the_ready()
        dead = [place for place, w in enumerate(self._workers) if w.exit_code() is not None]
        if self._stopping:
            return
        for place in dead:
            worker = self._workers[place]
            worker.make_sure_it_is_dead()
            self._untold += [(path, worker.number) for path in self.session.all_replies()]
        self._tell_the_zones()
        for place in dead:
            self._replace(place, self._workers[place])

    def _note_the_ready(self) -> None:
        for descriptor in self._status.read_nowait():
            for worker in self._workers:
                if descriptor.kind == Kind.READY and worker.number == descriptor.worker:
                    worker.ready = True
                    self._stillborn = 0
        with self._changed:
            self._changed.notify_all()

    def _replace(self, place: int, worker: WorkerProcess) -> None:
        if not worker.ready:
            self._stillborn += 1
            if self._stillborn >= STILLBORN_LIMIT:
                self._fail(
                    f"{STILLBORN_LIMIT} workers died before they took a call, the last with exit "
                    f"code {worker.exit_code()}; if the errors above name the main module, its "
                    f'code must stand under `if __name__ == "__main__":`'
                )
                return
        replacement = self._start_worker(place)
        with self._changed:
            self._workers[place] = replacement
            self._died.append(worker.status())
            self._restarts += 1

    def _tell_the_zones(self) -> None:
        untold, self._untold = self._untold, []
        for path, number in untold:
            # A zone that has gone in the meantime has nothing with the dead worker any more.
            with contextlib.suppress(PoolClosed):
                writer = FifoWriter(path)
                try:
                    writer.write_nowait(Kind.WORKER_DIED, 0, 0, 0, 0, 0, 0, number)
                except FifoFull:
                    self._untold.append((path, number))
                finally:
                    writer.close()

    def _fail(self, why: str) -> None:
        self._lifeline.close()
        with self._changed:
            self._failure = why
            self._changed.notify_all()

    def _start_worker(self, place: int) -> WorkerProcess:
        number = self._next_number
        self._next_number += 1
        title = f"{self._name} worker {place + 1}"
        address = str(self.session.directory)
        for _ in range(START_TRIES):
            # A fork server that has just died refuses until the system has noticed its end.
            with contextlib.suppress(ConnectionError, EOFError):
                return WorkerProcess(number, title, address, self._imports, self._preload)
            wait([self._wake_reader], RETRY_S)
        return WorkerProcess(number, title, address, self._imports, self._preload)


def usable_cpus() -> int:
    """CPUs that this process may run on."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1  # macOS


def _check_at_least(name: str, value: int, minimum: int) -> None:
    if value < minimum:
        raise ValueError(f"{name} must be at least {minimum}, got {value}; WorkerPool({name}=...)")
