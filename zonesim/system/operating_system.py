"""The machine and its operating system: hardware, memory, processes, peers of a socket."""

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
    HAS_MEMORY_FILES,
    HAS_PROC,
    HAS_SIGIO,
    HAS_TITLES,
    usable_cpus,
)

# Imported where needed: `zonesim check` does without trio, a zone process without the others.
if TYPE_CHECKING:
    import trio

PROC = Path("/proc")
SYS = Path("/sys")
PACKAGES = ("corororo", "trio", "msgspec", "scipy", "matplotlib")

# What only some systems have, and how the others do without it.
FALLBACKS = (
    (HAS_MEMORY_FILES, "rings are files on a disk"),
    (HAS_PROC, "memory and CPU time of single processes are unknown"),
    (HAS_AFFINITY, "processes cannot be pinned to CPUs"),
    (HAS_TITLES, "processes have no titles"),
    (HAS_SIGIO, "a worker inside a long C call outlives its owner by that call"),
    (HAS_FALLOCATE, "rings are reserved by writing zeros"),
)

_GUEST_COLUMN = 8  # of /proc/stat: guests count in the columns before, too

UCRED = struct.Struct("iII")  # of Linux: pid, uid, gid
SOL_LOCAL, LOCAL_PEERCRED, LOCAL_PEERPID = 0, 1, 2  # of macOS; the socket module lacks them
XUCRED = struct.Struct("II")  # of macOS: version, uid; then a count, and 16 groups
XUCRED_BYTES = 76
PID = struct.Struct("i")


def describe_machine() -> dict[str, str | int]:
    """Describe the hardware and the system, without the names of the host and its user."""
    import platform

    return {
        "cpu": _cpu_model(),
        "cpus": os.cpu_count() or 1,
        "cpus_usable": usable_cpus(),
        "memory_mb": os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 1_000_000,
        "system": f"{platform.system()} {platform.release().partition('-')[0]}",
        "architecture": platform.machine(),
        "python": f"{platform.python_implementation()} {platform.python_version()}",
    }


def versions() -> dict[str, str]:
    """Versions of Python and of the packages that a run's figures depend on."""
    import platform

    return {"python": platform.python_version()} | {name: version(name) for name in PACKAGES}


def version(package: str) -> str:
    """The version of an installed package; "not installed" for any other."""
    from importlib import metadata

    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return "not installed"


def replacements() -> list[str]:
    """How this system does without what only others have."""
    return [text for available, text in FALLBACKS if not available]


def read_proc(*parts: str, root: Path | None = None) -> str:
    """Read a file below /proc; "" where it does not exist or cannot be read."""
    try:
        return (root or PROC).joinpath(*parts).read_text() if HAS_PROC else ""
    except OSError:
        return ""


def read_sys(*parts: str) -> str:
    """Read a file below /sys, likewise."""
    return read_proc(*parts, root=SYS).strip()


def cpu_ns(pid: int) -> int | None:
    """The CPU time that a process has used; None where it is unknown."""
    spent = read_proc(str(pid), "schedstat").split()
    return int(spent[0]) if spent else None


class CpuTimes(NamedTuple):
    """Time of the usable CPUs since the system started, in ticks of its clock."""

    whole: int
    idle: int  # waiting for a disk included
    stolen: int  # by the host of a virtual machine


class CpuShares(NamedTuple):
    """Shares of the time of the usable CPUs, 0 to 1; None where they are unknown."""

    left: float | None
    stolen: float | None


CPU_SHARES_UNKNOWN = CpuShares(None, None)


def cpu_times() -> CpuTimes | None:
    """What the usable CPUs have done so far; None where the system does not tell."""
    usable = {f"cpu{number}" for number in os.sched_getaffinity(0)} if HAS_AFFINITY else set[str]()
    rows = [line.split() for line in read_proc("stat").splitlines() if line.startswith("cpu")]
    spent = [[int(word) for word in words] for name, *words in rows if name in usable]
    sums = [sum(column) for column in zip(*spent, strict=True)][:_GUEST_COLUMN]
    return CpuTimes(sum(sums), sums[3] + sums[4], sums[7]) if sums else None


def cpu_shares(before: CpuTimes | None, after: CpuTimes | None) -> CpuShares:
    """How the time between two looks was spent."""
    if before is None or after is None or after.whole <= before.whole:
        return CPU_SHARES_UNKNOWN
    whole = after.whole - before.whole
    return CpuShares((after.idle - before.idle) / whole, (after.stolen - before.stolen) / whole)


def pss_mb(pid: int) -> float | None:
    """Proportional memory of a process in MB (10^6 bytes); None where it is unknown.

    Pages shared by n processes count 1/n in each, so the sum over processes is what they take.
    """
    for line in read_proc(str(pid), "smaps_rollup").splitlines():
        if line.startswith("Pss:"):
            return int(line.split()[1]) * 1_024 / 1_000_000
    return None


def own_memory_mb() -> float:
    """Memory of this process in MB: proportional, or else its peak."""
    now_mb = pss_mb(os.getpid())
    if now_mb is not None:
        return now_mb
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return (peak if sys.platform == "darwin" else peak * 1_024) / 1_000_000  # macOS: in bytes


def process_limit() -> int | None:
    """How many processes and threads this user may have; None for no limit."""
    limit = resource.getrlimit(resource.RLIMIT_NPROC)[0]
    if limit == resource.RLIM_INFINITY or (os.getuid() == 0 and sys.platform == "linux"):
        return None  # Linux does not apply it to root
    return limit


def processes_in_use() -> int | None:
    """The processes and threads of this user; None where the number is unknown."""
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


def _cpu_model() -> str:
    import platform

    lines = read_proc("cpuinfo").splitlines()
    models = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(models, "") or platform.processor() or platform.machine()


class Peer(NamedTuple):
    """The process at the other end of a Unix socket."""

    pid: int
    uid: int


def peer_of(connection: trio.socket.SocketType) -> Peer:
    """Ask the kernel for the process at the other end of a Unix socket."""
    if sys.platform == "linux":
        credentials = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, UCRED.size)
        pid, uid, _ = UCRED.unpack(credentials)
    else:
        credentials = connection.getsockopt(SOL_LOCAL, LOCAL_PEERCRED, XUCRED_BYTES)
        _, uid = XUCRED.unpack_from(credentials)
        (pid,) = PID.unpack(connection.getsockopt(SOL_LOCAL, LOCAL_PEERPID, PID.size))
    return Peer(pid, uid)
