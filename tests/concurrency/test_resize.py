"""A pool grows and shrinks while calls run: none is lost, run twice, or cut short for it."""

from __future__ import annotations

import contextlib
import os
import random
import signal
import subprocess
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import worker_calls as calls
from waiting import (
    begin,
    finish,
    is_alive,
    kill,
    pids,
    tick_until,
    value_of,
    wait_until,
    wait_until_whole,
    who_runs,
)

import corororo as cr
from corororo._pool import _supervisor

pytestmark = pytest.mark.timeout(60)

COMES_UP_IF_TOLD = """
import os, time
from pathlib import Path
word = Path({word!r}).read_text()
if word == "die":
    os._exit(7)
while word == "wait" and Path({word!r}).read_text() == word:
    time.sleep(0.005)
"""


@pytest.fixture
def word(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], object]:
    """Tells workers that import ``comes_up_if_told`` to come up, to die, or to wait."""
    path = tmp_path / "word"
    (tmp_path / "comes_up_if_told.py").write_text(COMES_UP_IF_TOLD.format(word=str(path)))
    monkeypatch.syspath_prepend(tmp_path)
    path.write_text("come")
    return path.write_text


def titles(pool: cr.WorkerPool) -> list[str]:
    return [worker.title for worker in pool.statistics().workers]


def test_a_pool_has_as_many_workers_as_it_was_told_to_have_last() -> None:
    with cr.WorkerPool(1) as pool, cr.Scheduler(pool) as scheduler:
        first = pids(pool)
        pool.resize(3)
        now = pool.statistics()
        assert (pool.workers, len(now.workers)) == (3, 3)
        assert all(worker.ready for worker in now.workers)
        assert titles(pool) == [f"corororo worker {n}" for n in (1, 2, 3)]
        gone = pids(pool)[1:]
        pool.resize(1)
        wait_until(lambda: not any(map(is_alive, gone)), "those retired have ended")
        now = pool.statistics()
        assert (pool.workers, pids(pool)) == (1, first)
        assert sorted(worker.pid for worker in now.retired) == sorted(gone)
        assert (now.restarts, now.died, now.retiring) == (0, (), ())
        pool.resize(2)
        assert titles(pool) == ["corororo worker 1", "corororo worker 2"]
        assert finish(scheduler, calls.double.map(range(300))) == [2 * i for i in range(300)]
        assert scheduler.statistics().async_tasks_retried == 0


def test_a_retired_worker_finishes_what_it_has_however_long_that_takes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_supervisor, "RETIRE_S", 0.1)
    with cr.WorkerPool(2) as pool, cr.Scheduler(pool) as scheduler:
        outcome = begin(scheduler, calls.say_and_wait.map([str(tmp_path)] * 2, range(2)))
        assert sorted(who_runs(scheduler, tmp_path, 2)) == sorted(pids(pool))
        stays, leaves = pids(pool)
        pool.resize(1)
        [leaver] = pool.statistics().retiring
        assert (leaver.pid, pids(pool)) == (leaves, [stays])
        assert is_alive(leaves)
        pool.resize(2)  # while it is still there
        assert leaves not in pids(pool)
        (tmp_path / "go").touch()
        assert value_of(scheduler, outcome) == [0, 2]
        wait_until(lambda: not pool.statistics().retiring, "it has ended")
        now = pool.statistics()
        assert (now.restarts, now.died, len(now.workers)) == (0, (), 2)
        assert scheduler.statistics().async_tasks_retried == 0


def test_a_worker_that_dies_while_it_retires_is_not_replaced_and_its_calls_run_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_supervisor, "RETIRE_S", 0.1)
    with cr.WorkerPool(2) as pool, cr.Scheduler(pool) as scheduler:
        outcome = begin(scheduler, calls.say_and_wait.map([str(tmp_path)] * 2, range(2)))
        who_runs(scheduler, tmp_path, 2)
        stays, leaves = pids(pool)
        pool.resize(1)
        kill(leaves)
        wait_until(lambda: not pool.statistics().retiring, "its end was noticed")
        (tmp_path / "go").touch()
        assert value_of(scheduler, outcome) == [0, 2]
        assert scheduler.statistics().async_tasks_retried == 1
        assert pids(pool) == [stays]
        assert pool.statistics().restarts == 0


