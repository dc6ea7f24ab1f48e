"""What a Task may await, what it is refused, and how errors pass through its awaits."""

from __future__ import annotations

import asyncio
import math

import pytest
import trio
import trio.lowlevel
from hand_transfer import double

import corororo as cr
from corororo.testing import MockClock


async def whose(levels: int) -> list[cr.Scheduler]:
    """The scheduler that each of so many nested children sees."""
    seen = [await cr.current_scheduler()]
    if levels:
        (inner,) = await cr.gather(whose(levels - 1))
        seen += inner
    return seen


def test_a_thousand_nested_children_of_two_schedulers_each_see_their_own(
    scheduler: cr.Scheduler,
) -> None:
    with cr.Scheduler() as other:

        async def main() -> list[cr.Scheduler]:
            assert set(other.run(whose(3))) == {other}  # in the middle of a Task of the first
            return await whose(1_000)

        assert set(scheduler.run(main())) == {scheduler}
        assert len(other.run(whose(1_000))) == 1_001


def test_the_error_of_a_task_that_awaits_trio_names_run_in_trio(scheduler: cr.Scheduler) -> None:
    async def main() -> None:
        await trio.lowlevel.cancel_shielded_checkpoint()

    with pytest.raises(TypeError, match=r"run_in_trio\(async_function, \*args\)"):
        scheduler.run(main())


def test_the_error_of_a_task_that_awaits_asyncio_says_what_it_can_await(
    scheduler: cr.Scheduler,
) -> None:
    async def main() -> None:
        await asyncio.sleep(0)

    with pytest.raises(TypeError, match="a Task can await coroutines, AsyncTasks and what"):
        scheduler.run(main())
    assert scheduler.run(double(2)) == 4


@cr.async_task
def fail(text: str) -> None:
    raise LookupError(text)


async def through(levels: int, text: str) -> None:
    if levels:
        await through(levels - 1, text)
    else:
        await fail(text)


@pytest.mark.parametrize("levels", [0, 1, 100])
def test_an_error_of_an_async_task_passes_any_depth_of_awaits(
    scheduler: cr.Scheduler, levels: int
) -> None:
    with pytest.raises(LookupError, match="deep down"):
        scheduler.run(through(levels, "deep down"))


def test_an_error_passes_gather_nursery_and_scope_and_each_cleans_up(
    scheduler: cr.Scheduler,
) -> None:
    cleaned: list[str] = []

    async def cleans(name: str, work: object) -> None:
        try:
            await work  # type: ignore[misc]
        finally:
            cleaned.append(name)

    async def in_a_nursery() -> None:
        async with cr.open_nursery() as nursery:
            nursery.start_soon(cleans, "sibling", cr.sleep(100))
            nursery.start_soon(cleans, "culprit", through(1, "x"))

    async def main() -> None:
        with cr.move_on_after(50) as scope:
            await cr.gather(cleans("outer", in_a_nursery()), cleans("neighbour", cr.sleep(1)))
        assert not scope.cancelled_caught

    with pytest.raises(ExceptionGroup) as caught:
        scheduler.run(main())
    assert caught.value.subgroup(LookupError) is not None
    assert cleaned == ["culprit", "sibling", "outer", "neighbour"]


def test_a_system_exit_in_a_child_is_raised_from_its_nursery(scheduler: cr.Scheduler) -> None:
    async def child() -> None:
        raise SystemExit(3)

    async def main() -> None:
        async with cr.open_nursery() as nursery:
            nursery.start_soon(child)
            nursery.start_soon(cr.sleep, 5)

    with pytest.raises(BaseExceptionGroup) as caught:
        scheduler.run(main())
    assert caught.value.subgroup(SystemExit) is not None
    assert scheduler.statistics().tasks_finished == 3


class Unreadable(RuntimeError):
    def __str__(self) -> str:
        raise SystemExit("read")


@cr.async_task
def raise_unreadable() -> None:
    raise Unreadable


def test_the_text_of_an_exception_is_not_read_on_its_way(scheduler: cr.Scheduler) -> None:
    with pytest.raises(Unreadable):
        scheduler.run(raise_unreadable())


def test_a_sleeper_resumes_in_the_first_tick_after_its_time(
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
