"""Workers that hang: stopped by a signal, in an endless loop, or under a stopped fork server."""

from __future__ import annotations

import contextlib
import os
import signal
from pathlib import Path

import pytest
import worker_calls as calls
from slow_import import hold_file
from waiting import (
    begin,
    finish,
    is_alive,
    pids,
    stop,
    tick_until,
    value_of,
    wait_until,
    wait_until_whole,
    who_runs,
)

import corororo as cr
from corororo._pool import _monitor
from corororo.processes import HAS_PROC, forkserver_pid

pytestmark = [
    pytest.mark.timeout(60),
    pytest.mark.skipif(not HAS_PROC, reason="/proc tells which processes are stopped"),
]

SLOW_S = 2.5  # longer than any look at a worker that says nothing


def test_idle_workers_that_are_stopped_are_replaced(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_monitor, "SWEEP_S", 0.3)  # 3 s would show the same
    with cr.WorkerPool(2) as pool, cr.Scheduler(pool) as scheduler:
        stopped = pids(pool)
        stop(*stopped)
        assert finish(scheduler, calls.double.map(range(300))) == [2 * i for i in range(300)]
        wait_until_whole(pool, stopped)


def test_a_slow_call_that_lets_no_thread_run_keeps_its_worker(tmp_path: Path) -> None:
    """Nothing in the worker can say that it lives meanwhile."""
    marker = tmp_path / "inside"
    with cr.WorkerPool(2) as pool, cr.Scheduler(pool) as scheduler:
        before = pids(pool)
        slow = begin(scheduler, calls.hold_the_gil(str(marker), SLOW_S))
        tick_until(scheduler, marker.exists, "the call runs")
        behind = begin(scheduler, calls.double.map(range(100)))
        assert value_of(scheduler, slow) == 0
        assert value_of(scheduler, behind) == [2 * n for n in range(100)]
        assert pids(pool) == before


@pytest.mark.parametrize("victims", [1, 2])
def test_calls_of_workers_stopped_in_the_midst_of_them_come_back(
    victims: int, tmp_path: Path
) -> None:
    with cr.WorkerPool(2) as pool, cr.Scheduler(pool) as scheduler:
        outcome = begin(scheduler, calls.say_and_wait.map([str(tmp_path)] * 40, range(40)))
        stopped = who_runs(scheduler, tmp_path, 2)[:victims]
        stop(*stopped)
        (tmp_path / "go").touch()
        assert value_of(scheduler, outcome) == [2 * i for i in range(40)]
        wait_until_whole(pool, stopped)
        assert pool.statistics().restarts == victims
        assert finish(scheduler, calls.double.map(range(300))) == [2 * i for i in range(300)]


@pytest.mark.parametrize("pause", [0, 20])
def test_a_worker_that_goes_on_after_a_stop_doubles_no_answer(tmp_path: Path, pause: int) -> None:
    """Whether the pool has lost patience by then or not: it may go on at any moment."""
    with cr.WorkerPool(2) as pool, cr.Scheduler(pool) as scheduler:
        outcome = begin(scheduler, calls.say_and_wait.map([str(tmp_path)] * 40, range(40)))
        stopped = who_runs(scheduler, tmp_path, 2)[:1]
        stop(*stopped)
        (tmp_path / "go").touch()
        for _ in range(pause):
            scheduler.tick(deadline=0.05, late="carry")
        with contextlib.suppress(ProcessLookupError):  # it has been replaced already
            os.kill(stopped[0], signal.SIGCONT)
        assert value_of(scheduler, outcome) == [2 * i for i in range(40)]
        assert finish(scheduler, calls.double.map(range(300))) == [2 * i for i in range(300)]
        statistics = scheduler.statistics()
        assert statistics.async_tasks_sent == statistics.async_tasks_taken == 340


