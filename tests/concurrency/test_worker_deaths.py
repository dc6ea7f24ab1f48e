"""Workers are killed before, in and after their batches: nothing is lost, doubled or left."""

from __future__ import annotations

import contextlib
import os
import random
import signal
from multiprocessing import forkserver
from pathlib import Path

import pytest
import worker_calls as calls
from waiting import finish, is_alive, pids, wait_until

import corororo as cr

pytestmark = pytest.mark.timeout(60)


def kill(pid: int) -> None:
    """SIGKILL, and wait until it has come to it."""
    os.kill(pid, signal.SIGKILL)
    wait_until(lambda: not is_alive(pid), f"{pid} is dead")


def all_ready(pool: cr.WorkerPool, restarts: int) -> None:
    wait_until(
        lambda: (
            pool.statistics().restarts >= restarts
            and all(worker.ready for worker in pool.statistics().workers)
        ),
        "the dead workers are replaced",
    )


def test_a_worker_killed_before_a_batch_is_replaced() -> None:
    with cr.WorkerPool(2) as pool, cr.Scheduler(pool) as scheduler:
        for pid in pids(pool):
            kill(pid)
        assert finish(scheduler, calls.double.map(range(300))) == [2 * i for i in range(300)]
        all_ready(pool, 2)
        assert finish(scheduler, calls.double(4)) == 8


def test_a_worker_killed_after_its_batch_takes_nothing_along() -> None:
    with cr.WorkerPool(2) as pool, cr.Scheduler(pool) as scheduler:
        assert finish(scheduler, calls.double.map(range(300))) == [2 * i for i in range(300)]
        kill(pids(pool)[0])
        all_ready(pool, 1)
        assert finish(scheduler, calls.double.map(range(300))) == [2 * i for i in range(300)]
        assert scheduler.statistics().async_tasks_retried == 0


@pytest.mark.parametrize("workers", [1, 3])
def test_a_worker_killed_in_its_batch_has_it_run_again(tmp_path: Path, workers: int) -> None:
    marker = str(tmp_path / "died")
    with cr.WorkerPool(workers) as pool, cr.Scheduler(pool) as scheduler:
        arguments = [(marker, i) for i in range(200)]
        values = finish(scheduler, calls.die_once.starmap(arguments))
        assert values == [2 * i for i in range(200)]
        assert scheduler.statistics().async_tasks_retried > 0
        all_ready(pool, 1)
        assert pool.statistics().restarts == 1


SLOW = pytest.mark.slow


@pytest.mark.parametrize("seed", [0, 1, pytest.param(2, marks=SLOW), pytest.param(3, marks=SLOW)])
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


@pytest.mark.parametrize("_again", range(6))
def test_the_loss_of_the_fork_server_in_mid_batch_loses_no_call(_again: int) -> None:
    with cr.WorkerPool(2) as pool, cr.Scheduler(pool) as scheduler:
        old = pids(pool)
        scheduler.schedule(calls.slow_double.map(list(range(40)), [0.01] * 40))
        scheduler.tick(deadline=0.0, late="carry")
        server = forkserver._forkserver._forkserver_pid  # type: ignore[attr-defined]
        os.kill(server, signal.SIGKILL)
        assert finish(scheduler, calls.double.map(range(100))) == [2 * i for i in range(100)]
        wait_until(lambda: scheduler.tick().async_tasks_carried == 0, "the older calls are back")
        wait_until(lambda: not any(map(is_alive, old)), "no worker of the lost server lives")


def test_file_descriptors_do_not_pile_up_with_the_dead() -> None:
    with cr.WorkerPool(2) as pool, cr.Scheduler(pool) as scheduler:

        def lose_a_worker() -> int:
            restarts = pool.statistics().restarts
            kill(pids(pool)[0])
            all_ready(pool, restarts + 1)
            assert finish(scheduler, calls.double(1)) == 2
            return len(os.listdir("/dev/fd"))

        first = [lose_a_worker() for _ in range(2)][-1]
        assert max(lose_a_worker() for _ in range(5)) <= first + 2
