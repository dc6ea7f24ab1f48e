"""What cancelling does to each thing that a Task may wait for. Replies come by hand."""

from __future__ import annotations

import math
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import pytest
from hand_transfer import HandTransfer

import corororo as cr
from corororo._core import UnorderedMap
from corororo.testing import MockClock


@cr.async_task
def double(x: int) -> int:
    return 2 * x


@pytest.fixture
def clock() -> MockClock:
    return MockClock()


@pytest.fixture
def hand() -> HandTransfer:
    return HandTransfer()


@pytest.fixture
def scheduler(hand: HandTransfer, clock: MockClock) -> Iterator[cr.Scheduler]:
    with cr.Scheduler(hand, clock=clock) as scheduler:
        yield scheduler


def step(scheduler: cr.Scheduler) -> cr.TickReport:
    """A tick that waits for nothing."""
    return scheduler.tick(deadline=0, late="carry")


class Region:
    """A Task that waits for something inside a scope, and notes what became of it."""

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
def test_cancelling_ends_every_kind_of_wait_whatever_was_waited_for_before(
    scheduler: cr.Scheduler, clock: MockClock, wait: str, pause: str
) -> None:
    region = Region(WAITS[wait], PAUSES[pause])
    scheduler.schedule(region.run())
    step(scheduler)
    if PAUSES[pause] not in (None, cr.current_scheduler):
        clock.jump(1)
        step(scheduler)
    region.scope.cancel()
    step(scheduler)
    step(scheduler)
    assert region.ended == "cancelled"
    assert region.scope.cancelled_caught
    assert scheduler.statistics().timers == 0


@pytest.mark.parametrize("wait", WAITS)
def test_a_scope_that_was_cancelled_before_it_is_entered_lets_nothing_wait(
    scheduler: cr.Scheduler, wait: str
) -> None:
    region = Region(WAITS[wait])
    region.scope.cancel()
    scheduler.schedule(region.run())
    step(scheduler)
    assert region.ended == "cancelled"
    assert region.scope.cancelled_caught


@pytest.mark.parametrize("wait", ["an AsyncTask", "map", "an unordered map"])
def test_calls_that_a_cancelled_scope_refuses_are_never_sent(
    scheduler: cr.Scheduler, hand: HandTransfer, wait: str
) -> None:
    region = Region(WAITS[wait])
    region.scope.cancel()
    scheduler.schedule(region.run())
    assert step(scheduler).async_tasks_sent == 0
    assert hand.in_flight == 0


@pytest.mark.parametrize("wait", ["an AsyncTask", "a sleep", "gather", "a nursery"])
def test_a_deadline_that_is_over_on_entry_cancels_at_the_first_wait(
    scheduler: cr.Scheduler, hand: HandTransfer, wait: str
) -> None:
    region = Region(WAITS[wait])
    region.scope.deadline = -1.0
    scheduler.schedule(region.run())
    step(scheduler)
    assert region.ended == "cancelled"
    assert hand.in_flight == 0


@pytest.mark.parametrize("wait", ["an AsyncTask", "map", "an unordered map"])
def test_a_late_reply_is_counted_and_holds_up_no_tick(
    scheduler: cr.Scheduler, hand: HandTransfer, wait: str
) -> None:
    region = Region(WAITS[wait])
    scheduler.schedule(region.run())
    sent = step(scheduler).async_tasks_sent
    region.scope.cancel()
    scheduler.tick()  # would wait for ever if anybody still wanted the replies
    assert hand.in_flight == sent
    hand.answer_all()
    step(scheduler)
    statistics = scheduler.statistics()
    assert statistics.async_tasks_dropped == statistics.async_tasks_taken == sent
    assert statistics.async_tasks_in_flight == 0
    assert region.ended == "cancelled"


