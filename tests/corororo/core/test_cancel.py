"""What cancelling does to each thing that a Task may wait for. A test gives each reply."""

from __future__ import annotations

import math
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
from hand_transfer import HandTransfer, double, step

import corororo as cr
from corororo._core import UnorderedMap
from corororo.testing import MockClock


class Region:
    """A Task that waits for something inside a scope, and notes how the wait ended."""

    def __init__(self, wait: Callable[[], Any], before: Callable[[], Any] | None = None) -> None:
        self.scope = cr.CancelScope()
        self.ended = ""
        self._wait = wait
        self._before = before

    async def run(self) -> None:
        if self._before is not None:
            await self._before()
        with self.scope:
            try:
                await self._wait()
            except BaseException as error:
                cancelled = isinstance(error, cr.Cancelled | BaseExceptionGroup)
                self.ended = "cancelled" if cancelled else repr(error)
                raise
            self.ended = "done"


async def all_of_an_unordered_map() -> None:
    async for _ in UnorderedMap(double, [(i,) for i in range(3)]):
        pass


async def a_nursery() -> None:
    async with cr.open_nursery() as nursery:
        nursery.start_soon(double, 1)
        nursery.start_soon(cr.sleep, 5)


WAITS: dict[str, Callable[[], Any]] = {
    "a sleep": lambda: cr.sleep(5),
    "a checkpoint": cr.checkpoint,
    "a sleep of nothing": lambda: cr.sleep(0),
    "an AsyncTask": lambda: double(1),
    "map": lambda: double.map(range(3)),
    "an unordered map": all_of_an_unordered_map,
    "gather": lambda: cr.gather(double(1), cr.sleep(5), cr.checkpoint()),
    "a nursery": a_nursery,
}


PAUSES: dict[str, Callable[[], Any] | None] = {
    "at first": None,
    "after a checkpoint": cr.checkpoint,
    "after a sleep of nothing": lambda: cr.sleep(0),
    "after a sleep": lambda: cr.sleep(1),
    "after the scheduler was asked for": cr.current_scheduler,
}


@pytest.mark.parametrize("wait", WAITS)
@pytest.mark.parametrize("pause", PAUSES)
def test_cancelling_ends_every_kind_of_wait_after_every_other_kind(
    by_hand: cr.Scheduler, clock: MockClock, wait: str, pause: str
) -> None:
    region = Region(WAITS[wait], PAUSES[pause])
    by_hand.schedule(region.run())
    step(by_hand)
    if PAUSES[pause] not in (None, cr.current_scheduler):
        clock.jump(1)
        step(by_hand)
    region.scope.cancel()
    step(by_hand)
    step(by_hand)
    assert region.ended == "cancelled"
    assert region.scope.cancelled_caught
    assert by_hand.statistics().timers == 0


@pytest.mark.parametrize("wait", WAITS)
@pytest.mark.parametrize("how", ["cancelled", "over"])
def test_a_scope_that_is_cancelled_or_over_when_it_is_entered_sends_no_call_and_ends_each_wait(
    by_hand: cr.Scheduler, hand: HandTransfer, wait: str, how: str
) -> None:
    region = Region(WAITS[wait])
    if how == "cancelled":
        region.scope.cancel()
    else:
        region.scope.deadline = -1.0
    by_hand.schedule(region.run())
    assert step(by_hand).async_tasks_sent == hand.in_flight == 0
    assert region.ended == "cancelled"
    assert region.scope.cancelled_caught


@pytest.mark.parametrize("wait", ["an AsyncTask", "map", "an unordered map"])
def test_a_late_reply_is_dropped_and_counted_and_no_tick_waits_for_it(
    by_hand: cr.Scheduler, hand: HandTransfer, wait: str
) -> None:
    region = Region(WAITS[wait])
    by_hand.schedule(region.run())
    sent = step(by_hand).async_tasks_sent
    region.scope.cancel()
    by_hand.tick()  # would fail if it still waited for the replies
    assert hand.in_flight == sent
    hand.answer_all()
    step(by_hand)
    statistics = by_hand.statistics()
    assert statistics.async_tasks_dropped == statistics.async_tasks_taken == sent
    assert statistics.async_tasks_in_flight == 0
    assert region.ended == "cancelled"


def test_a_late_reply_does_not_touch_the_next_user_of_the_same_task(
    by_hand: cr.Scheduler, hand: HandTransfer
) -> None:
    values: list[int] = []

    async def next_user() -> None:
        values.append(await double(7))

    region = Region(lambda: double(1))
    by_hand.schedule(region.run())
    step(by_hand)
    region.scope.cancel()
    step(by_hand)
    by_hand.schedule(next_user())
    step(by_hand)
    hand.answer(0, value=999)
    step(by_hand)
    assert values == []
    hand.answer_all()
    step(by_hand)
    assert values == [14]
    assert by_hand.statistics().async_tasks_dropped == 1


