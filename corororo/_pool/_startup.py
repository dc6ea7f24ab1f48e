"""A process that Ctrl-C cannot interrupt before it says what Ctrl-C means to it.

A terminal sends SIGINT to every process of its group, those among them that have just been forked
and still read what they are to do: they would end there with a traceback, and leave a start half
done. So the children of the fork server are born with SIGINT blocked. A worker ignores it before
it unblocks it; every other child of the server unblocks it when its own work begins, and a process
that one of them forks before that, at once. What a child runs as another program, or starts as a
thread, while it imports, inherits the mask and keeps it.
"""

from __future__ import annotations

import os
import signal
import sys
from multiprocessing import current_process
from multiprocessing.context import ForkServerProcess
from multiprocessing.util import register_after_fork

_server_pid = 0
_blocked_pid = 0  # the process that has SIGINT blocked by us


class DeafProcess(ForkServerProcess):
    """Leaves Ctrl-C to whoever started it; from birth, where its fork server is ours."""

    def run(self) -> None:
        """Forget what came meanwhile, and begin."""
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        _unblock()
        super().run()


def block_in_children() -> None:
    """In a fork server: its children are born with SIGINT blocked, their own children are not."""
    global _server_pid
    _server_pid = os.getpid()
    os.register_at_fork(after_in_child=_come_into_being)
    register_after_fork(sys.modules[__name__], _begin)


def _come_into_being() -> None:
    global _blocked_pid
    if os.getppid() == _server_pid:
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
        _blocked_pid = os.getpid()
    elif _blocked_pid:  # forked by a child of the server that has not begun
        _unblock()


def _begin(_module: object) -> None:
    """Called when a process of multiprocessing has read what it is to do."""
    # Asked by its own number: its server may have died meanwhile, and it have another parent.
    if _blocked_pid == os.getpid() and not isinstance(current_process(), DeafProcess):
        _unblock()


def _unblock() -> None:
    global _blocked_pid
    _blocked_pid = 0
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
