"""Timeouts, retries, idle strategies and pinning, with real workers."""

from __future__ import annotations

import os
from collections.abc import Iterator

import option_calls as calls
import pytest
from waiting import wait_until

import corororo as cr
from corororo._platform import HAS_AFFINITY

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
            return await calls.nap(seconds)
        except cr.AsyncTaskTimeout as error:
            return str(error)

    times = [0.0, 0.01, 30.0, 0.0, 0.02, 0.0]
    outcomes = scheduler.run(cr.gather(*map(outcome, times)))
    assert "option_calls:nap ran for more than 0.3 s" in outcomes.pop(2)
    assert outcomes == [0.0, 0.01, 0.0, 0.02, 0.0]
    wait_until(lambda: pool.statistics().restarts == 1, "the worker is replaced")
    assert scheduler.run(calls.nap(0.0)) == 0.0


def test_a_call_that_holds_the_interpreter_is_ended_as_well(scheduler: cr.Scheduler) -> None:
    with pytest.raises(cr.AsyncTaskTimeout):
        scheduler.run(calls.spin_for_ever(-1))
    assert scheduler.run(calls.spin_for_ever(4)) == 4


def test_a_timeout_counts_from_the_start_of_its_call_not_of_the_batch(
    pool: cr.WorkerPool, scheduler: cr.Scheduler
) -> None:
    # Each worker naps for half a second in all, and no call for more than a quarter.
    assert scheduler.run(calls.nap.map([0.25] * 4)) == [0.25] * 4
    assert pool.statistics().restarts == 0


def test_options_for_one_call_override_those_of_the_function(scheduler: cr.Scheduler) -> None:
    assert scheduler.run(calls.nap.with_options(timeout=None)(0.5)) == 0.5
    with pytest.raises(cr.AsyncTaskTimeout, match=r"more than 0\.05 s"):
        scheduler.run(calls.nap.with_options(timeout=0.05)(5.0))
    assert calls.nap.timeout == 0.3


@pytest.mark.parametrize("options", [{"timeout": 0}, {"timeout": -1}, {"retries": -1}])
def test_options_out_of_range_are_refused(options: dict[str, int]) -> None:
    with pytest.raises(ValueError, match="must be"):
        calls.nap.with_options(**options)


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


@pins_processes
@pytest.mark.parametrize("pin", [[], [4096]])
def test_cpus_that_cannot_be_used_are_refused(pin: list[int]) -> None:
    with pytest.raises(ValueError, match=r"pin must name some of the CPUs"):
        cr.WorkerPool(1, pin=pin)


def test_a_sleep_beside_a_slow_call_ends_in_its_own_time(scheduler: cr.Scheduler) -> None:
    order: list[str] = []

    async def slow() -> None:
        await calls.nap.with_options(timeout=None)(0.6)
        order.append("call")

    async def quick() -> None:
        await cr.sleep(0.02)
        await cr.sleep(0.02)
        order.append("sleep")

    scheduler.run(cr.gather(slow(), quick()))
    assert order == ["sleep", "call"]


def test_a_worker_killed_for_an_expired_call_is_no_death_of_its_neighbours(
    pool: cr.WorkerPool, scheduler: cr.Scheduler
) -> None:
    async def outcome(seconds: float) -> float | str:
        try:
            return await calls.nap.with_options(timeout=0.1, retries=0)(seconds)
        except cr.AsyncTaskTimeout:
            return "expired"

    outcomes = scheduler.run(cr.gather(*(outcome(s) for s in [0.0, 9.0, 0.01, 9.0, 0.0, 0.02])))
    assert outcomes == [0.0, "expired", 0.01, "expired", 0.0, 0.02]
    assert pool.statistics().failure is None
