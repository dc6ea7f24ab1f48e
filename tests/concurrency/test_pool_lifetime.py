"""A pool starts, stops, and leaves nothing behind, however its owner's block ends."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest
import worker_calls as calls
from waiting import finish, is_alive, pids, wait_until

import corororo as cr
from corororo._pool import _supervisor

pytestmark = pytest.mark.timeout(60)


def test_calls_run_in_other_processes_and_all_workers_are_ready() -> None:
    with cr.WorkerPool(3) as pool, cr.Scheduler(pool) as scheduler:
        workers = pool.statistics().workers
        assert len({worker.pid for worker in workers}) == 3
        assert all(worker.ready for worker in workers)
        assert finish(scheduler, calls.worker_pid()) in pids(pool)


def test_batches_that_no_worker_has_taken_yet_are_counted() -> None:
    with (
        cr.WorkerPool(1, max_batch=1) as pool,
        cr.Scheduler(pool) as scheduler,
    ):
        assert pool.statistics().queued == 0
        finish(scheduler, calls.double(1))
        [worker] = pids(pool)
        os.kill(worker, signal.SIGSTOP)  # or it might have taken one before anybody looks
        try:
            for n in range(4):
                scheduler.schedule(calls.slow_double(n, 0.1))
            scheduler.tick(deadline=0.0, late="carry")
            wait_until(lambda: pool.statistics().queued >= 2, "two batches wait")
        finally:
            os.kill(worker, signal.SIGCONT)
        finish(scheduler, calls.double(1))
        wait_until(lambda: pool.statistics().queued == 0, "all batches are taken")
    assert pool.statistics().queued == 0


def test_closing_ends_the_workers_and_removes_the_session() -> None:
    pool = cr.WorkerPool(2)
    pool.start()
    session, workers = Path(pool.address), pids(pool)
    assert session.is_dir()
    pool.close()
    pool.close()
    assert not session.exists()
    assert not any(map(is_alive, workers))
    with pytest.raises(cr.PoolClosed, match="not running"):
        cr.Scheduler(pool)


def test_an_exception_in_the_block_ends_the_workers_too() -> None:
    seen: list[int] = []

    def fail_with_calls_in_flight() -> None:
        with cr.WorkerPool(2) as pool, cr.Scheduler(pool) as scheduler:
            seen.extend(pids(pool))
            scheduler.schedule(calls.slow_double(1, 30.0))
            scheduler.tick(deadline=0.0, late="carry")
            raise LookupError

    with pytest.raises(LookupError):
        fail_with_calls_in_flight()
    assert len(seen) == 2
    assert not any(map(is_alive, seen))


def is_replaced(pool: cr.WorkerPool, before: list[int]) -> bool:
    return pids(pool) != before


@pytest.mark.timeout(20)  # shorter than the patience of the pool: it must not come to that
def test_workers_that_come_up_while_their_pool_closes_end_by_themselves(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(_supervisor, "STOP_S", 60.0)
    for _ in range(5):
        with cr.WorkerPool(1) as pool:
            before = pids(pool)
            os.kill(before[0], signal.SIGKILL)
            wait_until(partial(is_replaced, pool, before), "the worker is replaced")


def test_a_scheduler_whose_pool_was_closed_says_so_and_can_be_closed() -> None:
    pool = cr.WorkerPool(1)
    pool.start()
    scheduler = cr.Scheduler(pool)
    scheduler.schedule(calls.slow_double(1, 30.0))
    scheduler.tick(deadline=0.0, late="carry")
    pool.close()
    with pytest.raises(cr.PoolClosed):
        finish(scheduler, calls.double(1))
    scheduler.close()


def test_a_pool_may_be_started_again_after_it_was_closed() -> None:
    pool = cr.WorkerPool(1)
    for _ in range(2):
        with pool, cr.Scheduler(pool) as scheduler:
            assert finish(scheduler, calls.double(2)) == 4


def test_a_pool_is_started_once() -> None:
    with cr.WorkerPool(1) as pool, pytest.raises(RuntimeError, match="started already"):
        pool.start()


def test_files_do_not_pile_up_with_pools_and_schedulers() -> None:
    def live_and_die() -> int:
        with cr.WorkerPool(2) as pool:
            for _ in range(3):
                with cr.Scheduler(pool) as scheduler:
                    assert finish(scheduler, calls.double(1)) == 2
            assert len(list(Path(pool.address).glob("*.ring"))) == 0
        return len(os.listdir("/dev/fd"))

    first = [live_and_die() for _ in range(2)][-1]
    assert max(live_and_die() for _ in range(3)) <= first


def test_the_session_stands_where_it_is_asked_for(tmp_path: Path) -> None:
    with cr.WorkerPool(1, directory=tmp_path) as pool, cr.Scheduler(pool) as scheduler:
        assert Path(pool.address).parent == tmp_path
        assert Path(pool.address).stat().st_mode & 0o777 == 0o700
        assert finish(scheduler, calls.double(2)) == 4
    assert list(tmp_path.iterdir()) == []


def test_the_place_may_be_given_as_text(tmp_path: Path) -> None:
    with cr.WorkerPool(1, directory=str(tmp_path)) as pool:
        assert Path(pool.address).parent == tmp_path


def test_a_place_that_is_not_there_is_refused_with_its_path(tmp_path: Path) -> None:
    with pytest.raises(cr.SessionError, match="nowhere: cannot make a session directory"):
        cr.WorkerPool(1, directory=tmp_path / "nowhere").start()


def test_rings_that_no_place_can_hold_are_refused_before_anything_starts() -> None:
    with pytest.raises(cr.SessionError, match="the rings need"):
        cr.WorkerPool(1, rings=1 << 40).start()


def test_a_program_that_forgets_to_close_its_pool_leaves_nothing(
    start_script: Callable[[str, str], subprocess.Popen[str]],
) -> None:
    script = start_script(
        "forgetful.py",
        """
        import corororo as cr
        import worker_calls as calls
        if __name__ == "__main__":
            pool = cr.WorkerPool(2)
            pool.start()
            scheduler = cr.Scheduler(pool)
            print(pool.address, scheduler.run(calls.double(4)), flush=True)
            print(*(worker.pid for worker in pool.statistics().workers), flush=True)
        """,
    )
    out, errors = script.communicate(timeout=30)
    (address, value), workers = out.split("\n")[0].split(), out.split("\n")[1].split()
    assert (value, script.returncode, errors) == ("8", 0, "")
    assert not Path(address).exists()
    wait_until(lambda: not any(is_alive(int(pid)) for pid in workers), "the workers have ended")
