"""A tick under trio: others go on while it waits, and breaking it off loses nothing."""

from __future__ import annotations

import contextlib
from pathlib import Path

import pytest
import trio
import trio.lowlevel
import trio.testing
import worker_calls as calls

import corororo as cr

pytestmark = [pytest.mark.trio, pytest.mark.timeout(60)]


async def test_other_trio_tasks_run_while_a_tick_waits_for_its_workers(tmp_path: Path) -> None:
    """The worker answers only after another trio task has made the file."""
    go = tmp_path / "go"
    with cr.WorkerPool(1) as pool, cr.Scheduler(pool) as scheduler:

        async def open_the_way() -> None:
            await trio.testing.wait_all_tasks_blocked()
            go.touch()

        values: list[int] = []

        async def mob() -> None:
            values.append(await calls.wait_for_file(str(go), 4))

        scheduler.schedule(mob())
        with trio.fail_after(20):
            async with trio.open_nursery() as nursery:
                nursery.start_soon(open_the_way)
                report = await scheduler.run_tick()
    assert values == [8]
    assert report.async_tasks_taken == 1


async def test_a_cancelled_tick_loses_nothing(tmp_path: Path) -> None:
    go = tmp_path / "go"
    with cr.WorkerPool(2) as pool, cr.Scheduler(pool) as scheduler:
        values: list[int] = []

        async def mob(i: int) -> None:
            values.append(await calls.wait_for_file(str(go), i))

        for i in range(20):
            scheduler.schedule(mob(i))
        for _ in range(3):
            with trio.move_on_after(0.01) as scope:
                await scheduler.run_tick()
            assert scope.cancelled_caught
        assert values == []
        go.touch()
        with trio.fail_after(20):
            report = await scheduler.run_tick()
    assert sorted(values) == [2 * i for i in range(20)]
    assert report.async_tasks_carried == 0
    assert scheduler.statistics().async_tasks_taken == 20


async def test_two_zones_of_one_process_wait_at_the_same_time(tmp_path: Path) -> None:
    """Each zone's call waits for a file that the other zone's Task makes after its own call."""
    with (
        cr.WorkerPool(2) as pool,
        cr.Scheduler(pool) as one,
        cr.Scheduler(pool) as other,
    ):
        seen: list[str] = []

        async def first() -> None:
            await calls.wait_for_file(str(tmp_path / "second is here"), 1)
            seen.append("first")

        async def second() -> None:
            await calls.double(1)
            (tmp_path / "second is here").touch()
            seen.append("second")

        one.schedule(first())
        other.schedule(second())
        with trio.fail_after(20):
            async with trio.open_nursery() as nursery:
                nursery.start_soon(one.run_tick)
                nursery.start_soon(other.run_tick)
    assert seen == ["second", "first"]


async def test_a_tick_may_not_run_twice_at_a_time(tmp_path: Path) -> None:
    go = tmp_path / "go"
    with cr.WorkerPool(1) as pool, cr.Scheduler(pool) as scheduler:
        scheduler.schedule(calls.wait_for_file(str(go), 1))
        async with trio.open_nursery() as nursery:
            nursery.start_soon(scheduler.run_tick)
            await trio.testing.wait_all_tasks_blocked()
            with pytest.raises(RuntimeError, match="cannot tick"):
                await scheduler.run_tick()
            go.touch()


async def test_a_carrying_tick_ends_in_time_and_the_rest_comes_in_a_later_one(
    tmp_path: Path,
) -> None:
    go = tmp_path / "go"
    with cr.WorkerPool(1) as pool, cr.Scheduler(pool) as scheduler:
        scheduler.schedule(calls.wait_for_file(str(go), 1))
        with trio.fail_after(20):
            report = await scheduler.run_tick(deadline=0.02, late="carry")
            assert report.async_tasks_carried == 1
            go.touch()
            report = await scheduler.run_tick()
            assert (report.async_tasks_carried, report.async_tasks_taken) == (0, 1)


async def test_the_end_of_the_pool_ends_the_wait() -> None:
    pool = cr.WorkerPool(1)
    pool.start()
    with cr.Scheduler(pool) as scheduler:
        scheduler.schedule(calls.slow_double(1, 30.0))

        async def close() -> None:
            await trio.testing.wait_all_tasks_blocked()
            await trio.to_thread.run_sync(pool.close)

        with trio.fail_after(20):
            async with trio.open_nursery() as nursery:
                nursery.start_soon(close)
                with pytest.raises(cr.PoolClosed):
                    await scheduler.run_tick()


async def test_errors_of_tasks_are_raised_from_an_awaited_tick_too() -> None:
    with cr.WorkerPool(1) as pool, cr.Scheduler(pool) as scheduler:
        scheduler.schedule(calls.refuse(3))
        with pytest.raises(calls.Refused):
            await scheduler.run_tick()


async def test_a_task_that_awaits_trio_is_told_what_to_do_instead() -> None:
    async def mistaken() -> None:
        await trio.lowlevel.checkpoint()

    with cr.Scheduler() as scheduler:
        scheduler.schedule(mistaken())
        with pytest.raises(TypeError, match="for trio, use"):
            await scheduler.run_tick()


async def test_a_tick_that_waits_for_nothing_lets_others_run_all_the_same() -> None:
    with cr.Scheduler() as scheduler:
        ticks = 0
        with trio.move_on_after(0.01) as scope:
            while ticks < 1_000_000:
                await scheduler.run_tick()
                ticks += 1
        assert scope.cancelled_caught


async def test_a_tick_that_is_cancelled_does_not_forget_what_its_tasks_raised() -> None:
    async def fail() -> None:
        raise LookupError("raised in a tick that nobody waited for")

    with cr.Scheduler() as scheduler:
        scheduler.schedule(fail())
        with trio.CancelScope() as scope:
            scope.cancel()
            with contextlib.suppress(LookupError):
                await scheduler.run_tick()
                raise AssertionError("neither cancelled nor failed")
        if scope.cancelled_caught:
            with pytest.raises(LookupError, match="nobody waited"):
                await scheduler.run_tick()
        assert (await scheduler.run_tick()).steps == 0


async def test_a_primitive_of_trio_awaited_by_mistake_does_not_touch_who_drives_the_tick(
    autojump_clock: trio.testing.MockClock,
) -> None:
    del autojump_clock
    event = trio.Event()

    async def mistaken() -> None:
        await event.wait()

    with cr.Scheduler() as scheduler:
        scheduler.schedule(mistaken())
        with pytest.raises(TypeError, match="run_in_trio"):
            await scheduler.run_tick()
        event.set()
        began = trio.current_time()
        await trio.sleep(5)
        assert trio.current_time() - began == 5
