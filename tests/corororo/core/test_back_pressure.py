"""At most ``max_pending`` calls in flight: Tasks wait for their turn, in order; none is lost."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any

import pytest
from hand_transfer import HandTransfer

import corororo as cr
from corororo.testing import MockClock


@cr.async_task
def double(x: int) -> int:
    return 2 * x


@pytest.fixture
def hand() -> HandTransfer:
    return HandTransfer()


@pytest.fixture
def scheduler(hand: HandTransfer) -> Iterator[cr.Scheduler]:
    with cr.Scheduler(hand, clock=MockClock()) as scheduler:
        yield scheduler


def step(scheduler: cr.Scheduler) -> None:
    scheduler.tick(deadline=0, late="carry")


def test_tasks_wait_for_their_turn_and_all_come_to_it_in_order(
    scheduler: cr.Scheduler, hand: HandTransfer
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
        scheduler.schedule(mob(i))
    scheduler.tick()
    assert began == list(range(5_000))
    assert sorted(values) == list(range(0, 10_000, 2))
    assert 500 <= most <= 600  # what one slice of Tasks makes comes on top


def test_a_tick_whose_time_is_over_leaves_the_rest_to_the_next(
    scheduler: cr.Scheduler, hand: HandTransfer
) -> None:
    hand.max_pending = 100
    began: list[int] = []

    async def mob(i: int) -> None:
        began.append(i)
        await double(i)

    for i in range(1_000):
        scheduler.schedule(mob(i))
    step(scheduler)
    assert len(began) == 100
    step(scheduler)
    assert len(began) == 100
    hand.answer_all()
    step(scheduler)
    assert len(began) == 200
    hand.on_wait = lambda _timeout_s: hand.answer_all()
    scheduler.tick()
    assert began == list(range(1_000))


def test_calls_that_nobody_waits_for_any_more_hold_others_back_only_until_they_are_back(
    scheduler: cr.Scheduler, hand: HandTransfer
) -> None:
    hand.max_pending = 10
    ended: list[int] = []

    scope = cr.CancelScope()

    async def impatient() -> None:
        with scope:
            await double.map(range(20))

    async def patient(i: int) -> None:
        ended.append(i)

    waits = 0

    def answer(_timeout_s: float | None) -> None:
        nonlocal waits
        waits += 1
        hand.answer_all()

    hand.on_wait = answer
    scheduler.schedule(impatient())
    step(scheduler)
    scope.cancel()
    for i in range(5):
        scheduler.schedule(patient(i))
    scheduler.tick()
    assert (ended, waits) == (list(range(5)), 1)


# -- map_unordered reads no further ahead than that


def test_endless_arguments_are_read_only_so_far_ahead(
    scheduler: cr.Scheduler, hand: HandTransfer
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
    scheduler.schedule(main())
    scheduler.tick()
    assert len(set(seen)) == 1_000


def test_no_arguments_are_no_values(scheduler: cr.Scheduler) -> None:
    async def main() -> list[int]:
        return [value async for value in double.map_unordered([])]

    assert scheduler.run(main()) == []


def test_what_the_arguments_raise_is_raised_in_its_turn(
    scheduler: cr.Scheduler, hand: HandTransfer
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
    scheduler.schedule(main())
    scheduler.tick()
    assert sorted(seen, key=str) == [2, "no more numbers"]


# -- results are lent when a Task gets them


def test_results_count_as_lent_from_when_a_task_gets_them(
    scheduler: cr.Scheduler, hand: HandTransfer
) -> None:
    got: list[Any] = []

    async def vector() -> None:
        got.append(await double.map([1, 2, 3]))

    scheduler.schedule(vector())
    step(scheduler)
    hand.answer(0, "first")
    step(scheduler)
    assert hand.lent == []  # it has come, and waits for the others
    hand.answer_part(0, 2)
    step(scheduler)
    assert hand.lent == got[0] == ["first", 4, 6]


def test_each_value_of_an_iteration_is_lent_by_itself(
    scheduler: cr.Scheduler, hand: HandTransfer
) -> None:
    async def iteration() -> None:
        async for _ in double.map_unordered([1, 2, 3]):
            await cr.checkpoint()

    scheduler.schedule(iteration())
    step(scheduler)
    hand.answer_all()
    for lent in ([2], [2, 4], [2, 4, 6]):
        step(scheduler)
        assert hand.lent == lent


def test_every_pass_begins_a_tick(scheduler: cr.Scheduler, hand: HandTransfer) -> None:
    for ticks in range(1, 4):
        scheduler.tick()
        assert hand.ticks == ticks
