"""A program forks while its pool works: what the child does then is none of the pool's business."""

from __future__ import annotations

import json
import subprocess
import textwrap
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hardships import kill_those_alive
from waiting import is_alive, wait_until

import corororo as cr

pytestmark = pytest.mark.timeout(60)
Start = Callable[[str, str], subprocess.Popen[str]]

# Forks with a call in a worker's hands, in one way after the other; says what became of the child,
# of the call, and of more.
PROGRAM = """
import contextlib, json, multiprocessing, os, subprocess, sys, warnings
from pathlib import Path

import corororo as cr
import endurance_calls as calls
from hardships import begin, value_of, who_runs
from waiting import finish, is_alive, pids

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


def by_fork_in_a_task():
    async def task():
        return by_fork()

    return scheduler.run(task())


def by_subprocess():
    command = [sys.executable, "-c", "import sys; sys.exit(3)"]
    return subprocess.run(command, close_fds=False, check=False).returncode


if __name__ == "__main__":
    with contextlib.ExitStack() as stack:
        pool = cr.WorkerPool(2)
        {opening}
        assert scheduler.run(calls.double(1)) == 2
        workers = pids(pool)
        address = pool.address
        for way in ({ways}):
            place = here / way.__name__
            place.mkdir()
            in_flight = begin(scheduler, calls.say_and_wait(str(place), 21))
            who_runs(scheduler, place, 1)
            code = way()
            (place / "go").touch()
            facts = dict(
                way=way.__name__,
                child=code,
                call=value_of(scheduler, in_flight),
                more=finish(scheduler, calls.double.map(range(300))) == [2 * i for i in range(300)],
                workers=pids(pool) == workers and all(map(is_alive, workers)),
                restarts=pool.statistics().restarts,
                files=sorted(path.suffix for path in Path(pool.address).glob("*.r*")),
            )
            print(json.dumps(facts), flush=True)  # a child that exits would say it again
"""

UNDISTURBED = {
    "call": 42,
    "more": True,
    "workers": True,
    "restarts": 0,
    "files": [".replies", ".ring"],
}
PROCESSES = ["by_fork", "by_multiprocessing"]
FORKS = [*PROCESSES, "by_fork_in_a_task"]
BLOCKS = "stack.enter_context(pool); scheduler = stack.enter_context(cr.Scheduler(pool))"
NO_BLOCKS = "pool.start(); scheduler = cr.Scheduler(pool)"

OWNER = """
    import os, sys, time, warnings
    import corororo as cr
    from waiting import pids

    warnings.simplefilter("ignore", DeprecationWarning)  # of forks beside threads

    if __name__ == "__main__":
        with cr.WorkerPool(2, directory={place!r}) as pool, cr.Scheduler(pool) as scheduler:
            child = os.fork()
            if child == 0:
                os.closerange(0, 3)  # who reads them to their ends waits for the owner alone
                time.sleep(60)
                os._exit(0)
            print(pool.address, child, *pids(pool), flush=True)
            sys.stdin.readline()
"""


def run_program(
    start_script: Start, folder: Path, child: str, ways: list[str], opening: str = BLOCKS
) -> tuple[list[dict[str, Any]], str]:
    """The facts that the program tells, of each way, and what it says on standard error."""
    body = textwrap.indent(textwrap.dedent(child).strip(), "    ")
    source = PROGRAM.format(
        here=str(folder), child=body, ways="".join(f"{way}, " for way in ways), opening=opening
    )
    program = start_script("forking.py", source)
    output, errors = program.communicate(timeout=50)
    assert program.returncode == 0, errors
    return [json.loads(line) for line in output.splitlines()], errors


def undisturbed(ways: list[str], code: int) -> list[dict[str, Any]]:
    """The facts where a child of each way ends with a code, and nobody takes notice."""
    return [{"way": way, "child": code, **UNDISTURBED} for way in ways]


@pytest.mark.parametrize("opening", [BLOCKS, NO_BLOCKS], ids=["blocks", "no-blocks"])
def test_a_child_that_exits_disturbs_nothing(
    start_script: Start, tmp_path: Path, opening: str
) -> None:
    """It leaves the blocks that its parent is in, and runs what is registered for the exit."""
    facts, errors = run_program(start_script, tmp_path, "sys.exit(3)", FORKS, opening)
    assert not errors, errors
    assert facts == undisturbed(FORKS, 3)


