"""Checkpoints of zones on disks that are slow, full or gone."""

from __future__ import annotations

import os
import resource
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
import trio
import trio.testing
from hypothesis import given
from hypothesis import strategies as st

from zonesim.wire.messages import Saving, SlowDisk, ZoneEvent
from zonesim.zone.checkpoint import (
    Checkpoint,
    CheckpointError,
    CheckpointStore,
    checkpoint_path,
    load,
)

LIMIT_S = 30


class SlowClock:
    """The clock of the store's threads: they sleep until ``wake`` is set."""

    def __init__(self) -> None:
        self.now_ns = 1_000
        self.slept_s: list[float] = []
        self.asleep, self.wake = threading.Event(), threading.Event()

    def monotonic_ns(self) -> int:
        return self.now_ns

    def sleep(self, delay_s: float) -> None:
        self.slept_s.append(delay_s)
        self.asleep.set()
        assert self.wake.wait(LIMIT_S)

    async def until_asleep(self) -> None:
        assert await trio.to_thread.run_sync(self.asleep.wait, LIMIT_S)

    @contextmanager
    def holding(self) -> Iterator[None]:
        """Sleeping threads wake in the end, also when the test fails."""
        try:
            yield
        finally:
            self.wake.set()


@pytest.fixture
def clock(monkeypatch):
    clock = SlowClock()
    monkeypatch.setattr("zonesim.zone.checkpoint.time", clock)
    return clock


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "session").mkdir()
    return tmp_path / "session"


@pytest.fixture
def events() -> list[ZoneEvent]:
    return []


@pytest.fixture
def store(folder, events):
    return make_store(Saving(str(folder), 10), events)


def make_store(saving: Saving, events: list[ZoneEvent]) -> CheckpointStore:
    return CheckpointStore(saving, trio.lowlevel.checkpoint, events.append)


