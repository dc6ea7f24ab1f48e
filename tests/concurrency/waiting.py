"""Waiting with a bound, and the kills and stops that tests wait for."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterable
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


TURN_S = 0.02  # a tick of a Scheduler that is waited for


def kill(*victims: int) -> None:
    """SIGKILL to all of them, and wait until it has come to it."""
    for pid in victims:
        os.kill(pid, signal.SIGKILL)
    wait_until(lambda: not any(map(is_alive, victims)), f"{victims} are dead")


def kill_those_alive(victims: Iterable[int]) -> None:
    """SIGKILL to those that a test which failed has left behind."""
    kill(*filter(is_alive, victims))


def stop(*victims: int) -> None:
    """SIGSTOP to all of them, and wait until they stand still. Needs /proc."""
    for pid in victims:
        os.kill(pid, signal.SIGSTOP)
    wait_until(lambda: all(map(_stands_still, victims)), f"{victims} stand still")


def begin(scheduler: cr.Scheduler, work: Any) -> list[Any]:
    """Schedule it; the list gets its value when it has come to one."""
    outcome: list[Any] = []

    async def note() -> None:
        outcome.append(await work)

    scheduler.schedule(note())
    return outcome


def tick_until(
    scheduler: cr.Scheduler, condition: Callable[[], Any], what: str, limit_s: float = 20.0
) -> Any:
    """Tick until the condition holds, and return what it gave."""

    def one_more_tick() -> Any:
        scheduler.tick(deadline=TURN_S, late="carry")
        return condition()

    return wait_until(one_more_tick, what, limit_s)


def value_of(scheduler: cr.Scheduler, outcome: list[Any], limit_s: float = 20.0) -> Any:
    """The value of what was begun; fails where it came twice."""
    tick_until(scheduler, lambda: outcome, "the Task has ended", limit_s)
    scheduler.tick()
    [value] = outcome
    return value


def who_runs(scheduler: cr.Scheduler, folder: Path, workers: int) -> list[int]:
    """The process ids of so many workers that have said in ``folder`` that they run a call."""

    def look() -> list[int]:
        found = [int(path.name) for path in folder.iterdir() if path.name.isdigit()]
        return found if len(found) >= workers else []

    found: list[int] = tick_until(scheduler, look, f"{workers} workers run calls")
    return found


def wait_until_whole(pool: cr.WorkerPool, gone: list[int]) -> None:
    """Return when the pool has all its workers, and those that are gone are dead."""

    def is_whole() -> bool:
        workers = pool.statistics().workers
        return (
            len(workers) == pool.workers
            and all(worker.ready for worker in workers)
            and not set(pids(pool)) & set(gone)
            and not any(map(is_alive, gone))
        )

    wait_until(is_whole, f"{gone} are replaced", 20)


def _stands_still(pid: int) -> bool:
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return True  # its pool has found it by now, and replaced it
    return stat.rpartition(")")[2].split()[0] in "TZ"
