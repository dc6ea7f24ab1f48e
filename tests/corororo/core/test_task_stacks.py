"""Where Tasks stand that wait, as text."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import trio
import trio.testing
from hand_transfer import HandTransfer

import corororo as cr


@cr.async_task
def ask(number: int) -> int:
    return number


async def asks(number: int) -> int:
    return await ask(number)


async def naps() -> None:
    await cr.sleep(1_000)


@pytest.fixture
def transfer() -> HandTransfer:
    return HandTransfer()


@pytest.fixture
def scheduler(transfer: HandTransfer) -> Iterator[cr.Scheduler]:
    with cr.Scheduler(transfer) as scheduler:
        yield scheduler


def blocks_of(scheduler: cr.Scheduler) -> list[str]:
    return [block for block in scheduler.format_stacks().split("\n\n") if block]


def test_a_scheduler_without_tasks_has_no_stacks(scheduler):
    assert scheduler.format_stacks() == ""


def test_tasks_that_wait_at_the_same_place_are_told_once_with_their_number(scheduler, transfer):
    for number in range(3):
        scheduler.schedule(asks(number))
    scheduler.schedule(naps())
    scheduler.tick(0, "carry")

    most, other = blocks_of(scheduler)
    assert most.startswith("3 Tasks at\n")
    assert "in asks\n    return await ask(number)" in most
    assert other.startswith("1 Task at\n")
    assert "in naps\n    await cr.sleep(1_000)" in other


def test_frames_stand_from_the_outermost_to_the_innermost(scheduler):
    async def outer() -> None:
        await naps()

    scheduler.schedule(outer())
    scheduler.tick(0, "carry")

    [block] = blocks_of(scheduler)
    assert block.index("in test_frames") < block.index("in naps") < block.index("in sleep")


def test_a_task_that_has_ended_is_not_told_of(scheduler, transfer):
    scheduler.schedule(asks(1))
    scheduler.tick(0, "carry")
    transfer.answer_all()
    scheduler.tick()
    assert scheduler.format_stacks() == ""


def test_a_task_may_ask_where_all_stand(scheduler):
    found = []

    async def looks() -> None:
        async with cr.open_nursery() as nursery:
            nursery.start_soon(naps)
            await cr.checkpoint()
            found.append(scheduler.format_stacks())
            nursery.cancel_scope.cancel()

    scheduler.schedule(looks())
    scheduler.tick()
    scheduler.tick()
    assert "in naps" in found[0]


@pytest.mark.trio
async def test_what_trio_is_asked_for_shows_who_waits_for_it(scheduler):
    async def waits() -> None:
        await cr.run_in_trio(trio.sleep_forever)

    scheduler.schedule(waits())
    async with trio.open_nursery() as nursery:
        nursery.start_soon(scheduler.run_tick)
        await trio.testing.wait_all_tasks_blocked()
        [block] = blocks_of(scheduler)
        nursery.cancel_scope.cancel()
    assert "await cr.run_in_trio(trio.sleep_forever)" in block
