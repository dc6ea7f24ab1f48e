"""Garbage collection is put off in passes, and a SlackCollector runs it between them."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Iterator
from typing import Any

import pytest

import corororo as cr


class Node:
    def __init__(self) -> None:
        self.me = self


def dead_cycle() -> weakref.ref[Node]:
    return weakref.ref(Node())


@pytest.fixture(autouse=True)
def _collector_as_it_was() -> Iterator[None]:
    yield
    gc.unfreeze()
    gc.enable()


def test_no_collection_runs_by_itself_while_it_is_entered() -> None:
    with cr.SlackCollector():
        assert not gc.isenabled()
        assert gc.get_freeze_count() > 0
        cycle = dead_cycle()
        kept: list[list[int]] = [[] for _ in range(5_000)]
        assert cycle() is not None
        assert len(kept) == 5_000
    assert gc.isenabled()
    assert gc.get_freeze_count() == 0


def test_a_collector_that_was_off_stays_off() -> None:
    gc.disable()
    with cr.SlackCollector():
        pass
    assert not gc.isenabled()


def test_the_collector_is_restored_after_an_exception() -> None:
    callbacks = list(gc.callbacks)
    with pytest.raises(ValueError, match="inside"), cr.SlackCollector():
        raise ValueError("inside")
    assert gc.isenabled()
    assert gc.callbacks == callbacks


def test_garbage_is_collected_in_the_slack() -> None:
    with cr.SlackCollector() as collector:
        cycle = dead_cycle()
        for _ in range(200):
            collector.collect(60.0)
        assert cycle() is None
        assert collector.paused_ns > 0


@pytest.mark.parametrize("slack_s", [0.0, -1.0])
def test_garbage_is_collected_without_slack_too(slack_s: float) -> None:
    with cr.SlackCollector() as collector:
        young = dead_cycle()
        for _ in range(2_000):
            collector.collect(slack_s)
        assert young() is None


def test_every_collection_counts_as_a_pause() -> None:
    with cr.SlackCollector() as collector:
        before_ns = collector.paused_ns
        gc.collect()
        assert collector.paused_ns > before_ns


def test_a_tick_reports_the_pauses_apart() -> None:
    with cr.SlackCollector() as collector, cr.Scheduler(garbage=collector) as scheduler:
        scheduler.schedule(gc.collect)
        report = scheduler.tick()
    assert report.gc_ns > 0
    assert report.step_ns + report.gc_ns <= report.finished_ns - report.started_ns


@pytest.fixture
def collections() -> Iterator[list[int]]:
    """The generations of the collections that have run."""
    found: list[int] = []

    def note(phase: str, info: dict[str, int]) -> None:
        if phase == "start":
            found.append(info["generation"])

    gc.callbacks.append(note)
    yield found
    gc.callbacks.remove(note)


async def collections_while_allocating(collections: list[int], objects: int) -> int:
    gc.collect()
    collections.clear()
    kept: list[list[int]] = [[] for _ in range(objects)]
    assert len(kept) == objects
    return len(collections)


@pytest.mark.parametrize(
    ("garbage", "objects", "collected"),
    [(None, 50_000, False), (None, 150_000, True), ("python", 50_000, True)],
)
def test_a_pass_is_collected_in_only_if_it_allocates_without_end_or_python_decides(
    collections: list[int], garbage: Any, objects: int, collected: bool
) -> None:
    before = gc.get_threshold()
    with cr.Scheduler(garbage=garbage) as scheduler:
        found = scheduler.run(collections_while_allocating(collections, objects))
    assert bool(found) == collected
    assert gc.get_threshold() == before


def test_the_outer_of_two_schedulers_goes_on_putting_collection_off(
    collections: list[int],
) -> None:
    async def outer() -> int:
        with cr.Scheduler() as inner:
            inner.run(cr.sleep(0))
        return await collections_while_allocating(collections, 50_000)

    with cr.Scheduler() as scheduler:
        assert scheduler.run(outer()) == 0


async def fail() -> None:
    raise ValueError("in a Task")


def test_the_collector_is_as_before_after_a_pass_that_failed() -> None:
    before = gc.get_threshold()
    with cr.Scheduler() as scheduler, pytest.raises(ValueError, match="in a Task"):
        scheduler.run(fail())
    assert gc.get_threshold() == before


def test_a_collector_that_was_switched_off_stays_off_in_and_after_a_pass() -> None:
    async def is_enabled() -> bool:
        return gc.isenabled()

    gc.disable()
    with cr.Scheduler() as scheduler:
        assert not scheduler.run(is_enabled())
    assert not gc.isenabled()
