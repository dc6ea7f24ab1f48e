"""Starts `zonesim` commands as processes, waits for them, and finds what they leave behind."""

from __future__ import annotations

import json
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import closing, suppress
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import pytest

from corororo._ring import RingMemory, candidate_bases
from corororo._ring._ring import ALIGNMENT
from corororo.processes import HAS_PROC, HAS_TITLES
from zonesim.live.view_file import read_view

CHECKOUT = Path(__file__).resolve().parents[3]
PATIENCE_S = 30.0  # for what has to happen at some time
POLL_S = 0.01
LAST_ONES_S = 5.0  # the last process ends within 2 s after its controller
NO_TITLES = "processes have no names on this system"

needs_titles = pytest.mark.skipif(not HAS_TITLES, reason=NO_TITLES)

T = TypeVar("T")


class Ended(NamedTuple):
    """The end of a command."""

    code: int
    output: str
    error: str

    @property
    def document(self) -> Any:
        """Standard output, which has to be one JSON document."""
        assert self.output, self.error
        return json.loads(self.output)

    @property
    def complaint(self) -> str:
        """The one line on standard error that says why it ended."""
        lines = self.error.splitlines()
        complaints = [line for line in lines if line.startswith("zonesim: error: ")]
        assert len(complaints) == 1, self.error
        assert lines[-1] == complaints[0], self.error
        assert "Traceback" not in self.error, self.error
        return complaints[0].removeprefix("zonesim: error: ")


class Command:
    """A running `zonesim`, the leader of a session that holds all processes it starts.

    ``module`` runs another module. A run draws no report, unless a test asks for it.
    """

    def __init__(self, *arguments: str, cwd: Path, module: str = "zonesim", **options: Any) -> None:
        if arguments and arguments[0] in ("run", "scale") and "--report" not in arguments:
            arguments = (*arguments, "--no-report")
        self._process = subprocess.Popen(
            [sys.executable, "-m", module, *arguments],
            cwd=cwd,
            env={**os.environ, "PYTHONPATH": str(CHECKOUT), **options.pop("environment", {})},
            stdin=subprocess.DEVNULL,
            stdout=options.pop("stdout", subprocess.PIPE),
            stderr=options.pop("stderr", subprocess.PIPE),
            text=True,
            start_new_session=True,
            **options,
        )

    @property
    def pid(self) -> int:
        """The process id of the controller."""
        return self._process.pid

    def processes(self) -> dict[int, str]:
        """The command lines of all living processes of this command, by process id."""
        return _in_session(self.pid) if HAS_PROC else _in_group_by_ps(self.pid)

    def sessions(self) -> list[Path]:
        """Its session directories."""
        pattern = f"*corororo-{os.getuid()}-{self.pid}-*"
        return [found for base in candidate_bases() for found in base.glob(pattern)]

    def wait_for_process(self, title: str) -> int:
        """Wait for a process with this title; returns its id."""
        if not HAS_TITLES:
            pytest.skip(NO_TITLES)

        def look() -> int | None:
            return next((pid for pid, line in self.processes().items() if line == title), None)

        return self.wait_until(look, f"process {title!r}")

    def wait_for_step(self, folder: Path) -> None:
        """Wait until a step has begun whose figures go to ``folder``."""
        self.wait_until(lambda: _count(folder, "steps"), "step")

    def wait_until_it_ticks(self, folder: Path) -> None:
        """Wait until a tick has run."""
        self.wait_for_step(folder)
        [session] = self.sessions()
        self.wait_until(lambda: read_view(session).progress.ticks > 0, "tick")

    def wait_for_ticks(self, folder: Path) -> None:
        """Wait until ticks have been saved."""
        self.wait_until(lambda: _count(folder, "ticks"), "ticks")

    def wait_until(self, look: Callable[[], T | None], what: str) -> T:
        """Wait until ``look`` returns something; fails when the command ends first."""
        end = time.monotonic() + PATIENCE_S
        while not (found := look()):
            assert not self.has_ended(), f"ended before {what}"
            assert time.monotonic() < end, f"no {what} in {PATIENCE_S:.0f} s"
            time.sleep(POLL_S)
        return found

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to the controller alone."""
        self._process.send_signal(number)

    def signal_all(self, number: signal.Signals) -> None:
        """Send a signal to all processes at once, as a terminal does."""
        os.killpg(self.pid, number)

    def has_ended(self) -> bool:
        """Whether the controller has ended."""
        return self._process.poll() is not None

    def finish(self, timeout_s: float = PATIENCE_S) -> Ended:
        """Wait for its end."""
        output, error = self._process.communicate(timeout=timeout_s)
        return Ended(self._process.returncode, output, error)

    def wait_for_the_last_ones(self) -> dict[int, str]:
        """Wait for the processes that outlive the controller; returns those that stay."""
        end = time.monotonic() + LAST_ONES_S
        while (left := self.processes()) and time.monotonic() < end:
            time.sleep(POLL_S)
        return left

    def clean_up(self) -> tuple[dict[int, str], list[Path]]:
        """Remove the processes and session directories that it left behind, and return them.

        None are returned of a command that a failing test did not wait for.
        """
        left = (self.wait_for_the_last_ones(), self.sessions()) if self.has_ended() else ({}, [])
        for pid in self.processes():
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self._process.communicate()
        for directory in self.sessions():
            shutil.rmtree(directory, ignore_errors=True)
        return left


def a_worker_has_calls(command: Command) -> bool:
    """Whether a worker holds the lock of a record, as it does while its calls run."""
    for ring in [ring for session in command.sessions() for ring in session.glob("*.ring")]:
        if not ring.stat().st_size:
            continue  # it is being created
        memory = RingMemory.open(ring)
        try:
            for offset in range(0, 1 << 14, ALIGNMENT):
                if not memory.try_lock(offset):
                    return True
                memory.unlock(offset)
        finally:
            memory.close()
    return False


def saved(folder: Path, query: str) -> list[tuple[Any, ...]]:
    """Rows of a run's database."""
    with closing(sqlite3.connect(f"{(folder / 'run.sqlite').as_uri()}?mode=ro", uri=True)) as file:
        return file.execute(query).fetchall()


def _count(folder: Path, table: str) -> int:
    try:
        return int(saved(folder, f"SELECT count(*) FROM {table}")[0][0])
    except sqlite3.OperationalError:  # there is none yet
        return 0


def _in_session(session: int) -> dict[int, str]:
    pids = [int(entry) for entry in os.listdir("/proc") if entry.isdigit()]
    found = [pid for pid in pids if _session_of(pid) == session]
    return {pid: line for pid in found if (line := _line_of(pid))}


def _session_of(pid: int) -> int:
    """The session of a process; 0 where it has ended."""
    try:
        return os.getsid(pid)
    except ProcessLookupError:
        return 0


def _line_of(pid: int) -> str:
    """The command line of a process; empty where it is dead."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
        line = Path(f"/proc/{pid}/cmdline").read_bytes()
    except (FileNotFoundError, ProcessLookupError):
        return ""
    return "" if state == "Z" else line.replace(b"\0", b" ").decode().strip() or "without a name"


def _in_group_by_ps(group: int) -> dict[int, str]:
    """The same without /proc: all stay in the process group of the session leader."""
    command = ["ps", "-A", "-ww", "-o", "pid=,pgid=,stat=,args="]
    listed = subprocess.run(command, capture_output=True, text=True, check=True, timeout=30)
    rows = (line.split(None, 3) for line in listed.stdout.splitlines())
    return {
        int(pid): line
        for pid, its_group, state, line in rows
        if int(its_group) == group and not state.startswith("Z")
    }
