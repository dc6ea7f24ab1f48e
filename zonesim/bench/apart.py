"""A function in a Python process of its own, whose state and whose end concern nobody else.

The process leads a session, so that Ctrl-C at a terminal does not reach it. It ends with the one
that started it, however that ends: the pipe that it reads from breaks then, and the process takes
that as Ctrl-C. All that it starts has to end with it, as everything of this package does.
"""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import IO, TypeVar

import msgspec

from zonesim.system.operating_system import session_processes

from . import apart_process
from .suite import BenchError

T = TypeVar("T")

PATIENCE_S = 10.0  # for the end of the process, and then for that of what it started
POLL_S = 0.01
ANY_SIZE = 1 << 16


def run_apart(
    function: Callable[..., Iterator[T]], result: type[T], timeout_s: float, *arguments: object
) -> list[T]:
    """What the function yields there, as far as it came in time; what it lacks then, never came.

    Arguments and results are what msgspec encodes as JSON. Raises BenchError where the function
    fails.
    """
    with tempfile.TemporaryFile() as complaints:
        process = _start(complaints)
        try:
            _tell(process, [function.__module__, function.__name__, *arguments])
            lines, in_time = _lines_until(process, time.monotonic() + timeout_s)
        finally:
            code = _end(process)
        if in_time and code != 0:
            raise BenchError(f"{function.__name__}: {_last_line(complaints)}")
    return [msgspec.json.decode(line, type=result) for line in lines]


def _start(complaints: IO[bytes]) -> subprocess.Popen[bytes]:
    path = os.pathsep.join(place or os.getcwd() for place in sys.path)
    return subprocess.Popen(
        [sys.executable, "-m", apart_process.__name__],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=complaints,
        env={**os.environ, "PYTHONPATH": path, "PYTHONSAFEPATH": "1"},  # the version that runs here
        start_new_session=True,
    )


def _tell(process: subprocess.Popen[bytes], order: list[object]) -> None:
    assert process.stdin is not None
    process.stdin.write(msgspec.json.encode(order) + b"\n")
    process.stdin.flush()


def _lines_until(process: subprocess.Popen[bytes], end_s: float) -> tuple[list[bytes], bool]:
    """Whole lines that it has written, and whether it has said all that it had to say."""
    assert process.stdout is not None
    said, is_done = b"", False
    while not is_done and (left_s := end_s - time.monotonic()) > 0:
        if select.select([process.stdout], [], [], left_s)[0]:
            data = os.read(process.stdout.fileno(), ANY_SIZE)
            said += data
            is_done = not data
    return said.split(b"\n")[:-1], is_done


def _end(process: subprocess.Popen[bytes]) -> int:
    """End it and all that it has started, and give its exit code."""
    assert process.stdin is not None
    assert process.stdout is not None
    with suppress(BrokenPipeError):
        process.stdin.close()
    try:
        code = process.wait(PATIENCE_S)
    except subprocess.TimeoutExpired:
        process.kill()
        code = process.wait()
    process.stdout.close()
    end_s = time.monotonic() + PATIENCE_S
    while _lives(process.pid):
        if time.monotonic() > end_s:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
        time.sleep(POLL_S)
    return code


def _lives(session: int) -> bool:
    """Whether anybody is left of a session; also the dead, where the system does not tell."""
    living = session_processes(session)
    if living is not None:
        return bool(living)
    try:
        os.killpg(session, 0)
    except ProcessLookupError:
        return False
    return True


def _last_line(complaints: IO[bytes]) -> str:
    complaints.seek(0)
    lines = complaints.read().decode(errors="replace").strip().splitlines()
    return lines[-1] if lines else "ended without a word"