def test_a_late_reply_does_not_touch_the_next_user_of_the_same_task(
    scheduler: cr.Scheduler, hand: HandTransfer
) -> None:
    values: list[int] = []

    async def next_user() -> None:
        values.append(await double(7))

    region = Region(lambda: double(1))
    scheduler.schedule(region.run())
    step(scheduler)
    region.scope.cancel()
    step(scheduler)
    scheduler.schedule(next_user())
    step(scheduler)
    hand.answer(0, value=999)
    step(scheduler)
    assert values == []
    hand.answer_all()
    step(scheduler)
    assert values == [14]
    assert scheduler.statistics().async_tasks_dropped == 1


def test_one_of_many_calls_sent_together_is_cancelled_and_the_others_get_their_own_values(
    scheduler: cr.Scheduler, hand: HandTransfer
) -> None:
    values: dict[int, int] = {}
    scopes = [cr.CancelScope() for _ in range(10)]

    async def caller(i: int) -> None:
        with scopes[i]:
            values[i] = await double(i)

    for i in range(10):
        scheduler.schedule(caller(i))
    step(scheduler)
    for i in (0, 4, 9):
        scopes[i].cancel()
    hand.answer_all(in_parts_of=3)
    step(scheduler)
    assert values == {i: 2 * i for i in range(10) if i not in (0, 4, 9)}
    assert [scope.cancelled_caught for scope in scopes] == [i in (0, 4, 9) for i in range(10)]


def test_a_deadline_is_noticed_while_a_tick_waits_for_a_worker(
    scheduler: cr.Scheduler, hand: HandTransfer, clock: MockClock
) -> None:
    hand.on_wait = lambda timeout_s: clock.jump(timeout_s or 0)
    seen: list[float] = []

    async def impatient() -> None:
        with cr.move_on_after(0.25) as scope:
            await double(1)
        assert scope.cancelled_caught
        seen.append(clock.now())

    scheduler.schedule(impatient())
    scheduler.tick()
    assert seen == [0.25]


def test_a_deadline_may_be_moved_in_both_directions(
    scheduler: cr.Scheduler, clock: MockClock
) -> None:
    ended: list[float] = []

    async def main(first: float, second: float) -> None:
        with cr.move_on_after(first) as scope:
            scope.deadline = second
            await cr.sleep(100)
        ended.append(clock.now())

    scheduler.run(main(50, 2))
    scheduler.run(main(1, 30))
    assert ended == [2, 30]


def test_a_deadline_moved_away_for_good_never_comes(
    scheduler: cr.Scheduler, clock: MockClock
) -> None:
    async def main() -> bool:
        with cr.move_on_after(1) as scope:
            scope.deadline = math.inf
            await cr.sleep(100)
        return scope.cancelled_caught

    assert scheduler.run(main()) is False
    assert clock.now() == 100


def test_a_deadline_moved_to_the_endless_past_cancels(scheduler: cr.Scheduler) -> None:
    async def main() -> bool:
        with cr.CancelScope() as scope:
            scope.deadline = -math.inf
            await cr.sleep(100)
        return scope.cancelled_caught

    assert scheduler.run(main()) is True


def test_a_deadline_that_is_no_number_is_refused_and_leaves_the_task_usable(
    scheduler: cr.Scheduler,
) -> None:
    async def main() -> None:
        with pytest.raises(ValueError, match="nan"), cr.CancelScope(deadline=math.nan):
            pass
        with cr.move_on_after(1) as scope:
            await cr.sleep(5)
        assert scope.cancelled_caught

    scheduler.run(main())


def test_a_scope_that_was_left_is_not_cancelled_by_its_deadline(
    scheduler: cr.Scheduler, clock: MockClock
) -> None:
    async def main() -> None:
        with cr.move_on_after(1) as scope:
            await cr.checkpoint()
        await cr.sleep(5)
        assert not scope.cancelled_caught
        scope.cancel()
        await cr.sleep(5)

    scheduler.run(main())
    assert clock.now() == 10


