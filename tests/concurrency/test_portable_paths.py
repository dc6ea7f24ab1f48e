"""The code paths of macOS, run here: what only Linux has is turned off, and then taken away."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from waiting import is_alive, wait_until

from corororo import _platform
from corororo._ring import remove_stale_sessions

pytestmark = [pytest.mark.timeout(90), pytest.mark.usefixtures("portable")]

Program = subprocess.Popen[str]


Script = Callable[[str, str], Program]


Start = Callable[..., "Owner"]


FLAGS = [name for name in vars(_platform) if name.startswith("HAS_")]


# Tells the test of its pool, and does the work.
PROGRAM = """
    import os, sys
    from pathlib import Path
    import corororo as cr
    import worker_calls as calls
    from portable_calls import hear_all, keep_busy, look_around, say
    from waiting import wait_until
    if __name__ == "__main__":
        with cr.WorkerPool(2{options}) as pool, cr.Scheduler(pool) as scheduler:
            say([pool.address, [worker.pid for worker in pool.statistics().workers]])
            {work}
"""


WAIT = "sys.stdin.readline()"


class Owner(NamedTuple):
    """A program with a pool: where that has its session, and the ids of its workers."""

    program: Program
    address: Path
    workers: list[int]


@pytest.fixture
def start_owner(start_script: Script) -> Iterator[Start]:
    """Start a program that does some work; no worker outlives the test, whatever it finds."""
    started: list[int] = []

    def start(*work: str, options: str = "") -> Owner:
        lines = "\n            ".join(work)
        program = start_script("owner.py", PROGRAM.format(work=lines, options=options))
        address, workers = first_line(program)
        started.extend(workers)
        return Owner(program, Path(address), workers)

    yield start
    for pid in filter(is_alive, started):
        os.kill(pid, signal.SIGKILL)


def first_line(program: Program) -> Any:
    """What a program says first; what it says next stays there for ``communicate``."""
    assert program.stdout is not None
    line = b""
    while not line.endswith(b"\n"):
        read = os.read(program.stdout.fileno(), 1)
        assert read, program.communicate()[1]
        line += read
    return json.loads(line)


def finish(program: Program) -> list[Any]:
    """Run a program to its end: what it says."""
    out, errors = program.communicate("\n", timeout=60)
    assert (program.returncode, errors) == (0, "")
    return [json.loads(line) for line in out.splitlines()]


def kill(owner: Program) -> None:
    owner.send_signal(signal.SIGKILL)
    owner.wait(10)


def expect_end(processes: list[int], limit_s: float = 2.0) -> None:
    wait_until(lambda: not any(map(is_alive, processes)), "they end with the owner", limit_s)


def next_start_removes(address: Path) -> None:
    """What a killed owner left goes with the next start; nobody else was there to remove it."""
    assert remove_stale_sessions(address.parent) == [address]  # what a start does first


def test_owner_and_workers_find_nothing_of_linux_and_calls_come_back(start_owner: Start) -> None:
    owner, address, workers = start_owner(
        "say([look_around()])",
        "say(hear_all(scheduler, pool))",
        "say(scheduler.run(calls.double.map(range(1000))))",
    )
    [itself], found, doubled = finish(owner)
    assert address.parent == Path(tempfile.gettempdir())
    assert doubled == [2 * i for i in range(1000)]
    assert {process["pid"] for process in found} == set(workers)
    for process in [itself, *found]:
        assert process["linux_is_missing"]
        assert process["flags"] == dict.fromkeys(FLAGS, False)
    assert all("corororo lifeline" in process["threads"] for process in found)
    assert not address.exists()


def test_a_killed_worker_is_replaced_and_its_calls_run_again(
    start_owner: Start, tmp_path: Path
) -> None:
    arguments = [(str(tmp_path / "died"), i) for i in range(200)]
    owner, _, workers = start_owner(
        f"say(scheduler.run(calls.die_once.starmap({arguments})))",
        "say(scheduler.statistics().async_tasks_retried)",
        "wait_until(lambda: pool.statistics().restarts, 'the dead worker is replaced')",
        "say([worker.pid for worker in pool.statistics().died])",
        "say(hear_all(scheduler, pool))",
    )
    values, retried, died, found = finish(owner)
    assert values == [2 * i for i in range(200)]
    assert retried > 0
    assert len(died) == 1
    pids = {process["pid"] for process in found}
    assert len(pids - set(workers)) == 1
    assert pids & set(workers) == set(workers) - set(died)


@pytest.mark.parametrize("how", ["idle", "sleep", "spin"])
def test_workers_end_with_a_killed_owner(start_owner: Start, tmp_path: Path, how: str) -> None:
    arguments = [] if how == "idle" else [(str(tmp_path), how, 60.0)] * 4
    owner, address, workers = start_owner(f"scheduler.run(keep_busy.starmap({arguments}))", WAIT)
    busy = [tmp_path / f"{pid} is busy" for pid in workers if arguments]
    wait_until(lambda: all(path.exists() for path in busy), "the workers are inside a call")
    assert all(map(is_alive, workers))
    kill(owner)
    expect_end(workers)
    next_start_removes(address)


def test_a_guest_hears_that_the_owner_was_killed(start_owner: Start, start_script: Script) -> None:
    owner, address, workers = start_owner(WAIT)
    guest = start_script(
        "guest.py",
        f"""
        import corororo as cr
        import worker_calls as calls
        from portable_calls import say
        if __name__ == "__main__":
            with cr.Scheduler(cr.WorkerPool.attach({str(address)!r})) as scheduler:
                say(scheduler.run(calls.double(3)))
                scheduler.schedule(calls.slow_double(1, 60.0))
                scheduler.tick(deadline=0.0, late="carry")
                say("sent")
                try:
                    scheduler.tick(deadline=4.0, late="carry")
                except cr.PoolClosed as error:
                    say(str(error))
        """,
    )
    assert [first_line(guest), first_line(guest)] == [6, "sent"]
    kill(owner)
    expect_end(workers)
    said = finish(guest)
    assert address.exists()
    finish(start_owner("pass").program)  # the next start removes it where Linux is missing, too
    assert not address.exists()
    assert len(said) == 1
    assert "owner" in said[0]


def run(code: str, import_path: list[Path], folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", code],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(map(str, import_path))},
        capture_output=True,
        text=True,
        timeout=30,
    )


@pytest.mark.parametrize(
    "use",
    [
        "open('/proc/self/stat')",
        "fcntl.fcntl(0, fcntl.F_SETOWN, os.getpid())",
    ],
)
def test_what_macos_does_not_have_is_refused_and_noted(
    import_path: list[Path], refusals: Path, tmp_path: Path, use: str
) -> None:
    imports = "import fcntl, os, socket; from pathlib import Path"
    done = run(f"{imports}; {use}", import_path, tmp_path)
    assert "RuntimeError: macOS does not have this" in done.stderr
    assert len(refusals.read_text().splitlines()) == 1
    refusals.unlink()
