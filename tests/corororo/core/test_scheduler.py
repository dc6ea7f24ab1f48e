"""Ticks, runs and failures of a Scheduler, with AsyncTasks inline: no processes."""

from __future__ import annotations

import gc
import types
import warnings
import weakref
from collections.abc import Iterator, Sequence
from functools import partial
from typing import Any

import pytest

import corororo as cr

calls: list[int] = []


@cr.async_task
def double(x: int) -> int:
    return 2 * x


@cr.async_task
def fail_odd(x: int) -> int:
    if x % 2:
        raise ValueError(x)
    return x


class HandClock:
    """Stands still unless it is told to move."""

    def __init__(self) -> None:
        self.ns = 0

    def now(self) -> float:
        return self.ns / 1e9

    def now_ns(self) -> int:
        return self.ns


CLOCK = HandClock()


@cr.async_task
def take_a_second(x: int) -> int:
    CLOCK.ns += 1_000_000_000
    return x


@pytest.fixture
def scheduler() -> Iterator[cr.Scheduler]:
    with cr.Scheduler() as scheduler:
        yield scheduler


def test_run_returns_what_the_task_returns(scheduler: cr.Scheduler) -> None:
    async def main() -> int:
        return await double(4) + await double(x=1)

    assert scheduler.run(main()) == 10


def test_run_raises_what_the_task_raises(scheduler: cr.Scheduler) -> None:
    async def main() -> None:
        await fail_odd(3)

    with pytest.raises(ValueError, match="3"):
        scheduler.run(main())


def test_all_that_is_scheduled_runs_once_and_in_order(scheduler: cr.Scheduler) -> None:
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


class Speaker:
    def __init__(self) -> None:
        self.heard: list[Any] = []

    def say(self, word: str) -> None:
        self.heard.append(word)

    async def say_later(self, word: str) -> None:
        self.heard.append(await double(len(word)))


def test_schedule_takes_coroutines_async_tasks_and_callables(scheduler: cr.Scheduler) -> None:
    speaker = Speaker()
    scheduler.schedule(speaker.say_later("coroutine"))
    scheduler.schedule(lambda: speaker.say_later("lambda"))
    scheduler.schedule(partial(speaker.say_later, "partial"))
    scheduler.schedule(partial(speaker.say, "plain"))
    scheduler.schedule(double(3))
    scheduler.schedule(lambda: double(3))
    report = scheduler.tick()
    assert sorted(map(str, speaker.heard)) == ["12", "14", "18", "plain"]
    assert report.async_tasks_taken == 5
    assert report.tasks_finished == 6


@pytest.mark.parametrize("wrong", [5, None, "text", [1]])
def test_schedule_refuses_what_it_cannot_run_and_says_what_is_right(
    scheduler: cr.Scheduler, wrong: object
) -> None:
    with pytest.raises(TypeError, match=rf"got {type(wrong).__name__}.*schedule\(f\(\)\)"):
        scheduler.schedule(wrong)
    assert scheduler.statistics().tasks_runnable == 0


def test_a_checkpoint_gives_way_until_the_next_tick(scheduler: cr.Scheduler) -> None:
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


def test_what_a_task_schedules_waits_for_the_next_tick(scheduler: cr.Scheduler) -> None:
    seen: list[int] = []

    async def breed(generation: int) -> None:
        seen.append(generation)
        (await cr.current_scheduler()).schedule(breed(generation + 1))

    scheduler.schedule(breed(0))
    for _ in range(3):
        scheduler.tick()
    assert seen == [0, 1, 2]


def test_the_scheduler_is_found_at_any_depth_of_await(scheduler: cr.Scheduler) -> None:
    async def deep(levels: int) -> cr.Scheduler:
        return await deep(levels - 1) if levels else await cr.current_scheduler()

    with cr.Scheduler() as other:
        assert scheduler.run(deep(50)) is scheduler
        assert other.run(deep(50)) is other


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


def test_every_third_of_ten_calls_fails_and_is_caught_where_it_is_awaited(
    scheduler: cr.Scheduler,
) -> None:
    outcomes: dict[int, str] = {}

    async def guarded(i: int) -> None:
        try:
            outcomes[i] = str(await fail_odd(1 if i % 3 == 0 else 2 * i))
        except ValueError:
            outcomes[i] = "caught"

    for i in range(10):
        scheduler.schedule(guarded(i))
    scheduler.tick()
    assert outcomes == {i: "caught" if i % 3 == 0 else str(2 * i) for i in range(10)}


