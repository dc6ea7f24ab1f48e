"""What this system offers, found once at import: the one place that asks which system it is.

With ``CORORORO_PORTABLE=1`` in the environment everything that only some systems have counts as
missing, in this process and in those it starts. It is there for tests: whatever macOS would run
is run on any system then. The portable ways hold the same promises, unless a flag says otherwise.
"""

from __future__ import annotations

import os
import resource
import sys
from pathlib import Path
from typing import Final

PORTABLE_VARIABLE: Final = "CORORORO_PORTABLE"
_ANYTHING: Final = os.environ.get(PORTABLE_VARIABLE) != "1"

# Room in a file is reserved by one call; elsewhere it is filled with zeros.
HAS_FALLOCATE: Final = _ANYTHING and hasattr(os, "posix_fallocate")

# Processes can be held on chosen CPUs; elsewhere pinning is refused.
HAS_AFFINITY: Final = _ANYTHING and hasattr(os, "sched_setaffinity")

# Whoever spins can let others have the core; elsewhere it sleeps for no time.
HAS_SCHED_YIELD: Final = _ANYTHING and hasattr(os, "sched_yield")

# The kernel itself ends a process whose FIFO has lost its last writer, even one that is inside a
# call which keeps the interpreter; elsewhere that one ends when its call does.
HAS_SIGIO: Final = _ANYTHING and sys.platform == "linux"

# The state of processes can be read; elsewhere ps tells.
HAS_PROC: Final = _ANYTHING and Path("/proc/self/stat").exists()

# Files can stand in memory; elsewhere a ring is a file on a disk that is seldom written there.
HAS_MEMORY_FILES: Final = _ANYTHING and Path("/dev/shm").is_dir()

# A process that was forked can change its title; macOS kills it for that.
HAS_TITLES: Final = _ANYTHING and sys.platform != "darwin"

OPEN_FILES_MAX: Final = 10_240  # of one process on macOS, which calls that unlimited: OPEN_MAX


def raise_open_file_limit() -> None:
    """Let this process have as many files open as it may without asking anybody."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = OPEN_FILES_MAX if hard == resource.RLIM_INFINITY else hard
    if soft != resource.RLIM_INFINITY and soft < most:
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))
