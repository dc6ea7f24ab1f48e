"""Nurseries: no child outlives the block that started it."""

from __future__ import annotations

import gc
import warnings

import pytest
from hand_transfer import double

import corororo as cr
from corororo.testing import MockClock


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


@pytest.mark.parametrize("way", ["return", "break", "continue", "error"])
def test_a_nursery_that_is_left_early_waits_for_its_children(
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


def test_a_nursery_that_was_left_starts_no_child(scheduler: cr.Scheduler) -> None:
    async def main() -> None:
        async with cr.open_nursery() as nursery:
            pass
        with pytest.raises(RuntimeError, match="has been left; open another"):
            nursery.start_soon(cr.checkpoint)

    scheduler.run(main())
    assert scheduler.statistics().tasks_started == 1


@pytest.mark.parametrize("waits", ["in the body", "waiting for children"])
def test_closing_the_scheduler_ends_a_nursery_and_its_children(
    clock: MockClock, notes: Notes, waits: str
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
                if waits == "in the body":
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
def test_tasks_that_end_well_leave_no_garbage_behind(scheduler: cr.Scheduler, kind: str) -> None:
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
