"""map_unordered: values in the order in which they come back."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from hand_transfer import HandTransfer

import corororo as cr
from corororo.testing import MockClock


@cr.async_task
def double(x: int) -> int:
    return 2 * x


@cr.async_task
def fail_odd(x: int) -> int:
    if x % 2:
        raise ValueError(x)
    return x


@cr.async_task
async def sum_up(numbers: list[int]) -> int:
    total = 0
    async for value in fail_odd.map_unordered(numbers):
        total += value
    return total


@pytest.fixture
def hand() -> HandTransfer:
    return HandTransfer()


@pytest.fixture
def scheduler(hand: HandTransfer) -> Iterator[cr.Scheduler]:
    with cr.Scheduler(hand, clock=MockClock()) as scheduler:
        yield scheduler


def step(scheduler: cr.Scheduler) -> None:
    scheduler.tick(deadline=0, late="carry")


def test_values_come_as_they_are_answered(scheduler: cr.Scheduler, hand: HandTransfer) -> None:
    seen: list[int] = []

    async def main() -> None:
        seen.extend([value async for value in double.map_unordered(range(6))])

    scheduler.schedule(main())
    step(scheduler)
    hand.batches[0].open = [4, 1, 5, 0, 3, 2]
    for _ in range(6):
        hand.answer_part(0, 1)
        step(scheduler)
    assert seen == [8, 2, 10, 0, 6, 4]
    assert scheduler.statistics().tasks_finished == 1


def test_nothing_to_do_ends_at_once() -> None:
    async def main() -> list[int]:
        return [value async for value in double.map_unordered([])]

    with cr.Scheduler() as scheduler:
        assert scheduler.run(main()) == []


def test_a_failure_is_raised_where_its_value_would_have_been_and_the_rest_can_be_had() -> None:
    async def main() -> list[int | str]:
        seen: list[int | str] = []
        values = fail_odd.map_unordered(range(4))
        while True:
            try:
                seen.append(await anext(values))
            except ValueError as error:
                seen.append(f"failed {error}")
            except StopAsyncIteration:
                return seen

    with cr.Scheduler() as scheduler:
        assert scheduler.run(main()) == [0, "failed 1", 2, "failed 3"]


def test_leaving_the_loop_early_holds_up_no_tick(
    scheduler: cr.Scheduler, hand: HandTransfer
) -> None:
    left: list[int] = []

    async def main() -> None:
        async for value in double.map_unordered(range(5)):
            left.append(value)
            break
        await cr.checkpoint()
        left.append(-1)

    scheduler.schedule(main())
    step(scheduler)
    hand.answer_part(0, 2)
    scheduler.tick()
    scheduler.tick()
    assert left == [0, -1]
    hand.answer_all()
    step(scheduler)
    statistics = scheduler.statistics()
    assert (statistics.async_tasks_taken, statistics.async_tasks_in_flight) == (5, 0)
    scheduler.tick()  # the books are even: nothing is waited for


def test_a_task_that_gives_way_between_two_values_holds_up_no_tick_either(
    scheduler: cr.Scheduler, hand: HandTransfer
) -> None:
    seen: list[int] = []

    async def main() -> None:
        async for value in double.map_unordered(range(3)):
            seen.append(value)
            await cr.checkpoint()

    scheduler.schedule(main())
    step(scheduler)
    for _ in range(3):
        hand.answer_part(0, 1)
        scheduler.tick()
        step(scheduler)
    assert seen == [0, 2, 4]
    assert scheduler.statistics().tasks_finished == 1


def test_a_cancelled_wait_ends_the_iteration(scheduler: cr.Scheduler, hand: HandTransfer) -> None:
    seen: list[object] = []
    scopes: list[cr.CancelScope] = []

    async def main() -> None:
        values = double.map_unordered(range(2))
        with cr.CancelScope() as scope:
            scopes.append(scope)
            await anext(values)
        seen.append(scope.cancelled_caught)
        seen.extend([value async for value in values])

    scheduler.schedule(main())
    step(scheduler)
    scopes[0].cancel()
    step(scheduler)
    hand.answer_all()
    step(scheduler)
    step(scheduler)
    assert seen == [True]
    assert scheduler.statistics().async_tasks_dropped == 2


def test_two_tasks_cannot_wait_for_the_next_value_of_one_iterator(
    scheduler: cr.Scheduler, hand: HandTransfer
) -> None:
    async def main() -> None:
        values = double.map_unordered(range(2))
        await cr.gather(anext(values), anext(values))  # type: ignore[arg-type]

    scheduler.schedule(main())
    step(scheduler)
    hand.answer_all()
    with pytest.raises(RuntimeError, match="another Task waits"):
        step(scheduler)


def test_inside_an_async_task_the_values_come_in_order_and_failures_are_raised() -> None:
    assert sum_up.call_inline([2, 4, 6]) == 12
    with pytest.raises(ValueError, match="3"):
        sum_up.call_inline([2, 3, 4])
