"""Workers stand still, or run for too long: their calls come back, and only they are replaced."""

from __future__ import annotations

import contextlib
import itertools
import os
import signal
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import endurance_calls as calls
import pytest
import worker_calls
from hardships import (
    begin,
    kill_those_alive,
    stop,
    tick_until,
    value_of,
    wait_until_whole,
    who_runs,
)
from waiting import finish, is_alive, pids, wait_until

import corororo as cr
from corororo._platform import HAS_SIGIO
from corororo._pool import _monitor

pytestmark = [
    pytest.mark.timeout(60),
    pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="/proc tells who stands still"),
]

SLOW_S = 2.5  # longer than any look at a worker that says nothing

OWNER = """
    import sys
    import corororo as cr
    if __name__ == "__main__":
        with cr.WorkerPool(2) as pool:
            print(*(worker.pid for worker in pool.statistics().workers), flush=True)
            sys.stdin.readline()
"""


class Crew(NamedTuple):
    """A pool and the one Scheduler that uses it."""

    pool: cr.WorkerPool
    scheduler: cr.Scheduler


@contextlib.contextmanager
def crews(*sizes: int) -> Iterator[list[Crew]]:
    """One of each size, side by side: what takes long is waited for once."""
    with contextlib.ExitStack() as parts:
        found = []
        for size in sizes:
            pool = parts.enter_context(cr.WorkerPool(size))
            found.append(Crew(pool, parts.enter_context(cr.Scheduler(pool))))
        yield found


