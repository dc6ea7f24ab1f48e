"""The plan's patterns: overhead is what is left beside known work; the formula is the plan's."""

from __future__ import annotations

import pytest

import corororo as cr
from zonesim.bench import known_work
from zonesim.bench.core import CHAINS, COROUTINES, tick_chains
from zonesim.bench.core_group import send_chains
from zonesim.bench.empty_work import first, number
from zonesim.bench.instant import InstantSource
from zonesim.bench.pattern_group import (
    EMPTY,
    SEQUENCE,
    WORKING,
    Pattern,
    calls_in_a_tick,
    overhead_us,
)
from zonesim.bench.plan import PLAN_IMPACT_MS, PLAN_US, impact_ms


@pytest.mark.parametrize("pattern", PLAN_US)
def test_the_formula_makes_the_plan_s_impact_of_the_plan_s_overhead(pattern: str) -> None:
    assert impact_ms(PLAN_US[pattern]) == pytest.approx(PLAN_IMPACT_MS[pattern], rel=0.003)


def test_empty_work_is_all_overhead() -> None:
    for pattern in EMPTY:
        assert overhead_us(pattern, 2, 1_000.0 * pattern.operations) == 1_000.0


def test_workers_share_known_work_and_what_is_left_is_overhead() -> None:
    shared = Pattern("a", "b", 100, lambda zone: None, lambda workers: 100 * 50 / workers)
    assert overhead_us(shared, 2, 2_500.0) == 0.0
    assert overhead_us(shared, 1, 5_300.0) == 3.0
    assert overhead_us(shared, 2, 2_400.0) == -1.0  # of a clock that was slow


def test_calls_one_after_another_share_nothing() -> None:
    (sequence,) = (pattern for pattern in WORKING if "one after another" in pattern.name)
    assert sequence.expected_us(1) == sequence.expected_us(8) == SEQUENCE * 100


def test_the_plan_s_own_work_is_5_ms_in_each_chain() -> None:
    assert WORKING[-1].expected_us(2) == CHAINS * 5_000 / 2


def test_a_run_of_each_pattern_makes_the_operations_that_it_is_said_to_make() -> None:
    """AsyncTasks are counted where the zone sends them; those inside a worker are not."""
    sent = {
        "Task->Task": 0,
        "Task->AsyncTask, 1,980 in a tick": COROUTINES,
        "Task->AsyncTask, one after another": SEQUENCE,
        "AsyncTask->AsyncTask, inside a worker": 1,
        "AsyncTask->AsyncTask, 990 pairs in a tick": COROUTINES // 2,
        "4 Tasks->AsyncTask, 396 chains": CHAINS,
    }
    for pattern in EMPTY:
        with cr.Scheduler() as scheduler:
            pattern.run(scheduler)
            assert scheduler.statistics().async_tasks_taken == sent.pop(pattern.name)
    assert sent == {}


def test_calls_in_a_tick_are_all_answered_in_it() -> None:
    with cr.Scheduler() as scheduler:
        calls_in_a_tick(number, 7, scheduler)
        found = scheduler.statistics()
    assert (found.ticks, found.tasks_finished, found.async_tasks_taken) == (1, 7, 7)


def test_async_tasks_of_known_work_answer_what_they_are_asked() -> None:
    with cr.Scheduler() as scheduler:
        for leaf in (known_work.spin_100us, known_work.relay, known_work.relay_spin_100us):
            assert scheduler.run(first(leaf, 3)) == 3
        assert scheduler.run(first(known_work.relay_often, 5)) == 5
        assert len(scheduler.run(first(known_work.blob, 1))) == 40_000
        assert len(scheduler.run(first(known_work.blob_in_place, 1))) == 40_000


def test_a_bare_loop_of_send_gives_what_the_scheduler_gives() -> None:
    with cr.Scheduler(InstantSource()) as scheduler:
        answers = [scheduler.run(first(number, chain)) for chain in range(CHAINS)]
        tick_chains(scheduler, number)
        assert scheduler.statistics().async_tasks_taken == 2 * CHAINS
    assert answers == send_chains()
