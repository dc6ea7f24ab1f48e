"""Nurseries: nothing that was started in one outlives it. AsyncTasks run inline."""

from __future__ import annotations

import gc
import warnings
from collections.abc import Iterator

import pytest

import corororo as cr
from corororo.testing import MockClock


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


class Notes(list[str]):
    """What children note about themselves."""

    async def child(self, name: str, seconds: float) -> None:
        try:
            await cr.sleep(seconds)
            self.append(f"{name} done")
        except cr.Cancelled:
            self.append(f"{name} cancelled")
            raise

    async def fails(self, name: str, seconds: float) -> None:
        await cr.sleep(seconds)
        raise LookupError(name)


@pytest.fixture
def notes() -> Notes:
    return Notes()


def test_a_nursery_is_left_when_its_last_child_has_ended(
    scheduler: cr.Scheduler, clock: MockClock, notes: Notes
) -> None:
    async def main() -> None:
        async with cr.open_nursery() as nursery:
            nursery.start_soon(notes.child, "slow", 5)
            nursery.start_soon(notes.child, "quick", 1)
            notes.append("body done")
        assert clock.now() == 5

    scheduler.run(main())
    assert notes == ["body done", "quick done", "slow done"]


def test_an_async_task_and_a_plain_callable_may_be_children(scheduler: cr.Scheduler) -> None:
    seen: list[int] = []

    async def main() -> None:
        async with cr.open_nursery() as nursery:
            nursery.start_soon(double, 2)
            nursery.start_soon(seen.append, 3)

    scheduler.run(main())
    assert seen == [3]
    assert scheduler.statistics().async_tasks_taken == 1


@pytest.mark.parametrize("way", ["return", "break", "continue", "error"])
def test_a_nursery_left_early_waits_for_its_children_all_the_same(
    scheduler: cr.Scheduler, notes: Notes, way: str
) -> None:
    async def leave() -> str:
        for _ in range(1):
            async with cr.open_nursery() as nursery:
                nursery.start_soon(notes.child, "child", 5)
                if way == "return":
                    return "returned"
                if way == "break":
                    break
                if way == "continue":
                    continue
                raise LookupError("of the body")
        return "looped"

    async def main() -> None:
        try:
            await leave()
        except* LookupError:
            pass
        notes.append("left")

    scheduler.run(main())
    assert notes == ["child cancelled" if way == "error" else "child done", "left"]


def test_a_child_that_fails_cancels_its_siblings_and_the_body(
    scheduler: cr.Scheduler, clock: MockClock, notes: Notes
) -> None:
    async def main() -> None:
        async with cr.open_nursery() as nursery:
            nursery.start_soon(notes.child, "sibling", 10)
            nursery.start_soon(notes.fails, "culprit", 1)
            await notes.child("body", 10)

    with pytest.raises(ExceptionGroup) as caught:
        scheduler.run(main())
    assert [str(error) for error in caught.value.exceptions] == ["culprit"]
    assert sorted(notes) == ["body cancelled", "sibling cancelled"]
    assert clock.now() == 1


def test_all_failures_are_raised_in_one_group(scheduler: cr.Scheduler, notes: Notes) -> None:
    async def main() -> None:
        async with cr.open_nursery() as nursery:
            for name in "abc":
                nursery.start_soon(notes.fails, name, 1)

    with pytest.raises(ExceptionGroup) as caught:
        scheduler.run(main())
    assert [error.args for error in caught.value.exceptions] == [("a",), ("b",), ("c",)]


def test_a_single_failure_of_the_body_is_a_group_as_well(scheduler: cr.Scheduler) -> None:
    async def main() -> None:
        async with cr.open_nursery():
            raise LookupError("alone")

    with pytest.raises(ExceptionGroup) as caught:
        scheduler.run(main())
    assert len(caught.value.exceptions) == 1


def test_nurseries_nest_and_an_inner_failure_reaches_the_outermost(
    scheduler: cr.Scheduler, notes: Notes
) -> None:
    async def inner() -> None:
        async with cr.open_nursery() as nursery:
            nursery.start_soon(notes.fails, "deep", 1)
            nursery.start_soon(notes.child, "cousin", 9)

    async def main() -> None:
        async with cr.open_nursery() as nursery:
            nursery.start_soon(inner)
            nursery.start_soon(notes.child, "uncle", 9)

    with pytest.raises(ExceptionGroup) as caught:
        scheduler.run(main())
    assert caught.value.subgroup(LookupError) is not None
    assert notes == ["cousin cancelled", "uncle cancelled"]


