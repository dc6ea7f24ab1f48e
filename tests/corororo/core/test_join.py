"""gather, map, map_unordered, and the limit of calls in flight."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any

import pytest
from hand_transfer import HandTransfer, double, fail_odd, step

import corororo as cr


@cr.async_task
def add(x: int, y: int = 10) -> int:
    return x + y


@cr.async_task
async def sum_of_children(x: int) -> int:
    first, second = await cr.gather(add(x), add(x, 1))
    total: int = first + second + sum(await add.map([1, 2], [3, 4]))
    return total


async def identity(value: int, pauses: int = 0) -> int:
    for _ in range(pauses):
        await add(1)
    return value


def test_results_of_gather_are_in_order_whichever_ends_first(scheduler: cr.Scheduler) -> None:
    async def main() -> list[int]:
        return await cr.gather(*(identity(i, 5 - i) for i in range(5)))

    assert scheduler.run(main()) == [0, 1, 2, 3, 4]


def test_gather_of_nothing_is_nothing(scheduler: cr.Scheduler) -> None:
    assert scheduler.run(cr.gather()) == []
    assert scheduler.run(add.map([])) == []


def test_one_failure_is_raised_as_it_is_after_the_others_have_ended(
    scheduler: cr.Scheduler,
) -> None:
    ended: list[int] = []

    async def child(i: int) -> None:
        await fail_odd(i)
        ended.append(i)

    async def main() -> None:
        await cr.gather(child(1), child(2), child(4))

    with pytest.raises(ValueError, match="1"):
        scheduler.run(main())
    assert ended == [2, 4]


def test_several_failures_are_a_group_in_order(scheduler: cr.Scheduler) -> None:
    async def main() -> None:
        await cr.gather(fail_odd(5), fail_odd(2), fail_odd(3))

    with pytest.raises(ExceptionGroup) as caught:
        scheduler.run(main())
    assert [str(error) for error in caught.value.exceptions] == ["5", "3"]


def test_map_pairs_its_iterables_as_the_builtin_does(scheduler: cr.Scheduler) -> None:
    assert scheduler.run(add.map([1, 2, 3], [10, 20])) == [11, 22]
    assert scheduler.run(add.map(range(3))) == [10, 11, 12]
    assert scheduler.run(add.map(iter([1]), iter([2]))) == [3]


def test_starmap_takes_tuples_with_and_without_defaults(scheduler: cr.Scheduler) -> None:
    assert scheduler.run(add.starmap([(1, 2), (3,)])) == [3, 13]
    with pytest.raises(TypeError, match="too many positional"):
        add.starmap([(1, 2, 3)])


def test_map_raises_its_first_failure_in_the_order_of_the_calls(scheduler: cr.Scheduler) -> None:
    async def main() -> None:
        await fail_odd.map([2, 7, 4, 5])

    with pytest.raises(ValueError, match="7"):
        scheduler.run(main())


def test_an_async_task_may_gather_and_map_others_without_a_scheduler() -> None:
    assert sum_of_children.call_inline(1) == 11 + 2 + 4 + 6


def test_values_come_as_they_are_answered(by_hand: cr.Scheduler, hand: HandTransfer) -> None:
    seen: list[int] = []

    async def main() -> None:
        seen.extend([value async for value in double.map_unordered(range(6))])

    by_hand.schedule(main())
    step(by_hand)
    hand.batches[0].open = [4, 1, 5, 0, 3, 2]
    for _ in range(6):
        hand.answer_part(0, 1)
        step(by_hand)
    assert seen == [8, 2, 10, 0, 6, 4]
    assert by_hand.statistics().tasks_finished == 1


def test_a_failure_of_an_iteration_is_raised_in_the_place_of_its_value() -> None:
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


@cr.async_task
def stop_iterating(x: int) -> None:
    raise StopAsyncIteration


def test_a_call_that_raises_stop_async_iteration_does_not_end_the_iteration_silently(
    scheduler: cr.Scheduler,
) -> None:
    async def main() -> list[None]:
        return [value async for value in stop_iterating.map_unordered([1])]

    with pytest.raises(RuntimeError, match=r":stop_iterating raised StopAsyncIteration"):
        scheduler.run(main())


def test_no_tick_waits_for_an_iteration_that_was_left_early(
    by_hand: cr.Scheduler, hand: HandTransfer
) -> None:
    left: list[int] = []

    async def main() -> None:
        async for value in double.map_unordered(range(5)):
            left.append(value)
            break
        await cr.checkpoint()
        left.append(-1)

    by_hand.schedule(main())
    step(by_hand)
    hand.answer_part(0, 2)
    by_hand.tick()
    by_hand.tick()
    assert left == [0, -1]
    hand.answer_all()
    step(by_hand)
    statistics = by_hand.statistics()
    assert (statistics.async_tasks_taken, statistics.async_tasks_in_flight) == (5, 0)
    by_hand.tick()  # waits for nothing


def test_a_cancelled_wait_ends_the_iteration(by_hand: cr.Scheduler, hand: HandTransfer) -> None:
    seen: list[object] = []
    scopes: list[cr.CancelScope] = []

    async def main() -> None:
        values = double.map_unordered(range(2))
        with cr.CancelScope() as scope:
            scopes.append(scope)
            await anext(values)
        seen.append(scope.cancelled_caught)
        seen.extend([value async for value in values])

    by_hand.schedule(main())
    step(by_hand)
    scopes[0].cancel()
    step(by_hand)
    hand.answer_all()
    step(by_hand)
    step(by_hand)
    assert seen == [True]
    assert by_hand.statistics().async_tasks_dropped == 2


def test_two_tasks_cannot_wait_for_the_next_value_of_one_iterator(
    by_hand: cr.Scheduler, hand: HandTransfer
) -> None:
    async def main() -> None:
        values = double.map_unordered(range(2))
        await cr.gather(anext(values), anext(values))  # type: ignore[arg-type]

    by_hand.schedule(main())
    step(by_hand)
    hand.answer_all()
    with pytest.raises(RuntimeError, match="another Task waits"):
        step(by_hand)


def test_tasks_beyond_the_limit_wait_and_all_run_in_order(
    by_hand: cr.Scheduler, hand: HandTransfer
) -> None:
    hand.max_pending = 500
    most = 0
    began: list[int] = []
    values: list[int] = []

    def answer(_timeout_s: float | None) -> None:
        nonlocal most
        most = max(most, hand.in_flight)
        hand.answer_all()

    async def mob(i: int) -> None:
        began.append(i)
        values.append(await double(i))

    hand.on_wait = answer
    for i in range(5_000):
        by_hand.schedule(mob(i))
    by_hand.tick()
    assert began == list(range(5_000))
    assert sorted(values) == list(range(0, 10_000, 2))
    assert 500 <= most <= 600  # what one slice of Tasks makes comes on top


def test_a_tick_whose_time_is_over_leaves_the_rest_to_the_next(
    by_hand: cr.Scheduler, hand: HandTransfer
) -> None:
    hand.max_pending = 100
    began: list[int] = []

    async def mob(i: int) -> None:
        began.append(i)
        await double(i)

    for i in range(1_000):
        by_hand.schedule(mob(i))
    step(by_hand)
    assert len(began) == 100
    step(by_hand)
    assert len(began) == 100
    hand.answer_all()
    step(by_hand)
    assert len(began) == 200
    hand.on_wait = lambda _timeout_s: hand.answer_all()
    by_hand.tick()
    assert began == list(range(1_000))


def test_endless_arguments_are_read_only_so_far_ahead(
    by_hand: cr.Scheduler, hand: HandTransfer
) -> None:
    hand.max_pending = 30
    read: list[int] = []
    seen: list[int] = []

    def numbers() -> Iterator[int]:
        for i in itertools.count():
            read.append(i)
            yield i

    async def main() -> None:
        async for value in double.map_unordered(numbers()):
            seen.append(value)
            assert len(read) - len(seen) <= 30
            if len(seen) == 1_000:
                return

    hand.on_wait = lambda _timeout_s: hand.answer_part(len(hand.batches) - 1, 7)
    by_hand.schedule(main())
    by_hand.tick()
    assert len(set(seen)) == 1_000


def test_an_error_of_the_iterable_of_arguments_is_raised_in_its_turn(
    by_hand: cr.Scheduler, hand: HandTransfer
) -> None:
    def numbers() -> Iterator[int]:
        yield 1
        raise OSError("no more numbers")

    seen: list[Any] = []

    async def main() -> None:
        values = double.map_unordered(numbers())
        for _ in range(2):
            try:
                seen.append(await anext(values))
            except OSError as error:
                seen.append(str(error))
        with pytest.raises(StopAsyncIteration):
            await anext(values)

    hand.on_wait = lambda _timeout_s: hand.answer_all()
    by_hand.schedule(main())
    by_hand.tick()
    assert sorted(seen, key=str) == [2, "no more numbers"]


def test_results_are_lent_when_the_task_gets_them(
    by_hand: cr.Scheduler, hand: HandTransfer
) -> None:
    got: list[Any] = []

    async def vector() -> None:
        got.append(await double.map([1, 2, 3]))

    by_hand.schedule(vector())
    step(by_hand)
    hand.answer(0, "first")
    step(by_hand)
    assert hand.lent == []  # it has come, and waits for the others
    hand.answer_part(0, 2)
    step(by_hand)
    assert hand.lent == got[0] == ["first", 4, 6]
