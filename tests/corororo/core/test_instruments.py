"""Instruments, reports, statistics and stacks."""

from __future__ import annotations

from typing import Any

import pytest
import trio
import trio.testing
from hand_transfer import double, fail_odd

import corororo as cr
from corororo.abc import Instrument
from corororo.testing import MockClock


class Watcher(Instrument):
    def __init__(self) -> None:
        self.events: list[Any] = []

    def before_tick(self) -> None:
        self.events.append("tick")

    def after_tick(self, report: cr.TickReport) -> None:
        self.events.append(("ticked", report.tasks_finished))

    def before_task_step(self, task: Any) -> None:
        self.events.append(("step", task.name.rpartition(".")[2]))

    def after_task_step(self, task: Any) -> None:
        self.events.append(("stepped", task.name.rpartition(".")[2]))

    def async_task_sent(self, name: str, calls: int) -> None:
        self.events.append(("sent", name.rpartition(":")[2], calls))

    def async_task_done(self, calls: int, failures: int) -> None:
        self.events.append(("done", calls, failures))


async def mob(i: int) -> None:
    await fail_odd(i)


def test_an_instrument_is_called_through_a_tick_in_order() -> None:
    watcher = Watcher()
    with cr.Scheduler(instruments=[watcher]) as scheduler:
        scheduler.schedule(mob(2))
        scheduler.tick()
    assert watcher.events == [
        "tick",
        ("step", "mob"),
        ("stepped", "mob"),
        ("sent", "fail_odd", 1),
        ("done", 1, 0),
        ("step", "mob"),
        ("stepped", "mob"),
        ("ticked", 1),
    ]


def test_each_step_has_the_name_of_its_coroutine() -> None:
    """Also the first step, also of a Task that has run something else before."""
    watcher = Watcher()

    async def first() -> None:
        pass

    async def second() -> None:
        pass

    async def parent() -> None:
        async with cr.open_nursery() as nursery:
            nursery.start_soon(second)

    with cr.Scheduler(instruments=[watcher]) as scheduler:
        scheduler.run(first())
        scheduler.run(second())
        scheduler.run(parent())
    names = [event[1] for event in watcher.events if event[0] in ("step", "stepped")]
    assert names == [
        *("first", "first", "second", "second"),
        *("parent", "parent", "second", "second", "parent", "parent"),
    ]


def test_reports_and_statistics_add_up() -> None:
    clock = MockClock()
    with cr.Scheduler(clock=clock) as scheduler:
        for i in range(10):
            scheduler.schedule(mob(2 * i))
            scheduler.schedule_delayed(i, mob(2 * i))
        before = scheduler.statistics()
        reports = []
        for _ in range(12):
            reports.append(scheduler.tick())
            clock.jump(1)
        after = scheduler.statistics()
    assert (before.timers, after.timers, after.ticks) == (10, 0, 12)
    for name in ("tasks_finished", "async_tasks_sent", "async_tasks_taken", "batches"):
        assert sum(getattr(report, name) for report in reports) == getattr(after, name)
    assert after.tasks_finished == after.async_tasks_taken == 20
    assert sum(report.steps for report in reports) == 40


async def asks(number: int) -> int:
    return await double(number)


async def naps() -> None:
    await cr.sleep(1_000)


def test_a_scheduler_without_tasks_has_no_stacks(by_hand):
    assert by_hand.format_stacks() == ""


def test_tasks_that_wait_at_the_same_place_share_one_stack(by_hand):
    for number in range(3):
        by_hand.schedule(asks(number))
    by_hand.schedule(naps())
    by_hand.tick(0, "carry")

    most, other = by_hand.format_stacks().split("\n\n")
    assert most.startswith("3 Tasks at\n")
    assert "in asks\n    return await double(number)" in most
    assert other.startswith("1 Task at\n")
    assert "in naps\n    await cr.sleep(1_000)" in other


@pytest.mark.trio
async def test_the_stack_of_a_task_shows_the_trio_function_that_it_awaits(by_hand):
    async def waits() -> None:
        await cr.run_in_trio(trio.sleep_forever)

    by_hand.schedule(waits())
    async with trio.open_nursery() as nursery:
        nursery.start_soon(by_hand.run_tick)
        await trio.testing.wait_all_tasks_blocked()
        [block] = by_hand.format_stacks().split("\n\n")
        nursery.cancel_scope.cancel()
    assert "await cr.run_in_trio(trio.sleep_forever)" in block
