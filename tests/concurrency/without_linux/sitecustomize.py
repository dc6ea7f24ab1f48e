"""Takes away from a process what macOS does not have, before the process imports anything else.

Python imports a module of this name when it starts: whoever has this folder in PYTHONPATH, and all
that it starts, find nothing of Linux. What they ask for all the same is refused with an error that
nobody expects, and noted in the file that ``REFUSALS`` names.

Left alone is what has a counterpart on macOS that Linux has not, so that neither could be used:
epoll, which trio needs, and the credentials of a socket's peer.
"""

from __future__ import annotations

import fcntl
import math
import mmap
import os
import resource
import select
import signal
import stat
import sys
import time
from types import ModuleType
from typing import Any

REFUSALS = "CORORORO_TEST_REFUSALS"
_LINUX: dict[ModuleType, str] = {
    os: """posix_fallocate posix_fadvise sched_getaffinity sched_setaffinity sched_getscheduler
        sched_setscheduler sched_getparam sched_setparam sched_rr_get_interval pipe2 memfd_create
        eventfd eventfd_read eventfd_write pidfd_open splice copy_file_range getrandom fdatasync
        getxattr setxattr listxattr removexattr O_TMPFILE O_PATH""",
    fcntl: "F_SETPIPE_SZ F_GETPIPE_SZ",
    mmap: "MAP_POPULATE MADV_HUGEPAGE",
    resource: "prlimit",
    signal: "sigtimedwait sigwaitinfo",
}
_SETS_OWNER = fcntl.F_SETOWN  # macOS knows it, and sends no signal for a FIFO
_PLACES = ("/proc", "/dev/shm")
_SOCKET_PATH_MAX = 103  # bytes
_LOOK_S = 0.005


def _take_away() -> None:
    for module, names in _LINUX.items():
        for name in names.split():
            if hasattr(module, name):
                delattr(module, name)
    if hasattr(os, "process_cpu_count"):  # Python's own, on top of sched_getaffinity
        os.process_cpu_count = os.cpu_count
    sys.addaudithook(_refuse)
    select.poll = Poll


def _refuse(event: str, arguments: tuple[Any, ...]) -> None:
    # Events: https://docs.python.org/3/library/audit_events.html
    paths = [os.fsdecode(a) for a in arguments if isinstance(a, (str, bytes, os.PathLike))]
    if (
        any(path == place or path.startswith(f"{place}/") for path in paths for place in _PLACES)
        or (event == "fcntl.fcntl" and arguments[1] == _SETS_OWNER)
        or (event == "socket.bind" and any(len(path) > _SOCKET_PATH_MAX for path in paths))
    ):
        what = f"macOS does not have this: {event} {arguments}"
        with open(os.environ[REFUSALS], "a") as file:
            file.write(f"{what}\n")
        raise RuntimeError(what)


class Poll:
    """A poll that says of a named FIFO what can be read, and never that its last writer is gone."""

    def __init__(self) -> None:
        self._poll = _poll()
        self.register = self._poll.register
        self.modify = self._poll.modify
        self.unregister = self._poll.unregister

    def poll(self, timeout_ms: float | None = None) -> list[tuple[int, int]]:
        endless = timeout_ms is None or timeout_ms < 0
        end_s = math.inf if endless else time.monotonic() + timeout_ms / 1e3
        while True:
            left_s = max(0.0, end_s - time.monotonic())
            told = self._poll.poll(None if endless else left_s * 1e3)
            found = [(fd, events) for fd, all_of in told if (events := _without_end(fd, all_of))]
            if found or not left_s:
                return found
            time.sleep(min(_LOOK_S, left_s))  # what was told would be told again at once


def _without_end(fd: int, events: int) -> int:
    status = os.fstat(fd)
    named = stat.S_ISFIFO(status.st_mode) and status.st_dev != _UNNAMED_PIPES
    return events & ~select.POLLHUP if named else events


def _device_of_unnamed_pipes() -> int:
    ends = os.pipe()
    device = os.fstat(ends[0]).st_dev
    for end in ends:
        os.close(end)
    return device


_poll = select.poll
_UNNAMED_PIPES = _device_of_unnamed_pipes()
_take_away()