@pytest.mark.parametrize("busy", [False, True])
def test_a_pool_closes_with_all_its_workers_stopped(busy: bool, tmp_path: Path) -> None:
    with cr.WorkerPool(2) as pool, cr.Scheduler(pool) as scheduler:
        session = Path(pool.address)
        if busy:
            begin(scheduler, calls.say_and_wait.map([str(tmp_path)] * 40, range(40)))
            who_runs(scheduler, tmp_path, 2)
        stopped = pids(pool)
        stop(*stopped)
    assert not any(map(is_alive, stopped))
    assert not session.exists()


def the_one_that_died(pool: cr.WorkerPool) -> cr.WorkerStatus:
    wait_until(lambda: pool.statistics().died, "a worker has died")
    return pool.statistics().died[0]


def test_a_call_that_never_comes_back_fails_alone_and_the_others_come_back() -> None:
    with cr.WorkerPool(2, hang_timeout=0.2) as pool, cr.Scheduler(pool) as scheduler:
        arguments = [(7, x) for x in range(20)]

        async def one_by_one() -> list[object]:
            return await cr.gather(*(caught(pair) for pair in arguments))

        async def caught(pair: tuple[int, int]) -> object:
            try:
                return await calls.loop_of(*pair)
            except cr.WorkerDied as error:
                return type(error)

        expected = [2 * x for x in range(20)]
        assert finish(scheduler, one_by_one(), 40.0) == [
            *expected[:7],
            cr.WorkerDied,
            *expected[8:],
        ]
        died = the_one_that_died(pool)
        assert died.ended == "killed: it was at one batch of calls for longer than hang_timeout"
        assert "in loop_of" in died.stacks
        assert finish(scheduler, calls.double(4)) == 8


def test_a_stopped_worker_is_replaced_and_leaves_where_it_stood() -> None:
    with cr.WorkerPool(1) as pool, cr.Scheduler(pool) as scheduler:
        assert finish(scheduler, calls.double(3)) == 6
        (pid,) = pids(pool)
        os.kill(pid, signal.SIGSTOP)
        assert finish(scheduler, calls.double(4)) == 8
        died = the_one_that_died(pool)
        assert (died.pid, died.ended) == (pid, "killed: a signal had stopped it")
        assert "do_work" in died.stacks


def test_workers_killed_under_a_stopped_fork_server_are_replaced() -> None:
    with cr.WorkerPool(2) as pool, cr.Scheduler(pool) as scheduler:
        assert finish(scheduler, calls.double(3)) == 6
        server, workers = forkserver_pid(), pids(pool)
        assert server is not None
        os.kill(server, signal.SIGSTOP)
        try:
            for pid in workers:
                os.kill(pid, signal.SIGKILL)
            assert finish(scheduler, calls.double.map(range(50))) == [2 * x for x in range(50)]
            wait_until(lambda: pool.statistics().restarts == 2, "both are replaced")
            ended = {worker.ended for worker in pool.statistics().died}
            assert ended == {f"by signal {int(signal.SIGKILL)}"}
            assert forkserver_pid() == server
        finally:
            os.kill(server, signal.SIGCONT)


def test_a_fork_server_that_dies_while_many_workers_come_up_is_no_fault_of_theirs() -> None:
    with cr.WorkerPool(4, imports=["slow_import"]) as pool, cr.Scheduler(pool) as scheduler:
        server = forkserver_pid()
        assert server is not None
        hold = hold_file(server)
        hold.touch()
        try:
            for pid in pids(pool):
                os.kill(pid, signal.SIGKILL)
            wait_until(lambda: pool.statistics().restarts == 4, "their successors come up")
            os.kill(server, signal.SIGKILL)
            assert finish(scheduler, calls.double.map(range(50))) == [2 * x for x in range(50)]
        finally:
            hold.unlink()
        wait_until(lambda: len(pool.statistics().died) == 8, "all that it took along are told of")
        assert pool.statistics().failure is None
        ended = [worker.ended for worker in pool.statistics().died]
        assert ended[4:] == ["killed: its fork server died"] * 4