def test_a_child_may_start_others_while_the_body_has_ended(
    scheduler: cr.Scheduler, notes: Notes
) -> None:
    async def main() -> None:
        async with cr.open_nursery() as nursery:

            async def parent() -> None:
                await cr.sleep(1)
                nursery.start_soon(notes.child, "late", 1)

            nursery.start_soon(parent)

    scheduler.run(main())
    assert notes == ["late done"]


def test_a_child_of_a_cancelled_nursery_runs_up_to_its_first_wait(
    scheduler: cr.Scheduler, notes: Notes
) -> None:
    async def main() -> bool:
        async with cr.open_nursery() as nursery:
            nursery.cancel_scope.cancel()
            nursery.start_soon(notes.child, "child", 1)
        return nursery.cancel_scope.cancelled_caught

    assert scheduler.run(main())
    assert notes == ["child cancelled"]


def test_nothing_is_started_in_a_nursery_that_was_left(scheduler: cr.Scheduler) -> None:
    async def main() -> None:
        async with cr.open_nursery() as nursery:
            pass
        with pytest.raises(RuntimeError, match="has been left; open another"):
            nursery.start_soon(cr.checkpoint)

    scheduler.run(main())
    assert scheduler.statistics().tasks_started == 1


def test_a_coroutine_is_refused_as_a_child_with_the_right_way_to_say_it(
    scheduler: cr.Scheduler,
) -> None:
    async def main() -> None:
        async with cr.open_nursery() as nursery:
            work = cr.checkpoint()
            try:
                with pytest.raises(TypeError, match=r"start_soon\(f"):
                    nursery.start_soon(work)  # type: ignore[arg-type]
            finally:
                work.close()

    scheduler.run(main())


def test_a_child_started_and_cancelled_between_two_ticks_harms_nobody(
    scheduler: cr.Scheduler, notes: Notes
) -> None:
    """The Task that it gets has run something else before, that gave way."""
    opened: list[cr.Nursery] = []

    async def gives_way() -> None:
        await cr.checkpoint()

    async def main() -> None:
        async with cr.open_nursery() as nursery:
            opened.append(nursery)
            await cr.sleep(100)

    scheduler.schedule(main())
    scheduler.schedule(gives_way())
    scheduler.tick()
    scheduler.tick()
    opened[0].start_soon(notes.child, "child", 1)
    opened[0].cancel_scope.cancel()
    scheduler.tick()
    scheduler.tick()
    assert notes == ["child cancelled"]
    statistics = scheduler.statistics()
    assert statistics.tasks_started == statistics.tasks_finished == 3


@pytest.mark.parametrize("stands", ["in the body", "waiting for children"])
def test_closing_the_scheduler_ends_a_nursery_where_it_stands(
    clock: MockClock, notes: Notes, stands: str
) -> None:
    async def child(name: str) -> None:
        try:
            await cr.sleep(9)
        finally:
            notes.append(name)

    async def main() -> None:
        try:
            async with cr.open_nursery() as nursery:
                nursery.start_soon(child, "first")
                nursery.start_soon(child, "second")
                if stands == "in the body":
                    await cr.sleep(9)
        finally:
            notes.append("outside")

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        scheduler = cr.Scheduler(clock=clock)
        scheduler.schedule(main())
        scheduler.tick()
        scheduler.close()
        gc.collect()
    assert sorted(notes) == ["first", "outside", "second"]


@pytest.mark.parametrize("kind", ["await", "gather", "nursery", "scope", "sleep", "map"])
def test_what_has_ended_well_leaves_no_garbage_behind(scheduler: cr.Scheduler, kind: str) -> None:
    async def leaf() -> int:
        return await double(1)

    async def nursery() -> None:
        async with cr.open_nursery() as nursery:
            nursery.start_soon(leaf)

    async def scope() -> None:
        with cr.move_on_after(1):
            await cr.sleep(5)

    kinds = {
        "await": leaf,
        "gather": lambda: cr.gather(leaf(), leaf()),
        "nursery": nursery,
        "scope": scope,
        "sleep": lambda: cr.sleep(1),
        "map": lambda: double.map([1, 2]),
    }
    scheduler.run(kinds[kind])
    gc.collect()
    gc.disable()
    try:
        for _ in range(20):
            scheduler.run(kinds[kind])
        assert gc.collect() < 20
    finally:
        gc.enable()
