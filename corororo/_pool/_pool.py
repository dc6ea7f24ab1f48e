"""WorkerPool: what a program holds of its workers: options, start, end, address. Knows no Tasks."""

from __future__ import annotations

import atexit
import os
import threading
import types
from collections.abc import Sequence
from pathlib import Path
from typing import Literal, Self

import msgspec

from corororo._core import Inline
from corororo._exceptions import PoolClosed, PoolFailed
from corororo._idle import Park
from corororo._platform import explaining_open_files, usable_cpus
from corororo._ring import CALLS_MAX, Session, told_after_fork
from corororo._transfer._config import PoolConfig, read_config, write_config
from corororo._transfer._shared_ring import SharedRing
from corororo._worker._lifeline import die_with_owner
from corororo.abc import IdleStrategy, Transfer

from ._options import (
    check_figure,
    check_idle,
    check_modules,
    check_resize,
    check_seconds,
    cpus_to_pin,
)
from ._registry import PoolStatistics
from ._spawning import Plan
from ._staff import Staff

FORKED = (
    "this process was forked off the owner of the pool, and has no workers; start a pool of its "
    "own, or use the owner's with WorkerPool.attach(address)"
)
RING_BYTES_MAX = 1 << 31  # an offset in a descriptor has 32 bits


class WorkerPool:
    """``workers`` processes that run AsyncTasks for every Scheduler that attaches.

    Args:
        workers: processes; as many as there are CPUs to use by default. 0 runs AsyncTasks inline.
            ``resize`` changes their number later.
        ring_bytes: shared memory for each Scheduler's calls and replies, reserved when it opens.
        max_batch: calls that travel together at most.
        max_reply_bytes: the size up to which one result is accepted; by default ``ring_bytes``.
        max_pending: calls of one Scheduler that may be in flight or wait for room; from there on
            its Tasks wait for their turn to make more.
        hang_timeout: seconds after which a worker that is still at one batch of calls hangs, as in
            an endless loop. It is killed and counts as dead: its calls run again, alone in the end,
            and the one that hangs every worker fails with WorkerDied. None, the default: calls may
            take as long as they like. Functions with a ``timeout`` of their own go by that; calls
            that run inline, with 0 workers, by neither.
        rings: Schedulers that are expected; the session directory goes where their rings fit.
        name: what the processes call themselves: ``<name> worker 3``.
        imports: modules that each worker imports before it takes its first call.
        preload: modules for the server from which all processes are forked.
        idle: what a worker does while there is no work; by default it sleeps.
        pin: CPUs for the workers, one each in turn: "spread" for all that may be used.
        directory: where to put the session directory, instead of the usual places.

    Use it as a context manager, or call ``start`` and ``close``. Raises SessionError where there
    is no room for the rings, PoolFailed where the workers do not come up.
    """

    def __init__(
        self,
        workers: int | None = None,
        *,
        ring_bytes: int = 1 << 20,
        max_batch: int = 2_048,
        max_reply_bytes: int | None = None,
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
        if max_reply_bytes is not None:
            check_figure("max_reply_bytes", max_reply_bytes, 1)
        check_figure("max_pending", max_pending, 1)
        check_seconds("hang_timeout", hang_timeout)
        check_figure("rings", rings, 1)
        check_modules("imports", imports)
        check_modules("preload", preload)
        check_idle(idle)
        self._config = PoolConfig(
            count,
            (ring_bytes + 63) & ~63,
            max_batch,
            max_reply_bytes,
            max_pending,
            hang_timeout,
        )
        self._rings = rings
        self._plan = Plan(name, imports, preload, idle or Park(), cpus_to_pin(pin))
        self._base = None if directory is None else Path(directory)
        self._staff: Staff | None = None
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
        return str(self._open_staff().session.directory)

    def start(self) -> None:
        """Make the session and start the workers; returns when all of them take calls."""
        if self._staff is not None:
            raise RuntimeError("the pool has been started already")
        rings_bytes = self._config.ring_bytes * self._rings if self._config.workers else 0
        with explaining_open_files("a pool of workers"):
            session = Session.create(rings_bytes, self._base)
            try:
                write_config(session, self._config)
                self._staff = Staff(session, self._plan)
                self._staff.start(self._config.workers)
            except BaseException:
                self.close()
                session.remove()
                raise
        atexit.register(self.close)
        told_after_fork(self)

    def resize(self, workers: int) -> None:
        """Have so many workers from now on, while calls run; from any thread.

        To grow it starts workers, and returns when they take calls. To shrink it retires some: each
        finishes the batch that it has, takes no other, and ends. No call is run twice for that, and
        none is cut short: who is not done after a second is not waited for, and ends later.
        Schedulers go on, those of other processes too.

        Raises ValueError for fewer than 1, and for a pool whose number of workers is fixed: one
        started with 0. Raises PoolFailed where no more can be had;
        the pool goes on with those that it has then. Raises PoolClosed where it is not running.
        """
        staff = self._open_staff()
        check_resize(self._config, workers)
        with self._resizing:
            self._note_size(workers)
            try:
                staff.resize(workers)
            except PoolFailed:
                self._note_size(staff.wanted)
                raise

    def open_transfer(self) -> Transfer:
        """The way to the workers for one Scheduler; raises PoolFailed where none can be had."""
        staff = self._open_staff()
        staff.must_be_well()
        return open_transfer(staff.session, self._config)

    def remove_rings_left_behind(self) -> None:
        """Give back the memory of attached processes that have died, where there are any.

        The pool does so by itself every few seconds; whoever starts others in their place at once
        may need the room sooner.
        """
        if self._staff is not None:
            self._staff.session.remove_rings_left_behind()

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

    def after_fork(self) -> None:
        """In a forked process, which has no workers: those are its parent's."""
        self._staff = None
        self._why_closed = FORKED
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

    def _open_staff(self) -> Staff:
        if self._staff is None:
            raise PoolClosed(self._why_closed)
        return self._staff

    def _note_size(self, workers: int) -> None:
        """For Schedulers that open from now on; the others are told."""
        config = msgspec.structs.replace(self._config, workers=workers)
        with explaining_open_files("a pool of another size"):
            write_config(self._open_staff().session, config)
        self._config = config


class AttachedPool:
    """A pool that another process owns; good for ``Scheduler(...)``."""

    def __init__(self, address: str) -> None:
        self.address = address
        self._session = Session.attach(address)
        self._config = read_config(self._session)

    @property
    def workers(self) -> int:
        """How many workers it keeps."""
        return self._config.workers

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
