"""What the system offers, the limit on open files, process states and stack dumps."""

from __future__ import annotations

import faulthandler
import json
import os
import resource
import shutil
import signal
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from corororo import _platform
from corororo.processes import (
    STACK_CHARACTERS,
    STACK_SIGNAL,
    _process,
    dump_stacks_on_signal,
    is_dead,
    is_stopped,
    process_state,
    raise_open_file_limit,
    read_stacks,
)

UNLIMITED = resource.RLIM_INFINITY
FLAGS = [name for name in vars(_platform) if name.startswith("HAS_")]
PRINT_FLAGS = """
import json
from corororo import _platform
print(json.dumps({k: v for k, v in vars(_platform).items() if k.startswith("HAS_")}))
"""
DIE_WITH_STACKS = """
import sys
from pathlib import Path
from corororo.processes import dump_stacks_on_signal

def loop():
    print("there", flush=True)
    while True:
        pass

dump_stacks_on_signal(Path(sys.argv[1]), then_exit=True)
loop()
"""

Start = Callable[..., "subprocess.Popen[str]"]


def flags_of_a_process(environment: dict[str, str]) -> dict[str, bool]:
    command = [sys.executable, "-c", PRINT_FLAGS]
    done = subprocess.run(command, env=environment, capture_output=True, check=True, timeout=30)
    flags: dict[str, bool] = json.loads(done.stdout)
    return flags


def test_one_variable_turns_off_everything_that_only_some_systems_have(
    source_environment: dict[str, str],
) -> None:
    portable = flags_of_a_process({**source_environment, "CORORORO_PORTABLE": "1"})
    assert portable == dict.fromkeys(FLAGS, False)


@pytest.mark.parametrize(
    ("before", "needed", "after", "allowed"),
    [
        ((256, UNLIMITED), None, (_platform.OPEN_FILES_MAX, UNLIMITED), _platform.OPEN_FILES_MAX),
        ((1024, 20_000), None, (20_000, 20_000), 20_000),
        ((1024, 20_000), 5_000, (5_000, 20_000), 5_000),
        ((1024, 20_000), 30_000, (20_000, 20_000), 20_000),
        ((256, UNLIMITED), 30_000, (30_000, UNLIMITED), 30_000),
        ((50_000, UNLIMITED), None, (50_000, UNLIMITED), 50_000),
        ((UNLIMITED, UNLIMITED), 5_000, (UNLIMITED, UNLIMITED), sys.maxsize),
    ],
)
def test_the_limit_on_open_files_is_raised_as_far_as_it_goes_and_never_lowered(
    monkeypatch: pytest.MonkeyPatch,
    before: tuple[int, int],
    needed: int | None,
    after: tuple[int, int],
    allowed: int,
) -> None:
    limits = [before]
    monkeypatch.setattr(resource, "getrlimit", lambda _which: limits[-1])
    monkeypatch.setattr(resource, "setrlimit", lambda _which, new: limits.append(new))
    assert raise_open_file_limit(needed) == allowed
    assert limits[-1] == after


# -- states


@pytest.fixture(params=["proc", "ps"])
def _source_of_states(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    if request.param == "proc" and not Path("/proc/self/stat").exists():
        pytest.skip("this system has no /proc")
    if request.param == "ps" and shutil.which("ps") is None:
        pytest.skip("ps is not installed")
    monkeypatch.setattr(_process, "HAS_PROC", request.param == "proc")


@pytest.fixture
def start() -> Iterator[Start]:
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


@pytest.mark.usefixtures("_source_of_states")
@pytest.mark.parametrize("name", ["sh", "a name) T (with T) states"])
def test_a_process_is_stopped_until_it_is_continued_and_then_dead_before_it_is_reaped(
    start: Start, tmp_path: Path, name: str
) -> None:
    shell = shutil.which("sh")
    assert shell is not None
    (tmp_path / name).symlink_to(shell)
    process = start("sh", "-c", "read line", program=str(tmp_path / name))
    assert not is_stopped(process.pid)
    process.send_signal(signal.SIGSTOP)
    os.waitid(os.P_PID, process.pid, os.WSTOPPED)
    assert is_stopped(process.pid)
    process.send_signal(signal.SIGCONT)
    os.waitid(os.P_PID, process.pid, os.WCONTINUED)
    assert not is_stopped(process.pid)
    assert not is_dead(process.pid)
    process.kill()
    os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
    assert is_dead(process.pid)
    process.wait(15)
    assert is_dead(process.pid)
    assert process_state(process.pid, ask_ps=True) == ""


def test_a_process_that_a_debugger_holds_is_not_stopped() -> None:
    assert _process.means_stopped("T")
    assert _process.means_stopped("T+")
    assert not _process.means_stopped("t")  # of Linux
    assert not _process.means_stopped("TX")  # of a BSD


def test_without_proc_and_an_answer_of_ps_a_state_is_unknown(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(_process, "HAS_PROC", False)
    assert process_state(os.getpid()) == ""  # ps is run on request only
    monkeypatch.setenv("PATH", str(tmp_path))
    assert process_state(os.getpid(), ask_ps=True) == ""  # there is no ps
    slow = tmp_path / "ps"
    slow.write_text("#!/bin/sh\nexec /bin/sleep 60\n")
    slow.chmod(0o700)
    monkeypatch.setattr(_process, "PS_TIMEOUT_S", 0.1)
    assert process_state(os.getpid(), ask_ps=True) == ""


# -- stacks


def test_a_process_that_loops_writes_where_and_ends(
    start: Start, tmp_path: Path, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONPATH", str(root))
    process = start(sys.executable, "-c", DIE_WITH_STACKS, str(tmp_path / "stacks"))
    assert process.stdout is not None
    assert process.stdout.readline() == "there\n"
    process.send_signal(STACK_SIGNAL)
    assert process.wait(30) == -STACK_SIGNAL
    assert "in loop" in read_stacks(tmp_path / "stacks")


def test_a_dump_is_private_whatever_the_umask(tmp_path: Path) -> None:
    path = tmp_path / "stacks"
    umask = os.umask(0)
    try:
        dump_stacks_on_signal(path)
    finally:
        os.umask(umask)
        faulthandler.unregister(STACK_SIGNAL)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert path.read_bytes() == b""


def test_stacks_are_short_text_with_the_main_thread_first(tmp_path: Path) -> None:
    path = tmp_path / "stacks"
    assert read_stacks(path) == ""
    path.write_text("Thread 0:\n  in a\n\nThread 1:\n  in b\n\nThread main:\n  in c\n")
    assert read_stacks(path) == "Thread main:\n  in c\n\nThread 0:\n  in a\n\nThread 1:\n  in b"
    path.write_bytes(b"\xff in f" + b"x" * 2 * STACK_CHARACTERS)
    assert read_stacks(path).startswith(r"\xff in fxxx")
    assert len(read_stacks(path)) == STACK_CHARACTERS
