"""What this system offers: its clock, flags that are found once at import, and limits.

``CORORORO_PORTABLE=1`` in the environment turns all flags off, in this process and in those it
starts: tests run the code paths of macOS on Linux with it. Both paths keep the same promises
unless a flag says otherwise.
"""

from __future__ import annotations

import contextlib
import errno
import os
import resource
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from corororo._exceptions import SessionError

PORTABLE_VARIABLE: Final = "CORORORO_PORTABLE"
_ANYTHING: Final = os.environ.get(PORTABLE_VARIABLE) != "1"

# Space in a file is reserved by one call; elsewhere it is filled with zeros.
HAS_FALLOCATE: Final = _ANYTHING and hasattr(os, "posix_fallocate")

# Processes can be pinned to CPUs; elsewhere pinning is refused.
HAS_AFFINITY: Final = _ANYTHING and hasattr(os, "sched_setaffinity")

# The kernel kills a process whose FIFO has lost its last writer, even inside a C call that keeps
# the interpreter; elsewhere that process ends when the call returns.
HAS_SIGIO: Final = _ANYTHING and sys.platform == "linux"

# /proc shows the state of processes; elsewhere ps does.
HAS_PROC: Final = _ANYTHING and Path("/proc/self/stat").exists()

# Files can live in memory; elsewhere a ring is a file on a disk that is seldom written there.
HAS_MEMORY_FILES: Final = _ANYTHING and Path("/dev/shm").is_dir()

# A forked process can change its title; macOS kills it for that.
HAS_TITLES: Final = _ANYTHING and sys.platform != "darwin"

OPEN_FILES_MAX: Final = 10_240  # OPEN_MAX of macOS, where "unlimited" means this for one process


def file_time() -> float:
    """The time that a file would bear that were written now; it may be set back."""
    return time.time()


class SystemClock:
    """The monotonic clock of the machine: one for all its processes, never set back."""

    now = staticmethod(time.monotonic)
    now_ns = staticmethod(time.monotonic_ns)
    wait = staticmethod(time.sleep)


thread_cpu_ns = time.thread_time_ns  # the CPU time that this thread has used


def usable_cpus() -> int:
    """CPUs that this process may run on; all of the machine's where the system cannot tell."""
    return len(os.sched_getaffinity(0)) if HAS_AFFINITY else os.cpu_count() or 1


def raise_open_file_limit(needed: int | None = None) -> int:
    """Let this process open ``needed`` files, or as many as the hard limit allows.

    Returns how many it may open now. The limit is never lowered.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY:
        return sys.maxsize
    wanted = needed or (OPEN_FILES_MAX if hard == resource.RLIM_INFINITY else hard)
    limit = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
    if soft < limit:
        resource.setrlimit(resource.RLIMIT_NOFILE, (limit, hard))
    return max(soft, limit)


@contextlib.contextmanager
def explaining_open_files(what: str) -> Iterator[None]:
    """Turn "too many open files" into a SessionError that names the limit and the remedy."""
    try:
        yield
    except OSError as error:
        if not is_out_of_files(error):
            raise
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        shown = "any number" if hard == resource.RLIM_INFINITY else hard
        remedy = f"raise the limit on open files, up to {shown}: `ulimit -n`, resource.setrlimit"
        if soft == hard:
            remedy = "have an administrator raise the hard limit on open files, too: `ulimit -n`"
        raise SessionError(
            f"{what}: this process may have {soft} files open, and needs more; {remedy}"
        ) from error


def is_out_of_files(error: OSError) -> bool:
    """Whether a limit on open files was hit, of the process or of the system."""
    return error.errno in (errno.EMFILE, errno.ENFILE)
