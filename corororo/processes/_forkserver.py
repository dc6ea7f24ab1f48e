"""The forkserver of this program: a process that has imported what its children need.

It is the one of ``multiprocessing``, with three additions: it imports from where this process
does, a Ctrl-C cannot interrupt it or its children while they start, and it can be replaced when
it hangs.
"""

from __future__ import annotations

import contextlib
import errno
import io
import multiprocessing
import os
import shutil
import signal
import sys
import tempfile
import threading
from collections.abc import Iterator, Sequence
from multiprocessing import current_process, popen_forkserver, reduction, resource_tracker
from multiprocessing.context import ForkServerContext, ForkServerProcess, set_spawning_popen
from multiprocessing.forkserver import _forkserver as _server
from multiprocessing.forkserver import connect_to_new_process, ensure_running, read_signed
from multiprocessing.process import BaseProcess
from multiprocessing.util import Finalize, register_after_fork
from pathlib import Path
from typing import Any

from corororo._exceptions import SessionError
from corororo._ring import candidate_bases

from ._process import is_stopped
from ._surroundings import Surroundings, working_directory

PATH_VARIABLES = ("PYTHONPATH", "PYTHONSAFEPATH")
SAVED_PREFIX = "CORORORO_SAVED_"
NO_RESOURCES = {errno.EMFILE, errno.ENFILE, errno.EAGAIN, errno.ENOMEM}

_starting = threading.Lock()


def forkserver(preload: Sequence[str] = ()) -> ForkServerContext:
    """The multiprocessing context whose processes are forked from a server with its imports done.

    ``preload`` names the modules that a new server imports; a running server keeps its own. A
    SIGINT that reaches a process of it while that still starts is delivered when its work begins.
    Raises SessionError where there is no place for its socket.
    """
    context = multiprocessing.get_context("forkserver")
    with _starting:  # two threads at once would not restore the environment as it was
        modules = ["corororo", *preload, f"{__package__}._forkserver_main"]
        context.set_forkserver_preload(_Modules(modules))
        with _import_path_for_children():
            # Started first: starting it unblocks SIGINT, which has to stay blocked below.
            resource_tracker.ensure_running()
            mask = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
            try:
                _ensure_running()
            finally:
                signal.pthread_sigmask(signal.SIG_SETMASK, mask)
    return context


def current_surroundings() -> Surroundings:
    """Those of this process, whose environment differs for the moment in which a server starts."""
    with _starting:
        return Surroundings.now()


def forkserver_pid() -> int | None:
    """The process id of the latest forkserver, which may have died; None before the first one."""
    pid: int | None = _server._forkserver_pid  # type: ignore[attr-defined]
    return pid


def kill_forkserver() -> None:
    """Kill a forkserver that hangs; the next process starts a new one.

    Its children live on, and their exit codes are lost.
    """
    _signal_forkserver(signal.SIGKILL)


def wake_stopped_forkserver() -> None:
    """Continue a forkserver that a signal has stopped: a stopped one starts and reaps nothing."""
    pid = forkserver_pid()
    if pid is not None and is_stopped(pid):
        _signal_forkserver(signal.SIGCONT)


class _Modules(list[str]):
    """Modules to preload. The list is false, so that multiprocessing collects nothing beside them.

    It would look at the main module and the working directory, and both may be missing.
    """

    def __bool__(self) -> bool:
        return False


class StartedProcess(popen_forkserver.Popen):
    """A process of the forkserver that has been started.

    Unlike those of ``multiprocessing`` it does not run the main module, may be started by a
    daemonic process, and nothing waits for it at the exit: it has to end with its owner by itself.
    """

    def _launch(self, process: BaseProcess) -> None:
        buffer = io.BytesIO()
        set_spawning_popen(self)
        try:
            reduction.dump({"sys_path": sys.path}, buffer)
            reduction.dump(process, buffer)
        finally:
            set_spawning_popen(None)
        self.sentinel, writer = connect_to_new_process([])
        lifeline = os.dup(writer)  # the process sees by it that its parent has ended
        self.finalizer = Finalize(self, _close, (lifeline, self.sentinel))
        with open(writer, "wb") as pipe:
            pipe.write(buffer.getbuffer())
        self.pid = read_signed(self.sentinel)


