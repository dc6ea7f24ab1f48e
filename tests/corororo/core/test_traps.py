"""Who drives a coroutine: its scheduler, another one, another library, or nobody."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import trio
import trio.lowlevel

import corororo as cr


@cr.async_task
def double(x: int) -> int:
    return 2 * x


@pytest.fixture
def scheduler() -> Iterator[cr.Scheduler]:
    with cr.Scheduler() as scheduler:
        yield scheduler


async def whose(levels: int) -> list[cr.Scheduler]:
    """The scheduler that each of so many nested children sees."""
    seen = [await cr.current_scheduler()]
    if levels:
        (inner,) = await cr.gather(whose(levels - 1))
        seen += inner
    return seen


def test_a_thousand_nested_children_of_two_schedulers_each_see_their_own(
    scheduler: cr.Scheduler,
) -> None:
    with cr.Scheduler() as other:

        async def main() -> list[cr.Scheduler]:
            assert set(other.run(whose(3))) == {other}  # in the middle of a Task of the first
            return await whose(1_000)

        assert set(scheduler.run(main())) == {scheduler}
        assert len(other.run(whose(1_000))) == 1_001


async def a_scope() -> None:
    with cr.CancelScope():
        pass


async def a_nursery() -> None:
    async with cr.open_nursery():
        pass


TRAPS: dict[str, Callable[[], Any]] = {
    "an AsyncTask": lambda: double(1),
    "map": lambda: double.map([1]),
    "gather": lambda: cr.gather(lambda: None),  # type: ignore[arg-type]
    "a checkpoint": cr.checkpoint,
    "a sleep": lambda: cr.sleep(1),
    "current_scheduler": cr.current_scheduler,
}
INSIDE_ONLY: dict[str, Callable[[], Any]] = {"a scope": a_scope, "a nursery": a_nursery}


@pytest.mark.parametrize("what", TRAPS)
def test_trio_is_told_how_to_run_what_it_cannot(what: str) -> None:
    async def main() -> None:
        await TRAPS[what]()

    with pytest.raises(RuntimeError, match=r"Scheduler\.run\(\.\.\.\).*run_tick") as caught:
        trio.run(main)
    assert isinstance(caught.value.__cause__, TypeError)


@pytest.mark.parametrize("what", TRAPS)
def test_asyncio_is_told_how_to_run_what_it_cannot(what: str) -> None:
    async def main() -> None:
        await TRAPS[what]()

    with pytest.raises(RuntimeError, match=r"Scheduler\.run\(\.\.\.\).*run_tick"):
        asyncio.run(main())


@pytest.mark.parametrize("what", INSIDE_ONLY)
@pytest.mark.parametrize("driver", ["nobody", "trio", "asyncio"])
def test_a_scope_or_nursery_outside_of_a_task_says_how_to_run_it(what: str, driver: str) -> None:
    drivers: dict[str, Callable[[], object]] = {
        "nobody": lambda: INSIDE_ONLY[what]().send(None),
        "trio": lambda: trio.run(INSIDE_ONLY[what]),
        "asyncio": lambda: asyncio.run(INSIDE_ONLY[what]()),
    }
    with pytest.raises(RuntimeError, match=r"inside a Task only.*Scheduler\.run\(\) or schedule"):
        drivers[driver]()


def test_a_task_that_awaits_trio_is_told_of_run_in_trio(scheduler: cr.Scheduler) -> None:
    async def main() -> None:
        await trio.lowlevel.cancel_shielded_checkpoint()

    with pytest.raises(TypeError, match=r"run_in_trio\(async_function, \*args\)"):
        scheduler.run(main())


def test_a_task_that_awaits_asyncio_is_told_what_it_may_await(scheduler: cr.Scheduler) -> None:
    async def main() -> None:
        await asyncio.sleep(0)

    with pytest.raises(TypeError, match="a Task can await coroutines, AsyncTasks and what"):
        scheduler.run(main())
    assert scheduler.run(double(2)) == 4


def test_a_refused_task_may_go_on_after_the_error(scheduler: cr.Scheduler) -> None:
    async def main() -> int:
        with pytest.raises(TypeError):
            await asyncio.sleep(0)
        with cr.move_on_after(10):
            return await double(4)
        return 0

    assert scheduler.run(main()) == 8


def test_run_in_trio_under_a_blocking_tick_says_what_it_needs(scheduler: cr.Scheduler) -> None:
    with pytest.raises(RuntimeError, match=r"await scheduler\.run_tick\(\)"):
        scheduler.run(cr.run_in_trio(trio.sleep, 0))
    assert scheduler.run(double(1)) == 2
