"""The main function of a worker process, and its end together with the owner of the pool."""

from __future__ import annotations

import fcntl
import gc
import importlib
import os
import select
import signal
import sys
import threading
from collections.abc import Sequence

from corororo._exceptions import PoolClosed
from corororo._platform import HAS_SIGIO, raise_open_file_limit
from corororo._ring import Session
from corororo.abc import IdleStrategy
from corororo.processes import dump_stacks_on_signal, set_title

from ._loop import Worker

RETIRE_SIGNAL = signal.SIGUSR2  # asks a worker to end after its current batch
RETIRED = 83  # exit code of a worker that was asked to end
LOOK_S = 1.0  # between two looks whether the owner lives, without a wake-up
SELECT_MAX = 1024  # select takes only file descriptors below


def worker_main(
    address: str,
    number: int,
    title: str,
    imports: Sequence[str],
    idle: IdleStrategy,
    cpu: int | None,
) -> None:
    """Run worker ``number`` of the pool at ``address``, on one CPU if it is given."""
    set_title(title)
    if cpu is not None:
        os.sched_setaffinity(0, {cpu})
    raise_open_file_limit()  # a zone takes three descriptors: the usual limit would allow 340
    try:
        session = Session.attach(address)
        die_with_owner(session)
    except PoolClosed:
        return
    dump_stacks_on_signal(session.stacks(number), then_exit=True)
    for module in imports:
        importlib.import_module(module)
    worker = Worker(session, session.read_config(), number, idle)
    gc.collect()
    gc.freeze()  # collections need not look at modules, which live as long as the process
    signal.signal(RETIRE_SIGNAL, lambda *_: worker.retire())  # until here it ends the process
    worker.announce()
    while (work_count := worker.do_work()) is not None:
        idle.idle(work_count)
    if worker.retired:
        sys.exit(RETIRED)


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