def test_one_of_many_calls_sent_together_is_cancelled_and_the_others_get_their_own_values(
    by_hand: cr.Scheduler, hand: HandTransfer
) -> None:
    values: dict[int, int] = {}
    scopes = [cr.CancelScope() for _ in range(10)]

    async def caller(i: int) -> None:
        with scopes[i]:
            values[i] = await double(i)

    for i in range(10):
        by_hand.schedule(caller(i))
    step(by_hand)
    for i in (0, 4, 9):
        scopes[i].cancel()
    hand.answer_all(in_parts_of=3)
    step(by_hand)
    assert values == {i: 2 * i for i in range(10) if i not in (0, 4, 9)}
    assert [scope.cancelled_caught for scope in scopes] == [i in (0, 4, 9) for i in range(10)]


def test_a_deadline_is_noticed_while_a_tick_waits_for_a_worker(
    by_hand: cr.Scheduler, hand: HandTransfer, clock: MockClock
) -> None:
    hand.on_wait = lambda timeout_s: clock.jump(timeout_s or 0)
    seen: list[float] = []

    async def impatient() -> None:
        with cr.move_on_after(0.25) as scope:
            await double(1)
        assert scope.cancelled_caught
        seen.append(clock.now())

    by_hand.schedule(impatient())
    by_hand.tick()
    assert seen == [0.25]


def test_a_deadline_may_be_moved_in_both_directions(
    by_hand: cr.Scheduler, clock: MockClock
) -> None:
    ended: list[float] = []

    async def main(first: float, second: float) -> None:
        with cr.move_on_after(first) as scope:
            scope.deadline = clock.now() + second
            await cr.sleep(100)
        ended.append(clock.now())

    by_hand.run(main(50, 2))
    by_hand.run(main(1, 30))
    by_hand.run(main(1, math.inf))
    by_hand.run(main(math.inf, -math.inf))
    assert ended == [2, 32, 132, 132]


def test_a_scope_that_was_left_is_not_cancelled_by_its_deadline(
    by_hand: cr.Scheduler, clock: MockClock
) -> None:
    async def main() -> None:
        with cr.move_on_after(1) as scope:
            await cr.checkpoint()
        await cr.sleep(5)
        assert not scope.cancelled_caught
        scope.cancel()
        await cr.sleep(5)

    by_hand.run(main())
    assert clock.now() == 10


def test_fail_after_raises_only_where_the_time_was_not_enough(by_hand: cr.Scheduler) -> None:
    async def main(seconds: float) -> str:
        with cr.fail_after(seconds):
            await cr.sleep(5)
        return "in time"

    assert by_hand.run(main(6)) == "in time"
    with pytest.raises(cr.TooSlowError, match=r"fail_after\(2\)"):
        by_hand.run(main(2))
    with pytest.raises(TimeoutError):
        by_hand.run(main(0))


def test_a_task_that_ignores_cancellation_for_ever_does_not_hang_the_tick(
    by_hand: cr.Scheduler,
) -> None:
    stop = False

    async def deaf() -> None:
        with cr.CancelScope() as scope:
            scope.cancel()
            while not stop:
                try:
                    await double(1)
                except cr.Cancelled:
                    continue

    neighbour = Region(cr.checkpoint)
    by_hand.schedule(deaf())
    by_hand.schedule(neighbour.run())
    step(by_hand)
    step(by_hand)
    assert neighbour.ended == "done"
    stop = True
    step(by_hand)
    step(by_hand)
    assert by_hand.statistics().tasks_finished == 2


def test_scopes_are_left_in_the_order_of_their_blocks(by_hand: cr.Scheduler) -> None:
    async def main() -> None:
        outer = cr.CancelScope()
        outer.__enter__()
        with cr.CancelScope():
            outer.__exit__(None, None, None)

    with pytest.raises(RuntimeError, match="entered inside it"):
        by_hand.run(main())


async def gives_one() -> AsyncIterator[int]:
    with cr.move_on_after(1):
        yield 1
        await cr.checkpoint()


def test_a_scope_that_a_task_has_left_open_does_not_touch_the_next_user_of_the_task(
    clock: MockClock,
) -> None:
    """An async generator that is broken off keeps its scope open when its Task ends."""
    kept: list[Any] = []
    ended: list[str] = []

    async def leaves_it_open() -> None:
        values = gives_one()
        kept.append(values)
        async for _ in values:
            break

    async def next_user() -> None:
        await cr.sleep(5)
        ended.append("slept well")

    with cr.Scheduler(clock=clock) as scheduler:
        scheduler.schedule(leaves_it_open())
        scheduler.tick()
        scheduler.schedule(next_user())
        scheduler.tick()
        clock.jump(2)
        scheduler.tick()
        clock.jump(5)
        scheduler.tick()
    assert ended == ["slept well"]
