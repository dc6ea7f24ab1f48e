"""AsyncTasks of the endurance tests. Imported by the tests and by their workers."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

import corororo as cr

LIMIT_S = 30.0  # what a call that waits waits at most


@cr.async_task
def double(x: int) -> int:
    return 2 * x


@cr.async_task
def say_and_wait(folder: str, x: int) -> int:
    """Say that it runs, by a file with its process id for a name, and answer at a file ``go``."""
    Path(folder, str(os.getpid())).touch()
    go = Path(folder, "go")
    deadline = time.monotonic() + LIMIT_S
    while not go.exists():
        if time.monotonic() > deadline:
            raise TimeoutError(folder)
        time.sleep(0.002)
    return 2 * x


@cr.async_task
def die_of(victim: int, x: int) -> int:
    """Kill the worker each time that ``x`` is the victim."""
    if x == victim:
        os.kill(os.getpid(), signal.SIGKILL)
    return 2 * x


@cr.async_task
def nap(seconds: float) -> float:
    time.sleep(seconds)
    return seconds


@cr.async_task
def note_and_nap(path: str, seconds: float) -> int:
    """Leave one byte in the file for each time that it runs."""
    note(path)
    time.sleep(seconds)
    return os.getpid()


@cr.async_task
def note_and_swell(path: str, x: int, length: int) -> bytes:
    """Leave one byte in the file, and answer with so many others."""
    note(path)
    return x.to_bytes(4, "big").ljust(length, b"x")


@cr.async_task
def swell(length: int) -> bytes:
    return b"x" * length


@cr.async_task
def echo(data: bytes) -> bytes:
    return data


def note(path: str) -> None:
    """One byte more, whoever else writes at the same time."""
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    try:
        os.write(fd, b".")
    finally:
        os.close(fd)