@contextmanager
def full(folder):
    """No file may be longer than ten bytes."""
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (10, limits[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)


@contextmanager
def gone(folder):
    away = folder.with_name("away")
    folder.rename(away)
    try:
        yield
    finally:
        away.rename(folder)


FAILURES = [(full, "File too large"), (gone, "No such file or directory")]
each_failure = pytest.mark.parametrize(("failing", "reason"), FAILURES, ids=["full", "gone"])


def checkpoint(tick: int) -> Checkpoint:
    return Checkpoint(tick, tick * 17, b"state of tick %d" % tick)


async def save_tick(store: CheckpointStore, zone: int, tick: int) -> None:
    store.put(zone, checkpoint(tick))
    await store.save(zone)


# -- files


@given(st.binary(max_size=300) | st.integers(0, 40).map(lambda n: b"\x86\xa4tick" * n))
def test_other_bytes_are_refused_with_the_path(tmp_path_factory, data):
    path = tmp_path_factory.getbasetemp() / "zone"
    path.write_bytes(data)
    with pytest.raises(CheckpointError, match="zone: expected a checkpoint, but "):
        load(path)


# -- when zones are saved


@given(st.integers(1, 50), st.integers(0, 1000), st.integers(0, 10**9))
def test_each_zone_is_due_once_in_so_many_ticks_and_its_neighbours_at_other_ticks(
    every, zone, tick
):
    store = make_store(Saving("/nowhere", every), [])
    due = [
        [ran for ran in range(tick, tick + every) if store.is_due(number, ran)]
        for number in range(zone, zone + every)
    ]
    assert sorted(ran for [ran] in due) == list(range(tick, tick + every))


def test_without_an_interval_no_zone_is_due():
    store = make_store(Saving("/nowhere", 0), [])
    assert not any(store.is_due(0, tick) for tick in range(50))


@pytest.mark.trio
async def test_a_zone_is_not_due_while_its_checkpoint_is_written(store, clock):
    store.slow_down(1.0, clock.now_ns + 1)
    async with trio.open_nursery() as nursery:
        with clock.holding():
            nursery.start_soon(save_tick, store, 0, 9)
            await clock.until_asleep()
            assert not store.is_due(0, 10)
            assert store.is_due(1, 9)
    assert store.is_due(0, 10)


# -- writing


@pytest.mark.trio
async def test_the_store_loads_what_it_has_saved(store, events):
    full = Checkpoint(-1, 0, b"", (1, 2), b"players", 3)
    await save_tick(store, 3, 1)
    await save_tick(store, 3, 7)
    store.put(4, full)
    assert await store.save(4)
    assert (store.load(3), store.load(4), store.load(5)) == (checkpoint(7), full, None)
    assert events == []


@pytest.mark.trio
async def test_of_several_states_the_latest_is_written_and_no_zone_waits_for_another(
    store, folder, clock
):
    store.slow_down(1.0, clock.now_ns + 1)
    async with trio.open_nursery() as nursery:
        with clock.holding():
            for tick in range(5):
                nursery.start_soon(save_tick, store, 3, tick)
                await trio.testing.wait_all_tasks_blocked()
            await clock.until_asleep()
            clock.now_ns += 1  # the disk is fast again while the first write still hangs
            await save_tick(store, 4, 2)
            assert store.load(4) == checkpoint(2)
            assert store.load(3) is None
    assert store.load(3) == checkpoint(4)
    assert clock.slept_s == [1.0]


@pytest.mark.trio
async def test_rows_are_flushed_before_a_checkpoint_is_written(folder):
    written_before = []

    async def flush() -> None:
        written_before.append(load(checkpoint_path(folder, 3)))

    await save_tick(CheckpointStore(Saving(str(folder), 10), flush, [].append), 3, 1)
    assert written_before == [None]


@pytest.mark.trio
async def test_a_slow_disk_delays_writes_until_a_moment_also_for_a_new_process(folder, clock):
    clock.wake.set()
    store = make_store(Saving(str(folder), 10, SlowDisk(0.5, until_ns=2_000)), [])
    await save_tick(store, 3, 1)
    store.slow_down(2.0, until_ns=3_000)
    clock.now_ns = 2_999
    await save_tick(store, 4, 2)
    clock.now_ns = 3_000
    await save_tick(store, 3, 3)
    assert clock.slept_s == [0.5, 2.0]
    assert store.load(3) == checkpoint(3)


# -- failing disks


@pytest.mark.trio
@each_failure
async def test_a_failing_disk_is_one_event_a_zone_until_it_recovers(
    store, folder, events, failing, reason
):
    why = f"the checkpoint cannot be written: {reason}; it will be retried"
    expected = [ZoneEvent("checkpoint-unwritable", zone, why) for zone in (3, 4)]
    for zone in (3, 4):
        await save_tick(store, zone, 9)
    for times in (1, 2):
        with failing(folder):
            for zone in (3, 4, 3, 4):
                await save_tick(store, zone, 5)
        assert events == expected * times
        assert store.load(3) == checkpoint(9)
        assert len(os.listdir(folder)) == 2
        for zone in (3, 4):
            await save_tick(store, zone, 9)
    assert events == expected * 2


@pytest.mark.trio
@pytest.mark.parametrize("saved_by", ["retry", "a later save"])
async def test_a_failed_save_is_retried_until_it_is_on_disk(
    store, folder, events, monkeypatch, saved_by
):
    monkeypatch.setattr("zonesim.zone.checkpoint.RETRY_S", 0.001)
    saved = trio.Event()
    async with trio.open_nursery() as nursery:
        with gone(folder):
            store.put(3, checkpoint(7))
            nursery.start_soon(store.save_with_retries, 3, saved)
            while not events:  # noqa: ASYNC110 - a thread sets no event
                await trio.sleep(0.001)
            assert not saved.is_set()
        if saved_by == "a later save":
            await save_tick(store, 3, 8)
        await saved.wait()
    assert store.load(3) == checkpoint(7 if saved_by == "retry" else 8)
    assert len(events) == 1