def test_workers_stopped_while_idle_hold_up_no_call_and_are_replaced(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Who stands still with nothing to do is found when its pool looks around, now and then."""
    monkeypatch.setattr(_monitor, "SWEEP_S", 0.3)  # 3 s would show the same
    with crews(2, 2) as both:
        stopped = [pids(crew.pool)[: 1 + i] for i, crew in enumerate(both)]
        assert list(map(len, stopped)) == [1, 2]
        stop(*itertools.chain(*stopped))
        for crew in both:
            values = finish(crew.scheduler, calls.double.map(range(300)))
            assert values == [2 * i for i in range(300)]
        for crew, gone in zip(both, stopped, strict=True):
            wait_until_whole(crew.pool, gone)
            values = finish(crew.scheduler, calls.double.map(range(300)))
            assert values == [2 * i for i in range(300)]


@pytest.mark.parametrize("victims", [1, 2])
def test_calls_of_workers_stopped_in_the_midst_of_them_come_back(
    victims: int, tmp_path: Path
) -> None:
    with cr.WorkerPool(2) as pool, cr.Scheduler(pool) as scheduler:
        outcome = begin(scheduler, calls.say_and_wait.map([str(tmp_path)] * 40, range(40)))
        stopped = who_runs(scheduler, tmp_path, 2)[:victims]
        stop(*stopped)
        (tmp_path / "go").touch()
        assert value_of(scheduler, outcome) == [2 * i for i in range(40)]
        wait_until_whole(pool, stopped)
        assert pool.statistics().restarts == victims
        assert finish(scheduler, calls.double.map(range(300))) == [2 * i for i in range(300)]


def test_calls_that_wait_behind_a_stopped_worker_come_back(tmp_path: Path) -> None:
    """The only worker of the pool stops with one batch in its hands and many on their way."""
    with cr.WorkerPool(1, max_batch=4) as pool, cr.Scheduler(pool) as scheduler:
        first = begin(scheduler, calls.say_and_wait(str(tmp_path), 21))
        stopped = who_runs(scheduler, tmp_path, 1)
        others = begin(scheduler, calls.double.map(range(400)))
        stop(*stopped)
        (tmp_path / "go").touch()
        assert value_of(scheduler, others) == [2 * i for i in range(400)]
        assert value_of(scheduler, first) == 42
        wait_until_whole(pool, stopped)


def test_every_zone_gets_its_answers_while_a_worker_stands_still(tmp_path: Path) -> None:
    """Four Schedulers share two workers."""
    with cr.WorkerPool(2, rings=4) as pool:
        zones = [cr.Scheduler(pool) for _ in range(4)]
        try:
            blocked = begin(zones[0], calls.say_and_wait(str(tmp_path), 21))
            stopped = who_runs(zones[0], tmp_path, 1)
            stop(*stopped)
            (tmp_path / "go").touch()
            for zone in zones[1:]:
                assert finish(zone, calls.double.map(range(50))) == [2 * i for i in range(50)]
            assert value_of(zones[0], blocked) == 42
            wait_until_whole(pool, stopped)
        finally:
            for zone in zones:
                zone.close()


@pytest.mark.parametrize("pause", [0, 5, 20])
def test_a_worker_that_goes_on_after_a_stop_doubles_no_answer(tmp_path: Path, pause: int) -> None:
    """Whether the pool has lost patience by then or not: it may go on at any moment."""
    with cr.WorkerPool(2) as pool, cr.Scheduler(pool) as scheduler:
        outcome = begin(scheduler, calls.say_and_wait.map([str(tmp_path)] * 40, range(40)))
        stopped = who_runs(scheduler, tmp_path, 2)[:1]
        stop(*stopped)
        (tmp_path / "go").touch()
        for _ in range(pause):
            scheduler.tick(deadline=0.05, late="carry")
        with contextlib.suppress(ProcessLookupError):  # it has been replaced already
            os.kill(stopped[0], signal.SIGCONT)
        assert value_of(scheduler, outcome) == [2 * i for i in range(40)]
        assert finish(scheduler, calls.double.map(range(300))) == [2 * i for i in range(300)]
        statistics = scheduler.statistics()
        assert statistics.async_tasks_sent == statistics.async_tasks_taken == 340


@pytest.mark.parametrize("busy", [False, True])
def test_a_pool_closes_with_all_its_workers_stopped(busy: bool, tmp_path: Path) -> None:
    with cr.WorkerPool(2) as pool, cr.Scheduler(pool) as scheduler:
        session = Path(pool.address)
        if busy:
            begin(scheduler, calls.say_and_wait.map([str(tmp_path)] * 40, range(40)))
            who_runs(scheduler, tmp_path, 2)
        stopped = pids(pool)
        stop(*stopped)
    assert not any(map(is_alive, stopped))
    assert not session.exists()


@pytest.mark.skipif(not HAS_SIGIO, reason="here a process ends itself, and has to run for that")
def test_stopped_workers_end_with_their_killed_owner(
    start_script: Callable[[str, str], subprocess.Popen[str]],
) -> None:
    owner = start_script("owner.py", OWNER)
    assert owner.stdout is not None
    workers = [int(pid) for pid in owner.stdout.readline().split()]
    try:
        stop(*workers)
        owner.kill()
        owner.wait(10)
        wait_until(lambda: not any(map(is_alive, workers)), "the workers have ended", 10)
    finally:
        kill_those_alive(workers)
        with cr.WorkerPool(1):  # removes the session of the killed owner
            pass


def test_a_call_past_its_timeout_fails_alone_in_its_batch() -> None:
    """One worker, so that all calls travel together."""

    async def outcome(seconds: float) -> float | str:
        try:
            return await calls.nap.with_options(timeout=0.5)(seconds)
        except cr.AsyncTaskTimeout as error:
            return str(error)

    with cr.WorkerPool(1) as pool, cr.Scheduler(pool) as scheduler:
        late = pids(pool)
        values = finish(scheduler, cr.gather(*(outcome(30.0 * (i == 20)) for i in range(40))))
        assert "endurance_calls:nap ran for more than 0.5 s" in values.pop(20)
        assert values == [0.0] * 39
        wait_until_whole(pool, late)
        assert pool.statistics().restarts == 1


def test_a_slow_call_without_timeout_runs_once_and_keeps_its_worker(tmp_path: Path) -> None:
    with crews(1, 2) as all_crews:
        before = [pids(crew.pool) for crew in all_crews]
        notes = [tmp_path / str(i) for i in range(len(all_crews))]
        slow, behind = [], []
        for crew, note in zip(all_crews, notes, strict=True):
            slow.append(begin(crew.scheduler, calls.note_and_nap(str(note), SLOW_S)))
            tick_until(crew.scheduler, note.exists, "the call runs")
            behind.append(begin(crew.scheduler, calls.double.map(range(100))))
        for i, (_, scheduler) in enumerate(all_crews):
            assert value_of(scheduler, slow[i]) in before[i]
            assert value_of(scheduler, behind[i]) == [2 * n for n in range(100)]
            assert notes[i].stat().st_size == 1
        assert [pids(crew.pool) for crew in all_crews] == before


def test_a_slow_call_that_lets_no_thread_run_keeps_its_worker(tmp_path: Path) -> None:
    """Nothing in the worker can say that it lives meanwhile."""
    with crews(2) as both:
        before = [pids(crew.pool) for crew in both]
        markers = [tmp_path / str(i) for i in range(len(both))]
        slow = []
        for crew, marker in zip(both, markers, strict=True):
            slow.append(begin(crew.scheduler, worker_calls.hold_the_gil(str(marker), SLOW_S)))
            tick_until(crew.scheduler, marker.exists, "the call runs")
        for i, (_, scheduler) in enumerate(both):
            assert value_of(scheduler, slow[i]) == 0
            assert int(markers[i].read_text()) in before[i]
        assert [pids(crew.pool) for crew in both] == before
