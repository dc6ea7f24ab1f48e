"""Scheduling, ticks, runs, failures and the end of a Scheduler."""

from __future__ import annotations

import gc
import math
import weakref
from collections.abc import Sequence
from functools import partial
from typing import Any

import pytest
from hand_transfer import HandTransfer, double, fail_odd

import corororo as cr
from corororo.abc import WorkerUse
from corororo.testing import MockClock


def test_run_returns_or_raises_what_the_task_does(scheduler: cr.Scheduler) -> None:
    async def main(x: int) -> int:
        return await double(4) + await fail_odd(x=x)

    assert scheduler.run(main(2)) == 10
    with pytest.raises(ValueError, match="3"):
        scheduler.run(main(3))


def test_scheduled_work_runs_once_and_in_order(scheduler: cr.Scheduler) -> None:
    seen: list[int] = []

    async def note(i: int) -> None:
        seen.append(i)

    for i in range(10):
        scheduler.schedule(note(i))
    assert seen == []
    report = scheduler.tick()
    assert seen == list(range(10))
    assert (report.tasks_started, report.tasks_finished) == (10, 10)
    assert scheduler.tick().steps == 0


def test_schedule_takes_coroutines_async_tasks_and_callables(scheduler: cr.Scheduler) -> None:
    heard: list[Any] = []

    async def say_later(word: str) -> None:
        heard.append(await double(len(word)))

    scheduler.schedule(say_later("coroutine"))
    scheduler.schedule(lambda: say_later("lambda"))
    scheduler.schedule(partial(say_later, "partial"))
    scheduler.schedule(partial(heard.append, "plain"))
    scheduler.schedule(double(3))
    scheduler.schedule(lambda: double(3))
    report = scheduler.tick()
    assert sorted(map(str, heard)) == ["12", "14", "18", "plain"]
    assert report.async_tasks_taken == 5
    assert report.tasks_finished == 6


def test_a_checkpoint_waits_for_the_next_tick(scheduler: cr.Scheduler) -> None:
    seen: list[str] = []

    async def walk() -> None:
        seen.append("first")
        await cr.checkpoint()
        seen.append("second")

    scheduler.schedule(walk())
    scheduler.tick()
    assert seen == ["first"]
    scheduler.tick()
    assert seen == ["first", "second"]


def test_work_scheduled_by_a_task_waits_for_the_next_tick(scheduler: cr.Scheduler) -> None:
    seen: list[int] = []

    async def breed(generation: int) -> None:
        seen.append(generation)
        (await cr.current_scheduler()).schedule(breed(generation + 1))

    scheduler.schedule(breed(0))
    for _ in range(3):
        scheduler.tick()
    assert seen == [0, 1, 2]


def test_a_failing_task_is_raised_after_the_others_have_run(scheduler: cr.Scheduler) -> None:
    seen: list[int] = []

    async def work(i: int) -> None:
        seen.append(await fail_odd(i))

    for i in range(3):
        scheduler.schedule(work(i))
    with pytest.raises(ValueError, match="1"):
        scheduler.tick()
    assert seen == [0, 2]
    assert scheduler.statistics().async_tasks_failed == 1
    assert scheduler.run(double(1)) == 2


def test_several_failing_tasks_are_raised_as_a_group(scheduler: cr.Scheduler) -> None:
    for i in range(4):
        scheduler.schedule(fail_odd(i))
    with pytest.raises(ExceptionGroup) as caught:
        scheduler.tick()
    assert [str(error) for error in caught.value.exceptions] == ["1", "3"]
    assert scheduler.tick().steps == 0


def test_an_interrupt_in_a_task_reaches_the_caller_and_loses_no_other_task(
    scheduler: cr.Scheduler,
) -> None:
    seen: list[int] = []

    async def interrupted() -> None:
        raise KeyboardInterrupt

    async def work(i: int) -> None:
        seen.append(await double(i))

    scheduler.schedule(work(1))
    scheduler.schedule(interrupted())
    scheduler.schedule(work(2))
    with pytest.raises(KeyboardInterrupt):
        scheduler.tick()
    scheduler.tick()
    assert seen == [2, 4]


def test_after_an_interrupt_inside_a_pass_a_scheduler_can_only_be_closed(
    by_hand: cr.Scheduler, hand: HandTransfer
) -> None:
    def interrupt() -> None:
        raise KeyboardInterrupt

    hand.begin_tick = interrupt
    with pytest.raises(KeyboardInterrupt):
        by_hand.tick()
    with pytest.raises(RuntimeError, match="close it, and make another"):
        by_hand.tick()


class ClosedTransfer(HandTransfer):
    """Refuses calls, as the transfer of a closed pool does."""

    def send_nowait(self, function: Any, ticket: Any, arguments: Sequence[Any]) -> None:
        raise cr.PoolClosed("gone")


def test_no_task_is_forgotten_when_the_pool_fails_in_the_middle_of_a_pass() -> None:
    seen: list[int] = []

    async def work(i: int) -> None:
        seen.append(i)
        if i < 64:
            await double(i)

    with cr.Scheduler(ClosedTransfer()) as scheduler:
        for i in range(400):
            scheduler.schedule(work(i))
        with pytest.raises(cr.PoolClosed):
            scheduler.tick()
        scheduler.tick()
    assert seen == list(range(400))


def test_run_raises_when_nothing_can_resume_the_task(scheduler: cr.Scheduler) -> None:
    with pytest.raises(RuntimeError, match="parked"):
        scheduler.run(cr.sleep(math.inf))


