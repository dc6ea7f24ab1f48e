"""The worker processes of one pool, and the thread that minds them. Knows no Schedulers.

The thread keeps the pool's word while its owner's main thread is busy or waits, whichever process
the calls come from: it replaces workers that die, and tells the zones of it.
"""

from __future__ import annotations

import contextlib
import os
import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from multiprocessing.connection import wait
from pathlib import Path
from typing import NamedTuple, TypeVar

import msgspec

from corororo._clock import SystemClock
from corororo._exceptions import FifoFull, PoolClosed, PoolFailed, SessionError
from corororo._ring import (
    NO_WORKER,
    Descriptor,
    FifoReader,
    FifoWriter,
    Kind,
    Session,
    explaining_open_files,
    is_out_of_files,
    make_fifo,
    write_file,
)
from corororo.abc import IdleStrategy

from ._process import WorkerProcess, WorkerStatus
from ._stopped import is_stopped

T = TypeVar("T")

STOP_S = 1.0  # what a worker gets to end by itself
START_S = 60.0  # what the workers get to come up
RETRY_S = 0.01  # between two tries to tell a zone whose FIFO is full
START_TRIES = 100  # RETRY_S apart
LOOK_S = 0.05  # between two looks for workers that stand still, however many zones ask
SWEEP_S = 3.0  # between two looks for what nobody tells of
DIED_KEPT = 100  # dead workers that the statistics remember
STILLBORN_LIMIT = 3  # workers that die one after another before any of them has read a call


@contextlib.contextmanager
def _if_files_allow() -> Iterator[None]:
    """For what is done again soon: the program's other files must not end its pool."""
    try:
        yield
    except OSError as error:
        if not is_out_of_files(error):
            raise


class PoolStatistics(msgspec.Struct, frozen=True):
    """A pool at one moment."""

    workers: tuple[WorkerStatus, ...]
    died: tuple[WorkerStatus, ...]  # the latest of those that were replaced, oldest first
    restarts: int  # workers that died and were replaced, all of them
    failure: str | None  # why the pool gave up, if it did
    queued: int = 0  # batches that wait for a worker to take them


class Plan(NamedTuple):
    """How the workers of a pool are to be."""

    name: str
    imports: Sequence[str]
    preload: Sequence[str]
    idle: IdleStrategy
    cpus: tuple[int, ...]

    def start(self, number: int, place: int, session: Session) -> WorkerProcess:
        """A worker for a place of the pool."""
        return WorkerProcess(
            number,
            place,
            f"{self.name} worker {place + 1}",
            str(session.directory),
            self.imports,
            self.preload,
            self.idle,
            self.cpus[place % len(self.cpus)] if self.cpus else None,
        )