def test_an_interrupt_in_a_task_reaches_the_caller_and_spoils_nothing(
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


class BrokenTransfer:
    """Refuses everything, as a transfer does whose pool has gone."""

    in_flight = batches_sent = calls_retried = 0
    max_pending = 1_000_000

    def begin_tick(self) -> None:
        pass

    def lend(self, function: Any, values: Any) -> None:
        pass

    def worth_sending(self, function: Any) -> int:
        return 64

    def send_nowait(self, function: Any, ticket: Any, arguments: Sequence[Any]) -> None:
        raise cr.PoolClosed("gone")

    def take_nowait(self) -> list[Any]:
        return []

    def close(self) -> None:
        pass

    def open_transfer(self) -> Any:
        return self


def test_no_task_is_forgotten_when_the_pool_fails_in_the_middle_of_a_pass() -> None:
    seen: list[int] = []

    async def work(i: int) -> None:
        seen.append(i)
        if i < 64:
            await double(i)

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        scheduler = cr.Scheduler(BrokenTransfer())
        for i in range(400):
            scheduler.schedule(work(i))
        for _ in range(400):  # each may raise PoolClosed again; in the end all have begun
            try:
                scheduler.tick()
            except (cr.PoolClosed, BaseExceptionGroup):
                continue
            break
        scheduler.close()
        gc.collect()
    assert seen == list(range(400))


def test_a_task_cannot_tick_the_scheduler_that_runs_it(scheduler: cr.Scheduler) -> None:
    ran: list[str] = []

    async def left_over() -> None:
        ran.append("left over")

    async def wrong() -> None:
        inner = left_over()
        try:
            (await cr.current_scheduler()).run(inner)
        finally:
            inner.close()

    with pytest.raises(RuntimeError, match="cannot tick the scheduler that runs it"):
        scheduler.run(wrong())
    scheduler.tick()
    assert ran == []
    assert scheduler.run(double(1)) == 2


@types.coroutine
def foreign() -> Iterator[object]:
    yield object()


def test_awaiting_another_event_loop_is_a_type_error_with_a_remedy(
    scheduler: cr.Scheduler,
) -> None:
    async def main() -> None:
        await foreign()

    with pytest.raises(TypeError, match=r"got builtins.object; for trio, use"):
        scheduler.run(main())
    assert scheduler.run(double(1)) == 2


def test_run_says_when_nothing_can_resume_the_task(scheduler: cr.Scheduler) -> None:
    class Never:
        def apply(self, scheduler: Any, task: Any) -> None:
            pass

    @types.coroutine
    def park() -> Iterator[object]:
        yield Never()

    async def main() -> None:
        await park()

    with pytest.raises(RuntimeError, match="parked"):
        scheduler.run(main())


def test_run_expired_tasks_goes_on_until_nothing_is_left(scheduler: cr.Scheduler) -> None:
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


def test_a_carrying_tick_ends_at_its_deadline_and_the_rest_resumes_later() -> None:
    seen: list[int] = []

    async def walk() -> None:
        for i in range(6):
            second = await take_a_second(i)
            seen.append(second)

    with cr.Scheduler(clock=CLOCK) as scheduler:
        scheduler.schedule(walk())
        report = scheduler.tick(deadline=2.5, late="carry")
        assert len(seen) < 6
        assert report.async_tasks_carried == 1
        scheduler.tick()
        assert seen == list(range(6))


def test_a_waiting_tick_takes_all_back_and_says_that_it_was_late() -> None:
    async def walk() -> None:
        await take_a_second(1)
        await take_a_second(2)

    with cr.Scheduler(clock=CLOCK) as scheduler:
        scheduler.schedule(walk())
        report = scheduler.tick(deadline=1.5)
    assert report.late
    assert report.async_tasks_taken == 2
    assert report.finished_ns - report.started_ns == 2_000_000_000


@pytest.mark.parametrize(
    ("deadline", "late", "rule"),
    [
        (-1, "wait", "0 or more, got -1"),
        (float("nan"), "wait", "got nan"),
        (None, "carry", "needs a deadline"),
        (1, "drop", "'drop'"),
    ],
)
def test_wrong_bounds_of_a_tick_are_refused(
    scheduler: cr.Scheduler, deadline: float | None, late: Any, rule: str
) -> None:
    with pytest.raises(ValueError, match=rule):
        scheduler.tick(deadline, late)
    assert scheduler.tick().steps == 0


def test_the_parts_of_a_tick_do_not_exceed_it(scheduler: cr.Scheduler) -> None:
    for i in range(300):
        scheduler.schedule(double(i))
    report = scheduler.tick()
    parts = (report.step_ns, report.encode_ns, report.wait_ns, report.resume_ns, report.gc_ns)
    assert min(parts) >= 0
    assert sum(parts) <= report.finished_ns - report.started_ns
    assert (report.async_tasks_sent, report.async_tasks_taken) == (300, 300)


def test_the_statistics_count_everything_since_the_start(scheduler: cr.Scheduler) -> None:
    for i in range(4):
        scheduler.schedule(fail_odd(i))
    with pytest.raises(ExceptionGroup):
        scheduler.tick()
    scheduler.schedule(double(1))
    statistics = scheduler.statistics()
    assert (statistics.ticks, statistics.tasks_started, statistics.tasks_finished) == (1, 5, 4)
    assert (statistics.async_tasks_sent, statistics.async_tasks_failed) == (4, 2)
    assert statistics.tasks_runnable == 1


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


def test_what_a_finally_block_raises_is_raised_from_close_after_all_have_ended() -> None:
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


def test_a_closed_scheduler_refuses_work() -> None:
    scheduler = cr.Scheduler()
    scheduler.close()
    with pytest.raises(cr.PoolClosed):
        scheduler.tick()
    with pytest.raises(cr.PoolClosed):
        scheduler.schedule(double)


class Thing:
    pass


def test_a_task_that_has_ended_keeps_nothing_alive(scheduler: cr.Scheduler) -> None:
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


def test_three_hundred_mobs_awaited_one_after_another_for_a_dozen_ticks_count_exactly(
    scheduler: cr.Scheduler,
) -> None:
    total = 0

    async def zone() -> None:
        nonlocal total
        for mob in range(330):
            total += await double(mob)

    for _ in range(12):
        scheduler.schedule(zone())
        assert scheduler.tick().async_tasks_taken == 330
    assert total == 12 * 330 * 329
