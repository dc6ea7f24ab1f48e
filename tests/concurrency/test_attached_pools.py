"""Schedulers of other processes, and several on one pool."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
import worker_calls as calls
from waiting import finish, wait_until

import corororo as cr
from corororo._pool import _monitor

pytestmark = pytest.mark.timeout(60)

Start = Callable[[str, str], subprocess.Popen[str]]


GUEST = """
    import sys
    import corororo as cr
    import worker_calls as calls
    with cr.Scheduler(cr.WorkerPool.attach({address!r})) as scheduler:
        print(scheduler.run({call}), flush=True)
        sys.stdin.readline()
"""


def test_another_process_uses_the_workers_of_a_pool(start_script: Start) -> None:
    with cr.WorkerPool(2) as pool, cr.Scheduler(pool) as scheduler:
        guest = start_script(
            "guest.py", GUEST.format(address=pool.address, call="calls.double.map(range(500))")
        )
        assert finish(scheduler, calls.double.map(range(500))) == [2 * i for i in range(500)]
        out, errors = guest.communicate("\n", timeout=30)
        assert (out, errors) == (f"{[2 * i for i in range(500)]}\n", "")
        assert len(list(Path(pool.address).glob("*.ring"))) == 1


def test_a_killed_guest_disturbs_nobody_and_its_ring_is_removed(
    start_script: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_monitor, "SWEEP_S", 0.2)
    with cr.WorkerPool(2) as pool, cr.Scheduler(pool) as scheduler:
        guest = start_script(
            "guest.py",
            GUEST.format(address=pool.address, call="calls.slow_double.map([1] * 40, [0.02] * 40)"),
        )
        wait_until(lambda: len(list(Path(pool.address).glob("*.ring"))) == 2, "the guest is there")
        guest.send_signal(signal.SIGKILL)
        guest.wait(10)
        assert finish(scheduler, calls.double.map(range(500))) == [2 * i for i in range(500)]
        rings = Path(pool.address)
        wait_until(lambda: len(list(rings.glob("*.ring"))) == 1, "the guest's ring is removed")
        assert pool.statistics().restarts == 0


def test_two_schedulers_of_one_pool_get_their_own_results() -> None:
    with (
        cr.WorkerPool(2) as pool,
        cr.Scheduler(pool) as one,
        cr.Scheduler(cr.WorkerPool.attach(pool.address)) as other,
    ):
        for i in range(20):
            one.schedule(calls.double.map(range(i)))
            other.schedule(calls.refuse.map([1, 2, 4]))
            one.tick(deadline=0.0, late="carry")
            other.tick(deadline=0.0, late="carry")
        assert finish(one, calls.double(5)) == 10
        assert finish(other, calls.double(6)) == 12
        assert wait_until(lambda: one.tick().async_tasks_carried == 0, "one is done")
        assert wait_until(lambda: other.tick().async_tasks_carried == 0, "the other is done")
        assert one.statistics().async_tasks_taken == sum(range(20)) + 1
        assert other.statistics().async_tasks_taken == 3 * 20 + 1


def test_a_guest_of_a_pool_that_was_closed_meanwhile_gets_pool_closed_and_leaks_nothing() -> None:
    with cr.WorkerPool(1) as pool:
        guest = cr.WorkerPool.attach(pool.address)
    before = len(os.listdir("/dev/fd"))
    for _ in range(3):
        with pytest.raises(cr.PoolClosed):
            cr.Scheduler(guest)
    assert len(os.listdir("/dev/fd")) == before
