"""One worker process as its pool sees it: started, watched, ended. Knows no batches."""

from __future__ import annotations

import contextlib
import multiprocessing.process
import os
import signal
from collections.abc import Callable, Sequence
from pathlib import Path

import msgspec

from corororo._ring import told_after_fork
from corororo._worker._main import worker_main
from corororo.abc import IdleStrategy
from corororo.processes import forkserver, forkserver_pid, is_dead, kill_forkserver, read_stacks
from corororo.processes._forkserver import InterruptProofProcess, wake_stopped_forkserver

FILES_TO_START = 16  # open at once while a process starts, those of the server among them
FORKSERVER_LOST = 255  # the exit code that multiprocessing reports when it cannot know
BURIAL_LOOKS, BURIAL_GAP_S = 50, 0.002


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
        self._process = InterruptProofProcess(
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
            self.stacks = read_stacks(stacks)

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


def _must_have_files(count: int) -> None:
    """Raise OSError now where so many files cannot be opened.

    multiprocessing would run out of them in the midst of talking to its server, which then ends.
    """
    with contextlib.ExitStack() as opened:
        for _ in range(count):
            opened.enter_context(open(os.devnull, "rb", buffering=0))
