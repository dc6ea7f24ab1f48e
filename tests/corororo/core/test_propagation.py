"""Exceptions on their way from where they are raised to who awaits, through all frames."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

import corororo as cr
from corororo.testing import MockClock


@cr.async_task
def fail(text: str) -> None:
    raise LookupError(text)


@pytest.fixture
def scheduler() -> Iterator[cr.Scheduler]:
    with cr.Scheduler(clock=MockClock()) as scheduler:
        yield scheduler


async def through(levels: int, text: str) -> None:
    if levels:
        await through(levels - 1, text)
    else:
        await fail(text)


@pytest.mark.parametrize("levels", [0, 1, 100])
def test_an_error_of_an_async_task_passes_any_depth_of_awaits(
    scheduler: cr.Scheduler, levels: int
) -> None:
    with pytest.raises(LookupError, match="deep down"):
        scheduler.run(through(levels, "deep down"))


def test_an_error_caught_on_the_way_is_gone(scheduler: cr.Scheduler) -> None:
    async def main() -> str:
        try:
            await through(5, "caught")
        except LookupError as error:
            return f"{error.args[0]} at the top"
        return "nothing was raised"

    assert scheduler.run(main()) == "caught at the top"


def test_the_traceback_shows_the_frames_that_awaited(scheduler: cr.Scheduler) -> None:
    with pytest.raises(LookupError) as caught:
        scheduler.run(through(3, "x"))
    names = [entry.name for entry in caught.traceback]
    assert names.count("through") == 4


def test_an_error_passes_gather_nursery_and_scope_and_each_cleans_up(
    scheduler: cr.Scheduler,
) -> None:
    cleaned: list[str] = []

    async def cleans(name: str, work: object) -> None:
        try:
            await work  # type: ignore[misc]
        finally:
            cleaned.append(name)

    async def in_a_nursery() -> None:
        async with cr.open_nursery() as nursery:
            nursery.start_soon(cleans, "sibling", cr.sleep(100))
            nursery.start_soon(cleans, "culprit", through(1, "x"))

    async def main() -> None:
        with cr.move_on_after(50) as scope:
            await cr.gather(cleans("outer", in_a_nursery()), cleans("neighbour", cr.sleep(1)))
        assert not scope.cancelled_caught

    with pytest.raises(ExceptionGroup) as caught:
        scheduler.run(main())
    assert caught.value.subgroup(LookupError) is not None
    assert cleaned == ["culprit", "sibling", "outer", "neighbour"]


def test_a_stop_iteration_is_an_error_like_any_other(scheduler: cr.Scheduler) -> None:
    async def main() -> None:
        raise StopIteration(5)

    with pytest.raises(RuntimeError, match="StopIteration"):
        scheduler.run(main())
    assert scheduler.statistics().tasks_finished == 1


def test_an_exit_asked_for_in_a_child_leaves_through_its_nursery(scheduler: cr.Scheduler) -> None:
    async def child() -> None:
        raise SystemExit(3)

    async def main() -> None:
        async with cr.open_nursery() as nursery:
            nursery.start_soon(child)
            nursery.start_soon(cr.sleep, 5)

    with pytest.raises(BaseExceptionGroup) as caught:
        scheduler.run(main())
    assert caught.value.subgroup(SystemExit) is not None
    assert scheduler.statistics().tasks_finished == 3
