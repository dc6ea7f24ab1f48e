"""What runs later, and what runs again and again: exact counts on a clock moved by hand."""

from __future__ import annotations

import gc
import math
import weakref
from collections.abc import Iterator
from functools import partial
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import corororo as cr
from corororo.testing import MockClock

MISSED: list[Any] = ["burst", "delay", "skip"]


@cr.async_task
def double(x: int) -> int:
    return 2 * x


@pytest.fixture
def clock() -> MockClock:
    return MockClock()


@pytest.fixture
def scheduler(clock: MockClock) -> Iterator[cr.Scheduler]:
    with cr.Scheduler(clock=clock) as scheduler:
        yield scheduler


def play(scheduler: cr.Scheduler, clock: MockClock, until_ms: int, every_ms: int = 5) -> None:
    """Tick every so many milliseconds; the last tick begins at ``until_ms`` or before."""
    while round(clock.now() * 1000) <= until_ms:
        before = clock.now()
        scheduler.tick()
        if clock.now() - before < every_ms / 1000:
            clock.jump(every_ms / 1000)


def test_an_interval_of_50_ms_runs_five_times_in_220_ms(
    scheduler: cr.Scheduler, clock: MockClock
) -> None:
    ran: list[int] = []
    scheduler.schedule_interval(0.05, lambda: ran.append(round(clock.now() * 1000)))
    play(scheduler, clock, 220)
    assert ran == [0, 50, 100, 150, 200]


