"""Where descriptors go and who takes them, with the workers of one pool in this process."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

import pytest
from office import double

from corororo._exceptions import FifoFull
from corororo._idle import BusySpin, Park
from corororo._ring import Descriptor, FifoReader, FifoWriter, Kind, Session, make_fifo
from corororo._transfer import SharedRing
from corororo._transfer._config import PoolConfig, write_config
from corororo._transfer._placement import Inbox, Outbox
from corororo.testing import MockClock

PLACES = 3


class Yard:
    """A session with a FIFO for each of three workers, held open as the pool does."""

    def __init__(self, base: Path) -> None:
        self.session = Session.create(base=base)
        paths = [self.session.calls_of(place) for place in range(PLACES)]
        for path in paths:
            make_fifo(path)
        paths.append(self.session.calls)
        self.readers = [FifoReader(path, blocking=False) for path in paths]
        self.writers = [FifoWriter(path) for path in paths]

    def queued(self) -> list[int]:
        return [reader.queued() for reader in self.readers]

    def close(self) -> None:
        for end in (*self.readers, *self.writers):
            end.close()
        self.session.remove()


@pytest.fixture
def yard(tmp_path: Path) -> Iterator[Yard]:
    yard = Yard(tmp_path)
    yield yard
    yard.close()


def call(sequence: int) -> Descriptor:
    return Descriptor(Kind.CALLS, sequence=sequence)


def test_shared_calls_go_into_one_queue_for_all(yard: Yard) -> None:
    outbox = Outbox(yard.session, None, PLACES)
    for i in range(6):
        outbox.send_nowait(call(i), i)
    assert outbox.helpers == 0
    assert yard.queued() == [0, 0, 0, 6]
    inboxes = [Inbox(yard.session, None, PLACES, idle) for idle in (Park(), BusySpin())]
    taken = [inboxes[i % 2].next() for i in range(6)]
    assert taken == [call(i) for i in range(6)]
    for end in (outbox, *inboxes):
        end.close()


def test_a_lone_batch_goes_home_and_wakes_nobody_else(yard: Yard) -> None:
    outbox = Outbox(yard.session, 1, PLACES)
    outbox.send_nowait(call(1), 0)
    assert yard.queued() == [0, 1, 0, 0]
    outbox.close()


def test_more_batches_ask_the_others_in_turn(yard: Yard) -> None:
    outbox = Outbox(yard.session, 1, PLACES)
    for i in range(3):
        outbox.send_nowait(call(i), i)
    assert yard.queued() == [1, 3, 1, 0]
    helper = Inbox(yard.session, 2, PLACES, Park())
    assert helper.next() == call(0)
    helper.close()
    outbox.close()


def test_a_worker_without_work_takes_from_the_busiest(yard: Yard) -> None:
    yard.writers[0].write_nowait(call(1))
    for i in range(10, 13):
        yard.writers[1].write_nowait(call(i))
    idle = Inbox(yard.session, 2, PLACES, BusySpin())
    assert [idle.next() for _ in range(4)] == [call(10), call(11), call(1), call(12)]
    idle.close()


def test_its_own_work_comes_first(yard: Yard) -> None:
    for i in range(3):
        yard.writers[0].write_nowait(call(i))
    yard.writers[2].write_nowait(call(9))
    inbox = Inbox(yard.session, 2, PLACES, Park())
    assert inbox.next() == call(9)
    inbox.close()


@pytest.mark.parametrize("place", [0, 2, 7, 2**32 - 1])
def test_a_hint_that_leads_nowhere_is_passed_over(yard: Yard, place: int) -> None:
    yard.writers[2].write_nowait(Descriptor(Kind.STEAL, worker=place))
    yard.writers[2].write_nowait(call(5))
    inbox = Inbox(yard.session, 2, PLACES, Park())
    assert inbox.next() == call(5)
    inbox.close()


def test_the_end_of_all_writers_is_the_end_of_the_inbox(yard: Yard) -> None:
    inboxes = [Inbox(yard.session, place, PLACES, Park()) for place in (None, 0)]
    yard.writers[3].write_nowait(call(1))
    for writer in yard.writers:
        writer.close()
    assert inboxes[0].next() == call(1)
    assert inboxes[0].next() is None
    assert inboxes[1].next() is None
    for inbox in inboxes:
        inbox.close()


def test_help_is_asked_of_one_worker_after_another(yard: Yard) -> None:
    outbox = Outbox(yard.session, 0, PLACES)
    for _ in range(4):
        outbox.ask_for_help()
    assert yard.queued() == [0, 2, 2, 0]
    outbox.close()


class NeverParks:
    """Fails where a worker would sleep."""

    def idle(self, work_count: int) -> bool:
        raise AssertionError("parked while calls wait")


def test_a_hint_that_was_taken_on_the_way_keeps_nobody_from_the_calls_behind_it(
    yard: Yard,
) -> None:
    yard.writers[0].write_nowait(Descriptor(Kind.STEAL, worker=1))
    yard.writers[0].write_nowait(call(5))
    inbox = Inbox(yard.session, 2, PLACES, NeverParks())
    assert inbox.next() == call(5)
    inbox.close()


def test_helpers_that_are_full_do_not_keep_the_home_from_its_call(yard: Yard) -> None:
    outbox = Outbox(yard.session, 0, 2)
    with contextlib.suppress(FifoFull):
        while True:
            yard.writers[1].write_nowait(call(0))
    outbox.send_nowait(call(1), 3)
    assert yard.readers[0].queued() == 1
    outbox.close()


def test_a_batch_that_its_home_does_not_read_is_offered_to_the_others(yard: Yard) -> None:
    ends = [yard.session.lifeline, yard.session.status]
    yard.readers += [FifoReader(path, blocking=False) for path in ends]
    yard.writers += [FifoWriter(path) for path in ends]
    clock = MockClock()
    config = PoolConfig(PLACES, 1 << 16, max_batch=8, placement="home")
    write_config(yard.session, config)
    with contextlib.closing(SharedRing(yard.session, config, clock)) as zone:
        zone.send_nowait(double, "a", [(1,)])
        home = yard.queued().index(1)
        others = [place for place in range(PLACES) if place != home]
        zone.take_nowait()
        assert [yard.queued()[place] for place in others] == [0, 0]
        clock.jump(0.15)
        zone.take_nowait()
        assert sum(yard.queued()[place] for place in others) == 1
        helper = next(place for place in others if yard.queued()[place])
        inbox = Inbox(yard.session, helper, PLACES, Park())
        taken = inbox.next()
        assert taken is not None
        assert (taken.kind, taken.ring) == (Kind.CALLS, zone._number)
        inbox.close()
