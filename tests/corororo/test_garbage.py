"""The SlackCollector."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Iterator

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
