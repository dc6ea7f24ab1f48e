"""Zones saved by threads: disks that are slow, full or gone, and whose turn it is."""

from __future__ import annotations

import resource
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import SimpleNamespace

import pytest
import trio
import trio.testing
from hypothesis import given
from hypothesis import strategies as st

from zonesim.wire.messages import REASON_CHARACTERS, Saving, SlowDisk, Told
from zonesim.zone.checkpoint import HEADER, Checkpoint, CheckpointError, before, load, save
from zonesim.zone.saver import Saver, State, checkpoint_path

LIMIT_S = 30


class SlowClock:
    """The clock of the saver's threads: they sleep until somebody lets them go on."""

    def __init__(self) -> None:
        self.now_ns = 1_000
        self.slept_s: list[float] = []
        self.asleep, self.may_go_on = threading.Event(), threading.Event()

    def monotonic_ns(self) -> int:
        return self.now_ns

    def sleep(self, delay_s: float) -> None:
        self.slept_s.append(delay_s)
        self.asleep.set()
        assert self.may_go_on.wait(LIMIT_S)

    async def until_asleep(self) -> None:
        """Until a thread sleeps."""
        assert await trio.to_thread.run_sync(self.asleep.wait, LIMIT_S)

    @contextmanager
    def holding(self) -> Iterator[None]:
        """Threads that sleep go on in the end, whatever happens meanwhile."""
        try:
            yield
        finally:
            self.may_go_on.set()


@pytest.fixture
def clock(monkeypatch):
    clock = SlowClock()
    monkeypatch.setattr("zonesim.zone.saver.time", clock)
    return clock


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "session").mkdir()
    return tmp_path / "session"


@pytest.fixture
def told() -> list[Told]:
    return []


@pytest.fixture
def saver(folder, told):
    return Saver(Saving(str(folder), 10), told.append)