def test_a_child_that_ends_by_an_exception_disturbs_nothing(
    start_script: Start, tmp_path: Path
) -> None:
    child = 'raise LookupError("of the child")'
    facts, errors = run_program(start_script, tmp_path, child, FORKS)
    assert facts == undisturbed(FORKS, 1)
    assert errors.count("LookupError: of the child\n") == len(FORKS)
    assert errors.count("Traceback") == len(FORKS)


def test_a_child_that_closes_what_it_inherited_disturbs_nothing(
    start_script: Start, tmp_path: Path
) -> None:
    child = "scheduler.close(); pool.close(); sys.exit(3)"
    facts, errors = run_program(start_script, tmp_path, child, ["by_fork"])
    assert not errors, errors
    assert facts == undisturbed(["by_fork"], 3)


def test_a_program_that_is_run_disturbs_nothing(start_script: Start, tmp_path: Path) -> None:
    """It inherits every file that is not closed for it."""
    facts, errors = run_program(start_script, tmp_path, "pass", ["by_subprocess"])
    assert not errors, errors
    assert facts == undisturbed(["by_subprocess"], 3)


def test_a_child_that_uses_its_parents_scheduler_is_told_so(
    start_script: Start, tmp_path: Path
) -> None:
    child = """
    def schedule_and_tick():
        scheduler.schedule(calls.double(2))
        scheduler.tick()

    for use in (lambda: scheduler.run(calls.double(2)), schedule_and_tick):
        try:
            use()
        except (cr.PoolClosed, RuntimeError) as error:
            with (place / "told").open("a") as told:
                print(error, file=told)
    sys.exit(3)
    """
    facts, errors = run_program(start_script, tmp_path, child, PROCESSES)
    assert not errors, errors
    assert facts == undisturbed(PROCESSES, 3)
    for way in PROCESSES:
        told = (tmp_path / way / "told").read_text().splitlines()
        assert ["process" in line for line in told] == [True, True], told


def test_a_child_that_attaches_to_the_pool_gets_answers_of_its_own(
    start_script: Start, tmp_path: Path
) -> None:
    child = """
    with cr.Scheduler(cr.WorkerPool.attach(address)) as own:
        assert finish(own, calls.double.map(range(300))) == [2 * i for i in range(300)]
    sys.exit(3)
    """
    facts, errors = run_program(start_script, tmp_path, child, PROCESSES)
    assert not errors, errors
    assert facts == undisturbed(PROCESSES, 3)


def owner_with_a_child(
    start_script: Start, place: Path
) -> tuple[subprocess.Popen[str], Path, int, list[int]]:
    """In the usual place any pool that starts meanwhile removes what a killed one leaves."""
    owner = start_script("owner.py", OWNER.format(place=str(place)))
    assert owner.stdout is not None
    address, child, *workers = owner.stdout.readline().split()
    return owner, Path(address), int(child), list(map(int, workers))


def test_workers_end_with_their_killed_owner_though_its_child_lives_on(
    start_script: Start, tmp_path: Path
) -> None:
    owner, address, child, workers = owner_with_a_child(start_script, tmp_path)
    try:
        owner.kill()
        owner.wait(10)
        wait_until(lambda: not any(map(is_alive, workers)), "the workers have ended", 10)
        with cr.WorkerPool(1, directory=tmp_path):
            assert not address.exists()
        assert is_alive(child)
    finally:
        kill_those_alive([child, *workers])


def test_an_owner_closes_its_pool_though_its_child_lives_on(
    start_script: Start, tmp_path: Path
) -> None:
    owner, address, child, workers = owner_with_a_child(start_script, tmp_path)
    try:
        assert owner.stdin is not None
        print(file=owner.stdin, flush=True)
        assert owner.wait(20) == 0
        assert not address.exists()
        assert not any(map(is_alive, workers))
        assert is_alive(child)
    finally:
        kill_those_alive([child, *workers])
