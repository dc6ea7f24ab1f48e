"""Sleeping Tasks, on a clock that is moved by hand."""

from __future__ import annotations

import math
from collections.abc import Iterator

import pytest

import corororo as cr
from corororo.testing import MockClock


@pytest.fixture
def clock() -> MockClock:
    return MockClock()


@pytest.fixture
def scheduler(clock: MockClock) -> Iterator[cr.Scheduler]:
    with cr.Scheduler(clock=clock) as scheduler:
        yield scheduler


def test_a_sleeper_goes_on_in_the_first_tick_after_its_time_and_not_before(
    scheduler: cr.Scheduler, clock: MockClock
) -> None:
    woke: list[float] = []

    async def sleeper() -> None:
        await cr.sleep(0.4)
        woke.append(clock.now())

    scheduler.schedule(sleeper())
    scheduler.tick()
    clock.jump(0.399)
    assert scheduler.tick().steps == 0
    clock.jump(0.101)
    scheduler.tick()
    assert woke == [0.5]


def test_sleepers_wake_in_the_order_of_their_time(
    scheduler: cr.Scheduler, clock: MockClock
) -> None:
    woke: list[int] = []

    async def sleeper(seconds: int) -> None:
        await cr.sleep(seconds)
        woke.append(seconds)

    for seconds in (3, 1, 2, 1, 0):
        scheduler.schedule(sleeper(seconds))
    scheduler.tick()
    clock.jump(10)
    scheduler.tick()
    assert woke == [0, 1, 1, 2, 3]


def test_a_sleep_of_nothing_is_a_checkpoint(scheduler: cr.Scheduler) -> None:
    seen: list[str] = []

    async def sleeper() -> None:
        await cr.sleep(0)
        seen.append("next tick")

    scheduler.schedule(sleeper())
    scheduler.tick()
    assert seen == []
    scheduler.tick()
    assert seen == ["next tick"]


def test_sleep_until_a_moment_that_is_over_is_a_checkpoint(
    scheduler: cr.Scheduler, clock: MockClock
) -> None:
    async def main() -> None:
        await cr.sleep_until(7)
        await cr.sleep_until(3)
        await cr.sleep_until(-math.inf)

    scheduler.run(main())
    assert clock.now() == 7


@pytest.mark.parametrize("wait", [cr.sleep, cr.sleep_until])
def test_an_endless_sleep_ends_when_it_is_cancelled(
    scheduler: cr.Scheduler, clock: MockClock, wait: type
) -> None:
    async def main() -> bool:
        with cr.move_on_after(3) as scope:
            await wait(math.inf)
        return scope.cancelled_caught

    assert scheduler.run(main())
    assert clock.now() == 3


@pytest.mark.parametrize("seconds", [-0.1, math.nan])
def test_a_sleep_that_is_none_is_refused(scheduler: cr.Scheduler, seconds: float) -> None:
    with pytest.raises(ValueError, match="0 or more"):
        scheduler.run(cr.sleep(seconds))


def test_run_sleeps_through_what_others_sleep_as_well(
    scheduler: cr.Scheduler, clock: MockClock
) -> None:
    seen: list[str] = []

    async def other() -> None:
        await cr.sleep(2)
        seen.append("other")

    async def main() -> None:
        await cr.sleep(5)
        seen.append("main")

    scheduler.schedule(other())
    scheduler.run(main())
    assert seen == ["other", "main"]
    assert clock.now() == 5
