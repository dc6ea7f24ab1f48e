"""Workers that do not come back: in an endless loop, stopped, or under a fork server that is."""

from __future__ import annotations

import os
import signal
from multiprocessing import forkserver
from pathlib import Path

import pytest
import worker_calls as calls
from slow_import import hold_file
from waiting import finish, pids, wait_until

import corororo as cr

pytestmark = [
    pytest.mark.timeout(60),
    pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="/proc tells who is stopped"),
]


def the_one_that_died(pool: cr.WorkerPool) -> cr.WorkerStatus:
    wait_until(lambda: pool.statistics().died, "a worker has died")
    return pool.statistics().died[0]


def fork_server() -> int:
    pid = forkserver._forkserver._forkserver_pid
    assert pid is not None
    return pid


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


def test_work_within_the_hang_timeout_goes_on_however_many_batches_it_is() -> None:
    with cr.WorkerPool(1, hang_timeout=0.4) as pool, cr.Scheduler(pool) as scheduler:
        arguments = [(x, 0.05) for x in range(20)]
        values = finish(scheduler, calls.slow_double.starmap(arguments))
        assert values == [2 * x for x in range(20)]
        assert pool.statistics().restarts == 0


@pytest.mark.parametrize("value", [0, -1.0, float("nan"), float("inf")])
def test_a_hang_timeout_is_a_time_that_passes(value: float) -> None:
    with pytest.raises(ValueError, match="hang_timeout must be more than 0 seconds, got"):
        cr.WorkerPool(1, hang_timeout=value)


def test_a_hang_timeout_is_a_number() -> None:
    with pytest.raises(TypeError, match="hang_timeout must be a number of seconds or None, got"):
        cr.WorkerPool(1, hang_timeout="2")  # type: ignore[arg-type]


def test_a_stopped_worker_is_replaced_and_leaves_where_it_stood() -> None:
    with cr.WorkerPool(1) as pool, cr.Scheduler(pool) as scheduler:
        assert finish(scheduler, calls.double(3)) == 6
        (pid,) = pids(pool)
        os.kill(pid, signal.SIGSTOP)
        assert finish(scheduler, calls.double(4)) == 8
        died = the_one_that_died(pool)
        assert (died.pid, died.ended) == (pid, "killed: a signal had stopped it")
        assert "do_work" in died.stacks


def test_how_a_worker_has_ended_is_told() -> None:
    with cr.WorkerPool(1) as pool:
        assert [worker.ended for worker in pool.statistics().workers] == [""]
        os.kill(pids(pool)[0], signal.SIGKILL)
        assert the_one_that_died(pool).ended == f"by signal {int(signal.SIGKILL)}"


def test_nothing_of_a_worker_that_has_ended_is_left_in_the_session() -> None:
    with cr.WorkerPool(1) as pool:
        (worker,) = pool.statistics().workers
        stacks = Path(pool.address, f"{worker.number}.stacks")
        assert stacks.exists()
        os.kill(worker.pid, signal.SIGKILL)
        wait_until(lambda: not stacks.exists(), "its file is removed")


def test_workers_killed_under_a_stopped_fork_server_are_replaced() -> None:
    with cr.WorkerPool(2) as pool, cr.Scheduler(pool) as scheduler:
        assert finish(scheduler, calls.double(3)) == 6
        server, workers = fork_server(), pids(pool)
        os.kill(server, signal.SIGSTOP)
        try:
            for pid in workers:
                os.kill(pid, signal.SIGKILL)
            assert finish(scheduler, calls.double.map(range(50))) == [2 * x for x in range(50)]
            wait_until(lambda: pool.statistics().restarts == 2, "both are replaced")
            ended = {worker.ended for worker in pool.statistics().died}
            assert ended == {f"by signal {int(signal.SIGKILL)}"}
            assert fork_server() == server
        finally:
            os.kill(server, signal.SIGCONT)


def test_a_fork_server_that_dies_while_many_workers_come_up_is_no_fault_of_theirs() -> None:
    with cr.WorkerPool(4, imports=["slow_import"]) as pool, cr.Scheduler(pool) as scheduler:
        server = fork_server()
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
