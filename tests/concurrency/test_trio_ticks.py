"""Ticks under trio: other trio tasks run meanwhile, and Tasks call trio functions."""

from __future__ import annotations

import time
from collections.abc import Iterator
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


async def test_the_cpu_time_of_a_tick_leaves_out_that_of_other_trio_tasks(tmp_path: Path) -> None:
    spun_ns = 20_000_000
    go = tmp_path / "go"
    with cr.WorkerPool(1) as pool, cr.Scheduler(pool) as scheduler:

        async def spin() -> None:
            await trio.testing.wait_all_tasks_blocked()
            end_ns = time.thread_time_ns() + spun_ns
            while time.thread_time_ns() < end_ns:
                pass
            go.touch()

        scheduler.schedule(calls.wait_for_file(str(go), 4))
        before_ns = time.thread_time_ns()
        with trio.fail_after(20):
            async with trio.open_nursery() as nursery:
                nursery.start_soon(spin)
                report = await scheduler.run_tick()
    assert 0 < report.cpu_ns <= time.thread_time_ns() - before_ns - spun_ns


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


async def test_a_tick_may_not_run_twice_at_a_time(tmp_path: Path) -> None:
    go = tmp_path / "go"
    with cr.WorkerPool(1) as pool, cr.Scheduler(pool) as scheduler:
        scheduler.schedule(calls.wait_for_file(str(go), 1))
        async with trio.open_nursery() as nursery:
            nursery.start_soon(scheduler.run_tick)
            await trio.testing.wait_all_tasks_blocked()
            with pytest.raises(RuntimeError, match="another task of trio"):
                await scheduler.run_tick()
            go.touch()


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


async def double_later(x: int) -> int:
    await trio.sleep(0.001)
    return 2 * x


@pytest.fixture
def scheduler() -> Iterator[cr.Scheduler]:
    with cr.Scheduler() as scheduler:
        yield scheduler


class Outcomes(list[object]):
    async def of(self, *call: object) -> None:
        """Note what a trio function returned or raised."""
        try:
            self.append(await cr.run_in_trio(*call))  # type: ignore[arg-type]
        except Exception as error:
            self.append(type(error).__name__)
        except cr.Cancelled:
            self.append("cancelled")
            raise


async def test_its_result_and_its_errors_reach_the_task(scheduler: cr.Scheduler) -> None:
    async def fail() -> None:
        await trio.lowlevel.checkpoint()
        raise LookupError

    seen = Outcomes()
    scheduler.schedule(seen.of(double_later, 4))
    scheduler.schedule(seen.of(fail))
    scheduler.schedule(seen.of(len))
    with trio.fail_after(10):
        await scheduler.run_tick()
    assert sorted(map(str, seen)) == ["8", "LookupError", "TypeError"]


async def test_many_run_beside_each_other_and_beside_workers() -> None:
    open_gate = trio.Event()
    inside = 0

    async def meet() -> int:
        nonlocal inside
        inside += 1
        if inside == 20:
            open_gate.set()
        await open_gate.wait()
        return inside

    async def mob(i: int) -> int:
        return await cr.run_in_trio(meet) + await calls.double(i)

    seen: list[int] = []

    async def zone() -> None:
        seen.extend(await cr.gather(*(mob(i) for i in range(20))))

    with cr.WorkerPool(1) as pool, cr.Scheduler(pool) as scheduler:
        scheduler.schedule(zone())
        with trio.fail_after(20):
            await scheduler.run_tick()
    assert seen == [20 + 2 * i for i in range(20)]


async def test_cancelling_the_task_cancels_the_trio_function(scheduler: cr.Scheduler) -> None:
    seen = Outcomes()
    ended: list[str] = []

    async def forever() -> None:
        try:
            await trio.sleep_forever()
        finally:
            ended.append("trio function")

    async def main() -> None:
        with cr.move_on_after(0.01):
            await seen.of(forever)
        await seen.of(double_later, 1)

    scheduler.schedule(main())
    with trio.fail_after(10):
        await scheduler.run_tick()
    assert (list(seen), ended) == (["cancelled", 2], ["trio function"])


async def with_a_nursery_of_its_own() -> None:
    async with trio.open_nursery() as nursery:
        nursery.start_soon(trio.sleep_forever)
        await trio.sleep_forever()


@pytest.mark.parametrize("function", [trio.sleep_forever, with_a_nursery_of_its_own])
@pytest.mark.parametrize("end", ["carry", "cancelled"])
async def test_a_tick_that_ends_first_tells_the_task_and_holds_up_no_later_tick(
    scheduler: cr.Scheduler, function: object, end: str
) -> None:
    seen = Outcomes()
    scheduler.schedule(seen.of(function))
    with trio.fail_after(10):
        if end == "carry":
            await scheduler.run_tick(deadline=0.01, late="carry")
        else:
            with trio.move_on_after(0.01):
                await scheduler.run_tick()
        await scheduler.run_tick()
    assert seen == ["RuntimeError"]
    scheduler.schedule(seen.of(double_later, 3))
    with trio.fail_after(10):
        await scheduler.run_tick()
    assert seen[1:] == [6]


async def test_a_call_in_flight_cancelled_by_another_trio_task_ends_the_tick_at_once(
    tmp_path: Path,
) -> None:
    """The worker would answer only when the file is there; nobody makes it before the end."""
    scope = cr.CancelScope()
    gate = tmp_path / "gate"

    async def main() -> None:
        with scope:
            await calls.wait_for_file(str(gate), 1)

    with cr.WorkerPool(1) as pool, cr.Scheduler(pool) as scheduler:
        scheduler.schedule(main())
        with trio.fail_after(10):
            async with trio.open_nursery() as nursery:
                nursery.start_soon(scheduler.run_tick)
                while scheduler.statistics().async_tasks_in_flight == 0:
                    await (
                        trio.lowlevel.checkpoint()
                    )  # no event tells it: the tick runs in the task beside
                await trio.testing.wait_all_tasks_blocked()
                scope.cancel()
        assert scope.cancelled_caught
        assert scheduler.statistics().async_tasks_in_flight == 1
        gate.touch()
