"""What zonesim asks of the system below it: the one place of it that knows which one that is.

Whether something is there at all says ``corororo.processes``, which tests can have say no.
"""

from __future__ import annotations

import os
import resource
import socket
import struct
import sys
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from corororo.processes import (
    HAS_AFFINITY,
    HAS_FALLOCATE,
    HAS_PROC,
    HAS_SCHED_YIELD,
    HAS_SIGIO,
    HAS_TITLES,
)
from corororo.processes import (
    HAS_MEMORY_FILES as HAS_MEMORY_FILES,
)

if TYPE_CHECKING:  # `zonesim check` and others that run nothing have no need of it
    import trio

PROC = Path("/proc")
SYS = Path("/sys")

# What only some systems have, and what is done without it.
FALLBACKS = (
    (HAS_MEMORY_FILES, "rings are files on a disk"),
    (HAS_PROC, "memory and CPU time of single processes are not known"),
    (HAS_AFFINITY, "processes cannot be held on CPUs"),
    (HAS_TITLES, "processes are not named"),
    (HAS_SIGIO, "a worker inside a long C call outlives its owner by that call"),
    (HAS_FALLOCATE, "rings are reserved by writing zeros"),
    (HAS_SCHED_YIELD, "spinning workers sleep for no time instead of yielding"),
)

UCRED = struct.Struct("iII")  # of Linux: pid, uid, gid
SOL_LOCAL, LOCAL_PEERCRED, LOCAL_PEERPID = 0, 1, 2  # of macOS; Python knows none of them
XUCRED = struct.Struct("II")  # of macOS: version, uid; then a count, and 16 groups
XUCRED_BYTES = 76
PID = struct.Struct("i")


def cpus_to_hold() -> list[int]:
    """CPUs on which this process can be held; none where the system holds nobody."""
    return sorted(os.sched_getaffinity(0)) if HAS_AFFINITY else []


def hold_to_cpus(cpus: list[int]) -> None:
    """Hold this process, and what it starts from here on, to some of those CPUs."""
    os.sched_setaffinity(0, cpus)


def peak_memory_bytes() -> int:
    """The most that this process has ever had in memory."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1_024  # which counts in other units


def read_proc(*parts: str) -> str:
    """A file below /proc; "" where there is none of that name, or no longer."""
    try:
        return PROC.joinpath(*parts).read_text() if HAS_PROC else ""
    except OSError:
        return ""


def read_sys(*parts: str) -> str:
    """A file below /sys; "" where there is none of that name, or it cannot be read."""
    try:
        return SYS.joinpath(*parts).read_text().strip() if HAS_PROC else ""  # they come together
    except OSError:
        return ""


def cpu_ns(pid: int) -> int | None:
    """The CPU time that a process has used; None where the system does not tell."""
    spent = read_proc(str(pid), "schedstat").split()
    return int(spent[0]) if spent else None


def process_limit() -> int | None:
    """How many processes and threads this user may have; None where nothing limits them."""
    limit = resource.getrlimit(resource.RLIMIT_NPROC)[0]
    if limit == resource.RLIM_INFINITY or (os.getuid() == 0 and sys.platform == "linux"):
        return None  # Linux does not hold root to it
    return limit


def processes_in_use() -> int | None:
    """The processes and threads of this user; None where the system does not tell."""
    if not HAS_PROC:
        return None
    found = 0
    for process in PROC.glob("[0-9]*"):
        try:
            if process.stat().st_uid == os.getuid():
                found += len(os.listdir(process / "task"))
        except OSError:  # it has ended
            continue
    return found


def session_processes(session: int) -> dict[int, str] | None:
    """What the living processes of a session call themselves; None where nobody can tell."""
    if not HAS_PROC:
        return None
    pids = [int(entry.name) for entry in PROC.iterdir() if entry.name.isdigit()]
    return {
        pid: read_proc(str(pid), "cmdline").rstrip("\0") for pid in pids if _is_of(session, pid)
    }


def _is_of(session: int, pid: int) -> bool:
    """Whether a process is of a session, and has not died."""
    words = read_proc(str(pid), "stat").rpartition(")")[2].split()
    return bool(words) and int(words[3]) == session and words[0] != "Z"


def instead() -> list[str]:
    """What is done on this system without what only others have."""
    return [text for there, text in FALLBACKS if not there]


class Peer(NamedTuple):
    """The process that connected the other end of a Unix socket, or listens there."""

    pid: int
    uid: int


def peer_of(connection: trio.socket.SocketType) -> Peer:
    """Who sits at the other end of a Unix socket; the kernel's word."""
    # Each system has a way of its own, and none is portable: no flag turns these off.
    if sys.platform == "linux":
        credentials = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, UCRED.size)
        pid, uid, _ = UCRED.unpack(credentials)
    else:
        credentials = connection.getsockopt(SOL_LOCAL, LOCAL_PEERCRED, XUCRED_BYTES)
        _, uid = XUCRED.unpack_from(credentials)
        (pid,) = PID.unpack(connection.getsockopt(SOL_LOCAL, LOCAL_PEERPID, PID.size))
    return Peer(pid, uid)