@contextmanager
def full(folder):
    """The disk takes nothing that is longer than a header."""
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (HEADER.size, limits[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)


@contextmanager
def gone(folder):
    """The folder is not there."""
    away = folder.with_name("away")
    folder.rename(away)
    try:
        yield
    finally:
        away.rename(folder)


REFUSALS = [(full, "File too large"), (gone, "No such file or directory")]
each_refusal = pytest.mark.parametrize(("refusing", "reason"), REFUSALS, ids=["full", "gone"])


def checkpoint(tick: int) -> Checkpoint:
    return Checkpoint(tick, tick * 17, b"state of tick %d" % tick)


def zone_before(next_tick: int, number: int = 0) -> SimpleNamespace:
    """A zone between two ticks."""
    return SimpleNamespace(
        spec=SimpleNamespace(zone=number),
        next_tick=next_tick,
        checkpoint=lambda: checkpoint(next_tick - 1),
    )


def state_after(saver: Saver, zone: int, tick: int) -> State:
    """The state that a zone has after a tick, taken now."""
    return saver.state_of(zone_before(tick + 1, zone))


async def save_after(saver: Saver, zone: int, tick: int) -> None:
    await saver.save(state_after(saver, zone, tick))


def saver_every(ticks: int) -> Saver:
    return Saver(Saving("/nowhere", ticks), lambda message: None)


# -- whose turn it is


@given(st.integers(1, 50), st.integers(0, 1000), st.integers(0, 10**9))
def test_a_zone_is_due_after_one_of_so_many_ticks_and_its_neighbours_after_others(
    every, zone, tick
):
    saver = saver_every(every)
    due = {
        number: [ran for ran in range(tick, tick + every) if saver.is_due(zone_before(ran, number))]
        for number in range(zone, zone + every)
    }
    assert sorted(ran for [ran] in due.values()) == list(range(tick, tick + every))


def test_a_zone_of_which_nothing_is_to_be_saved_is_never_due():
    saver = saver_every(0)
    assert not any(saver.is_due(zone_before(tick)) for tick in range(50))


def test_a_zone_may_be_due_after_every_tick():
    saver = saver_every(1)
    assert all(saver.is_due(zone_before(tick, 3)) for tick in range(50))


@pytest.mark.trio
async def test_a_zone_whose_state_is_still_being_written_is_not_due_and_others_are(saver, clock):
    saver.slow_down(1.0, clock.now_ns + 1)
    async with trio.open_nursery() as nursery:
        with clock.holding():
            nursery.start_soon(saver.save, state_after(saver, 0, 9))
            await clock.until_asleep()
            assert not saver.is_due(zone_before(10))
            assert saver.is_due(zone_before(9, 1))
    assert saver.is_due(zone_before(10))
    assert not saver.is_due(zone_before(11))


# -- writing and reading


@pytest.mark.trio
async def test_what_was_saved_when_save_returns_is_what_is_loaded(saver, folder, told):
    await save_after(saver, 3, 7)
    await save_after(saver, 4, 8)
    assert load(checkpoint_path(folder, 3)) == checkpoint(7)
    assert (saver.load(3), saver.load(4), saver.load(5)) == (checkpoint(7), checkpoint(8), None)
    assert told == []


def test_each_zone_has_a_file_of_its_own(folder):
    paths = [checkpoint_path(folder, zone) for zone in range(120)]
    assert len(set(paths)) == 120
    assert {path.parent for path in paths} == {folder}
    assert checkpoint_path(str(folder), 7) == checkpoint_path(folder, 7)


def test_a_checkpoint_that_cannot_be_used_is_told_and_the_zone_begins_anew(saver, folder, told):
    checkpoint_path(folder, 3).write_bytes(b"nonsense")
    assert saver.load(3) is None
    [message] = told
    assert (message.kind, message.zone) == ("checkpoint-unusable", 3)
    assert "zone-3.checkpoint holds only 8 bytes" in message.detail


def test_where_only_the_latest_is_torn_the_one_before_is_taken_without_a_word(saver, folder, told):
    path = checkpoint_path(folder, 3)
    save(path, checkpoint(1))
    save(path, checkpoint(2))
    path.write_bytes(b"torn")
    assert saver.load(3) == checkpoint(1)
    assert told == []


def test_whatever_is_wrong_with_a_checkpoint_can_be_told(saver, told):
    saver.tell_unusable(3, CheckpointError("a file called \udcff " + "and more " * 1_000))
    [message] = told
    assert message.kind == "checkpoint-unusable"
    assert message.detail.startswith("a file called \\udcff and more and more")
    assert len(message.detail) == REASON_CHARACTERS


@pytest.mark.trio
async def test_states_of_a_zone_are_written_one_after_the_other_as_they_came(saver, folder, clock):
    saver.slow_down(1.0, clock.now_ns + 1)
    async with trio.open_nursery() as nursery:
        with clock.holding():
            for tick in range(5):
                nursery.start_soon(saver.save, state_after(saver, 3, tick))
                await trio.testing.wait_all_tasks_blocked()
            await clock.until_asleep()
            assert clock.slept_s == [1.0]  # of all of them only the first is being written
            assert load(checkpoint_path(folder, 3)) is None
    assert load(checkpoint_path(folder, 3)) == checkpoint(4)
    assert load(before(checkpoint_path(folder, 3))) == checkpoint(3)


@pytest.mark.trio
async def test_no_zone_waits_for_the_write_of_another(saver, folder, clock):
    saver.slow_down(1.0, clock.now_ns + 1)
    async with trio.open_nursery() as nursery:
        with clock.holding():
            nursery.start_soon(saver.save, state_after(saver, 3, 1))
            await clock.until_asleep()
            clock.now_ns += 1  # the disk is as fast as ever, and the first write still hangs
            await save_after(saver, 4, 2)
            assert load(checkpoint_path(folder, 4)) == checkpoint(2)
            assert load(checkpoint_path(folder, 3)) is None
    assert load(checkpoint_path(folder, 3)) == checkpoint(1)


# -- states that come in another order than they were taken


def test_a_state_is_taken_when_it_is_asked_for(saver):
    zone = zone_before(5, 3)
    older = saver.state_of(zone)
    zone.checkpoint = lambda: checkpoint(5)
    newer = saver.state_of(zone)
    assert (older.zone, older.checkpoint) == (3, checkpoint(4))
    assert (newer.zone, newer.checkpoint) == (3, checkpoint(5))
    assert older.moment < newer.moment


@pytest.mark.trio
@pytest.mark.parametrize("time_of_many", range(20))  # the order of tasks is drawn by lot
async def test_of_states_that_are_saved_at_once_the_last_one_taken_stays(
    saver, folder, time_of_many
):
    async with trio.open_nursery() as nursery:
        for tick in range(3):
            nursery.start_soon(saver.save, state_after(saver, 3, tick))
    assert load(checkpoint_path(folder, 3)) == checkpoint(2)


@pytest.mark.trio
async def test_a_state_that_comes_after_a_newer_one_replaces_neither_it_nor_the_one_before(
    saver, folder, told
):
    first, older, newer = (state_after(saver, 3, tick) for tick in range(3))
    for state in (first, newer, older, first):
        await saver.save(state)
    path = checkpoint_path(folder, 3)
    assert (load(path), load(before(path))) == (checkpoint(2), checkpoint(0))
    await save_after(saver, 3, 3)
    assert (load(path), load(before(path))) == (checkpoint(3), checkpoint(2))
    assert told == []


@pytest.mark.trio
async def test_a_zone_is_not_taken_for_older_because_others_were_saved_later(saver):
    third, fourth = state_after(saver, 3, 7), state_after(saver, 4, 1)
    await saver.save(fourth)
    await saver.save(third)
    assert (saver.load(3), saver.load(4)) == (checkpoint(7), checkpoint(1))


@pytest.mark.trio
async def test_a_state_counts_by_when_it_was_taken_and_not_by_its_tick(saver):
    """Players come and go between two ticks, and a zone that begins anew has earlier ones."""
    await save_after(saver, 3, 8)
    await save_after(saver, 3, 2)
    assert saver.load(3) == checkpoint(2)


@pytest.mark.trio
async def test_who_saves_an_older_state_waits_until_the_newer_one_is_written(saver, folder, clock):
    older, newer = state_after(saver, 3, 1), state_after(saver, 3, 2)
    saver.slow_down(1.0, clock.now_ns + 1)
    found = []

    async def save_older() -> None:
        await saver.save(older)
        found.append(load(checkpoint_path(folder, 3)))

    async with trio.open_nursery() as nursery:
        with clock.holding():
            nursery.start_soon(saver.save, newer)
            await clock.until_asleep()
            nursery.start_soon(save_older)
            await trio.testing.wait_all_tasks_blocked()
            assert found == []
    assert found == [checkpoint(2)]
    assert clock.slept_s == [1.0]


@pytest.mark.trio
@each_refusal
async def test_where_the_newer_state_could_not_be_written_the_older_one_is(
    saver, folder, refusing, reason
):
    older, newer = state_after(saver, 3, 1), state_after(saver, 3, 2)
    with refusing(folder):
        await saver.save(newer)
    await saver.save(older)
    assert saver.load(3) == checkpoint(1)
    await saver.save(newer)
    assert saver.load(3) == checkpoint(2)


# -- slow disks


@pytest.mark.trio
async def test_a_disk_is_slow_until_a_moment_and_no_longer(saver, clock):
    clock.may_go_on.set()
    await save_after(saver, 3, 1)
    assert clock.slept_s == []
    saver.slow_down(0.5, until_ns=2_000)
    await save_after(saver, 3, 2)
    clock.now_ns = 1_999
    await save_after(saver, 4, 2)
    assert clock.slept_s == [0.5, 0.5]
    clock.now_ns = 2_000
    await save_after(saver, 3, 3)
    assert clock.slept_s == [0.5, 0.5]
    assert saver.load(3) == checkpoint(3)


@pytest.mark.trio
async def test_a_disk_is_as_slow_as_was_said_last(saver, clock):
    clock.may_go_on.set()
    saver.slow_down(0.5, until_ns=2_000)
    saver.slow_down(2.0, until_ns=1_500)
    await save_after(saver, 3, 1)
    clock.now_ns = 1_500
    await save_after(saver, 3, 2)
    saver.slow_down(0.25, until_ns=3_000)
    await save_after(saver, 3, 3)
    assert clock.slept_s == [2.0, 0.25]


@pytest.mark.trio
async def test_who_comes_while_the_disk_is_slow_knows_of_it_for_what_is_left(folder, clock):
    clock.may_go_on.set()
    saver = Saver(Saving(str(folder), 10, SlowDisk(0.5, until_ns=2_000)), lambda message: None)
    await save_after(saver, 3, 1)
    clock.now_ns = 2_000
    await save_after(saver, 3, 2)
    assert clock.slept_s == [0.5]


# -- disks that refuse


@pytest.mark.trio
@each_refusal
async def test_a_disk_that_refuses_is_told_once_and_again_after_it_has_recovered(
    saver, folder, told, refusing, reason
):
    expected = Told(
        "checkpoint-unwritable",
        3,
        f"no checkpoint can be written: {reason}; it is tried again",
    )
    for times in (1, 2):
        await save_after(saver, 3, times)
        with refusing(folder):
            for tick in range(3, 6):
                await save_after(saver, 3, tick)
        assert told == [expected] * times
    await save_after(saver, 3, 9)
    assert told == [expected] * 2
    assert saver.load(3) == checkpoint(9)


@pytest.mark.trio
@each_refusal
async def test_what_stood_there_outlives_a_disk_that_refuses(saver, folder, refusing, reason):
    await save_after(saver, 3, 1)
    await save_after(saver, 3, 2)
    with refusing(folder):
        await save_after(saver, 3, 3)
    path = checkpoint_path(folder, 3)
    assert (load(path), load(before(path))) == (checkpoint(2), checkpoint(1))
    assert sorted(folder.iterdir()) == [path, before(path)]


@pytest.mark.trio
async def test_each_zone_that_cannot_be_saved_is_told_of_and_recovers_for_itself(
    saver, folder, told
):
    with full(folder):
        for zone in (3, 4, 3, 4):
            await save_after(saver, zone, 1)
    assert [message.zone for message in told] == [3, 4]
    await save_after(saver, 4, 2)
    with full(folder):
        for zone in (3, 4):
            await save_after(saver, zone, 3)
    assert [message.zone for message in told[2:]] == [4]


@pytest.mark.trio
async def test_a_zone_that_could_not_be_saved_is_due_again(saver, folder):
    with gone(folder):
        await save_after(saver, 0, 9)
    assert saver.is_due(zone_before(10))


async def refused(told: list[Told]) -> None:
    """Until a disk has refused a zone."""
    while not told:  # noqa: ASYNC110 - a thread that writes sets no event
        await trio.sleep(0.001)


@pytest.mark.trio
async def test_what_others_rely_on_is_written_as_soon_as_the_disk_takes_it(
    saver, folder, told, monkeypatch
):
    monkeypatch.setattr("zonesim.zone.saver.TRY_AGAIN_S", 0.001)
    saved = trio.Event()
    async with trio.open_nursery() as nursery:
        with gone(folder):
            nursery.start_soon(saver.save_surely, state_after(saver, 3, 7), saved)
            await refused(told)
            assert not saved.is_set()
        await saved.wait()
        assert load(checkpoint_path(folder, 3)) == checkpoint(7)
    assert len(told) == 1


@pytest.mark.trio
async def test_what_others_rely_on_is_saved_where_a_later_state_is(saver, folder, told):
    saved = trio.Event()
    async with trio.open_nursery() as nursery:
        with gone(folder):
            nursery.start_soon(saver.save_surely, state_after(saver, 3, 7), saved)
            await refused(told)
        await save_after(saver, 3, 8)
        await saved.wait()
    assert load(checkpoint_path(folder, 3)) == checkpoint(8)
