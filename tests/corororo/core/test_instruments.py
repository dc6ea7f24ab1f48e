"""Instruments hear all that they listen to, and cost nothing where they do not."""

from __future__ import annotations

from typing import Any

import pytest

import corororo as cr
from corororo.abc import Instrument
from corororo.testing import MockClock


@cr.async_task
def fail_odd(x: int) -> int:
    if x % 2:
        raise ValueError(x)
    return x


class Watcher(Instrument):
    def __init__(self) -> None:
        self.heard: list[Any] = []

    def before_tick(self) -> None:
        self.heard.append("tick")

    def after_tick(self, report: cr.TickReport) -> None:
        self.heard.append(("ticked", report.tasks_finished))

    def before_task_step(self, task: Any) -> None:
        self.heard.append(("step", task.name.rpartition(".")[2]))

    def after_task_step(self, task: Any) -> None:
        self.heard.append(("stepped", task.name.rpartition(".")[2]))

    def async_task_sent(self, name: str, calls: int) -> None:
        self.heard.append(("sent", name.rpartition(":")[2], calls))

    def async_task_done(self, calls: int, failures: int) -> None:
        self.heard.append(("done", calls, failures))


async def mob(i: int) -> None:
    await fail_odd(i)


def test_an_instrument_hears_a_tick_in_order() -> None:
    watcher = Watcher()
    with cr.Scheduler(instruments=[watcher]) as scheduler:
        scheduler.schedule(mob(2))
        scheduler.tick()
    assert watcher.heard == [
        "tick",
        ("step", "mob"),
        ("stepped", "mob"),
        ("sent", "fail_odd", 1),
        ("done", 1, 0),
        ("step", "mob"),
        ("stepped", "mob"),
        ("ticked", 1),
    ]


def test_each_step_bears_the_name_of_the_coroutine_that_makes_it() -> None:
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
    names = [event[1] for event in watcher.heard if event[0] in ("step", "stepped")]
    assert names == [
        *("first", "first", "second", "second"),
        *("parent", "parent", "second", "second", "parent", "parent"),
    ]


def test_failures_of_async_tasks_are_told() -> None:
    watcher = Watcher()
    with cr.Scheduler(instruments=[watcher]) as scheduler:
        for i in range(3):
            scheduler.schedule(mob(i))
        with pytest.raises(ValueError, match="1"):
            scheduler.tick()
    assert ("done", 3, 1) in watcher.heard
    assert watcher.heard[-1] == ("ticked", 3)


def test_what_a_hook_raises_ends_the_tick() -> None:
    class Strict(Instrument):
        def before_tick(self) -> None:
            raise LookupError("no")

    with cr.Scheduler(instruments=[Strict()]) as scheduler:
        for _ in range(2):
            with pytest.raises(LookupError, match="no"):
                scheduler.tick()


def test_results_are_the_same_with_and_without_instruments() -> None:
    async def main() -> list[Any]:
        with cr.move_on_after(1) as scope:
            await cr.sleep(2)
        return [scope.cancelled_caught, *await cr.gather(fail_odd(2), cr.checkpoint())]

    results = []
    for instruments in ([], [Watcher()]):
        with cr.Scheduler(clock=MockClock(), instruments=instruments) as scheduler:
            results.append(scheduler.run(main()))
    assert results[0] == results[1] == [True, 2, None]


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
