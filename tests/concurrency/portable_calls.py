"""AsyncTasks that tell what their worker found, for the tests of portable paths."""

from __future__ import annotations

import os
import sys
import threading
import time
from pathlib import Path
from typing import Any

import msgspec
from waiting import pids, wait_until

import corororo as cr
from corororo import _platform


class Found(msgspec.Struct, frozen=True):
    """What a process uses of the system it runs on."""

    pid: int
    flags: dict[str, bool]
    threads: list[str]
    linux_is_missing: bool


def look_around() -> Found:
    """What this process found."""
    return Found(
        pid=os.getpid(),
        flags={name: value for name, value in vars(_platform).items() if name.startswith("HAS_")},
        threads=[thread.name for thread in threading.enumerate()],
        linux_is_missing=not hasattr(os, "posix_fallocate"),
    )


def say(what: Any) -> None:
    """One line of JSON for the test that reads along."""
    sys.stdout.write(f"{msgspec.json.encode(what).decode()}\n")
    sys.stdout.flush()


@cr.async_task
def look_around_in_worker(seconds: float) -> Found:
    time.sleep(seconds)  # so that others get their turn
    return look_around()


def hear_all(scheduler: cr.Scheduler, pool: cr.WorkerPool) -> list[Found]:
    """What the workers of a pool found: all that answer now, at least those it has."""
    heard: dict[int, Found] = {}

    def all_were_heard() -> bool:
        found = scheduler.run(look_around_in_worker.map([0.01] * 8))
        heard.update((worker.pid, worker) for worker in found)
        return heard.keys() >= set(pids(pool))

    wait_until(all_were_heard, "every worker has answered")
    return list(heard.values())


@cr.async_task
def keep_busy(folder: str, how: str, seconds: float) -> int:
    """Sleep, or spin in Python: wait for nothing, and let other threads run all the same."""
    (Path(folder) / f"{os.getpid()} is busy").touch()
    turns = 0
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        turns += 1
        if how == "sleep":
            time.sleep(seconds)
    return turns
