"""A pool grows and shrinks all the time, its workers are killed, and another process calls on."""

from __future__ import annotations

import contextlib
import os
import random
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import endurance_calls as calls
import pytest
from hardships import wait_until_whole
from waiting import finish, wait_until

import corororo as cr
from corororo._pool import _supervisor

pytestmark = pytest.mark.timeout(60)
Start = Callable[[str, str], subprocess.Popen[str]]
SIZES_MAX = 4

NOTER = """
    import corororo as cr
    import endurance_calls as calls
    with cr.Scheduler(cr.WorkerPool.attach({address!r})) as scheduler:
        pids = scheduler.run(calls.note_and_nap.map([{notes!r}] * {count}, [0.002] * {count}))
        print(len(pids), scheduler.statistics().async_tasks_retried, flush=True)
"""

CALLER = """
    import sys
    import threading
    import corororo as cr
    import endurance_calls as calls
    double, nap = (f.with_options(retries=1000) for f in (calls.double, calls.nap))
    async def one(x):
        return await double(x)
    async def many(begin):
        return await cr.gather(*(one(x) for x in range(begin, begin + 200)))
    with cr.Scheduler(cr.WorkerPool.attach({address!r})) as scheduler:
        begin, over = 0, []
        print("calls", flush=True)
        threading.Thread(target=lambda: over.append(sys.stdin.readline()), daemon=True).start()
        while not over:
            assert scheduler.run(many(begin)) == [2 * x for x in range(begin, begin + 200)]
            naps = scheduler.run(nap.map([0.001] * 40))
            assert naps == [0.001] * 40
            begin += 200
        figures = scheduler.statistics()
        assert figures.async_tasks_sent == figures.async_tasks_taken == begin // 200 * 240
        assert figures.async_tasks_in_flight == 0
        ring = scheduler._transfer.statistics().ring
        assert (ring.used_bytes, ring.records) == (0, 0)
        print(begin, flush=True)
"""


def test_each_call_runs_once_while_the_pool_grows_and_shrinks(
    start_script: Start, tmp_path: Path
) -> None:
    notes, count, chance = tmp_path / "notes", 200, random.Random(1)
    with cr.WorkerPool(2) as pool:
        source = NOTER.format(address=pool.address, notes=str(notes), count=count)
        guest = start_script("guest.py", source)
        wait_until(notes.exists, "calls run")
        sizes = 0
        while guest.poll() is None:
            pool.resize(chance.randint(1, SIZES_MAX))
            sizes += 1
        assert guest.communicate() == (f"{count} 0\n", "")
        assert notes.stat().st_size == count
        assert sizes > 3
        now = pool.statistics()
        assert (now.restarts, now.died) == (0, ())
        assert len(now.workers) == pool.workers


def resize_and_kill(pool: cr.WorkerPool, seconds: float, chance: random.Random) -> list[int]:
    """Another number of workers each time, and a kill now and then; returns who was killed."""
    killed: list[int] = []
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        pool.resize(chance.randint(1, SIZES_MAX))
        now = pool.statistics()
        # Those that come up are spared: three of them in a row would be a reason to give up.
        ready = [worker.pid for worker in (*now.workers, *now.retiring) if worker.ready]
        for pid in ready[: chance.choice([0, 1, 1, SIZES_MAX])]:
            with contextlib.suppress(ProcessLookupError):  # it was retired, and has ended
                os.kill(pid, signal.SIGKILL)
                killed.append(pid)
        time.sleep(chance.choice([0.0, 0.01, 0.05]))
    return killed


@pytest.mark.parametrize(
    "seconds", [1.0, pytest.param(60.0, marks=[pytest.mark.slow, pytest.mark.timeout(200)])]
)
def test_no_call_is_lost_or_doubled_while_workers_come_go_and_die(
    start_script: Start, monkeypatch: pytest.MonkeyPatch, seconds: float
) -> None:
    monkeypatch.setattr(_supervisor, "RETIRE_S", 0.05)  # so that much happens at the same time
    with cr.WorkerPool(2, rings=2) as pool, cr.Scheduler(pool) as scheduler:
        guest = start_script("guest.py", CALLER.format(address=pool.address))
        assert guest.stdout is not None
        assert guest.stdout.readline() == "calls\n"
        killed = resize_and_kill(pool, seconds, random.Random(2))
        pool.resize(3)
        out, errors = guest.communicate("over\n", timeout=40)
        assert errors == ""
        assert int(out) >= 200 * seconds
        assert len(killed) > 5 * seconds
        wait_until_whole(pool, killed)
        wait_until(lambda: not pool.statistics().retiring, "nobody is left over")
        assert len(pool.statistics().workers) == 3
        assert finish(scheduler, calls.double.map(range(300))) == [2 * i for i in range(300)]
