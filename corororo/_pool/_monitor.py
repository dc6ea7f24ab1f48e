"""The thread that monitors the workers of one pool.

It replaces workers that die and tells the zones, also while the owner's main thread is busy. While
the pool runs this thread alone spawns and retires workers, so a death and a resize never collide.
"""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Iterator
from functools import partial
from multiprocessing.connection import wait
from pathlib import Path

from corororo._exceptions import FifoFull, PoolClosed, SessionError
from corororo._platform import SystemClock, explaining_open_files, is_out_of_files
from corororo._ring import (
    NO_WORKER,
    Descriptor,
    FifoReader,
    FifoWriter,
    Kind,
    Session,
    remove_file,
    write_file,
)
from corororo.processes import ANSWER_S, STACK_SIGNAL, process_state
from corororo.processes._forkserver import wake_stopped_forkserver
from corororo.processes._process import means_stopped

from ._registry import Registry
from ._spawner import RETRY_S, Spawner, WorkerProcess, retry_without_files

LOOK_S = 0.05  # least time between two looks for stopped workers, however many zones ask
SWEEP_S = 3.0  # between two looks for killed zones and for workers stopped while idle
FAILED_STARTS_MAX = 3  # workers that die in a row before any of them takes a call

# Why workers are killed.
EXPIRED = "a call of it had run for longer than its timeout"
LOOPS = "it was at one batch of calls for longer than hang_timeout"
STOPPED = "a signal had stopped it"