def test_fail_after_raises_only_where_the_time_was_not_enough(scheduler: cr.Scheduler) -> None:
    async def main(seconds: float) -> str:
        with cr.fail_after(seconds):
            await cr.sleep(5)
        return "in time"

    assert scheduler.run(main(6)) == "in time"
    with pytest.raises(cr.TooSlowError, match=r"fail_after\(2\)"):
        scheduler.run(main(2))
    with pytest.raises(TimeoutError):
        scheduler.run(main(0))


@pytest.mark.parametrize("make", [cr.move_on_after, cr.fail_after])
@pytest.mark.parametrize("seconds", [-1, math.nan])
def test_a_time_that_is_none_is_refused(
    scheduler: cr.Scheduler, make: Callable[[float], Any], seconds: float
) -> None:
    async def main() -> None:
        with make(seconds):
            pass

    with pytest.raises(ValueError, match="0 or more"):
        scheduler.run(main())


def test_an_error_of_the_body_passes_through_a_cancelled_scope(scheduler: cr.Scheduler) -> None:
    async def main() -> None:
        with cr.CancelScope() as scope:
            scope.cancel()
            raise LookupError("mine")

    with pytest.raises(LookupError, match="mine"):
        scheduler.run(main())


def test_cancelled_is_filtered_out_of_a_group_and_the_rest_is_raised(
    scheduler: cr.Scheduler,
) -> None:
    async def fails_when_cancelled() -> None:
        try:
            await cr.sleep(5)
        finally:
            raise LookupError("in the cleanup")

    async def main() -> None:
        with cr.move_on_after(1):
            async with cr.open_nursery() as nursery:
                nursery.start_soon(fails_when_cancelled)
                nursery.start_soon(cr.sleep, 5)
                await cr.sleep(5)

    with pytest.raises(ExceptionGroup) as caught:
        scheduler.run(main())
    assert [type(error) for error in caught.value.exceptions] == [LookupError]


def test_a_task_that_ignores_cancellation_for_ever_does_not_hang_the_tick(
    scheduler: cr.Scheduler,
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
    scheduler.schedule(deaf())
    scheduler.schedule(neighbour.run())
    step(scheduler)
    step(scheduler)
    assert neighbour.ended == "done"
    stop = True
    step(scheduler)
    step(scheduler)
    assert scheduler.statistics().tasks_finished == 2


def test_a_scope_is_for_one_use(scheduler: cr.Scheduler) -> None:
    async def main() -> None:
        scope = cr.CancelScope()
        with scope:
            pass
        with scope:
            pass

    with pytest.raises(RuntimeError, match="one use"):
        scheduler.run(main())


def test_a_thousand_tasks_deep_are_cancelled_at_once(scheduler: cr.Scheduler) -> None:
    ended: list[int] = []

    async def deep(levels: int) -> None:
        try:
            if levels:
                await cr.gather(deep(levels - 1))
            else:
                await cr.sleep(100)
        finally:
            ended.append(levels)

    async def main() -> bool:
        with cr.move_on_after(1) as scope:
            await deep(2_000)
        return scope.cancelled_caught

    assert scheduler.run(main())
    assert ended == list(range(2_001))


def test_cancelling_many_calls_in_flight_takes_each_out_once(
    scheduler: cr.Scheduler, hand: HandTransfer
) -> None:
    region = Region(lambda: cr.gather(*(double(i) for i in range(3_000))))
    scheduler.schedule(region.run())
    step(scheduler)
    region.scope.cancel()
    step(scheduler)
    assert region.ended == "cancelled"
    hand.answer_all()
    step(scheduler)
    assert scheduler.statistics().async_tasks_dropped == 3_000


def test_a_scope_outside_of_any_task_says_what_to_do() -> None:
    said = r"CancelScope works inside a Task only.*run\(\)"
    with pytest.raises(RuntimeError, match=said), cr.CancelScope():
        pass
    with pytest.raises(RuntimeError, match="inside a Task only"):
        cr.move_on_after(1)


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
