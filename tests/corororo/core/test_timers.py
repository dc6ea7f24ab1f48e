"""Intervals, delayed Tasks and the heap of timers, on a clock that only jumps."""

from __future__ import annotations

import gc
from functools import partial
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import corororo as cr
from corororo._core._timers import Timer, Timers
from corororo.testing import MockClock

MISSED: list[Any] = ["burst", "delay", "skip"]


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


@pytest.mark.parametrize(
    ("missed", "began"),
    [
        ("burst", [0, 350, 350, 350, 400, 500]),
        ("delay", [0, 360, 460, 560]),
        ("skip", [0, 400, 500]),
    ],
)
def test_missed_runs_are_caught_up_delayed_or_skipped(
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


def test_an_interval_that_is_cancelled_once_or_twice_runs_no_more(
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


@given(st.lists(st.tuples(st.integers(0, 50), st.booleans()), max_size=60))
def test_delayed_tasks_run_in_order_less_those_that_were_cancelled(
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


def test_a_token_cancels_at_the_end_of_its_with_block_and_not_when_it_is_dropped(
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


def test_removed_timers_do_not_pile_up() -> None:
    timers = Timers()
    for i in range(10_000):
        timers.remove(timers.add(10**9 + i, lambda: None))
    assert len(timers) == 0
    assert len(timers._heap) < 200
    assert timers.next_due_ns() is None


@given(st.lists(st.tuples(st.sampled_from(["add", "remove", "run"]), st.integers(0, 20))))
def test_timers_agree_with_a_sorted_list(acts: list[tuple[str, int]]) -> None:
    timers = Timers()
    ran: list[int] = []
    model: dict[int, int] = {}  # number -> due
    made: list[Timer] = []
    expected: list[int] = []
    for kind, value in acts:
        if kind == "add":
            model[len(made)] = value
            made.append(timers.add(value, partial(ran.append, len(made))))
        elif kind == "remove" and made:
            timers.remove(made[value % len(made)])
            model.pop(value % len(made), None)
        elif kind == "run":
            due = sorted((due, i) for i, due in model.items() if due <= value)
            expected += [i for _, i in due]
            for _, i in due:
                del model[i]
            timers.run_due(value)
        assert ran == expected
        assert len(timers) == len(model)
        assert timers.next_due_ns() == min(model.values(), default=None)