def test_an_interval_of_100_ms_that_waits_for_its_first_period_runs_three_times_in_350_ms(
    scheduler: cr.Scheduler, clock: MockClock
) -> None:
    ran: list[int] = []

    def begin() -> None:
        scheduler.schedule_interval(0.1, lambda: ran.append(round(clock.now() * 1000)))

    scheduler.schedule_delayed(0.1, begin)
    play(scheduler, clock, 350)
    assert [moment // 100 for moment in ran] == [1, 2, 3]


@pytest.mark.parametrize("missed", MISSED)
def test_a_body_of_75_ms_at_50_ms_never_overlaps_itself(
    scheduler: cr.Scheduler, clock: MockClock, missed: Any
) -> None:
    inside: list[int] = []
    most: list[int] = []

    async def body() -> None:
        inside.append(1)
        most.append(len(inside))
        await cr.sleep(0.075)
        inside.pop()

    scheduler.schedule_interval(0.05, body, missed=missed)
    play(scheduler, clock, 1000)  # a run that is over begins again in the next tick, 5 ms later
    assert set(most) == {1}
    assert len(most) == {"burst": 13, "delay": 13, "skip": 11}[missed]


@pytest.mark.parametrize("missed", MISSED)
def test_a_body_that_suspends_over_several_ticks_is_single(
    scheduler: cr.Scheduler, clock: MockClock, missed: Any
) -> None:
    inside: list[int] = []
    ended: list[int] = []

    async def body() -> None:
        assert not inside
        inside.append(1)
        await cr.checkpoint()
        await double(1)
        await cr.checkpoint()
        ended.append(inside.pop())

    scheduler.schedule_interval(0.01, body, missed=missed)
    for _ in range(30):
        scheduler.tick()
        clock.jump(0.01)
    # burst and delay begin again in the tick after the end; skip, on the next multiple of 10 ms.
    assert len(ended) == 10


def test_an_interval_that_suspends_twice_keeps_its_order(
    scheduler: cr.Scheduler, clock: MockClock
) -> None:
    seen: list[int] = []

    async def body() -> None:
        seen.append(await double(0))
        seen.append(1)
        seen.append(await double(1))

    scheduler.schedule_interval(0.05, body)
    play(scheduler, clock, 200)
    assert seen == [0, 1, 2] * 5


def test_an_interval_behind_schedule_runs_at_once(
    scheduler: cr.Scheduler, clock: MockClock
) -> None:
    """A body of 150 ms at 100 ms: each run begins where the last one ended."""
    began: list[int] = []

    def body() -> None:
        began.append(round(clock.now() * 1000))
        clock.jump(0.15)

    scheduler.schedule_interval(0.1, body)
    play(scheduler, clock, 600)
    assert began == [0, 150, 300, 450, 600]


@pytest.mark.parametrize(
    ("missed", "began"),
    [
        ("burst", [0, 350, 350, 350, 400, 500]),
        ("delay", [0, 360, 460, 560]),
        ("skip", [0, 400, 500]),
    ],
)
def test_what_was_missed_is_caught_up_delayed_or_skipped(
    scheduler: cr.Scheduler, clock: MockClock, missed: Any, began: list[int]
) -> None:
    seen: list[int] = []

    def body() -> None:
        seen.append(round(clock.now() * 1000))
        if len(seen) == 1:
            clock.jump(0.35)

    scheduler.schedule_interval(0.1, body, missed=missed)
    while clock.now() < 0.5995:
        scheduler.tick()
        if len(seen) > 3 or missed != "burst":
            clock.jump(0.01)
    assert seen == began


def test_an_interval_goes_on_after_a_run_that_failed(
    scheduler: cr.Scheduler, clock: MockClock
) -> None:
    ran: list[int] = []

    async def body() -> None:
        ran.append(len(ran))
        if len(ran) == 2:
            raise LookupError("the second run")

    token = scheduler.schedule_interval(1, body)
    scheduler.tick()
    clock.jump(1)
    with pytest.raises(LookupError, match="the second run"):
        scheduler.tick()
    assert token.valid
    clock.jump(1)
    scheduler.tick()
    assert ran == [0, 1, 2]


def test_an_interval_whose_factory_raises_goes_on(
    scheduler: cr.Scheduler, clock: MockClock
) -> None:
    def factory() -> Any:
        raise LookupError("no coroutine")

    scheduler.schedule_interval(1, factory)
    for _ in range(3):
        with pytest.raises(LookupError):
            scheduler.tick()
        clock.jump(1)


def test_an_interval_that_is_cancelled_runs_no_more_and_twice_is_as_good_as_once(
    scheduler: cr.Scheduler, clock: MockClock
) -> None:
    ran: list[int] = []
    token = scheduler.schedule_interval(1, lambda: ran.append(1))
    scheduler.tick()
    assert token.valid
    token.cancel()
    token.cancel()
    assert not token.valid
    play(scheduler, clock, 5000, every_ms=500)
    assert ran == [1]
    assert scheduler.statistics().timers == 0


def test_an_interval_cancelled_in_its_own_run_ends_that_run_and_no_other_begins(
    scheduler: cr.Scheduler, clock: MockClock
) -> None:
    seen: list[str] = []

    async def body() -> None:
        token.cancel()
        await cr.checkpoint()
        seen.append("to the end")

    token = scheduler.schedule_interval(1, body)
    play(scheduler, clock, 5000, every_ms=500)
    assert seen == ["to the end"]


def test_two_hundred_cancels_leave_nothing(scheduler: cr.Scheduler, clock: MockClock) -> None:
    ran: list[int] = []
    tokens = [scheduler.schedule_interval(0.01, partial(ran.append, i)) for i in range(200)]
    tokens += [scheduler.schedule_delayed(0.5, partial(ran.append, -i)) for i in range(200)]
    scheduler.tick()
    for token in tokens:
        token.cancel()
    clock.jump(1)
    assert scheduler.tick().steps == 0
    assert ran == list(range(200))
    assert scheduler.statistics().timers == 0


def test_a_hundred_intervals_run_for_half_a_second_each_at_its_own_pace(
    scheduler: cr.Scheduler, clock: MockClock
) -> None:
    ran = [0] * 100

    def count(i: int) -> None:
        ran[i] += 1

    for i in range(100):
        scheduler.schedule_interval((i + 1) / 100, partial(count, i))
    play(scheduler, clock, 500)
    assert ran == [1 + 500 // (10 * (i + 1)) for i in range(100)]


def test_a_delayed_task_runs_once_and_not_before_its_time(
    scheduler: cr.Scheduler, clock: MockClock
) -> None:
    ran: list[float] = []
    token = scheduler.schedule_delayed(0.1, lambda: ran.append(clock.now()))
    clock.jump(0.0999)
    scheduler.tick()
    assert (ran, token.valid) == ([], True)
    clock.jump(0.0001)
    scheduler.tick()
    scheduler.tick()
    assert (ran, token.valid) == ([0.1], False)
    token.cancel()


def test_timers_run_in_the_order_of_their_time_then_of_their_making(
    scheduler: cr.Scheduler, clock: MockClock
) -> None:
    ran: list[str] = []
    scheduler.schedule_delayed(10, partial(ran.append, "10 s"))
    scheduler.schedule_delayed(0.01, partial(ran.append, "10 ms"))
    scheduler.schedule_at(0.01, partial(ran.append, "10 ms, made later"))
    clock.jump(0.01)
    scheduler.tick()
    assert ran == ["10 ms", "10 ms, made later"]
    clock.jump(20)
    scheduler.schedule_at(1, partial(ran.append, "due for long"))
    scheduler.tick()
    assert ran[2:] == ["due for long", "10 s"]


@given(st.lists(st.tuples(st.integers(0, 50), st.booleans()), max_size=60))
def test_whatever_is_scheduled_and_cancelled_runs_in_order(
    plans: list[tuple[int, bool]],
) -> None:
    clock = MockClock()
    ran: list[int] = []
    with cr.Scheduler(clock=clock) as scheduler:
        tokens = [
            scheduler.schedule_delayed(delay, partial(ran.append, i))
            for i, (delay, _) in enumerate(plans)
        ]
        for token, (_, cancelled) in zip(tokens, plans, strict=True):
            if cancelled:
                token.cancel()
        kept = [(delay, i) for i, (delay, cancelled) in enumerate(plans) if not cancelled]
        assert scheduler.statistics().timers == len(kept)
        for _ in range(51):
            scheduler.tick()
            clock.jump(1)
    assert ran == [i for _, i in sorted(kept)]


def test_what_a_delayed_callable_has_captured_lives_until_it_has_run(
    scheduler: cr.Scheduler, clock: MockClock
) -> None:
    class Captured:
        pass

    captured = Captured()
    alive = weakref.ref(captured)
    seen: list[Captured | None] = []

    async def later(thing: Captured) -> None:
        await cr.checkpoint()
        seen.append(alive())
        del thing

    scheduler.schedule_delayed(1, partial(later, captured))
    del captured
    gc.collect()
    clock.jump(1)
    scheduler.tick()
    scheduler.tick()
    assert seen != [None]
    seen.clear()
    gc.collect()
    assert alive() is None


def test_a_token_that_is_dropped_cancels_nothing_and_one_that_is_left_does(
    scheduler: cr.Scheduler, clock: MockClock
) -> None:
    ran: list[str] = []
    scheduler.schedule_delayed(1, partial(ran.append, "dropped"))
    with scheduler.schedule_delayed(1, partial(ran.append, "left")) as token:
        assert token.valid
    gc.collect()
    clock.jump(1)
    scheduler.tick()
    assert ran == ["dropped"]


@pytest.mark.parametrize("how", ["cancelled", "closed"])
def test_a_delayed_coroutine_that_never_runs_is_closed_without_a_warning(how: str) -> None:
    async def work() -> None:
        raise AssertionError("it ran")

    scheduler = cr.Scheduler(clock=MockClock())
    token = scheduler.schedule_delayed(1, work())
    if how == "cancelled":
        token.cancel()
    scheduler.close()
    gc.collect()


@pytest.mark.parametrize("period", [0, -1, 1e-10, math.inf, math.nan])
def test_a_period_that_is_none_is_refused(scheduler: cr.Scheduler, period: float) -> None:
    with pytest.raises(ValueError, match=f"got {period}"):
        scheduler.schedule_interval(period, lambda: None)


@pytest.mark.parametrize("moment", [-1, math.inf, math.nan])
def test_a_delay_that_is_none_is_refused(scheduler: cr.Scheduler, moment: float) -> None:
    with pytest.raises(ValueError, match=f"got {moment}"):
        scheduler.schedule_delayed(moment, lambda: None)
    assert scheduler.statistics().timers == 0


def test_a_coroutine_is_no_factory(scheduler: cr.Scheduler) -> None:
    work = cr.checkpoint()
    with pytest.raises(TypeError, match=r"zone_tick\), not zone_tick\(\)"):
        scheduler.schedule_interval(1, work)  # type: ignore[arg-type]
    work.close()
    with pytest.raises(ValueError, match="'never'"):
        scheduler.schedule_interval(1, lambda: None, missed="never")  # type: ignore[arg-type]
