"""Ends a process together with the owner of its session."""

from __future__ import annotations

import fcntl
import os
import select
import signal
import threading

from corororo._exceptions import PoolClosed
from corororo._platform import HAS_SIGIO
from corororo._ring import Session

LOOK_S = 1.0  # between two looks whether the owner lives, without a wake-up
SELECT_MAX = 1024  # select takes only file descriptors below


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
