"""Processes that are stopped, traced, running or gone, as /proc and ps show them."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from corororo._pool import _stopped
from corororo._pool._stopped import is_stopped

# Makes a child that this process traces, says which, and ends it when it is told to.
TRACER = """
import ctypes, os, signal, sys
child = os.fork()
if child == 0:
    refused = ctypes.CDLL(None).ptrace(0, 0, None, None)  # PTRACE_TRACEME
    if refused:
        os._exit(1)
    os.kill(os.getpid(), signal.SIGSTOP)
    os._exit(0)
_, status = os.waitpid(child, os.WUNTRACED)
print(child if os.WIFSTOPPED(status) else 0, flush=True)
sys.stdin.readline()
if os.WIFSTOPPED(status):
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
"""


@pytest.fixture(params=["proc", "ps"])
def _way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Asked of /proc, then of ps."""
    if request.param == "proc" and not Path("/proc/self/stat").exists():
        pytest.skip("this system has no /proc")
    if request.param == "ps" and shutil.which("ps") is None:
        pytest.skip("ps is not installed")
    monkeypatch.setattr(_stopped, "HAS_PROC", request.param == "proc")


@pytest.fixture
def start() -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """Start a process that waits for a line."""
    started: list[subprocess.Popen[str]] = []

    def start(*command: str, program: str | None = None) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            command or ("sh", "-c", "read line"),
            executable=program,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()
        process.communicate()


def soon(condition: Callable[[], bool]) -> bool:
    """Whether a condition comes to hold: a signal takes a moment to come to effect."""
    deadline = time.monotonic() + 15
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.01)
    return condition()


@pytest.mark.usefixtures("_way")
def test_a_process_is_stopped_from_its_signal_until_it_is_continued(
    start: Callable[..., subprocess.Popen[str]],
) -> None:
    process = start()
    assert not is_stopped(process.pid)
    process.send_signal(signal.SIGSTOP)
    assert soon(lambda: is_stopped(process.pid))
    process.send_signal(signal.SIGCONT)
    assert soon(lambda: not is_stopped(process.pid))


@pytest.mark.usefixtures("_way")
@pytest.mark.parametrize("name", [") T (", "a) S 1 (b", "T T) T"])
def test_the_name_of_the_program_deceives_nobody(
    start: Callable[..., subprocess.Popen[str]], tmp_path: Path, name: str
) -> None:
    shell = shutil.which("sh")
    assert shell is not None
    (tmp_path / name).symlink_to(shell)
    process = start("sh", "-c", "read line", program=str(tmp_path / name))
    assert not is_stopped(process.pid)
    process.send_signal(signal.SIGSTOP)
    assert soon(lambda: is_stopped(process.pid))


@pytest.mark.usefixtures("_way")
def test_a_process_that_has_ended_is_not_stopped_waited_for_or_not(
    start: Callable[..., subprocess.Popen[str]],
) -> None:
    process = start()
    process.send_signal(signal.SIGSTOP)
    assert soon(lambda: is_stopped(process.pid))
    process.kill()
    assert soon(lambda: not is_stopped(process.pid))
    process.wait(15)
    assert not is_stopped(process.pid)


@pytest.mark.usefixtures("_way")
@pytest.mark.skipif(sys.platform != "linux", reason="makes a traced child as Linux has it")
def test_a_process_that_a_debugger_holds_is_not_stopped(
    start: Callable[..., subprocess.Popen[str]],
) -> None:
    tracer = start(sys.executable, "-c", TRACER)
    assert tracer.stdout is not None
    traced = int(tracer.stdout.readline())
    if not traced:
        pytest.skip("this system lets nobody be traced")
    assert not is_stopped(traced)
    tracer.communicate("\n", timeout=15)


def test_where_ps_does_not_answer_nobody_counts_as_stopped(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(_stopped, "HAS_PROC", False)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert not is_stopped(os.getpid())  # there is no ps at all
    slow = tmp_path / "ps"
    slow.write_text("#!/bin/sh\nexec /bin/sleep 60\n")
    slow.chmod(0o700)
    monkeypatch.setattr(_stopped, "PS_S", 0.1)
    assert not is_stopped(os.getpid())
