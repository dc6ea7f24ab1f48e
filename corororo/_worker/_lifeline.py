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

LOOK_S = 1.0  # between two looks whether the owner lives, where no wake-up has come
SELECT_MAX = 1024  # from this file descriptor on select takes none


def die_with_owner(session: Session) -> None:
    """End this process when the owner of the session ends, whatever it is doing then.

    On Linux the kernel sends SIGKILL: that works inside a C call that never returns, and where
    the process stands still, too. Elsewhere a thread waits for the end of the lifeline, and a C
    call that keeps the interpreter to itself puts the end off until it returns. Raises PoolClosed
    where the owner has ended already.
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
    session.check_owner_lives()  # after the watch stands: an owner gone before it is noticed here
    if HAS_SIGIO and _has_ended(fd):  # it lives and closes the pool: no signal comes twice
        os.close(fd)
        raise PoolClosed(f"{session.directory}: the owner is closing this pool")


def _exit_at_end_of_file(fd: int) -> None:
    signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())  # they are to wake the other
    # On macOS neither poll nor kqueue tell of the end of a FIFO, only select does, and of several
    # readers perhaps the first alone hears of it. So everybody looks now and then, unasked.
    watched = [fd] if fd < SELECT_MAX else []
    while True:
        select.select(watched, [], [], LOOK_S)
        if _has_ended(fd):
            os._exit(0)


def _has_ended(fd: int) -> bool:
    """Whether nobody holds the other end of the lifeline any more."""
    try:
        return not os.read(fd, 1)
    except BlockingIOError:  # the owner lives: it never writes anything
        return False
