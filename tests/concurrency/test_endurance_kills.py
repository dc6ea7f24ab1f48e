"""Workers are killed at every moment of a batch: each call is answered once, and rightly."""

from __future__ import annotations

import os
import random
import select
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import endurance_calls as calls
import pytest
from hardships import begin, kill, value_of, wait_until_whole, who_runs
from waiting import finish, pids

import corororo as cr

pytestmark = pytest.mark.timeout(60)

CHAINS = 396
KILL_PERIOD_S = 1.0


@pytest.mark.parametrize("victims", [1, 2])
def test_workers_killed_while_idle_are_missed_by_no_call(victims: int) -> None:
    with cr.WorkerPool(2) as pool, cr.Scheduler(pool) as scheduler:
        assert finish(scheduler, calls.double(1)) == 2
        killed = pids(pool)[:victims]
        kill(*killed)
        assert finish(scheduler, calls.double.map(range(300))) == [2 * i for i in range(300)]
        wait_until_whole(pool, killed)
        assert pool.statistics().restarts == victims
        assert finish(scheduler, calls.double.map(range(300))) == [2 * i for i in range(300)]


@pytest.mark.parametrize("victims", [1, 2])
def test_calls_of_workers_killed_in_the_midst_of_them_are_answered_once(
    victims: int, tmp_path: Path
) -> None:
    with cr.WorkerPool(2) as pool, cr.Scheduler(pool) as scheduler:
        outcome = begin(scheduler, calls.say_and_wait.map([str(tmp_path)] * 40, range(40)))
        killed = who_runs(scheduler, tmp_path, 2)[:victims]
        kill(*killed)
        (tmp_path / "go").touch()
        assert value_of(scheduler, outcome) == [2 * i for i in range(40)]
        wait_until_whole(pool, killed)
        assert pool.statistics().restarts == victims
        assert scheduler.statistics().async_tasks_retried > 0


def test_calls_sent_in_the_moment_of_a_kill_are_answered() -> None:
    """Nobody has noticed yet that the worker is gone, or going."""
    with cr.WorkerPool(2) as pool, cr.Scheduler(pool) as scheduler:
        killed: list[int] = []
        for _ in range(10):
            killed += pids(pool)[:1]
            os.kill(killed[-1], signal.SIGKILL)
            assert finish(scheduler, calls.double.map(range(40))) == [2 * i for i in range(40)]
            wait_until_whole(pool, killed)
        assert pool.statistics().restarts == 10


def test_an_answer_that_was_sent_outlives_its_worker(tmp_path: Path) -> None:
    """The worker is killed when its answer has come, before the zone has taken it."""
    notes = tmp_path / "notes"
    with cr.WorkerPool(1) as pool, cr.Scheduler(pool) as scheduler:
        outcome = begin(scheduler, calls.note_and_nap(str(notes), 0.0))
        scheduler.tick(deadline=0.0, late="carry")
        assert select.select([scheduler._transfer.fileno()], [], [], 20)[0]
        killed = pids(pool)
        kill(*killed)
        wait_until_whole(pool, killed)
        assert value_of(scheduler, outcome) == killed[0]
        assert notes.stat().st_size == 1
        assert finish(scheduler, calls.double.map(range(300))) == [2 * i for i in range(300)]


def test_a_death_in_one_zone_is_none_of_its_neighbours_business(tmp_path: Path) -> None:
    """Four Schedulers share two workers."""
    with cr.WorkerPool(2, rings=4) as pool:
        zones = [cr.Scheduler(pool) for _ in range(4)]
        try:
            blocked = begin(zones[0], calls.say_and_wait(str(tmp_path), 21))
            [killed] = who_runs(zones[0], tmp_path, 1)
            waiting = [begin(zone, calls.double.map(range(50))) for zone in zones[1:]]
            for zone in zones:
                zone.tick(deadline=0.0, late="carry")
            kill(killed)
            for zone, outcome in zip(zones[1:], waiting, strict=True):
                assert value_of(zone, outcome) == [2 * i for i in range(50)]
            (tmp_path / "go").touch()
            assert value_of(zones[0], blocked) == 42
            wait_until_whole(pool, [killed])
        finally:
            for zone in zones:
                zone.close()


def test_a_call_that_always_kills_its_worker_fails_alone_among_100() -> None:
    async def one(i: int) -> int | str:
        try:
            return await calls.die_of(33, i)
        except cr.WorkerDied as error:
            return str(error)

    with cr.WorkerPool(2) as pool, cr.Scheduler(pool) as scheduler:
        values = finish(scheduler, cr.gather(*map(one, range(101))), 40)
        assert "endurance_calls:die_of" in values.pop(33)
        assert values == [2 * i for i in range(101) if i != 33]
        wait_until_whole(pool, [])
        assert finish(scheduler, calls.double.map(range(300))) == [2 * i for i in range(300)]


async def chain(tick: int, number: int, answers: list[int]) -> None:
    """Four Tasks deep, as the chains of the simulator are."""

    async def second() -> int:
        async def third() -> int:
            return await calls.double(tick * CHAINS + number)

        return await third()

    answers.append(await second())


@contextmanager
def a_kill_each_second(pool: cr.WorkerPool) -> Iterator[list[int]]:
    """Kills one worker that is ready, whatever it does; gives the list of those killed."""
    killed: list[int] = []
    over = threading.Event()
    chance = random.Random(1)

    def go_on_killing() -> None:
        while not over.wait(KILL_PERIOD_S):
            ready = [w.pid for w in pool.statistics().workers if w.ready and w.pid not in killed]
            if ready:
                killed.append(chance.choice(ready))
                os.kill(killed[-1], signal.SIGKILL)

    thread = threading.Thread(target=go_on_killing, name="killer")
    thread.start()
    try:
        yield killed
    finally:
        over.set()
        thread.join()


@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.parametrize("seconds", [60])
def test_a_minute_of_ticks_with_a_kill_each_second_loses_and_doubles_nothing(seconds: int) -> None:
    with cr.WorkerPool(2) as pool, cr.Scheduler(pool) as scheduler:
        ticks = 0
        with a_kill_each_second(pool) as killed:
            while len(killed) < seconds / KILL_PERIOD_S:
                answers: list[int] = []
                tasks = [chain(ticks, number, answers) for number in range(CHAINS)]
                finish(scheduler, cr.gather(*tasks))
                assert sorted(answers) == [2 * (ticks * CHAINS + n) for n in range(CHAINS)]
                ticks += 1
        wait_until_whole(pool, killed)
        statistics = scheduler.statistics()
        assert statistics.async_tasks_sent == statistics.async_tasks_taken == ticks * CHAINS
        assert statistics.async_tasks_in_flight == 0
        assert pool.statistics().restarts == len(killed)
        assert finish(scheduler, calls.double.map(range(300))) == [2 * i for i in range(300)]
