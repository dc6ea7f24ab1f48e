"""WorkerPool: what a program uses of its workers: options, start, resize, end, address."""

from __future__ import annotations

import atexit
import os
import threading
import types
from collections.abc import Sequence
from multiprocessing.reduction import ForkingPickler
from pathlib import Path
from typing import Literal, Self

import msgspec

from corororo._exceptions import PoolClosed, PoolFailed
from corororo._idle import Park
from corororo._inline import Inline
from corororo._main_module import check_not_importing, find_main_module, modules_to_import
from corororo._platform import explaining_open_files, usable_cpus
from corororo._ring import CALLS_MAX, PoolConfig, Session, call_after_fork
from corororo._transfer import SharedRing
from corororo._worker._main import WorkerPlan, die_with_owner
from corororo.abc import IdleStrategy, Transfer
from corororo.processes._forkserver import current_surroundings

from ._options import check_figure, check_others, cpus_to_pin
from ._registry import PoolStatistics
from ._supervisor import Supervisor

FORKED = (
    "this process was forked off the owner of the pool, and has no workers; start a pool of its "
    "own, or use the owner's with WorkerPool.attach(address)"
)
RING_BYTES_MAX = 1 << 31  # an offset in a descriptor has 32 bits
MESSAGE_BYTES_MAX = (1 << 31) - (1 << 24)  # which stands behind the ring


