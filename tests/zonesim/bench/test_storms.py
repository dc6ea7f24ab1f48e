"""Storms, batches and heaps do what their rows say; what they cost is measured, not tested."""

from __future__ import annotations

import gc

import pytest

import corororo as cr
from zonesim.bench import memory_group, storm_group
from zonesim.bench.batch_group import as_vector, in_tens
from zonesim.bench.core import COROUTINES
from zonesim.bench.memory_group import COLLECTION, MEAN, WORST, Heap, ticks_beside


@pytest.mark.parametrize("tick", [in_tens, as_vector])
def test_every_way_of_batching_makes_the_same_calls_in_one_tick(tick) -> None:
    with cr.Scheduler() as scheduler:
        tick(scheduler)
        found = scheduler.statistics()
    assert (found.ticks, found.async_tasks_taken) == (1, COROUTINES)


@pytest.mark.parametrize("name", ["delayed_us", "sleep_us", "cancel_us"])
def test_timers_are_measured_on_a_clock_that_nobody_waits_for(name: str) -> None:
    assert getattr(storm_group, name)() > 0


def test_a_heap_keeps_its_size_and_gives_up_the_oldest_first() -> None:
    heap = Heap(5)
    before = list(heap._things)
    heap.renew(3)
    assert heap._things[3:] == before[3:]
    heap.renew(3)
    assert len(heap._things) == 5
    assert set(map(id, heap._things)).isdisjoint(map(id, before))


def test_collections_between_ticks_are_told_apart_from_the_ticks(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(memory_group, "TICKS", 3)
    with cr.Scheduler() as zone, cr.SlackCollector() as collector:
        found = ticks_beside(zone, Heap(COROUTINES), collector)
    assert gc.isenabled()
    assert 0 < found[MEAN] <= found[WORST]
    assert found[COLLECTION] > 0
    with cr.Scheduler() as zone:
        assert ticks_beside(zone, Heap(COROUTINES), None)[COLLECTION] == 0