class Staff:
    """The worker processes of a pool, and the thread that minds them."""

    def __init__(self, session: Session, plan: Plan, homes: int = 0) -> None:
        """``homes`` is how many workers have a FIFO of their own."""
        self.session = session
        self._plan = plan
        self._workers: list[WorkerProcess] = []
        self._restarts = 0
        self._died: deque[WorkerStatus] = deque(maxlen=DIED_KEPT)
        self._next_number = 1
        self._stillborn = 0
        self._clock = SystemClock()
        self._next_sweep = self._clock.now() + SWEEP_S
        self._next_look = 0.0
        self._untold: list[tuple[Path, Descriptor]] = []  # reply FIFOs, and what they are to hear
        self._failure: str | None = None
        self._changed = threading.Condition()
        self._stopping = False
        self._calls: list[FifoReader] = []  # never read here; they tell what waits
        self._thread = threading.Thread(target=self._mind, name="corororo pool", daemon=True)
        with contextlib.ExitStack() as undo:
            undo.callback(session.remove)
            _, self._lifeline = self._keep_open(undo, session.lifeline)
            for calls in (session.calls, *map(session.calls_of, range(homes))):
                if calls != session.calls:
                    make_fifo(calls)
                self._calls.append(self._keep_open(undo, calls)[0])
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
            queued = sum(calls.queued() for calls in self._calls)
            return PoolStatistics(workers, tuple(self._died), self._restarts, self._failure, queued)

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

    # -- the thread

    def _mind(self) -> None:
        try:
            with explaining_open_files("a worker in place of one that died"):
                while not self._stopping and self._failure is None:
                    self._watch()
        except SessionError as error:
            self._fail(str(error))
        except Exception as error:  # nobody minds the workers from here on: say so, and end all
            self._fail(f"the pool cannot go on: {error!r}")

    def _watch(self) -> None:
        sentinels: list[int] = [worker.sentinel for worker in self._workers]
        timeout_s = RETRY_S if self._untold else max(0.0, self._next_sweep - self._clock.now())
        wait([*sentinels, self._status.fileno(), self._wake_reader], timeout_s)
        if self._clock.now() >= self._next_sweep:
            with _if_files_allow():
                self._sweep()
        self._read_status()
        dead = [place for place, w in enumerate(self._workers) if w.exit_code() is not None]
        if self._stopping:
            return
        for place in dead:
            worker = self._workers[place]
            worker.make_sure_it_is_dead()
            kind = Kind.WORKER_KILLED if worker.killed_on_request else Kind.WORKER_DIED
            death = Descriptor(kind, worker=worker.number)
            zones = self._patiently(self.session.all_replies)
            self._untold += [(path, death) for path in zones]
        self._tell_the_zones()
        for place in dead:
            self._replace(place, self._workers[place])

    def _sweep(self) -> None:
        """What nobody tells of: zones that were killed, and workers that stand idle and still."""
        self._next_sweep = self._clock.now() + SWEEP_S
        self.session.remove_rings_left_behind()
        self._kill_those_that_stand_still()

    def _read_status(self) -> None:
        looks = False
        for descriptor in self._status.read_nowait():
            worker = self._find(descriptor.worker)
            if descriptor.kind == Kind.LOOK:
                looks = True
                if worker is None and descriptor.worker != NO_WORKER:
                    self._own_up(descriptor)
            elif worker is not None and descriptor.kind == Kind.READY:
                worker.ready = True
                self._stillborn = 0
            elif worker is not None and descriptor.kind == Kind.KILL:
                worker.killed_on_request = True
                worker.kill()
        if looks and self._clock.now() >= self._next_look:
            with _if_files_allow():
                self._kill_those_that_stand_still()
        with self._changed:
            self._changed.notify_all()

    def _find(self, number: int) -> WorkerProcess | None:
        return next((worker for worker in self._workers if worker.number == number), None)

    def _own_up(self, look: Descriptor) -> None:
        """Whoever a zone thinks has its batch, no such worker lives."""
        death = Descriptor(Kind.WORKER_DIED, worker=look.worker)
        self._untold.append((self.session.replies(look.ring), death))

    def _kill_those_that_stand_still(self) -> None:
        """A worker that was stopped by a signal keeps what it has, and may keep it for ever."""
        self._next_look = self._clock.now() + LOOK_S
        for worker in self._workers:
            if is_stopped(worker.pid):
                worker.kill()

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
        for path, death in untold:
            # A zone that has gone in the meantime has nothing with the dead worker any more.
            with contextlib.suppress(PoolClosed):
                writer = self._patiently(partial(FifoWriter, path))
                try:
                    writer.write_nowait(death)
                except FifoFull:
                    self._untold.append((path, death))
                finally:
                    writer.close()

    def _patiently(self, open_files: Callable[[], T]) -> T:
        """Try it for a while where no file can be opened: some may be closed any moment."""
        for _ in range(START_TRIES):
            try:
                return open_files()
            except OSError as error:
                if not is_out_of_files(error):
                    raise
            wait([self._wake_reader], RETRY_S)
        return open_files()

    def _fail(self, why: str) -> None:
        self._status.close()  # nobody reads it any more; and a file less may be what it takes
        with contextlib.suppress(OSError):  # the zones get to hear less
            write_file(self.session.failure, why.encode(errors="backslashreplace"))
        self._lifeline.close()
        with self._changed:
            self._failure = why
            self._changed.notify_all()

    def _start_worker(self, place: int) -> WorkerProcess:
        number = self._next_number
        self._next_number += 1
        for _ in range(START_TRIES):
            try:
                return self._plan.start(number, place, self.session)
            except (ConnectionError, EOFError):
                pass  # a fork server that has just died, until the system has noticed its end
            except OSError as error:
                if not is_out_of_files(error) or not self._thread.is_alive():
                    raise  # while the pool starts; later, some file may be closed any moment
            wait([self._wake_reader], RETRY_S)
        return self._plan.start(number, place, self.session)
