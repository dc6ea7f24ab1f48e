"""Timeouts, retries, idle strategies, pinning, titles, types and errors, with real workers."""

from __future__ import annotations

import os
import subprocess
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import worker_calls as calls
from waiting import finish, wait_until

import corororo as cr
from corororo.processes import HAS_AFFINITY, HAS_PROC, HAS_TITLES

pytestmark = pytest.mark.timeout(60)

pins_processes = pytest.mark.skipif(not HAS_AFFINITY, reason="this system pins no processes")


@pytest.fixture
def pool() -> Iterator[cr.WorkerPool]:
    with cr.WorkerPool(2) as pool:
        yield pool


@pytest.fixture
def scheduler(pool: cr.WorkerPool) -> Iterator[cr.Scheduler]:
    with cr.Scheduler(pool) as scheduler:
        yield scheduler


def test_a_call_past_its_timeout_fails_alone_and_its_worker_is_replaced(
    pool: cr.WorkerPool, scheduler: cr.Scheduler
) -> None:
    async def outcome(seconds: float) -> float | str:
        try:
            return await calls.short_nap(seconds)
        except cr.AsyncTaskTimeout as error:
            return str(error)

    times = [0.0, 0.01, 30.0, 0.0, 0.02, 0.0]
    outcomes = scheduler.run(cr.gather(*map(outcome, times)))
    assert "worker_calls:short_nap ran for more than 0.3 s" in outcomes.pop(2)
    assert outcomes == [0.0, 0.01, 0.0, 0.02, 0.0]
    wait_until(lambda: pool.statistics().restarts == 1, "the worker is replaced")
    assert scheduler.run(calls.short_nap(0.0)) == 0.0


@pytest.mark.parametrize(
    "idle", [cr.Park(), cr.BusySpin(), cr.Yielding(), cr.Backoff(), cr.AdaptiveSpin()]
)
def test_every_idle_strategy_answers_every_call_and_ends(idle: cr.Park) -> None:
    with cr.WorkerPool(2, idle=idle) as pool, cr.Scheduler(pool) as scheduler:
        for number in range(200):
            assert scheduler.run(calls.triple(100 + number)) == 300 + 3 * number
        assert scheduler.run(calls.triple.map(range(20, 520))) == [3 * n for n in range(20, 520)]


@pins_processes
def test_spread_workers_have_a_cpu_each() -> None:
    usable = sorted(os.sched_getaffinity(0))
    with cr.WorkerPool(2, pin="spread") as pool, cr.Scheduler(pool) as scheduler:
        found = {tuple(scheduler.run(calls.cpus_of_worker())) for _ in range(40)}
    assert found <= {(cpu,) for cpu in usable[:2]}


Start = Callable[[str, str], subprocess.Popen[str]]


PROGRAM = """
    from pathlib import Path
    import corororo as cr
    if __name__ == "__main__":
        with cr.WorkerPool(2) as pool:
            for worker in pool.statistics().workers:
                print(Path(f"/proc/{worker.pid}/cmdline").read_bytes().strip(b"\\0").decode())
"""


@pytest.mark.skipif(not (HAS_TITLES and HAS_PROC), reason="no titles, or no /proc to read them")
@pytest.mark.parametrize("more", [{}, {"LONG": "x" * 5_000, "PYTHONSAFEPATH": "1"}])
def test_workers_bear_their_titles(
    start_script: Start, monkeypatch: pytest.MonkeyPatch, more: dict[str, str]
) -> None:
    for name, value in more.items():
        monkeypatch.setenv(name, value)
    program = start_script("titles.py", PROGRAM)  # with a PYTHONPATH
    output, errors = program.communicate(timeout=50)
    assert errors == ""
    assert sorted(output.split("\n")) == ["", "corororo worker 1", "corororo worker 2"]


def test_views_that_are_not_kept_end_with_their_tick_and_say_so(scheduler: cr.Scheduler) -> None:
    view = scheduler.run(calls.backwards(b"abc"))
    assert bytes(view) == b"cba"
    scheduler.tick()
    with pytest.raises(ValueError, match="released memoryview"):
        bytes(view)


def test_an_error_of_the_program_arrives_as_itself_with_the_traceback_of_the_worker() -> None:
    with (
        cr.WorkerPool(1) as pool,
        cr.Scheduler(pool) as scheduler,
        pytest.raises(calls.Refused) as caught,
    ):
        finish(scheduler, calls.refuse(3))
    assert caught.value.args == (3, "a multiple of three")
    assert isinstance(caught.value.__cause__, cr.RemoteTraceback)
    shown = "".join(traceback.format_exception(caught.value))
    assert "worker_calls.py" in shown
    assert "in refuse" in shown


def test_a_module_that_cannot_be_imported_in_a_worker_fails_its_calls_with_the_reason(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import importlib

    source = tmp_path / "only_here.py"
    source.write_text(
        "import corororo as cr\n@cr.async_task\ndef here(x: int) -> int:\n    return x\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    module = importlib.import_module("only_here")
    source.write_text("raise RuntimeError('not in a worker')\n")
    with cr.WorkerPool(1) as pool, cr.Scheduler(pool) as scheduler:
        with pytest.raises(Exception, match="only_here") as caught:
            finish(scheduler, module.here(1))
        assert not isinstance(caught.value, cr.WorkerDied)
        assert finish(scheduler, calls.double(1)) == 2
        assert pool.statistics().restarts == 0


def test_functions_types_and_errors_of_the_main_script_work_too(
    start_script: Start,
) -> None:
    script = start_script(
        "main_script.py",
        """
        import msgspec
        import corororo as cr

        class Point(msgspec.Struct):
            x: int

        class OwnError(Exception):
            pass

        @cr.async_task
        def move(point: Point) -> Point:
            if point.x < 0:
                raise OwnError(point.x)
            return Point(point.x + 1)

        async def main() -> None:
            print(await move(Point(1)))
            try:
                await move(Point(-1))
            except OwnError as error:
                print("OwnError", error.args)

        if __name__ == "__main__":
            with cr.WorkerPool(1) as pool, cr.Scheduler(pool) as scheduler:
                scheduler.run(main())
        """,
    )
    out, errors = script.communicate(timeout=30)
    assert (out, errors) == ("Point(x=2)\nOwnError (-1,)\n", "")
