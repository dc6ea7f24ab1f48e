"""The system gives no more room, files or time: one clear error, and nothing is left behind."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import endurance_calls as calls
import pytest
from hardships import kill_those_alive
from waiting import finish, is_alive, wait_until

import corororo as cr
from corororo._ring import candidate_bases

pytestmark = pytest.mark.timeout(60)
Start = Callable[[str, str], subprocess.Popen[str]]

LARGE_RING = 8 << 20
SMALL_RING = 256 << 10
CLEAR_ERRORS = ("SessionError", "PoolFailed")

AT_THE_LIMIT = """
    import contextlib, os, resource, signal
    from waiting import wait_until
    import corororo as cr
    import endurance_calls as calls
    import worker_calls

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
                print("value", scheduler.run(worker_calls.die_once({marker!r}, 4)))
"""

WITHOUT_FILES = """
            with cr.WorkerPool(1, max_reply_bytes=1 << 24) as pool, cr.Scheduler(pool) as scheduler:
                scheduler.run(calls.double(4))
                leave_files(0)
                {call}
"""

DEATH_WITHOUT_FILES = """
            with cr.WorkerPool(1) as pool, cr.Scheduler(pool) as scheduler:
                pid = scheduler.run(worker_calls.worker_pid())
                held = every_file()
                os.kill(pid, signal.SIGKILL)
                wait_until(lambda: not has_process(pid), "it is dead")
                held.clear()
                print("value", scheduler.run(calls.double(4)))
"""

LONG_CALL = 'print("value", scheduler.run(calls.nap(1.0)))'
LARGE_REPLY = 'print("value", len(scheduler.run(calls.swell(3_000_000))))'
LONG_WHILE = 'scheduler.clock.wait(4.0); print("value", scheduler.run(calls.double(4)))'

OWNER = """
    import sys
    from pathlib import Path
    import corororo as cr
    import endurance_calls as calls
    if __name__ == "__main__":
        with cr.WorkerPool(2, directory=Path({place!r})) as pool, cr.Scheduler(pool) as scheduler:
            scheduler.schedule(calls.nap(60.0))
            scheduler.tick(deadline=0.0, late="carry")
            print(pool.address, *(worker.pid for worker in pool.statistics().workers), flush=True)
            sys.stdin.readline()
            with cr.Scheduler(pool) as other:
                print("value", other.run(calls.double(4)), flush=True)
