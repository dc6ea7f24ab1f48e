"""A program forks while its pool works: what the child does disturbs nothing."""

from __future__ import annotations

import json
import subprocess
import textwrap
from collections.abc import Callable
from pathlib import Path

import pytest
from waiting import is_alive, kill_those_alive, wait_until

import corororo as cr

pytestmark = pytest.mark.timeout(60)
Start = Callable[[str, str], subprocess.Popen[str]]

# Forks while a worker runs a call, and prints how the child ended and whether anything changed.
PROGRAM = """
import json, multiprocessing, os, subprocess, sys, warnings
from pathlib import Path

import corororo as cr
import worker_calls as calls
from waiting import begin, finish, is_alive, pids, value_of, who_runs

warnings.simplefilter("ignore", DeprecationWarning)  # of forks beside threads
here = Path({here!r})


def child():
{child}


def by_fork():
    pid = os.fork()
    if pid == 0:
        child()
        sys.exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def by_multiprocessing():
    process = multiprocessing.get_context("fork").Process(target=child)
    process.start()
    process.join()
    return process.exitcode


def by_subprocess():
    command = [sys.executable, "-c", "import sys; sys.exit(3)"]
    return subprocess.run(command, close_fds=False, check=False).returncode


if __name__ == "__main__":
    with cr.WorkerPool(2) as pool, cr.Scheduler(pool) as scheduler:
        assert scheduler.run(calls.double(1)) == 2
        workers, address = pids(pool), pool.address
        for way in (by_fork, by_multiprocessing, by_subprocess):
            place = here / way.__name__
            place.mkdir()
            in_flight = begin(scheduler, calls.say_and_wait(str(place), 21))
            who_runs(scheduler, place, 1)
            code = way()
            (place / "go").touch()
            facts = [
                code,
                value_of(scheduler, in_flight),
                finish(scheduler, calls.double.map(range(300))) == [2 * i for i in range(300)],
                pids(pool) == workers and all(map(is_alive, workers)),
                sorted(path.suffix for path in Path(pool.address).glob("*.r*")),
            ]
            print(json.dumps(facts), flush=True)  # a child that exits would print it again
"""
UNDISTURBED = [3, 42, True, True, [".replies", ".ring"]]

EXITS = "sys.exit(3)"  # leaves the blocks of its parent, and runs what is registered for the exit
USES_ITS_PARENTS_SCHEDULER = """
    def schedule_and_tick():
        scheduler.schedule(calls.double(2))
        scheduler.tick()

    for use in (lambda: scheduler.run(calls.double(2)), schedule_and_tick):
        try:
            use()
        except (cr.PoolClosed, RuntimeError) as error:
            assert "process" in str(error)
        else:
            raise AssertionError("it was not refused")
    sys.exit(3)
"""
ATTACHES = """
    with cr.Scheduler(cr.WorkerPool.attach(address)) as own:
        assert finish(own, calls.double.map(range(300))) == [2 * i for i in range(300)]
    sys.exit(3)
"""
OWNER = """
    import os, sys, time, warnings
    import corororo as cr
    from waiting import pids

    warnings.simplefilter("ignore", DeprecationWarning)  # of forks beside threads

    if __name__ == "__main__":
        with cr.WorkerPool(2, directory={place!r}) as pool, cr.Scheduler(pool) as scheduler:
            child = os.fork()
            if child == 0:
                os.closerange(0, 3)  # so that the test reads the owner's output alone to its end
                time.sleep(60)
                os._exit(0)
            print(pool.address, child, *pids(pool), flush=True)
            sys.stdin.readline()
"""


@pytest.mark.parametrize(
    "child",
    [EXITS, USES_ITS_PARENTS_SCHEDULER, ATTACHES],
    ids=["exits", "uses its parent's scheduler", "attaches"],
)
def test_a_child_disturbs_nothing(start_script: Start, tmp_path: Path, child: str) -> None:
    body = textwrap.indent(textwrap.dedent(child).strip(), "    ")
    program = start_script("forking.py", PROGRAM.format(here=str(tmp_path), child=body))
    output, errors = program.communicate(timeout=50)
    assert (program.returncode, errors) == (0, "")
    assert [json.loads(line) for line in output.splitlines()] == [UNDISTURBED] * 3


@pytest.mark.parametrize("killed", [True, False])
def test_workers_end_with_their_owner_though_its_child_lives_on(
    start_script: Start, tmp_path: Path, killed: bool
) -> None:
    # In the usual place any pool that starts meanwhile removes what a killed one leaves.
    owner = start_script("owner.py", OWNER.format(place=str(tmp_path)))
    assert owner.stdout is not None
    address, *pids = owner.stdout.readline().split()
    child, *workers = map(int, pids)
    try:
        if killed:
            owner.kill()
            owner.wait(10)
        else:
            assert owner.stdin is not None
            print(file=owner.stdin, flush=True)
            assert owner.wait(20) == 0
        wait_until(lambda: not any(map(is_alive, workers)), "the workers have ended", 10)
        with cr.WorkerPool(1, directory=tmp_path):
            assert not Path(address).exists()
        assert is_alive(child)
    finally:
        kill_those_alive([child, *workers])
