"""What zonesim asks of the system below it: the one place of it that knows which one that is.

Whether something is there at all says ``corororo._platform``, which tests can have say no.
"""

from __future__ import annotations

import os
import socket
import struct
import sys
from pathlib import Path

import setproctitle
import trio

from corororo._platform import HAS_AFFINITY, HAS_PROC, HAS_TITLES

PROC = Path("/proc")

UCRED = struct.Struct("iII")  # of Linux: pid, uid, gid
LOCAL_PEERCRED = (0, 1)  # of macOS: the level, SOL_LOCAL, and the option; Python knows neither
XUCRED = struct.Struct("II")  # of macOS: version, uid; then a count, and 16 groups
XUCRED_BYTES = 76


def usable_cpus() -> int:
    """CPUs that this process may run on; all of the machine's where that cannot be asked."""
    return len(os.sched_getaffinity(0)) if HAS_AFFINITY else os.cpu_count() or 1


def cpus_to_hold() -> list[int]:
    """CPUs on which this process can be held; none where the system holds nobody."""
    return sorted(os.sched_getaffinity(0)) if HAS_AFFINITY else []


def hold_to_cpus(cpus: list[int]) -> None:
    """Hold this process, and what it starts from here on, to some of those CPUs."""
    os.sched_setaffinity(0, cpus)


def set_title(title: str) -> None:
    """Name this process, so that ps and top show who is who; where a child can be named."""
    if HAS_TITLES:
        setproctitle.setproctitle(title)


def read_proc(*parts: str) -> str:
    """A file below /proc; "" where there is none of that name, or no longer."""
    try:
        return PROC.joinpath(*parts).read_text() if HAS_PROC else ""
    except OSError:
        return ""


def peer_uid(connection: trio.socket.SocketType) -> int:
    """The user whose process connected the other end of a Unix socket; the kernel's word."""
    # Each system has a way of its own, and none is portable: no flag turns these off.
    if sys.platform == "linux":
        credentials = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, UCRED.size)
        uid = UCRED.unpack(credentials)[1]
    else:
        credentials = connection.getsockopt(*LOCAL_PEERCRED, XUCRED_BYTES)
        uid = XUCRED.unpack_from(credentials)[1]
    return int(uid)
