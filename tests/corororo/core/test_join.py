"""gather, map and starmap, inline."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

import corororo as cr


@cr.async_task
def add(x: int, y: int = 10) -> int:
    return x + y


@cr.async_task
def fail_odd(x: int) -> int:
    if x % 2:
        raise ValueError(x)
    return x


@cr.async_task
async def sum_of_children(x: int) -> int:
    first, second = await cr.gather(add(x), add(x, 1))
    total: int = first + second + sum(await add.map([1, 2], [3, 4]))
    return total


@pytest.fixture
def scheduler() -> Iterator[cr.Scheduler]:
    with cr.Scheduler() as scheduler:
        yield scheduler


async def identity(value: int, pauses: int = 0) -> int:
    for _ in range(pauses):
        await add(1)
    return value


def test_results_of_gather_are_in_order_whoever_ends_first(scheduler: cr.Scheduler) -> None:
    async def main() -> list[int]:
        return await cr.gather(*(identity(i, 5 - i) for i in range(5)))

    assert scheduler.run(main()) == [0, 1, 2, 3, 4]


def test_gather_takes_what_schedule_takes(scheduler: cr.Scheduler) -> None:
    async def main() -> list[int]:
        return await cr.gather(identity(1), add(1), lambda: 3, lambda: add(2, 2))  # type: ignore[arg-type]

    assert scheduler.run(main()) == [1, 11, 3, 4]


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


def test_gather_refuses_what_cannot_run(scheduler: cr.Scheduler) -> None:
    async def main() -> None:
        await cr.gather(add(1), 5)  # type: ignore[arg-type]

    with pytest.raises(TypeError, match="got int"):
        scheduler.run(main())


def test_gathers_nest(scheduler: cr.Scheduler) -> None:
    async def tree(depth: int) -> int:
        if depth == 0:
            return await add(0, 1)
        return sum(await cr.gather(tree(depth - 1), tree(depth - 1)))

    assert scheduler.run(tree(8)) == 256


def test_map_pairs_its_iterables_as_the_builtin_does(scheduler: cr.Scheduler) -> None:
    assert scheduler.run(add.map([1, 2, 3], [10, 20])) == [11, 22]
    assert scheduler.run(add.map(range(3))) == [10, 11, 12]
    assert scheduler.run(add.map(iter([1]), iter([2]))) == [3]


def test_starmap_takes_tuples_of_any_right_length(scheduler: cr.Scheduler) -> None:
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
