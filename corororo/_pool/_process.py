"""One worker process as its pool sees it: started, watched, ended. Knows no batches."""

from __future__ import annotations

import contextlib
import multiprocessing
import multiprocessing.process
import os
import signal
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator, Sequence
from multiprocessing import resource_tracker
from multiprocessing.context import ForkServerContext
from multiprocessing.forkserver import _forkserver as _server
from multiprocessing.forkserver import ensure_running
from pathlib import Path
from typing import Any

import msgspec

from corororo._exceptions import SessionError
from corororo._ring import told_after_fork
from corororo._worker._main import worker_main
from corororo._worker._stacks import last_stacks
from corororo.abc import IdleStrategy

from ._startup import DeafProcess
from ._stopped import is_dead, is_stopped

FILES_TO_START = 16  # open at once while a process starts, those of the server among them
IMPORT_PATH_VARIABLES = ("PYTHONPATH", "PYTHONSAFEPATH")
SAVED_PREFIX = "CORORORO_SAVED_"
FORKSERVER_LOST = 255  # the exit code that multiprocessing reports when it cannot know
BURIAL_LOOKS, BURIAL_GAP_S = 50, 0.002

_starting = threading.Lock()


class WorkerStatus(msgspec.Struct, frozen=True):
    """One worker of a pool."""

    number: int
    pid: int
    title: str
    ready: bool
    ended: str = ""  # how, of one that has
    hung: bool = False  # it did not come back, and was ended for that
    stacks: str = ""  # where it stood then, if it could tell
    place: int = 0  # in the pool, counted from 1, as in the title


class WorkerProcess:
    """A running worker. ``number`` is never used twice in a pool."""

    def __init__(
        self,
        number: int,
        place: int,
        title: str,
        address: str,
        imports: Sequence[str],
        preload: Sequence[str],
        idle: IdleStrategy,
        cpu: int | None,
    ) -> None:
        self.number = number
        self.place = place
        self.title = title
        self.ready = False
        self.killed_on_request = False  # for a call of its batch, which need not be its own fault
        self.why_killed = ""
        self.hung = False
        self.kill_at: float | None = None  # where it does not end itself until then
        self.stacks = ""
        self.ended = ""  # how, in words
        self.lost_server: int | None = None  # that died before it could tell how this one ended
        self._code: int | None = None
        _must_have_files(FILES_TO_START)
        wake_stopped_forkserver()  # it would start nobody, and not say so
        forkserver(preload)
        self._server = forkserver_pid()
        self._process = DeafProcess(
            name=title,
            target=worker_main,
            args=(address, number, title, tuple(imports), idle, cpu),
            daemon=True,
        )
        self._process.start()
        told_after_fork(self)

    @property
    def pid(self) -> int:
        """Its process id."""
        assert self._process.pid is not None
        return self._process.pid

    def status(self) -> WorkerStatus:
        """A frozen snapshot."""
        return WorkerStatus(
            self.number,
            self.pid,
            self.title,
            self.ready,
            self.ended,
            self.hung,
            self.stacks,
            self.place + 1,
        )

    @property
    def sentinel(self) -> int:
        """Turns readable when the process has ended."""
        return self._process.sentinel

    def exit_code(self) -> int | None:
        """None while it runs; a negative signal number where a signal ended it.

        For one thread: of two that ask at the same time, one would get a wrong answer.
        """
        self._code = self._process.exitcode
        return self._code

    def note_end(self, stacks: Path, wait: Callable[[float], object]) -> None:
        """Tell from now on how it has ended, and what it has left; its server may need a moment."""
        code = self._code
        assert code is not None
        if code == FORKSERVER_LOST and self._server is not None:
            for _ in range(BURIAL_LOOKS):  # its files are closed before it counts as dead
                if is_dead(self._server):
                    self.lost_server = self._server
                    break
                wait(BURIAL_GAP_S)
        if self.why_killed:
            self.ended = f"killed: {self.why_killed}"
        elif self.lost_server is not None:
            self.ended = "killed: its fork server died"
        else:
            self.ended = f"by signal {-code}" if code < 0 else f"with exit code {code}"
        if self.hung:
            self.stacks = last_stacks(stacks)

    def make_sure_it_is_dead(self) -> None:
        """After its sentinel has spoken: a lost forkserver says so of processes that still live."""
        if self._code == FORKSERVER_LOST:
            self.kill()

    def kill(self) -> None:
        """SIGKILL; nothing happens where it has ended already."""
        self.send_signal(signal.SIGKILL)

    def send_signal(self, number: int) -> None:
        """Send it a signal; nothing happens where it has ended already."""
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.pid, number)

    def after_fork(self) -> None:
        """In a forked process: multiprocessing would end the worker there, as its own child."""
        multiprocessing.process._children.discard(self._process)  # type: ignore[attr-defined]

    def stop(self, timeout_s: float) -> None:
        """Wait for the end that the lifeline brought, and kill what does not come to it."""
        self._process.join(timeout_s)
        if self._process.exitcode is None:
            self.kill()
            self._process.join(timeout_s)
        if self._process.exitcode is None:  # it is dead, and its server does not say so
            kill_forkserver()
            self._process.join()
        self._process.close()