class Monitor:
    """Monitors the workers of a registry until it is ``stopping`` or the pool has failed."""

    def __init__(
        self, session: Session, lifeline: FifoWriter, registry: Registry, spawner: Spawner
    ) -> None:
        self._session = session
        self._lifeline = lifeline
        self._registry = registry
        self._spawner = spawner
        self._clock = SystemClock()
        self._stopping = registry.stopping
        self._untold: list[tuple[Path, Descriptor]] = []  # by reply FIFO: what zones have to hear
        self._told_size = 0
        self._failed_starts = 0
        self._lost_servers: set[int] = set()
        self._next_sweep = self._clock.now() + SWEEP_S
        self._next_look = 0.0
        self._status = FifoReader(session.status, blocking=False)
        self._wake_reader, self._wake_writer = os.pipe()
        os.set_blocking(self._wake_reader, False)

    def wake_up(self) -> None:
        """Have the thread look at the registry now; from any thread, until ``close``."""
        os.write(self._wake_writer, b"\0")

    def close(self) -> None:
        """Close its files, after the thread has ended."""
        self._status.close()
        os.close(self._wake_reader)
        os.close(self._wake_writer)

    def run(self) -> None:
        """The main function of the thread."""
        self._told_size = self._registry.size
        try:
            with explaining_open_files("a worker in place of one that died"):
                while not self._stopping.is_set() and self._registry.failure is None:
                    self._run_once()
        except SessionError as error:
            self._fail(str(error))
        except Exception as error:  # without this thread the pool cannot be used: end it clearly
            self._fail(f"the pool cannot go on: {error!r}")

    def _run_once(self) -> None:
        self._wait()
        if self._clock.now() >= self._next_sweep:
            self._sweep()
        self._read_status()
        self._kill_overdue()
        ended = [worker for worker in self._registry.all() if worker.poll() is not None]
        if self._stopping.is_set():
            return
        for worker in ended:
            self._record_end(worker)
        self._tell_zones()
        for worker in ended:
            self._reap(worker)
        self._adjust_size()
        for worker in self._registry.retiring:
            if worker.remind_at is not None and self._clock.now() >= worker.remind_at:
                worker.ask_to_retire(self._clock.now())
        with self._registry.changed:
            self._registry.changed.notify_all()

    def _wait(self) -> None:
        """Return when a worker ends, a status comes, or something is due."""
        workers = self._registry.all()
        due = [self._next_sweep]
        due += [worker.kill_at for worker in workers if worker.kill_at is not None]
        due += [worker.remind_at for worker in workers if worker.remind_at is not None]
        timeout_s = RETRY_S if self._untold else max(0.0, min(due) - self._clock.now())
        sentinels = [worker.sentinel for worker in workers]
        wait([*sentinels, self._status.fileno(), self._wake_reader], timeout_s)
        with contextlib.suppress(BlockingIOError):
            os.read(self._wake_reader, 1024)

    # -- what workers and zones report, and what is found without them

    def _read_status(self) -> None:
        stopped_suspected = False
        for descriptor in self._status.read_nowait():
            worker = self._registry.find(descriptor.worker)
            if descriptor.kind == Kind.LOOK:
                stopped_suspected = True
                if worker is None and descriptor.worker != NO_WORKER:
                    death = Descriptor(Kind.WORKER_DIED, worker=descriptor.worker)
                    self._untold.append((self._session.replies(descriptor.ring), death))
            elif worker is not None and descriptor.kind == Kind.READY:
                worker.ready = True
                self._failed_starts = 0
            elif worker is not None and descriptor.kind == Kind.KILL and worker.poll() is None:
                worker.killed_on_request = True
                worker.kill(EXPIRED)
            elif worker is not None and descriptor.kind == Kind.HUNG:
                self._kill_with_stacks(worker, LOOPS, on_request=True)
        if stopped_suspected and self._clock.now() >= self._next_look:
            self._look_for_stopped()

    def _sweep(self) -> None:
        """Remove the rings of zones that were killed, and find workers stopped while idle."""
        self._next_sweep = self._clock.now() + SWEEP_S
        with _skipped_without_files():
            self._session.remove_rings_left_behind()
        self._look_for_stopped()

    def _look_for_stopped(self) -> None:
        """Kill workers that a signal has stopped: they would keep their calls for ever."""
        self._next_look = self._clock.now() + LOOK_S
        with _skipped_without_files():
            for worker in self._registry.all():
                state = process_state(worker.pid, ask_ps=True)
                if means_stopped(state):
                    self._kill_with_stacks(worker, STOPPED, on_request=False)
                elif state.startswith("Z") and worker.poll() is None:
                    wake_stopped_forkserver()  # its parent, which should have reaped it

    # -- kills

    def _kill_with_stacks(self, worker: WorkerProcess, why: str, *, on_request: bool) -> None:
        """Have a hung worker write its stacks and end; ``_kill_overdue`` kills it if it does not.

        ``on_request`` of a zone, which knows for which of its batches.
        """
        if worker.why_killed or worker.poll() is not None:
            return
        worker.killed_on_request = on_request
        worker.why_killed, worker.hung = why, True
        worker.kill_at = self._clock.now() + ANSWER_S
        worker.send_signal(STACK_SIGNAL)
        worker.send_signal(signal.SIGCONT)  # a stopped process answers when it goes on

    def _kill_overdue(self) -> None:
        for worker in self._registry.all():
            if worker.kill_at is not None and self._clock.now() >= worker.kill_at:
                worker.kill_at = None
                worker.kill()

    # -- ends, replacements and the size of the pool

    def _record_end(self, worker: WorkerProcess) -> None:
        """Note how it ended, and tell the zones unless it has retired: then it has no calls."""
        worker.record_end(self._session.stacks(worker.number), self._stopping.wait)
        if not (worker.has_retired and worker in self._registry.retiring):
            kind = Kind.WORKER_KILLED if worker.killed_on_request else Kind.WORKER_DIED
            self._announce(Descriptor(kind, worker=worker.number))

    def _reap(self, worker: WorkerProcess) -> None:
        registry = self._registry
        remove_file(self._session.stacks(worker.number))
        retiring = worker in registry.retiring
        if not (retiring or worker.ready):
            self._count_failed_start(worker)
        too_many = self._failed_starts >= FAILED_STARTS_MAX
        if retiring or worker.is_newcomer or len(registry.working) > registry.size:
            registry.remove(worker)
            if too_many:
                self._failed_starts = 0
                registry.give_up_growth(_failed_to_start(worker))
        elif too_many:
            self._fail(_failed_to_start(worker))
        else:
            registry.replace(worker, self._spawner.spawn(worker.place))

    def _count_failed_start(self, worker: WorkerProcess) -> None:
        """A forkserver that died takes several along: they count as one."""
        server = worker.lost_server
        if worker.cannot_start:  # the others import the same
            self._failed_starts = FAILED_STARTS_MAX
        self._failed_starts += server is None or server not in self._lost_servers
        if server is not None:
            self._lost_servers.add(server)

    def _adjust_size(self) -> None:
        registry = self._registry
        while len(registry.working) < registry.size and not self._stopping.is_set():
            self._grow()
        while len(registry.working) > registry.size:
            registry.retire_one(self._clock.now())
        if self._told_size != registry.size:
            self._told_size = registry.size
            self._announce(Descriptor(Kind.RESIZED, length=self._told_size))
            self._tell_zones()

    def _grow(self) -> None:
        try:
            with explaining_open_files("one more worker"):
                worker = self._spawner.spawn(self._registry.free_place())
        except (OSError, EOFError, SessionError) as error:
            self._registry.give_up_growth(str(error) or repr(error))
        else:
            worker.grows_pool = True
            self._registry.add(worker)

    # -- what the zones are told

    def _announce(self, descriptor: Descriptor) -> None:
        """To all zones that are attached now, with the next ``_tell_zones``."""
        zones = retry_without_files(self._session.all_replies, self._stopping)
        self._untold += [(replies, descriptor) for replies in zones]

    def _tell_zones(self) -> None:
        """Send what is announced; what does not fit into a FIFO is sent later."""
        untold, self._untold = self._untold, []
        for replies, descriptor in untold:
            with contextlib.suppress(PoolClosed):  # the zone has ended
                writer = retry_without_files(partial(FifoWriter, replies), self._stopping)
                try:
                    writer.write_nowait(descriptor)
                except FifoFull:
                    self._untold.append((replies, descriptor))
                finally:
                    writer.close()

    def _fail(self, why: str) -> None:
        self._status.close()  # frees a file, which may be the one that is missing
        with contextlib.suppress(OSError):  # then zones learn of the end, and not of the reason
            write_file(self._session.failure, why.encode(errors="backslashreplace"))
        self._lifeline.close()
        with self._registry.changed:
            self._registry.failure = why
            self._registry.changed.notify_all()


@contextlib.contextmanager
def _skipped_without_files() -> Iterator[None]:
    """For looks that are repeated soon: the program's other files must not end its pool."""
    try:
        yield
    except OSError as error:
        if not is_out_of_files(error):
            raise


def _failed_to_start(worker: WorkerProcess) -> str:
    ended = worker.status().ended
    if worker.cannot_start:
        return ended
    return f"{FAILED_STARTS_MAX} workers died before they took a call, the last {ended}"
