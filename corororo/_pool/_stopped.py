"""Whether a process stands still because of a signal, or has ended unburied. Knows no workers."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

from corororo._platform import HAS_PROC

PS_S = 5.0  # what ps gets to answer


def is_stopped(pid: int) -> bool:
    """Whether SIGSTOP or its like holds a process of this user.

    One that a debugger holds is not stopped, nor is one that has ended. Reads /proc; where there
    is none it asks ps, and takes a process for running while ps does not answer.
    """
    return means_stopped(state_of(pid))


def means_stopped(state: str) -> bool:
    """The same of what ``state_of`` has said."""
    return state.startswith("T") and "X" not in state  # X: of a BSD's ps, traced


def is_dead(pid: int) -> bool:
    """Whether it has ended, be it that its parent has not asked how."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    return state_of(pid).startswith("Z")


def state_of(pid: int) -> str:
    """What the system says of a process, its first letter first; "" where it says nothing."""
    return _state_in_proc(pid) if HAS_PROC else _state_by_ps(pid)


def _state_in_proc(pid: int) -> str:
    try:
        status = Path(f"/proc/{pid}/stat").read_bytes()
    except (FileNotFoundError, ProcessLookupError):  # it has ended, before or while it was read
        return ""
    # The name of the program stands in parentheses, and may have some of its own.
    return status.rpartition(b")")[2].split()[0].decode()


def _state_by_ps(pid: int) -> str:
    command = ["ps", "-o", "state=", "-p", str(pid)]
    try:
        answer = subprocess.run(
            command, stdin=subprocess.DEVNULL, capture_output=True, timeout=PS_S, check=False
        )
    except (subprocess.TimeoutExpired, FileNotFoundError):
        return ""  # whoever asks is about to end it: only a clear answer counts
    return answer.stdout.decode(errors="replace").strip()
