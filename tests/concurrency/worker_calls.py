"""AsyncTasks for tests with real processes, imported by the tests and by their workers."""

from __future__ import annotations

import ctypes
import os
import signal
import sys
import time
import warnings
from pathlib import Path
from typing import NoReturn

import msgspec

import corororo as cr


class Refused(Exception):
    """An error of the program's own."""


class OwnWarning(UserWarning):
    """A warning of the program's own."""


class Surroundings(msgspec.Struct, frozen=True):
    """What a process has from the one that started it."""

    directory: str
    path: list[str]
    arguments: list[str]
    environment: dict[str, str]
    filters: list[str]


@cr.async_task
def double(x: int) -> int:
    return 2 * x


@cr.async_task(retries=50)
def slow_double(x: int, seconds: float) -> int:
    time.sleep(seconds)
    return 2 * x


@cr.async_task
def refuse(x: int) -> int:
    if x % 3 == 0:
        raise Refused(x, "a multiple of three")
    return x


@cr.async_task
def die_once(marker: str, x: int) -> int:
    """Kill the worker the first time, whoever gets it then answers."""
    try:
        os.close(os.open(marker, os.O_CREAT | os.O_EXCL))
    except FileExistsError:
        return 2 * x
    die()


@cr.async_task
def die_once_with(marker: str, data: bytes) -> bytes:
    """Kill the worker the first time, and then return the data."""
    if not Path(marker).exists():
        Path(marker).touch()
        die()
    return data


@cr.async_task
def loop_of(victim: int, x: int) -> int:
    """Never come back each time that ``x`` is the victim."""
    while x == victim:
        pass
    return 2 * x


@cr.async_task
def die_of(victim: int, x: int) -> int:
    """Kill the worker each time that ``x`` is the victim."""
    if x == victim:
        die()
    return 2 * x


@cr.async_task(retries=0)
def exit_with(code: int) -> None:
    os._exit(code)


@cr.async_task
def swell(length: int) -> bytes:
    return b"x" * length


@cr.async_task
def length_of(data: bytes) -> int:
    return len(data)


@cr.async_task
def wait_for_file(path: str, x: int) -> int:
    """Answer when the file is there; gives up after half a minute."""
    deadline = time.monotonic() + 30
    while not Path(path).exists():
        if time.monotonic() > deadline:
            raise TimeoutError(path)
        time.sleep(0.002)
    return 2 * x


@cr.async_task
def hold_the_gil(marker: str, seconds: float) -> int:
    """Inside a C call that never lets another thread of this process run."""
    Path(marker).write_text(str(os.getpid()))
    return int(ctypes.PyDLL(None).usleep(int(seconds * 1e6)))


def die() -> NoReturn:
    os.kill(os.getpid(), signal.SIGKILL)
    raise AssertionError("still alive")


LIMIT_S = 30.0  # what a call that waits waits at most


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
def echo(data: bytes) -> bytes:
    return data


def note(path: str) -> None:
    """Append one byte; processes may do so at the same time."""
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    try:
        os.write(fd, b".")
    finally:
        os.close(fd)


@cr.async_task(timeout=0.3)
def short_nap(seconds: float) -> float:
    time.sleep(seconds)
    return seconds


@cr.async_task
def backwards(data: bytes) -> memoryview:
    return memoryview(data[::-1])


@cr.async_task
def cpus_of_worker() -> list[int]:
    return sorted(os.sched_getaffinity(0))


@cr.async_task
def triple(number: int) -> int:
    return 3 * number


@cr.async_task
def surroundings() -> Surroundings:
    filters = [f"{action}::{category.__name__}" for action, _, category, *_ in warnings.filters]
    return Surroundings(os.getcwd(), sys.path, sys.argv, dict(os.environ), filters)
