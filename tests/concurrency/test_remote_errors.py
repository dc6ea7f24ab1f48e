"""What is raised in a worker is raised in the Task, with the worker's traceback."""

from __future__ import annotations

import subprocess
import traceback
from collections.abc import Callable
from pathlib import Path

import pytest
import worker_calls as calls
from waiting import finish

import corororo as cr

pytestmark = pytest.mark.timeout(60)


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


def test_every_failing_call_of_a_batch_fails_alone() -> None:
    with cr.WorkerPool(2) as pool, cr.Scheduler(pool) as scheduler:

        async def one(i: int) -> object:
            try:
                return await calls.refuse(i)
            except calls.Refused as error:
                return error.args

        async def main() -> list[object]:
            return await cr.gather(*(one(i) for i in range(200)))

        assert finish(scheduler, main()) == [
            (i, "a multiple of three") if i % 3 == 0 else i for i in range(200)
        ]


def test_types_of_the_program_travel_both_ways_and_async_functions_run_in_one_worker() -> None:
    with cr.WorkerPool(1) as pool, cr.Scheduler(pool) as scheduler:
        assert finish(scheduler, calls.shift(calls.Point(1, 2), by=5)) == calls.Point(6, 7)
        assert finish(scheduler, calls.shift_twice(calls.Point(1, 2))) == calls.Point(3, 4)
        assert scheduler.statistics().async_tasks_sent == 2


def test_arguments_of_the_wrong_type_fail_their_call_and_name_the_function() -> None:
    with cr.WorkerPool(1) as pool, cr.Scheduler(pool) as scheduler:
        with pytest.raises(TypeError, match="arguments of worker_calls:double"):
            finish(scheduler, calls.double("text"))  # type: ignore[arg-type]
        assert finish(scheduler, calls.double(1)) == 2


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
    start_script: Callable[[str, str], subprocess.Popen[str]],
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
