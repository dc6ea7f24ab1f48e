"""A pool starts, fails to start, and stops; it leaves nothing behind, however its owner ends."""

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
Start = Callable[[str, str], subprocess.Popen[str]]


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


def test_a_pool_may_be_started_again_after_it_was_closed() -> None:
    pool = cr.WorkerPool(1)
    for _ in range(2):
        with pool, cr.Scheduler(pool) as scheduler:
            assert finish(scheduler, calls.double(2)) == 4
            with pytest.raises(RuntimeError, match="started already"):
                pool.start()


def test_a_place_that_is_not_there_is_refused_with_its_path(tmp_path: Path) -> None:
    with pytest.raises(cr.SessionError, match="nowhere: cannot make a session directory"):
        cr.WorkerPool(1, directory=tmp_path / "nowhere").start()


def test_a_program_that_forgets_to_close_its_pool_leaves_nothing(
    start_script: Start,
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


def test_workers_that_die_at_their_start_fail_the_pool_with_their_exit_code(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "ends_its_process.py").write_text("import os\nos._exit(7)\n")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(cr.PoolFailed, match=r"workers died before they took a call.*code 7"):
        cr.WorkerPool(2, imports=["ends_its_process"]).start()


INTERRUPTED_AT_START = """
    import os, signal, sys, time
    import corororo as cr
    from corororo.processes import forkserver

    if __name__ == "__mp_main__":  # as a child of the fork server imports its parent's program
        os.kill(os.getpid(), signal.SIGINT)

    def wait_for_ctrl_c():
        time.sleep(30)
"""


def ended(start_script: Start, program: str) -> tuple[int, str, str]:
    """Its exit code, and what it wrote to standard output and standard error."""
    script = start_script("interrupted.py", program)
    out, errors = script.communicate(timeout=45)
    return script.returncode, out, errors


def test_a_worker_does_not_hear_ctrl_c_not_even_before_its_first_line(
    start_script: Start,
) -> None:
    program = f"""{INTERRUPTED_AT_START}
    if __name__ == "__main__":
        with cr.WorkerPool(2) as pool:
            now = pool.statistics()
            print(now.restarts, [worker.ready for worker in now.workers])
    """
    assert ended(start_script, program) == (0, "0 [True, True]\n", "")


UNBLOCKED_AT_LAST = """
    import os, signal, sys, time
    import corororo as cr
    from corororo.processes import forkserver

    def is_blocked():
        return signal.SIGINT in signal.pthread_sigmask(signal.SIG_BLOCK, [])

    FORKED = "not forked"
    if __name__ == "__mp_main__":
        WAS_BLOCKED = is_blocked()
        if sys.argv[1:] == ["orphan"]:
            server = os.getppid()
            os.kill(server, signal.SIGKILL)
            while os.getppid() == server:
                time.sleep(0.01)
        reader, writer = os.pipe()
        if os.fork() == 0:
            os.write(writer, b"blocked" if is_blocked() else b"heard")
            os._exit(0)
        FORKED = os.read(reader, 99).decode()
        os.wait()

    def tell():
        print(WAS_BLOCKED, FORKED, is_blocked(), flush=True)
"""


@pytest.mark.parametrize("life", ["usual", "orphan"])
def test_other_children_of_the_server_hear_ctrl_c_whatever_became_of_it(
    start_script: Start, life: str
) -> None:
    program = f"""{UNBLOCKED_AT_LAST}
    if __name__ == "__main__":
        sys.argv = [sys.argv[0], {life!r}]
        child = forkserver().Process(target=tell)
        child.start()
        child.join(20)
    """
    assert ended(start_script, program) == (0, "True heard False\n", "")