class WorkerPool:
    """``workers`` processes that run AsyncTasks for every Scheduler that attaches.

    Args:
        workers: number of processes; by default the number of usable CPUs. 0 runs AsyncTasks
            inline. ``resize`` changes it later.
        ring_bytes: shared memory for each Scheduler's calls and replies, reserved when it opens.
            It grows for single calls that need more than a quarter of it.
        max_batch: maximum of calls that travel together.
        max_message_bytes: maximum size of the arguments of one call, and of one result.
        max_pending: maximum of calls of one Scheduler that are in flight or wait for room; further
            Tasks wait for their turn.
        hang_timeout: seconds after which a worker that is still at one batch of calls hangs, as in
            an endless loop. It is killed and counts as dead: its calls run again, in the end one by
            one, and a call that hangs every worker fails with WorkerDied. By default calls may
            take as long as they like. It does not apply to functions with a ``timeout`` of their
            own, nor to calls that run inline.
        rings: number of expected Schedulers; the session directory goes where their rings fit.
        name: first word of the process titles: ``<name> worker 3``.
        imports: modules that each worker imports before its first call.
        preload: modules that the forkserver imports, once for all processes.
        idle: what a worker does while there is no work; by default it sleeps.
        pin: CPUs for the workers, one each in turn; "spread" means all usable ones.
        directory: where the session directory goes, instead of the usual places.

    Use it as a context manager, or call ``start`` and ``close``. Raises SessionError where there
    is no room for the rings, PoolFailed where the workers do not start.
    """

    def __init__(
        self,
        workers: int | None = None,
        *,
        ring_bytes: int = 1 << 20,
        max_batch: int = 2_048,
        max_message_bytes: int = 256 << 20,
        max_pending: int = 100_000,
        hang_timeout: float | None = None,
        rings: int = 1,
        name: str = "corororo",
        imports: Sequence[str] = (),
        preload: Sequence[str] = (),
        idle: IdleStrategy | None = None,
        pin: Literal["spread"] | Sequence[int] | None = None,
        directory: str | os.PathLike[str] | None = None,
    ) -> None:
        count = usable_cpus() if workers is None else workers
        check_figure("workers", count, 0)
        check_figure("ring_bytes", ring_bytes, 1 << 14, RING_BYTES_MAX)
        check_figure("max_batch", max_batch, 1, CALLS_MAX)
        check_figure("max_message_bytes", max_message_bytes, 1, MESSAGE_BYTES_MAX)
        check_figure("max_pending", max_pending, 1)
        check_figure("rings", rings, 1)
        check_others(hang_timeout, {"imports": imports, "preload": preload}, idle)
        self._config = PoolConfig(
            count, (ring_bytes + 63) & ~63, max_batch, max_message_bytes, max_pending, hang_timeout
        )
        self._rings = rings
        self._name, self._imports, self._preload = name, imports, preload
        self._idle = idle or Park()
        self._cpus = cpus_to_pin(pin)
        self._base = None if directory is None else Path(directory)
        self._supervisor: Supervisor | None = None
        self._resizing = threading.Lock()
        self._why_closed = "the pool is not running; use it as `with WorkerPool() as pool:`"

    @staticmethod
    def attach(address: str) -> AttachedPool:
        """The pool of another process, by its ``address``; raises PoolClosed when it is gone."""
        return AttachedPool(address)

    @property
    def workers(self) -> int:
        """How many workers it is to have: those given, or those of the latest ``resize``."""
        return self._config.workers

    @property
    def address(self) -> str:
        """What ``attach`` takes in another process: the path of the session directory."""
        return str(self._running().session.directory)

    def start(self) -> None:
        """Make the session and start the workers; returns when all of them take calls.

        Workers take over the environment, working directory, import path and warnings filters that
        this process has now.
        """
        if self._supervisor is not None:
            raise RuntimeError("the pool has been started already")
        check_not_importing()
        plan = self._plan()
        self._config = msgspec.structs.replace(self._config, main=plan.main and plan.main.path)
        room_bytes = self._config.ring_bytes * self._rings if self._config.workers else 0
        with explaining_open_files("a pool of workers"):
            session = Session.create(room_bytes, self._base)
            try:
                session.write_config(self._config)
                self._supervisor = Supervisor(session, plan)
                self._supervisor.start(self._config.workers)
            except BaseException as error:
                self.close()
                session.remove()
                if isinstance(error, PoolFailed):  # of a worker: frames of this process say nothing
                    raise error.with_traceback(None) from None
                raise
        atexit.register(self.close)
        call_after_fork(self, WorkerPool._disown)

    def resize(self, workers: int) -> None:
        """Change the number of workers while calls run; from any thread.

        Returns when new workers take calls. A retired worker finishes its batch, takes no other,
        and ends; ``resize`` waits a second for it. No call is cut short or run twice. Schedulers
        go on, those of other processes too.

        Raises ValueError for fewer than 1, and for a pool that was started with 0; PoolFailed where
        workers fail to start (the pool keeps those that it has); PoolClosed where it is not
        running.
        """
        supervisor = self._running()
        check_figure("workers", workers, 1, call="pool.resize(2)")
        if not self._config.workers:
            raise ValueError(
                "a pool of 0 workers runs AsyncTasks inline, and its Schedulers would ask for "
                "none; begin with one: WorkerPool(workers=1)"
            )
        with self._resizing:
            self._publish_size(workers)
            try:
                supervisor.resize(workers)
            except PoolFailed:
                self._publish_size(supervisor.size)
                raise

    def open_transfer(self) -> Transfer:
        """The way to the workers for one Scheduler; raises PoolFailed where none can be had."""
        supervisor = self._running()
        supervisor.check()
        return _open_transfer(supervisor.session, self._config)

    def remove_rings_left_behind(self) -> None:
        """Free the memory of attached processes that have died.

        The pool does so every few seconds; call it before starting others in their place at once.
        """
        if self._supervisor is not None:
            self._supervisor.session.remove_rings_left_behind()

    def statistics(self) -> PoolStatistics:
        """A frozen snapshot."""
        if self._supervisor is None:
            return PoolStatistics((), (), 0, None)
        return self._supervisor.statistics()

    def close(self) -> None:
        """End the workers and remove the session directory; idempotent.

        AsyncTasks in flight are lost: Schedulers that wait for them get PoolClosed.
        """
        if self._supervisor is not None:
            self._supervisor.stop()
            self._supervisor = None
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

    def _plan(self) -> WorkerPlan:
        return WorkerPlan(
            name=self._name,
            imports=[*modules_to_import(self._idle), *self._imports],
            preload=self._preload,
            idle=bytes(ForkingPickler.dumps(self._idle)),
            cpus=self._cpus,
            surroundings=current_surroundings(),
            main=find_main_module(),
        )

    def _running(self) -> Supervisor:
        if self._supervisor is None:
            raise PoolClosed(self._why_closed)
        return self._supervisor

    def _publish_size(self, workers: int) -> None:
        """For Schedulers that open from now on; the others are told."""
        config = msgspec.structs.replace(self._config, workers=workers)
        with explaining_open_files("a pool of another size"):
            self._running().session.write_config(config)
        self._config = config

    def _disown(self) -> None:
        """In a forked process: the workers are its parent's."""
        self._supervisor = None
        self._why_closed = FORKED
        atexit.unregister(self.close)


class AttachedPool:
    """A pool that another process owns; ``Scheduler(...)`` takes it as it takes a WorkerPool."""

    def __init__(self, address: str) -> None:
        if not isinstance(address, str | os.PathLike) or not address:
            raise TypeError(
                f"attach takes the address of a pool, got {address!r}; pool.address is one"
            )
        self.address = address
        self._session = Session.attach(address)
        self._config = self._session.read_config()

    @property
    def workers(self) -> int:
        """How many workers the pool had when this process attached."""
        return self._config.workers

    def open_transfer(self) -> Transfer:
        """The way to the workers for one Scheduler."""
        return _open_transfer(self._session, self._config)

    def end_with_owner(self) -> None:
        """From now on, end this process when the owner of the pool ends, whatever it does then.

        Raises PoolClosed when the owner has ended already.
        """
        die_with_owner(self._session)


def _open_transfer(session: Session, config: PoolConfig) -> Transfer:
    """The transfer of one Scheduler: to the workers, or inline where the pool has none."""
    return SharedRing(session, config) if config.workers else Inline()
