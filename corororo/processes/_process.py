"""Single processes: their titles, their states, and the stacks that they dump on a signal."""

from __future__ import annotations

import contextlib
import errno
import faulthandler
import os
import signal
import subprocess
from pathlib import Path

from corororo._platform import HAS_PROC, HAS_TITLES

STACK_SIGNAL = signal.SIGUSR1
STACK_CHARACTERS = 8_000
ANSWER_S = 0.5  # how long to wait for a dump: a process that is never scheduled writes none
NO_ROOM = {errno.ENOSPC, errno.EDQUOT, errno.EMFILE, errno.ENFILE, errno.ENOENT}
PS_TIMEOUT_S = 5.0
DEAD = frozenset("ZX")  # states of a process that has ended


def set_title(title: str) -> None:
    """Name this process for ps and top, where setproctitle is installed and titles can change."""
    if HAS_TITLES:
        with contextlib.suppress(ImportError):
            import setproctitle

            setproctitle.setproctitle(title)


def prepare_titles() -> None:
    """Let setproctitle find the title's memory; call it before the environment is changed."""
    if HAS_TITLES:
        with contextlib.suppress(ImportError):
            import setproctitle

            setproctitle.getproctitle()


def process_state(pid: int, *, ask_ps: bool = False) -> str:
    """The state of a process as /proc or ps reports it: "R" for running, "T" for stopped.

    "" where it is unknown. ``ask_ps`` runs ps on systems without /proc.
    """
    if HAS_PROC:
        return _state_in_proc(pid)
    return _state_by_ps(pid) if ask_ps else ""


def is_stopped(pid: int) -> bool:
    """Whether a signal like SIGSTOP has stopped a process; False for one that a debugger holds."""
    return means_stopped(process_state(pid, ask_ps=True))


def means_stopped(state: str) -> bool:
    """Whether this result of ``process_state`` stands for a process stopped by a signal."""
    return state.startswith("T") and "X" not in state  # X: traced, in the ps of a BSD


def is_dead(pid: int) -> bool:
    """Whether a process has ended, reaped or not."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    return process_state(pid, ask_ps=True)[:1] in DEAD


def dump_stacks_on_signal(path: Path, *, then_exit: bool = False) -> None:
    """Have this process write the stacks of its threads to a file when STACK_SIGNAL comes.

    Python's own handler writes them: it works inside an endless loop and a blocking call, too.
    ``then_exit`` ends the process afterwards, before the code that hangs can go on. Without room
    for the file no stacks are written.
    """
    try:
        fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    except OSError as error:
        if error.errno not in NO_ROOM:
            raise
        return
    faulthandler.register(STACK_SIGNAL, file=fd, all_threads=True, chain=then_exit)


def read_stacks(path: Path) -> str:
    """The stacks that a process has written, its main thread first; "" where there are none."""
    try:
        text = path.read_text(errors="backslashreplace")
    except OSError:
        return ""
    # faulthandler writes the main thread last, and it says most.
    *others, main = text.strip().split("\n\n")
    return "\n\n".join([main, *others])[:STACK_CHARACTERS].strip()


def _state_in_proc(pid: int) -> str:
    try:
        status = Path(f"/proc/{pid}/stat").read_bytes()
    except (FileNotFoundError, ProcessLookupError):  # it ended before or while it was read
        return ""
    # The name of the program stands in parentheses, and may contain some.
    return status.rpartition(b")")[2].split()[0].decode()


def _state_by_ps(pid: int) -> str:
    command = ["ps", "-o", "state=", "-p", str(pid)]
    try:
        answer = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=PS_TIMEOUT_S,
            check=False,
        )
    except (subprocess.TimeoutExpired, FileNotFoundError):
        return ""  # the caller is about to kill it: only a clear answer counts
    return answer.stdout.decode(errors="replace").strip()