def test_workers_that_cannot_come_up_are_told_of_and_the_others_go_on(
    word: Callable[[str], object], monkeypatch: pytest.MonkeyPatch
) -> None:
    with cr.WorkerPool(1, imports=["comes_up_if_told"]) as pool, cr.Scheduler(pool) as scheduler:
        before = pids(pool)
        word("die")
        with pytest.raises(cr.PoolFailed, match=r"expected 3 workers.* than 1 .* exit code 7"):
            pool.resize(3)
        monkeypatch.setattr(_supervisor, "START_S", 0.3)
        word("wait")
        with pytest.raises(cr.PoolFailed, match=r"expected 2 workers.* did not come up"):
            pool.resize(2)
        wait_until(lambda: len(pool.statistics().workers) == 1, "who did not come up is gone")
        assert (pool.workers, pids(pool)) == (1, before)
        assert (pool.statistics().failure, pool.statistics().restarts) == (None, 0)
        assert finish(scheduler, calls.double(4)) == 8
        word("come")
        monkeypatch.setattr(_supervisor, "START_S", 60.0)
        pool.resize(2)
        assert len(pids(pool)) == 2


def test_a_pool_that_closes_while_it_grows_says_so_and_leaves_nobody(
    word: Callable[[str], object],
) -> None:
    errors: list[Exception] = []
    pool = cr.WorkerPool(1, imports=["comes_up_if_told"])
    with pool:
        word("wait")

        def grow() -> None:
            with pytest.raises(cr.PoolClosed, match="closed while") as caught:
                pool.resize(3)
            errors.append(caught.value)

        thread = threading.Thread(target=grow)
        thread.start()
        wait_until(lambda: len(pids(pool)) == 3, "two come up")
        coming = pids(pool)
    thread.join(20)
    assert len(errors) == 1
    assert not any(map(is_alive, coming))
    with pytest.raises(cr.PoolClosed, match="not running"):
        pool.resize(2)


def test_schedulers_know_how_many_workers_there_are_whenever_they_came() -> None:
    with (
        cr.WorkerPool(1) as pool,
        cr.Scheduler(pool) as own,
        cr.Scheduler(attached := cr.WorkerPool.attach(pool.address)) as guest,
    ):
        pool.resize(2)
        with cr.Scheduler(pool) as later, cr.Scheduler(attached) as latest:
            for scheduler in (own, guest, later, latest):
                tick_until(
                    scheduler,
                    lambda: scheduler._transfer.statistics().workers == 2,  # noqa: B023 - at once
                    "it has heard of the other worker",
                )


Start = Callable[[str, str], subprocess.Popen[str]]


SIZES_MAX = 4


CALLER = """
    import sys
    import threading
    import corororo as cr
    import worker_calls as calls
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


def test_no_call_is_lost_or_doubled_while_workers_come_go_and_die(
    start_script: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_supervisor, "RETIRE_S", 0.05)  # so that much happens at the same time
    with cr.WorkerPool(2, rings=2) as pool, cr.Scheduler(pool) as scheduler:
        guest = start_script("guest.py", CALLER.format(address=pool.address))
        assert guest.stdout is not None
        assert guest.stdout.readline() == "calls\n"
        killed = resize_and_kill(pool, 1.0, random.Random(2))
        pool.resize(3)
        out, errors = guest.communicate("over\n", timeout=40)
        assert errors == ""
        assert int(out) >= 200
        assert len(killed) > 5
        wait_until_whole(pool, killed)
        wait_until(lambda: not pool.statistics().retiring, "no worker is retiring")
        assert len(pool.statistics().workers) == 3
        assert finish(scheduler, calls.double.map(range(300))) == [2 * i for i in range(300)]
