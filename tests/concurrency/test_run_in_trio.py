"""run_in_trio: what a Task has done for it by the trio task that drives its tick."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import trio
import trio.lowlevel
import trio.testing
import worker_calls as calls

import corororo as cr

pytestmark = [pytest.mark.trio, pytest.mark.timeout(60)]


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


async def test_a_blocking_tick_after_one_that_was_broken_off_does_not_wait(
    scheduler: cr.Scheduler,
) -> None:
    seen = Outcomes()
    scheduler.schedule(seen.of(trio.sleep_forever))
    with trio.move_on_after(0.01):
        await scheduler.run_tick()
    scheduler.tick()
    assert seen == ["RuntimeError"]


async def test_a_second_run_tick_is_refused_and_leaves_the_first_alone(
    scheduler: cr.Scheduler,
) -> None:
    seen = Outcomes()
    gate = trio.Event()

    async def main() -> None:
        await seen.of(gate.wait)
        await seen.of(double_later, 1)

    scheduler.schedule(main())
    with trio.fail_after(10):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(scheduler.run_tick)
            await trio.testing.wait_all_tasks_blocked()
            with pytest.raises(RuntimeError, match="tick"):
                await scheduler.run_tick()
            gate.set()
    assert seen == [None, 2]


async def test_a_scope_cancelled_by_another_trio_task_is_heard_while_the_tick_waits(
    scheduler: cr.Scheduler,
) -> None:
    seen = Outcomes()
    scope = cr.CancelScope()

    async def main() -> None:
        with scope:
            await seen.of(trio.sleep_forever)

    scheduler.schedule(main())
    with trio.fail_after(10):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(scheduler.run_tick)
            await trio.testing.wait_all_tasks_blocked()
            scope.cancel()
    assert seen == ["cancelled"]


async def test_a_deadline_moved_nearer_by_another_trio_task_is_heard_as_well(
    scheduler: cr.Scheduler,
) -> None:
    seen = Outcomes()
    scope = cr.CancelScope()

    async def main() -> None:
        with scope:
            await seen.of(trio.sleep_forever)

    scheduler.schedule(main())
    with trio.fail_after(10):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(scheduler.run_tick)
            await trio.testing.wait_all_tasks_blocked()
            scope.deadline = scheduler.clock.now() + 0.01
    assert seen == ["cancelled"]


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


async def test_a_pool_that_ends_meanwhile_is_told_as_anywhere_else() -> None:
    pool = cr.WorkerPool(1)
    pool.start()
    with cr.Scheduler(pool) as scheduler:
        scheduler.schedule(cr.run_in_trio(trio.sleep_forever))
        scheduler.schedule(calls.slow_double(1, 30.0))
        async with trio.open_nursery() as nursery:
            nursery.start_soon(trio.to_thread.run_sync, pool.close)
            with trio.fail_after(20), pytest.raises(cr.PoolClosed):
                await scheduler.run_tick()
