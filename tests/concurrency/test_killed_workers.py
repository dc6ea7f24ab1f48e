"""Workers are killed before, in and after their batches: nothing is lost, doubled or left."""

from __future__ import annotations

import contextlib
import os
import random
import select
import signal
from pathlib import Path

import pytest
import worker_calls as calls
from waiting import (
    begin,
    finish,
    is_alive,
    kill,
    pids,
    value_of,
    wait_until,
    wait_until_whole,
    who_runs,
)

import corororo as cr
from corororo.processes import kill_forkserver

pytestmark = pytest.mark.timeout(60)


@pytest.mark.parametrize("victims", [1, 2])
def test_workers_killed_while_idle_are_missed_by_no_call(victims: int) -> None:
    with cr.WorkerPool(2) as pool, cr.Scheduler(pool) as scheduler:
        assert finish(scheduler, calls.double(1)) == 2
        killed = pids(pool)[:victims]
        kill(*killed)
        assert finish(scheduler, calls.double.map(range(300))) == [2 * i for i in range(300)]
        wait_until_whole(pool, killed)
        assert pool.statistics().restarts == victims
        assert finish(scheduler, calls.double.map(range(300))) == [2 * i for i in range(300)]


@pytest.mark.parametrize("victims", [1, 2])
def test_calls_of_workers_killed_in_the_midst_of_them_are_answered_once(
    victims: int, tmp_path: Path
) -> None:
    with cr.WorkerPool(2) as pool, cr.Scheduler(pool) as scheduler:
        outcome = begin(scheduler, calls.say_and_wait.map([str(tmp_path)] * 40, range(40)))
        killed = who_runs(scheduler, tmp_path, 2)[:victims]
        kill(*killed)
        (tmp_path / "go").touch()
        assert value_of(scheduler, outcome) == [2 * i for i in range(40)]
        wait_until_whole(pool, killed)
        assert pool.statistics().restarts == victims
        assert scheduler.statistics().async_tasks_retried > 0


def test_calls_sent_in_the_moment_of_a_kill_are_answered() -> None:
    """The pool has not noticed yet that the worker is dead or dying."""
    with cr.WorkerPool(2) as pool, cr.Scheduler(pool) as scheduler:
        killed: list[int] = []
        for _ in range(10):
            killed += pids(pool)[:1]
            os.kill(killed[-1], signal.SIGKILL)
            assert finish(scheduler, calls.double.map(range(40))) == [2 * i for i in range(40)]
            wait_until_whole(pool, killed)
        assert pool.statistics().restarts == 10


def test_an_answer_that_was_sent_outlives_its_worker(tmp_path: Path) -> None:
    """The worker is killed when its answer has come, before the zone has taken it."""
    notes = tmp_path / "notes"
    with cr.WorkerPool(1) as pool, cr.Scheduler(pool) as scheduler:
        outcome = begin(scheduler, calls.note_and_nap(str(notes), 0.0))
        scheduler.tick(deadline=0.0, late="carry")
        assert select.select([scheduler._transfer.fileno()], [], [], 20)[0]
        killed = pids(pool)
        kill(*killed)
        wait_until_whole(pool, killed)
        assert value_of(scheduler, outcome) == killed[0]
        assert notes.stat().st_size == 1
        assert finish(scheduler, calls.double.map(range(300))) == [2 * i for i in range(300)]


@pytest.mark.parametrize("seed", [0, 1])
def test_results_are_exact_while_workers_are_killed_at_random(seed: int) -> None:
    """Tasks await calls one by one while a worker is killed at each tick, and now and then all."""
    chance = random.Random(seed)
    outcomes: dict[int, int] = {}
    with cr.WorkerPool(3) as pool, cr.Scheduler(pool) as scheduler:

        async def mob(number: int) -> None:
            total = 0
            for step in range(4):
                total += await calls.slow_double(number + step, 0.0005)
            assert number not in outcomes
            outcomes[number] = total

        for number in range(200):
            scheduler.schedule(mob(number))

        def one_more_tick() -> bool:
            ready = [w.pid for w in pool.statistics().workers if w.ready]
            victims = ready if chance.random() < 0.2 else ready[:1]
            if len(ready) > 1:
                for pid in victims:
                    with contextlib.suppress(ProcessLookupError):  # the pool has yet to hear
                        os.kill(pid, signal.SIGKILL)
            scheduler.tick(deadline=0.05, late="carry")
            return len(outcomes) == 200

        wait_until(one_more_tick, "all mobs have ended", 40)
        assert outcomes == {n: sum(2 * (n + s) for s in range(4)) for n in range(200)}
        assert scheduler.statistics().async_tasks_in_flight == 0
        assert scheduler.statistics().tasks_finished == 200
        assert pool.statistics().restarts > 2
        ring = scheduler._transfer.statistics().ring
        assert (ring.used_bytes, ring.records) == (0, 0)


def test_a_call_with_large_arguments_outlives_its_worker(tmp_path: Path) -> None:
    data = os.urandom(3_000_000)
    with cr.WorkerPool(2) as pool, cr.Scheduler(pool) as scheduler:
        assert finish(scheduler, calls.die_once_with(str(tmp_path / "died"), data)) == data
        assert scheduler._transfer.statistics().ring.used_bytes == 0


def test_a_call_that_kills_every_worker_fails_alone() -> None:
    with cr.WorkerPool(2) as pool, cr.Scheduler(pool) as scheduler:

        async def one(i: int) -> int | str:
            try:
                return await calls.die_of(17, i)
            except cr.WorkerDied as error:
                return str(error)

        async def main() -> list[int | str]:
            return await cr.gather(*(one(i) for i in range(100)))

        values = finish(scheduler, main(), 30)
        message = values.pop(17)
        assert "die_of" in message
        assert "4 workers" in message
        assert "retries=3" in message
        assert values == [2 * i for i in range(100) if i != 17]
        assert finish(scheduler, calls.double(1)) == 2


@pytest.mark.parametrize("code", [0, 1, 255])
def test_a_call_that_ends_its_process_by_itself_is_a_dead_worker(code: int) -> None:
    with cr.WorkerPool(1) as pool, cr.Scheduler(pool) as scheduler:
        with pytest.raises(cr.WorkerDied, match=r"exit_with was alone with 1 worker.*retries=0"):
            finish(scheduler, calls.exit_with(code))
        assert finish(scheduler, calls.double(1)) == 2


def test_the_loss_of_the_fork_server_in_mid_batch_loses_no_call() -> None:
    with cr.WorkerPool(2) as pool, cr.Scheduler(pool) as scheduler:
        old = pids(pool)
        scheduler.schedule(calls.slow_double.map(list(range(40)), [0.01] * 40))
        scheduler.tick(deadline=0.0, late="carry")
        kill_forkserver()
        assert finish(scheduler, calls.double.map(range(100))) == [2 * i for i in range(100)]
        wait_until(lambda: scheduler.tick().async_tasks_carried == 0, "the older calls are back")
        wait_until(lambda: not any(map(is_alive, old)), "no worker of the lost server lives")