def test_run_expired_tasks_ticks_until_nothing_is_left(scheduler: cr.Scheduler) -> None:
    seen: list[int] = []

    async def walk() -> None:
        for i in range(5):
            seen.append(await double(i))
            await cr.checkpoint()

    scheduler.schedule(walk())
    assert scheduler.run_expired_tasks() >= 0
    assert seen == [0, 2, 4, 6, 8]
    statistics = scheduler.statistics()
    assert statistics.tasks_runnable == statistics.async_tasks_in_flight == 0


def test_a_carrying_tick_ends_at_its_deadline_and_the_rest_resumes_later(
    by_hand: cr.Scheduler, hand: HandTransfer, clock: MockClock
) -> None:
    def answer_late(timeout_s: float | None) -> None:
        clock.jump(1)
        hand.answer_all()

    hand.on_wait = answer_late
    seen: list[int] = []

    async def walk() -> None:
        for i in range(6):
            value = await double(i)
            seen.append(value)

    by_hand.schedule(walk())
    report = by_hand.tick(deadline=2.5, late="carry")
    assert seen == [0, 2, 4]
    assert report.async_tasks_carried == 1
    report = by_hand.tick(deadline=2.5)
    assert seen == [0, 2, 4, 6, 8, 10]
    assert report.late
    assert report.finished_ns - report.started_ns == 3_000_000_000


def test_the_parts_of_a_tick_do_not_exceed_it() -> None:
    with cr.Scheduler() as scheduler:
        for i in range(300):
            scheduler.schedule(double(i))
        report = scheduler.tick()
    parts = (report.step_ns, report.encode_ns, report.wait_ns, report.resume_ns, report.gc_ns)
    assert min(parts) >= 0
    assert sum(parts) <= report.finished_ns - report.started_ns
    assert (report.async_tasks_sent, report.async_tasks_taken) == (300, 300)


def test_a_report_names_the_work_of_its_tick_and_the_statistics_all_of_it(
    by_hand: cr.Scheduler, hand: HandTransfer
) -> None:
    first = [WorkerUse(1, 2, 20, 200), WorkerUse(2, 1, 10, 100)]
    second = [WorkerUse(2, 1, 1, 1)]
    for use in (first, [], second):
        hand.use = use
        assert by_hand.tick().worker_use == use
    assert by_hand.statistics().worker_use == [first[0], WorkerUse(2, 2, 11, 101)]


def test_closing_runs_the_finally_blocks_of_parked_tasks() -> None:
    seen: list[str] = []

    async def parked() -> None:
        try:
            await cr.checkpoint()
        finally:
            seen.append("cleaned up")

    async def never_begun() -> None:
        seen.append("begun")

    scheduler = cr.Scheduler()
    scheduler.schedule(parked())
    scheduler.tick()
    scheduler.schedule(never_begun())
    scheduler.close()
    scheduler.close()
    assert seen == ["cleaned up"]


def test_close_raises_the_error_of_a_finally_block_after_all_tasks_have_ended() -> None:
    seen: list[int] = []

    async def parked(i: int) -> None:
        try:
            await cr.checkpoint()
        finally:
            seen.append(i)
            if i == 0:
                raise LookupError("in the finally block")

    scheduler = cr.Scheduler()
    for i in range(3):
        scheduler.schedule(parked(i))
    scheduler.tick()
    with pytest.raises(LookupError, match="in the finally block"):
        scheduler.close()
    assert seen == [0, 1, 2]


class Thing:
    pass


def test_a_finished_task_keeps_nothing_alive(scheduler: cr.Scheduler) -> None:
    things: list[weakref.ref[Thing]] = []

    async def child() -> Thing:
        thing = Thing()
        things.append(weakref.ref(thing))
        return thing

    async def main() -> Thing:
        mine = await child()
        await cr.gather(child(), child())
        return mine

    scheduler.run(main())
    gc.collect()
    assert [thing() for thing in things] == [None, None, None]


def test_an_uncaught_exception_leaves_everything_else_as_it_was(
    scheduler: cr.Scheduler, clock: MockClock
) -> None:
    ran: list[str] = []

    async def fails() -> None:
        await cr.sleep(1)
        raise LookupError("uncaught")

    async def sleeper() -> None:
        await cr.sleep(2)
        ran.append("sleeper")

    scheduler.schedule_interval(1, partial(ran.append, "interval"))
    scheduler.schedule_delayed(2, partial(ran.append, "delayed"))
    scheduler.schedule(fails())
    scheduler.schedule(sleeper())
    scheduler.tick()
    clock.jump(1)
    with pytest.raises(LookupError, match="uncaught"):
        scheduler.tick()
    clock.jump(1)
    scheduler.tick()
    assert sorted(ran) == ["delayed", "interval", "interval", "interval", "sleeper"]
    assert scheduler.run(double(4)) == 8


@pytest.mark.parametrize("ticks", range(8))
def test_a_scheduler_can_be_closed_at_any_moment(ticks: int) -> None:
    ended: list[int] = []
    begun: list[int] = []

    async def work(i: int, depth: int = 2) -> None:
        begun.append(i)
        try:
            with cr.move_on_after(3):
                await cr.sleep(i % 4)
                async with cr.open_nursery() as nursery:
                    for _ in range(depth):
                        nursery.start_soon(work, i, depth - 1)
                    await double(i)
                    await cr.checkpoint()
                await cr.gather(cr.sleep(1), double(i))
        finally:
            ended.append(i)

    clock = MockClock()
    scheduler = cr.Scheduler(clock=clock)
    for i in range(12):
        scheduler.schedule(work(i))
    scheduler.schedule_interval(1, partial(work, 1))
    scheduler.schedule_delayed(1, work(1))
    for _ in range(ticks):
        scheduler.tick()
        clock.jump(0.5)
    scheduler.close()
    assert sorted(ended) == sorted(begun)