def forkserver(preload: Sequence[str] = ()) -> ForkServerContext:
    """The context that starts processes from a server which has imported what they need.

    ``preload`` counts for the first pool of a program: later ones find the server running. A
    SIGINT that comes while a process of it still imports reaches it when its own work begins.
    """
    context = multiprocessing.get_context("forkserver")
    with _starting:  # two threads that change the environment would not put it back as it was
        context.set_forkserver_preload(["corororo", *preload, "corororo._pool._fork_server"])
        # Ctrl-C at a terminal reaches the server, too, and must not end it while it imports. The
        # resource tracker comes first: whoever starts it leaves SIGINT unblocked behind.
        resource_tracker.ensure_running()
        mask = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
        try:
            with _import_path_for_children():
                _ensure_running()
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, mask)
    return context


def kill_forkserver() -> None:
    """End a server that hangs, with SIGKILL: the next process comes from a new one.

    Those that it has started live on, and nobody can tell how they end.
    """
    pid = forkserver_pid()
    if pid is not None:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def forkserver_pid() -> int | None:
    """The process id of the server that was started last; None before the first one.

    It may have died since: then the next process comes from a new one.
    """
    pid: int | None = _server._forkserver_pid  # type: ignore[attr-defined]
    return pid


def wake_stopped_forkserver() -> None:
    """Have the server go on where a signal holds it: else nobody hears how its children end."""
    pid = forkserver_pid()
    if pid is not None and is_stopped(pid):
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGCONT)


def _ensure_running() -> None:
    try:
        ensure_running()
    except OSError as error:
        if "AF_UNIX" not in str(error):
            raise
        raise SessionError(
            f"{tempfile.gettempdir()}: expected a path short enough for the socket of the fork "
            f"server, found one of {len(tempfile.gettempdir())} characters; set TMPDIR to another"
        ) from error


def _must_have_files(count: int) -> None:
    """Raise OSError now where so many files cannot be opened.

    multiprocessing would run out of them in the midst of talking to its server, which then ends.
    """
    with contextlib.ExitStack() as opened:
        for _ in range(count):
            opened.enter_context(open(os.devnull, "rb", buffering=0))


def _forget_the_server() -> None:
    """In a forked process: the fork server is its parent's, whom it serves and answers to."""
    global _starting
    _starting = threading.Lock()  # one that another thread held would stay held here
    server: Any = _server
    if server._forkserver_alive_fd is not None:
        os.close(server._forkserver_alive_fd)  # or it would outlive its owner with us
    server.__init__()


os.register_at_fork(after_in_child=_forget_the_server)


@contextlib.contextmanager
def _import_path_for_children() -> Iterator[None]:
    """Have the server import from where this process does.

    Left alone it looks into the working directory first, and may find another version there.
    """
    path = os.pathsep.join(place or str(Path.cwd()) for place in sys.path)
    before = {name: os.environ.get(name) for name in IMPORT_PATH_VARIABLES}
    for name, value in before.items():
        if value is not None:
            os.environ[f"{SAVED_PREFIX}{name}"] = value  # for the server, to give to its children
    os.environ |= dict(zip(IMPORT_PATH_VARIABLES, (path, "1"), strict=True))
    try:
        yield
    finally:
        for name, value in before.items():
            os.environ.pop(f"{SAVED_PREFIX}{name}", None)
            os.environ.pop(name)
            if value is not None:
                os.environ[name] = value
