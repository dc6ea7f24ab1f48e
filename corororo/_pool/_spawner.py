"""Spawns the worker processes of one pool; a WorkerProcess is the pool's handle of one of them."""

from __future__ import annotations

import contextlib
import os
import signal
import threading
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import msgspec

from corororo._platform import is_out_of_files
from corororo._ring import Session
from corororo._worker._main import CANNOT_START, RETIRE_SIGNAL, RETIRED, WorkerPlan, worker_main
from corororo.processes import forkserver, forkserver_pid, is_dead, kill_forkserver, read_stacks
from corororo.processes._forkserver import (
    InterruptProofProcess,
    StartedProcess,
    wake_stopped_forkserver,
)

T = TypeVar("T")

TRIES = 100
RETRY_S = 0.01
FILES_TO_SPAWN = 16  # open at once while a process starts, those of the server among them
FORKSERVER_LOST = 255  # the exit code that multiprocessing reports when it cannot know
SERVER_LOOKS, SERVER_LOOK_S = 50, 0.002

# A signal that comes just before a process falls asleep is handled only when that wakes up. So it
# is sent again, after twice as long each time: a long call should not be interrupted all the time.
FIRST_REMINDER_S = 0.01
LAST_REMINDER_S = 5.0


class WorkerStatus(msgspec.Struct, frozen=True):
    """One worker of a pool."""

    number: int
    pid: int
    title: str
    ready: bool
    ended: str = ""  # how, of one that has
    hung: bool = False  # it was killed because it hung
    stacks: str = ""  # where it hung, if it could tell
    place: int = 0  # in the pool, counted from 1, as in the title


class WorkerProcess:
    """A worker. Its ``number`` is never used twice in a pool; its ``place`` is."""

    def __init__(self, number: int, place: int, session: Session, plan: WorkerPlan) -> None:
        self.number = number
        self.place = place
        self.title = plan.title(place)
        self.ready = False  # it takes calls
        self.grows_pool = False  # it was added by a resize, not at the start or as a replacement
        self.killed_on_request = False  # of a zone, for a call of its batch
        self.why_killed = ""
        self.hung = False
        self.kill_at: float | None = None  # unless it has ended by then
        self.remind_at: float | None = None  # that it is to retire
        self.lost_server: int | None = None  # the forkserver that died before it could reap it
        self._reminder_s = FIRST_REMINDER_S
        self._ended = ""
        self._stacks = ""
        self._code: int | None = None
        _require_files(FILES_TO_SPAWN)
        wake_stopped_forkserver()  # a stopped one would spawn nothing, without an error
        forkserver(plan.preload)
        self._server = forkserver_pid()
        arguments = (str(session.directory), number, place, plan)
        self._process = StartedProcess(
            InterruptProofProcess(name=self.title, target=worker_main, args=arguments, daemon=True)
        )

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._process.pid

    @property
    def sentinel(self) -> int:
        """A file descriptor that turns readable when the process has ended."""
        return self._process.sentinel

    @property
    def is_newcomer(self) -> bool:
        """Whether it was added by a resize and does not take calls yet."""
        return self.grows_pool and not self.ready

    @property
    def has_retired(self) -> bool:
        """Whether it has ended because it was asked to, with no calls left."""
        return self._code == RETIRED

    @property
    def cannot_start(self) -> bool:
        """Whether it has ended because its imports failed."""
        return self._code == CANNOT_START

    def poll(self) -> int | None:
        """None while it runs; a negative signal number where a signal ended it.

        For one thread: of two that poll at the same time one would get a wrong answer.
        """
        self._code = self._process.poll()
        return self._code

    def status(self) -> WorkerStatus:
        """A frozen snapshot."""
        return WorkerStatus(
            number=self.number,
            pid=self.pid,
            title=self.title,
            ready=self.ready,
            ended=self._ended,
            hung=self.hung,
            stacks=self._stacks,
            place=self.place + 1,
        )

    def kill(self, why: str = "") -> None:
        """Send SIGKILL, unless it has ended."""
        self.why_killed = self.why_killed or why
        self.send_signal(signal.SIGKILL)

    def send_signal(self, number: int) -> None:
        """Send a signal, unless it has ended."""
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.pid, number)

    def ask_to_retire(self, now: float) -> None:
        """Have it end after the batch that it runs; ask again at ``remind_at``."""
        self.send_signal(RETIRE_SIGNAL)
        self.remind_at = now + self._reminder_s
        self._reminder_s = min(2 * self._reminder_s, LAST_REMINDER_S)

    def record_end(self, stacks: Path, wait: Callable[[float], object]) -> None:
        """After ``poll`` has found its end: note how it ended, and the stacks that it left."""
        code = self._code
        assert code is not None
        if code == FORKSERVER_LOST:
            self.kill()  # multiprocessing reports this of processes that still live, too
            self._find_lost_server(wait)
        if self.why_killed:
            self._ended = f"killed: {self.why_killed}"
        elif self.lost_server is not None:
            self._ended = "killed: its fork server died"
        else:
            self._ended = f"by signal {-code}" if code < 0 else f"with exit code {code}"
        if self.hung:
            self._stacks = read_stacks(stacks)
        if self.cannot_start:
            with contextlib.suppress(OSError):  # there was no room for it
                self._ended = stacks.read_text("utf-8")

    def stop(self, timeout_s: float) -> None:
        """Wait until it has ended, as the lifeline told it to; kill it after the timeout."""
        if self._process.wait(timeout_s) is None:
            self.kill()
        if self._process.wait(timeout_s) is None:  # it is dead, and its server does not report it
            kill_forkserver()
            self._process.wait()
        self._process.close()

    def _find_lost_server(self, wait: Callable[[float], object]) -> None:
        for _ in range(SERVER_LOOKS):  # its files are closed a moment before it counts as dead
            if self._server is None or is_dead(self._server):
                self.lost_server = self._server
                return
            wait(SERVER_LOOK_S)


class Spawner:
    """Spawns the workers of one pool and numbers them."""

    def __init__(self, session: Session, plan: WorkerPlan, stopping: threading.Event) -> None:
        """``stopping`` ends every wait."""
        self._session = session
        self._plan = plan
        self._stopping = stopping
        self._next_number = 1

    def spawn(self, place: int, *, wait_for_files: bool = True) -> WorkerProcess:
        """A new worker for a place; raises OSError or EOFError where none can be started.

        ``wait_for_files``: other code of the program may close some of its files any moment.
        """
        number = self._next_number
        self._next_number += 1
        for _ in range(TRIES):
            try:
                return WorkerProcess(number, place, self._session, self._plan)
            except (ConnectionError, EOFError):
                pass  # the forkserver has just died, and the system has not noticed yet
            except OSError as error:
                if not (wait_for_files and is_out_of_files(error)):
                    raise
            self._stopping.wait(RETRY_S)
        return WorkerProcess(number, place, self._session, self._plan)


def retry_without_files(action: Callable[[], T], stopping: threading.Event) -> T:
    """Call ``action``, for a while again where the limit on open files stands in the way."""
    for _ in range(TRIES):
        try:
            return action()
        except OSError as error:
            if not is_out_of_files(error):
                raise
        stopping.wait(RETRY_S)
    return action()


def _require_files(count: int) -> None:
    """Raise OSError where so many files cannot be opened.

    multiprocessing would run out of them while it talks to its server, which then ends.
    """
    with contextlib.ExitStack() as opened:
        for _ in range(count):
            opened.enter_context(open(os.devnull, "rb", buffering=0))
