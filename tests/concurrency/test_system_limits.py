"""The system gives no more room or files: one clear error, and nothing is left behind."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from corororo._ring import candidate_bases

pytestmark = pytest.mark.timeout(60)

Start = Callable[[str, str], subprocess.Popen[str]]


CLEAR_ERRORS = ("SessionError", "PoolFailed")


AT_THE_LIMIT = """
    import contextlib, os, resource, signal
    from waiting import wait_until
    import corororo as cr
    import worker_calls as calls

    def leave_files(spare):
        limit = max(map(int, os.listdir("/dev/fd"))) + spare
        resource.setrlimit(resource.RLIMIT_NOFILE, (limit, limit))

    def every_file():
        resource.setrlimit(resource.RLIMIT_NOFILE, (100, 100))
        held = []
        with contextlib.suppress(OSError):
            while True:
                held.append(open(os.devnull))
        return held

    def has_process(pid):
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return False
        return True

    if __name__ == "__main__":
        try:
            {work}
        except cr.CorororoError as error:
            print(type(error).__name__, error)
"""


START = """
            leave_files({spare})
            with cr.WorkerPool(2) as pool, cr.Scheduler(pool) as scheduler:
                print("value", scheduler.run(calls.double(4)))
"""


MANY_SCHEDULERS = """
            leave_files(100)
            with cr.WorkerPool(2) as pool:
                schedulers = []
                while True:
                    schedulers.append(cr.Scheduler(pool))
                    assert schedulers[-1].run(calls.double(4)) == 8
"""


REPLACEMENT = """
            with cr.WorkerPool(1) as pool, cr.Scheduler(pool) as scheduler:
                scheduler.run(calls.double(4))
                leave_files(1)
                print("value", scheduler.run(calls.die_once({marker!r}, 4)))
"""


WITHOUT_FILES = """
            with cr.WorkerPool(1) as pool, cr.Scheduler(pool) as scheduler:
                scheduler.run(calls.double(4))
                leave_files(0)
                {call}
"""


WITHOUT_ROOM = """
            resource.setrlimit(resource.RLIMIT_FSIZE, (4 << 20, 4 << 20))
            with cr.WorkerPool(1) as pool, cr.Scheduler(pool) as scheduler:
                for call in calls.length_of(bytes(8 << 20)), calls.swell(8 << 20):
                    try:
                        scheduler.run(call)
                    except cr.CorororoError as error:
                        print(type(error).__name__, error)
                print(scheduler.run(calls.echo(b"abc")))
"""


LARGE_REPLY = 'print("value", len(scheduler.run(calls.swell(3_000_000))))'


def outcome_of(start_script: Start, work: str) -> str:
    """What a program says that works at the limit of its open files; leaves nothing behind."""
    program = start_script("limited.py", AT_THE_LIMIT.format(work=work.strip()))
    output, errors = program.communicate(timeout=50)
    assert (program.returncode, errors) == (0, ""), output + errors
    left = f"*corororo-{os.getuid()}-{program.pid}-*"
    assert [found for base in candidate_bases() for found in base.glob(left)] == []
    return output


def assert_clear(outcome: str) -> None:
    """One error that names the limit on open files and what to do."""
    assert outcome.startswith(CLEAR_ERRORS), outcome
    assert "open files" in outcome
    assert "ulimit -n" in outcome
    assert len(outcome.splitlines()) == 1


@pytest.mark.parametrize("spare", [1, 8, 16, 20, 24])
def test_a_pool_with_too_few_files_starts_or_says_so(start_script: Start, spare: int) -> None:
    outcome = outcome_of(start_script, START.format(spare=spare))
    if outcome != "value 8\n":
        assert_clear(outcome)


def test_one_scheduler_more_than_there_are_files_for_is_a_clear_error(start_script: Start) -> None:
    assert_clear(outcome_of(start_script, MANY_SCHEDULERS))


def test_a_worker_that_cannot_be_replaced_for_want_of_files_is_a_clear_error(
    start_script: Start, tmp_path: Path
) -> None:
    outcome = outcome_of(start_script, REPLACEMENT.format(marker=str(tmp_path / "died")))
    if outcome != "value 8\n":  # which takes files kept in reserve
        assert_clear(outcome)


def test_a_large_reply_that_cannot_be_opened_is_a_clear_error(start_script: Start) -> None:
    assert_clear(outcome_of(start_script, WITHOUT_FILES.format(call=LARGE_REPLY)))


def test_a_large_call_or_result_without_room_is_one_clear_error(start_script: Start) -> None:
    request, reply, small = outcome_of(start_script, WITHOUT_ROOM).splitlines()
    assert request.startswith("RequestTooLarge a call of worker_calls:length_of takes 83")
    assert reply.startswith("ReplyTooLarge no room for a reply of 83")
    assert all("File too large" in error and "directory=" in error for error in (request, reply))
    assert small == "b'abc'"


def test_a_temporary_directory_with_a_path_too_long_for_sockets_stops_no_pool(
    start_script: Start, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = tmp_path / ("long" * 30)
    place.mkdir()
    monkeypatch.setenv("TMPDIR", str(place))
    assert outcome_of(start_script, START.format(spare=100)) == "value 8\n"
    assert list(place.iterdir()) == []


def test_a_working_directory_that_was_deleted_stops_no_pool(
    start_script: Start, tmp_path: Path
) -> None:
    gone = tmp_path / "gone"
    gone.mkdir()
    leave = f"os.chdir({str(gone)!r}), os.rmdir({str(gone)!r})"
    assert outcome_of(start_script, f"{leave}{START.format(spare=100)}") == "value 8\n"
