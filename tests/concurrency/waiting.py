"""Waiting with a bound: for conditions, for Tasks, for the end of processes."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import corororo as cr


def wait_until(condition: Callable[[], Any], what: str, limit_s: float = 15.0) -> Any:
    """Poll until the condition holds, and return what it gave; fails after ``limit_s``."""
    deadline = time.monotonic() + limit_s
    while not (result := condition()):
        assert time.monotonic() < deadline, f"not within {limit_s} s: {what}"
        time.sleep(0.005)
    return result


def finish(scheduler: cr.Scheduler, work: Any, limit_s: float = 20.0) -> Any:
    """Run one Task to its end as ``run`` does, but never longer than ``limit_s``."""
    outcome: list[Any] = []
    errors: list[BaseException] = []

    async def note() -> None:
        try:
            outcome.append(await work)
        except Exception as error:
            errors.append(error)

    scheduler.schedule(note())
    deadline = time.monotonic() + limit_s
    while not outcome and not errors:
        assert time.monotonic() < deadline, f"the Task has not ended within {limit_s} s"
        scheduler.tick(deadline=0.1, late="carry")
    if errors:
        raise errors[0]
    return outcome[0]


def is_alive(pid: int) -> bool:
    """Whether a process runs; one that has ended and was not waited for does not."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    status = Path(f"/proc/{pid}/stat")
    try:
        return not status.exists() or status.read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:  # it ended between the two looks
        return False


def living_of_session(session: int) -> list[int]:
    """All living processes of a Unix session; none where there is no /proc to tell."""
    found = []
    for status in Path("/proc").glob("[0-9]*/stat"):
        pid = int(status.parent.name)
        try:
            if os.getsid(pid) != session:
                continue
            state = status.read_text().rpartition(")")[2].split()[0]
        except (FileNotFoundError, ProcessLookupError):  # it ended between the two looks
            continue
        if state != "Z":
            found.append(pid)
    return found


def pids(pool: cr.WorkerPool) -> list[int]:
    """The process ids of the workers that a pool has now."""
    return [worker.pid for worker in pool.statistics().workers]
