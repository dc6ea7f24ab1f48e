"""The main function of a worker process, and its end together with the owner of the pool."""

from __future__ import annotations

import contextlib
import fcntl
import gc
import importlib
import os
import select
import signal
import sys
import threading
import traceback
from collections.abc import Sequence
from multiprocessing.reduction import ForkingPickler
from pathlib import Path
from typing import NamedTuple, cast

from corororo._exceptions import PoolClosed, PoolFailed
from corororo._main_module import MAIN, MainModule, import_module, set_main_module
from corororo._platform import HAS_SIGIO, raise_open_file_limit
from corororo._ring import Session
from corororo.abc import IdleStrategy
from corororo.processes import dump_stacks_on_signal, set_title
from corororo.processes._surroundings import Surroundings

from ._loop import Worker

RETIRE_SIGNAL = signal.SIGUSR2  # asks a worker to end after its current batch
RETIRED = 83  # exit code of a worker that was asked to end
CANNOT_START = 84  # exit code of a worker that has left a file which says why
LOOK_S = 1.0  # between two looks whether the owner lives, without a wake-up
SELECT_MAX = 1024  # select takes only file descriptors below
# Paths of code that imports a module.
MACHINERY = ("<frozen", str(Path(__file__).parents[1]), os.path.dirname(importlib.__file__))


class WorkerPlan(NamedTuple):
    """What the workers of a pool have in common."""

    name: str
    imports: Sequence[str]
    preload: Sequence[str]
    idle: bytes  # pickled: its class may stand in the main module, which is imported first
    cpus: tuple[int, ...]
    surroundings: Surroundings
    main: MainModule | None

    def title(self, place: int) -> str:
        """The title of the worker of this place."""
        return f"{self.name} worker {place + 1}"


def worker_main(address: str, number: int, place: int, plan: WorkerPlan) -> None:
    """Run worker ``number`` of the pool at ``address``."""
    set_title(plan.title(place))
    if plan.cpus:
        os.sched_setaffinity(0, {plan.cpus[place % len(plan.cpus)]})
    raise_open_file_limit()  # a zone takes three descriptors: the usual limit would allow 340
    try:
        session = Session.attach(address)
        die_with_owner(session)
    except PoolClosed:
        return
    dump_stacks_on_signal(session.stacks(number), then_exit=True)
    idle = _prepare(plan, session.stacks(number))
    worker = Worker(session, session.read_config(), number, idle)
    gc.collect()
    gc.freeze()  # collections need not look at modules, which live as long as the process
    signal.signal(RETIRE_SIGNAL, lambda *_: worker.retire())  # until here it ends the process
    worker.announce()
    while (work_count := worker.do_work()) is not None:
        idle.idle(work_count)
    if worker.retired:
        sys.exit(RETIRED)


def _prepare(plan: WorkerPlan, failure: Path) -> IdleStrategy:
    """Import what the plan says; if that fails, write why to ``failure``, and end."""
    plan.surroundings.restore()
    set_main_module(plan.main)
    what = ""
    try:
        for what in plan.imports:
            import_module(what)
        what = "the class of its idle strategy"
        plan.surroundings.restore_filters()
        return cast("IdleStrategy", ForkingPickler.loads(plan.idle))
    except Exception as error:
        with contextlib.suppress(OSError):
            failure.write_text(_explain(what, error), "utf-8", "backslashreplace")
        os._exit(CANNOT_START)  # not sys.exit: what was imported may have started threads


def _explain(what: str, error: Exception) -> str:
    """One line: what cannot be imported, why, and what to do."""
    if isinstance(error, PoolFailed):
        return f"a worker cannot import {what}: {error}"
    why = f"{type(error).__name__}: {error}"
    frames = traceback.extract_tb(error.__traceback__)
    for frame in [f for f in frames if not f.filename.startswith(MACHINERY)][-1:]:
        why = f"{frame.filename}, line {frame.lineno}: {why}"
        if what == MAIN:
            why += '; put what the program alone is to run under `if __name__ == "__main__":`'
    return f"a worker cannot import {what}: {why}"


def die_with_owner(session: Session) -> None:
    """End this process when the owner of the session ends, whatever it is doing then.

    On Linux the kernel sends SIGKILL, which works inside a C call that never returns and on a
    stopped process, too. Elsewhere a thread waits for the end of the lifeline; a C call that holds
    the interpreter delays it. Raises PoolClosed if the owner has ended already.
    """
    try:
        fd = os.open(session.lifeline, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except FileNotFoundError:
        raise PoolClosed(f"{session.directory}: the owner of this pool is gone") from None
    if HAS_SIGIO:
        fcntl.fcntl(fd, fcntl.F_SETOWN, os.getpid())
        fcntl.fcntl(fd, fcntl.F_SETSIG, signal.SIGKILL)
        fcntl.fcntl(fd, fcntl.F_SETFL, fcntl.fcntl(fd, fcntl.F_GETFL) | os.O_ASYNC)
    else:
        threading.Thread(
            target=_exit_at_end_of_file, args=(fd,), name="corororo lifeline", daemon=True
        ).start()
    session.check_owner_lives()  # after the watch is set up, so no end is missed
    if HAS_SIGIO and _has_ended(fd):  # the owner lives and closes the pool: no signal will come
        os.close(fd)
        raise PoolClosed(f"{session.directory}: the owner is closing this pool")


def _exit_at_end_of_file(fd: int) -> None:
    signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())  # for the main thread
    # On macOS only select reports the end of a FIFO, not poll or kqueue, and perhaps only to the
    # first of several readers. So each one looks now and then by itself.
    watched = [fd] if fd < SELECT_MAX else []
    while True:
        select.select(watched, [], [], LOOK_S)
        if _has_ended(fd):
            os._exit(0)


def _has_ended(fd: int) -> bool:
    """Whether the other end of the lifeline is closed."""
    try:
        return not os.read(fd, 1)
    except BlockingIOError:  # a living owner writes nothing
        return False
