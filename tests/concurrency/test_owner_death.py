"""An owner that is killed takes its workers along within two seconds, whatever they do."""

from __future__ import annotations

import signal
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from waiting import is_alive, wait_until

import corororo as cr
from corororo._platform import HAS_SIGIO

pytestmark = pytest.mark.timeout(60)
Start = Callable[[str, str], subprocess.Popen[str]]

OWNER = """
    import sys
    import corororo as cr
    import worker_calls as calls
    if __name__ == "__main__":
        with cr.WorkerPool(2, directory={place}) as pool, cr.Scheduler(pool) as scheduler:
            print(pool.address, *(worker.pid for worker in pool.statistics().workers), flush=True)
            {work}
            sys.stdin.readline()
"""


def start_owner(
    start_script: Start, work: str = "", place: Path | None = None
) -> tuple[subprocess.Popen[str], Path, list[int]]:
    directory = None if place is None else str(place)
    owner = start_script("owner.py", OWNER.format(work=work, place=repr(directory)))
    assert owner.stdout is not None
    address, *workers = owner.stdout.readline().split()
    return owner, Path(address), list(map(int, workers))


@pytest.mark.parametrize(
    "work",
    [
        "pass",
        "scheduler.run(calls.slow_double(1, 60.0))",
        "scheduler.run(calls.slow_double.map([1] * 4, [60.0] * 4))",
    ],
)
def test_idle_and_busy_workers_end_with_a_killed_owner(
    start_script: Start, tmp_path: Path, work: str
) -> None:
    # In the usual place any pool that starts meanwhile removes what it leaves.
    owner, address, workers = start_owner(start_script, work, tmp_path)
    assert all(map(is_alive, workers))
    owner.send_signal(signal.SIGKILL)
    owner.wait(10)
    wait_until(lambda: not any(map(is_alive, workers)), "the workers have ended", 2)
    assert address.exists()  # nobody was left to remove it
    with cr.WorkerPool(1, directory=tmp_path):
        assert not address.exists()


@pytest.mark.skipif(not HAS_SIGIO, reason="here it ends when its call returns: test_portable_paths")
def test_a_worker_that_holds_the_gil_ends_with_its_owner(
    start_script: Start, tmp_path: Path
) -> None:
    marker = tmp_path / "inside"
    work = f"scheduler.run(calls.hold_the_gil({str(marker)!r}, 60.0))"
    owner, _, workers = start_owner(start_script, work)
    wait_until(lambda: marker.exists() and marker.read_text(), "the call has begun")
    assert int(marker.read_text()) in workers
    owner.send_signal(signal.SIGKILL)
    owner.wait(10)
    wait_until(lambda: not any(map(is_alive, workers)), "the workers have ended", 2)
    with cr.WorkerPool(1):
        pass


def test_a_guest_hears_that_the_owner_was_killed(start_script: Start, tmp_path: Path) -> None:
    owner, address, _ = start_owner(start_script, place=tmp_path)
    with cr.Scheduler(cr.WorkerPool.attach(str(address))) as scheduler:
        import worker_calls as calls

        assert scheduler.run(calls.double(3)) == 6
        scheduler.schedule(calls.slow_double(1, 60.0))
        scheduler.tick(deadline=0.0, late="carry")
        owner.send_signal(signal.SIGKILL)
        owner.wait(10)
        with pytest.raises(cr.PoolClosed, match="owner"):
            scheduler.tick()
    with pytest.raises(cr.PoolClosed):
        cr.Scheduler(cr.WorkerPool.attach(str(address)))
    with cr.WorkerPool(1, directory=tmp_path):
        assert not address.exists()
    with pytest.raises(cr.PoolClosed):
        cr.WorkerPool.attach(str(address))


def test_an_interrupted_owner_leaves_nothing(start_script: Start) -> None:
    owner, address, workers = start_owner(start_script, "scheduler.run(calls.slow_double(1, 60.0))")
    owner.send_signal(signal.SIGINT)
    _, errors = owner.communicate(timeout=20)
    assert "KeyboardInterrupt" in errors
    assert not address.exists()
    wait_until(lambda: not any(map(is_alive, workers)), "the workers have ended", 2)