"""


@contextmanager
def small_disk(tmp_path: Path, options: str) -> Iterator[Path]:
    """A file system of its own; it can be unmounted only where nothing of it is in use."""
    place = tmp_path / "disk"
    place.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", options, "corororo-test", str(place)]
    try:
        mounted = subprocess.run(mount, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        pytest.skip("there is no mount")
    if mounted.returncode:
        pytest.skip(f"a small file system cannot be mounted: {mounted.stderr.strip()}")
    try:
        yield place
        assert list(place.iterdir()) == []
    finally:
        subprocess.run(["umount", str(place)], check=True)


def fill_up(path: Path) -> None:
    """A file that takes what room is left."""
    with path.open("wb", buffering=0) as file:
        try:
            while True:
                file.write(bytes(1 << 12))
        except OSError:
            return


def test_a_ring_that_does_not_fit_its_disk_is_refused_with_path_and_need(tmp_path: Path) -> None:
    with (
        small_disk(tmp_path, "size=1m") as disk,
        pytest.raises(cr.SessionError, match=r"8388608|8 Mi?B") as caught,
        cr.WorkerPool(1, ring_bytes=LARGE_RING, directory=disk) as pool,
    ):
        cr.Scheduler(pool)
    assert str(tmp_path / "disk") in str(caught.value)


def test_a_disk_that_fills_up_later_refuses_one_zone_and_leaves_the_others(tmp_path: Path) -> None:
    with (
        small_disk(tmp_path, "size=1m") as disk,
        cr.WorkerPool(1, ring_bytes=SMALL_RING, directory=disk) as pool,
        cr.Scheduler(pool) as scheduler,
    ):
        before = sorted(Path(pool.address).iterdir())
        fill_up(disk / "filler")
        with pytest.raises(cr.SessionError, match=r"262144|256 Ki?B") as caught:
            cr.Scheduler(pool)
        assert str(disk) in str(caught.value)
        assert sorted(Path(pool.address).iterdir()) == before
        assert finish(scheduler, calls.double.map(range(500))) == [2 * i for i in range(500)]
        (disk / "filler").unlink()
        with cr.Scheduler(pool) as second:
            assert finish(second, calls.double(4)) == 8


def test_a_disk_without_room_for_one_more_name_is_an_error_with_its_path(tmp_path: Path) -> None:
    with (
        small_disk(tmp_path, "size=1m,nr_inodes=4") as disk,
        pytest.raises(cr.SessionError) as caught,
        cr.WorkerPool(1, ring_bytes=SMALL_RING, directory=disk) as pool,
    ):
        cr.Scheduler(pool)
    assert str(tmp_path / "disk") in str(caught.value)


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


@pytest.mark.parametrize("spare", [1, 4, 8, 12, 16, 18, 20, 22, 24])
def test_a_pool_with_too_few_files_starts_or_says_so(start_script: Start, spare: int) -> None:
    outcome = outcome_of(start_script, START.format(spare=spare))
    if outcome != "value 8\n":
        assert_clear(outcome)


@pytest.mark.parametrize(("spare", "starts"), [(1, False), (100, True)])
def test_a_pool_starts_where_there_are_files_enough(
    start_script: Start, spare: int, starts: bool
) -> None:
    outcome = outcome_of(start_script, START.format(spare=spare))
    assert (outcome == "value 8\n") == starts


def test_one_scheduler_more_than_there_are_files_for_is_a_clear_error(start_script: Start) -> None:
    assert_clear(outcome_of(start_script, MANY_SCHEDULERS))


def test_a_worker_that_cannot_be_replaced_for_want_of_files_is_a_clear_error(
    start_script: Start, tmp_path: Path
) -> None:
    outcome = outcome_of(start_script, REPLACEMENT.format(marker=str(tmp_path / "died")))
    if outcome != "value 8\n":  # which takes files kept in reserve
        assert_clear(outcome)


def test_a_call_that_takes_long_is_waited_for_where_there_are_no_more_files(
    start_script: Start,
) -> None:
    assert outcome_of(start_script, WITHOUT_FILES.format(call=LONG_CALL)) == "value 1.0\n"


def test_a_large_reply_that_cannot_be_opened_is_a_clear_error(start_script: Start) -> None:
    assert_clear(outcome_of(start_script, WITHOUT_FILES.format(call=LARGE_REPLY)))


@pytest.mark.slow
def test_a_pool_goes_on_without_any_more_files_while_its_workers_live(start_script: Start) -> None:
    assert outcome_of(start_script, WITHOUT_FILES.format(call=LONG_WHILE)) == "value 8\n"


def test_a_worker_that_dies_while_there_are_no_files_for_a_moment_is_replaced(
    start_script: Start,
) -> None:
    assert outcome_of(start_script, DEATH_WITHOUT_FILES) == "value 8\n"


def test_the_session_of_a_killed_owner_is_removed_and_that_of_a_living_one_is_not(
    start_script: Start, tmp_path: Path
) -> None:
    place = tmp_path / "sessions"  # where nobody else starts a pool
    place.mkdir()
    program = OWNER.format(place=str(place))
    owners = [start_script(f"owner_{name}.py", program) for name in ("killed", "living")]
    killed, living = owners
    addresses: list[Path] = []
    workers: list[int] = []
    for owner in owners:
        assert owner.stdout is not None
        address, *own = owner.stdout.readline().split()
        addresses.append(Path(address))
        workers += map(int, own)
    try:
        killed.kill()
        killed.wait(10)
        assert addresses[0].exists()
        assert list(addresses[0].glob("*.ring"))
        with cr.WorkerPool(1, directory=place) as pool, cr.Scheduler(pool) as scheduler:
            assert [address.exists() for address in addresses] == [False, True]
            assert finish(scheduler, calls.double(4)) == 8
        output, errors = living.communicate("\n", timeout=20)
        assert (living.returncode, output, errors) == (0, "value 8\n", "")
        assert not addresses[1].exists()
        wait_until(lambda: not any(map(is_alive, workers)), "the workers have ended")
    finally:
        kill_those_alive(workers)


def test_a_temporary_directory_with_a_path_too_long_for_sockets_is_a_clear_error(
    start_script: Start, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = tmp_path / ("long" * 30)
    place.mkdir()
    monkeypatch.setenv("TMPDIR", str(place))
    outcome = outcome_of(start_script, "cr.WorkerPool(1).start()")
    assert outcome.startswith(f"SessionError {place}: expected a path short enough")
    assert "TMPDIR" in outcome