class InterruptProofProcess(ForkServerProcess):
    """A process that ignores SIGINT from its start: its parent decides what Ctrl-C means."""

    def run(self) -> None:
        """Drop the SIGINT that came while it was blocked, and begin."""
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        _unblock_sigint()
        super().run()


def _close(*fds: int) -> None:
    for fd in fds:
        os.close(fd)


# -- inside the forkserver and its children
#
# A terminal sends SIGINT to every process of its group. In a child that has just been forked it
# would end the start halfway, with a traceback. So children start with SIGINT blocked, and unblock
# it when their own work begins.

_server_pid = 0
_blocked_pid = 0  # the process in which SIGINT is blocked from here


def block_sigint_in_children() -> None:
    """In a forkserver: children start with SIGINT blocked, their own children do not."""
    global _server_pid
    _server_pid = os.getpid()
    os.register_at_fork(after_in_child=_after_fork)
    register_after_fork(sys.modules[__name__], _after_start)


def restore_import_path() -> None:
    """In a forkserver: undo ``_import_path_for_children``, for the children to see."""
    for name in PATH_VARIABLES:
        os.environ.pop(name, None)
        if f"{SAVED_PREFIX}{name}" in os.environ:
            os.environ[name] = os.environ.pop(f"{SAVED_PREFIX}{name}")


def _after_fork() -> None:
    global _blocked_pid
    if os.getppid() == _server_pid:
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
        _blocked_pid = os.getpid()
    elif _blocked_pid:  # a child of the server forked before its own work began
        _unblock_sigint()


def _after_start(_module: object) -> None:
    """Called by multiprocessing when a process has read what it is to run."""
    # Compares its own pid: its parent is another process where the server died meanwhile.
    if _blocked_pid == os.getpid() and not isinstance(current_process(), InterruptProofProcess):
        _unblock_sigint()


def _unblock_sigint() -> None:
    global _blocked_pid
    _blocked_pid = 0
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})


# -- in the process that starts the server


def _signal_forkserver(number: int) -> None:
    pid = forkserver_pid()
    if pid is not None:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, number)


def _ensure_running() -> None:
    try:
        return ensure_running()
    except OSError as error:
        if error.errno in NO_RESOURCES:
            raise
        failure = error
    # No place for its socket in the temporary directory: too long a path, no room, no rights.
    for base in (*candidate_bases(), Path("/tmp")):
        with contextlib.suppress(OSError):
            _move_temporary_directory(base)
            return ensure_running()
    raise SessionError(
        f"the fork server finds no place for its socket: {failure}; set TMPDIR to a directory with "
        f"room, the right to write and a path of at most 60 characters"
    ) from failure


def _move_temporary_directory(base: Path) -> None:
    """Have multiprocessing put its sockets into a directory in ``base``."""
    directory = tempfile.mkdtemp(prefix="pymp-", dir=base)
    Finalize(None, shutil.rmtree, (directory, True), exitpriority=-100)
    config: Any = current_process()
    config._config["tempdir"] = directory


@contextlib.contextmanager
def _import_path_for_children() -> Iterator[None]:
    """Have the server import from where this process does.

    By default it looks into the working directory first, and may find another version there.
    """
    here = working_directory()
    places = [place or here for place in sys.path if isinstance(place, str)]  # as imports do
    path = os.pathsep.join(filter(None, places))
    before = {name: os.environ.get(name) for name in PATH_VARIABLES}
    saved = {f"{SAVED_PREFIX}{n}": v for n, v in before.items() if v is not None}
    os.environ |= saved | dict(zip(PATH_VARIABLES, (path, "1"), strict=True))
    try:
        yield
    finally:
        for name in (*saved, *PATH_VARIABLES):
            del os.environ[name]
        os.environ |= {name: value for name, value in before.items() if value is not None}


def _forget_server() -> None:
    """In a forked process: the server belongs to the parent."""
    global _starting
    _starting = threading.Lock()  # another thread of the parent may have held it
    server: Any = _server
    if server._forkserver_alive_fd is not None:
        os.close(server._forkserver_alive_fd)  # left open, it would keep the server alive
    server.__init__()


os.register_at_fork(after_in_child=_forget_server)
