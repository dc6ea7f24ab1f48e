"""Batches whose worker died, stands still or lost something, and what the zone does about them."""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from office import Office, Onlooker, double, doubles, fragile, ran

import corororo as cr
from corororo._ring import NO_WORKER, Descriptor, Kind
from corororo._transfer._recovery import LOST_NS

LOST_S = LOST_NS / 1e9 + 0.1


@cr.async_task(retries=0)
def only_once(x: int) -> int:
    return x


@cr.async_task(timeout=0.5)
def limited(x: int) -> int:
    return x


@pytest.fixture
def single(tmp_path: Path) -> Iterator[Office]:
    """All calls of a function in one batch."""
    ran.clear()
    with contextlib.closing(Office(tmp_path, max_batch=512, workers=1)) as office:
        yield office


def asked(office: Office) -> list[tuple[int, int]]:
    """What the zone has asked of the pool since the last time: kinds and workers."""
    found = office.readers[2].read_nowait()
    assert all(descriptor.ring == office.number for descriptor in found)
    return [(descriptor.kind, descriptor.worker) for descriptor in found]


def leave_no_room_for_requests(office: Office) -> None:
    """The pool reads nothing of what it is asked."""
    with contextlib.suppress(cr.CorororoError):
        while True:
            office.writers[2].write_nowait(Descriptor(Kind.READY))


def read(office: Office) -> Descriptor:
    descriptor = office.read_call()
    assert descriptor is not None
    return descriptor


def mark(office: Office, descriptor: Descriptor, worker: int) -> None:
    """As a worker does that has read the descriptor."""
    office.memory.mark(descriptor.offset, descriptor.attempt, worker)


def test_a_descriptor_that_got_lost_is_sent_again_after_a_while(single: Office) -> None:
    single.zone.send_nowait(double, "a", [(1,)])
    lost = read(single)
    single.clock.jump(LOST_S / 2)
    assert single.zone.take_nowait() == []
    assert not single.has_calls()
    single.clock.jump(LOST_S)
    assert single.zone.take_nowait() == []
    assert single.has_calls()
    single.give_back(lost)  # it was not lost, only late: it is void now
    assert single.take_all() == {("a", 0): 2}
    assert ran == [1]


def test_a_late_descriptor_runs_nothing_though_its_batch_stands_elsewhere_now(
    single: Office,
) -> None:
    """The room of the first record has not been given to another: all of it stands there still."""
    single.zone.send_nowait(double, "older", [(5,)])
    taken = read(single)
    mark(single, taken, 6)  # which keeps the ring from starting afresh
    single.zone.send_nowait(double, "a", [(1,)])
    late = read(single)
    single.clock.jump(LOST_S)
    single.zone.take_nowait()
    again = read(single)
    assert again.offset != late.offset
    single.give_back(late)
    single.work()
    assert ran == []
    single.give_back(again)
    single.tell_death(6)
    assert single.take_all() == {("older", 0): 10, ("a", 0): 2}
    assert sorted(ran) == [1, 5]


def test_one_that_waits_longer_is_sent_again_less_often(single: Office) -> None:
    single.zone.send_nowait(double, "a", [(1,)])
    times = []
    for tenths in range(400):
        if single.read_call():
            times.append(tenths)
        single.clock.jump(0.1)
        single.zone.take_nowait()
    gaps = [later - earlier for earlier, later in itertools.pairwise(times)]
    assert len(gaps) >= 4
    assert all(later >= 1.8 * earlier for earlier, later in itertools.pairwise(gaps))


def test_a_batch_that_was_marked_and_that_nobody_runs_is_run_again(single: Office) -> None:
    single.zone.send_nowait(only_once, "a", [(5,)])
    mark(single, read(single), 77)
    for _ in range(3):
        single.clock.jump(0.15)
        single.zone.take_nowait()
    # It was no death that counts against the call: it has no retries, and succeeds.
    assert single.take_all() == {("a", 0): 5}


def test_a_reply_that_is_on_its_way_is_not_taken_for_lost_at_the_first_look(
    single: Office,
) -> None:
    single.zone.send_nowait(double, "a", [(1,)])
    single.worker.do_work()
    single.clock.jump(10.0)
    outcomes: dict[Any, Any] = {}
    single.collect(outcomes)
    assert outcomes == {("a", 0): 2}
    assert single.zone.calls_retried == 0


def test_the_pool_is_asked_about_the_worker_that_has_a_batch_for_long(single: Office) -> None:
    single.zone.send_nowait(double, "a", [(1,)])
    descriptor = read(single)
    single.zone.take_nowait()
    assert asked(single) == []
    single.clock.jump(0.15)
    single.zone.take_nowait()
    assert asked(single) == [(Kind.LOOK, NO_WORKER)]  # it may be with any of them
    mark(single, descriptor, 4)
    single.zone.take_nowait()
    assert asked(single) == []  # not each time
    single.clock.jump(0.15)
    single.zone.take_nowait()
    assert asked(single) == [(Kind.LOOK, 4)]


@pytest.mark.timeout(30)
def test_a_record_that_was_looked_at_is_free_for_whoever_takes_it(
    single: Office, source_environment: dict[str, str]
) -> None:
    single.zone.send_nowait(double, "a", [(1,)])
    descriptor = read(single)
    single.clock.jump(0.15)
    single.zone.take_nowait()
    ring = single.session.ring(single.number)
    worker = Onlooker(ring, descriptor.offset, source_environment)  # says that it has the lock
    worker.close()
    single.give_back(descriptor)
    assert single.take_all() == {("a", 0): 2}


def test_nobody_is_asked_while_all_goes_well(single: Office) -> None:
    for _ in range(20):
        single.zone.send_nowait(double, "a", [(1,)])
        single.clock.jump(0.05)
        assert single.take_all() == {("a", 0): 2}
    assert asked(single) == []


def test_a_wait_is_short_enough_to_look_in_time(single: Office) -> None:
    single.zone.send_nowait(double, "a", [(1,)])
    longest_wait_s = single.zone.longest_wait_s()
    assert longest_wait_s is not None
    assert longest_wait_s <= 0.1


def test_a_pool_that_takes_no_requests_is_asked_again_later(single: Office) -> None:
    single.zone.send_nowait(double, "a", [(1,)])
    leave_no_room_for_requests(single)
    single.clock.jump(0.15)
    single.zone.take_nowait()
    while single.readers[2].read_nowait():
        pass
    single.clock.jump(0.15)
    single.zone.take_nowait()
    assert asked(single) == [(Kind.LOOK, NO_WORKER)]


def test_looks_for_calls_that_wait_in_a_long_queue_become_rarer(single: Office) -> None:
    single.zone.send_nowait(double, "a", [(1,)])
    times = 0
    for _ in range(100):  # ten seconds in which no worker comes to read
        single.clock.jump(0.1)
        single.zone.take_nowait()
        times += len(asked(single))
    assert 5 <= times <= 12


def test_a_death_that_was_asked_for_counts_against_nobody(single: Office) -> None:
    single.zone.send_nowait(fragile, "a", [(1,)])
    for number in range(10, 30):
        mark(single, read(single), number)
        single.replies.write_nowait(Descriptor(Kind.WORKER_KILLED, worker=number))
        assert single.zone.take_nowait() == []
    assert single.take_all() == {("a", 0): 1}


def test_the_death_of_a_worker_that_lives_changes_nothing(single: Office) -> None:
    single.zone.send_nowait(double, "a", [(i,) for i in range(5)])
    for number in range(1, 20):
        single.tell_death(number)
    assert single.take_all() == doubles("a", 5)
    assert sorted(ran) == list(range(5))


# -- timeouts


def start_call(office: Office, worker: int, call: int = 0) -> Descriptor:
    """A worker has begun with a call of the batch, and goes on with it."""
    descriptor = read(office)
    office.clock.jump(0.01)
    mark(office, descriptor, worker)
    office.memory.note_progress(descriptor.offset, call, office.clock.now_ns())
    return descriptor


def pass_time(office: Office, seconds: float) -> None:
    for _ in range(round(seconds * 20)):
        office.clock.jump(0.05)
        office.zone.take_nowait()


def assert_asked_once(office: Office, kind: Kind, limit_s: float) -> None:
    """The pool hears of worker 6 once, not before the limit, and soon behind it."""
    pass_time(office, 0.9 * limit_s)
    assert (kind, 6) not in asked(office)
    pass_time(office, 0.8 * limit_s)  # half as much again, and two looks
    assert asked(office).count((kind, 6)) == 1
    pass_time(office, 4 * limit_s)
    assert (kind, 6) not in asked(office)


@pytest.fixture
def _busy(single: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    """The records are locked, as by a worker that runs them."""
    monkeypatch.setattr(single.zone._records, "try_lock", lambda _batch: False)


@pytest.mark.usefixtures("_busy")
def test_the_worker_of_a_call_past_its_timeout_is_to_be_killed_once(single: Office) -> None:
    single.zone.send_nowait(limited, "a", [(1,), (2,)])
    start_call(single, 6)
    assert_asked_once(single, Kind.KILL, 0.5)


@pytest.mark.usefixtures("_busy")
def test_a_timeout_holds_for_a_call_that_began_before_its_zone_came_back_from_sending_it(
    single: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    send = single.zone._calls.write_nowait

    def send_and_lose_the_processor(descriptor: Descriptor) -> None:
        send(descriptor)
        start_call(single, 6)
        single.clock.jump(0.02)

    monkeypatch.setattr(single.zone._calls, "write_nowait", send_and_lose_the_processor)
    single.zone.send_nowait(limited, "a", [(1,)])
    pass_time(single, 2.0)
    assert asked(single).count((Kind.KILL, 6)) == 1


@pytest.mark.usefixtures("_busy")
def test_a_zone_that_was_away_kills_no_worker_at_its_first_look(single: Office) -> None:
    single.zone.send_nowait(limited, "a", [(1,), (2,)])
    descriptor = start_call(single, 6)
    pass_time(single, 0.1)
    single.memory.note_progress(descriptor.offset, 1, single.clock.now_ns())
    single.clock.jump(3.0)
    single.zone.take_nowait()
    single.memory.note_progress(descriptor.offset, 2, single.clock.now_ns())  # it has all of them
    pass_time(single, 2.0)
    assert all(kind != Kind.KILL for kind, _ in asked(single))


@pytest.mark.usefixtures("_busy")
def test_a_kill_that_the_pool_did_not_take_is_asked_for_again(single: Office) -> None:
    single.zone.send_nowait(limited, "a", [(1,)])
    start_call(single, 6)
    leave_no_room_for_requests(single)
    pass_time(single, 2.0)
    while single.readers[2].read_nowait():
        pass
    pass_time(single, 0.3)
    assert asked(single).count((Kind.KILL, 6)) == 1


@pytest.mark.usefixtures("_busy")
def test_calls_that_go_on_are_given_their_time_each(single: Office) -> None:
    single.zone.send_nowait(limited, "a", [(i,) for i in range(9)])
    descriptor = start_call(single, 6)
    for call in range(9):
        single.memory.note_progress(descriptor.offset, call, single.clock.now_ns())
        pass_time(single, 0.4)
    assert all(kind != Kind.KILL for kind, _ in asked(single))


@pytest.mark.usefixtures("_busy")
def test_the_call_that_fails_is_the_one_that_ran_when_the_worker_died(
    single: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    single.zone.send_nowait(limited, "a", [(1,), (2,), (3,)])
    descriptor = start_call(single, 6)
    pass_time(single, 2.0)
    assert (Kind.KILL, 6) in asked(single)
    monkeypatch.undo()
    single.memory.note_progress(descriptor.offset, 1, single.clock.now_ns())  # before it died
    single.replies.write_nowait(Descriptor(Kind.WORKER_KILLED, worker=6))
    assert single.take_all() == {("a", 0): 1, ("a", 1): 2, ("a", 2): 3}


@pytest.mark.usefixtures("_busy")
@pytest.mark.parametrize("call", [0, 1, 2])
def test_a_call_past_its_timeout_fails_alone_and_its_neighbours_run_again(
    single: Office, monkeypatch: pytest.MonkeyPatch, call: int
) -> None:
    single.zone.send_nowait(limited, "a", [(0,), (1,), (2,)])
    start_call(single, 6, call)
    pass_time(single, 2.0)
    monkeypatch.undo()
    single.replies.write_nowait(Descriptor(Kind.WORKER_KILLED, worker=6))
    outcomes = single.take_all()
    assert isinstance(outcomes.pop(("a", call)), cr.AsyncTaskTimeout)
    assert outcomes == {("a", i): i for i in range(3) if i != call}


@pytest.mark.usefixtures("_busy")
@pytest.mark.parametrize(
    ("call", "started_ns"), [(99, None), (0, 1_000_000), (2**20 - 1, 2**64 - 1)]
)
def test_progress_that_cannot_be_kills_nobody(
    single: Office, call: int, started_ns: int | None
) -> None:
    single.clock.jump(100)
    single.zone.send_nowait(limited, "a", [(1,), (2,)])
    descriptor = start_call(single, 6)
    now_ns = single.clock.now_ns() if started_ns is None else started_ns
    single.memory.note_progress(descriptor.offset, call, now_ns)
    pass_time(single, 3.0)
    assert all(kind != Kind.KILL for kind, _ in asked(single))


# -- workers that hang


@pytest.fixture
def strict(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Office]:
    """A worker may be at a batch for two seconds; the records are locked, as by one that is."""
    with contextlib.closing(Office(tmp_path, max_batch=512, workers=1, hang_timeout=2.0)) as office:
        monkeypatch.setattr(office.zone._records, "try_lock", lambda _batch: False)
        yield office


def test_a_worker_that_is_at_a_batch_for_too_long_is_told_of_once(strict: Office) -> None:
    strict.zone.send_nowait(double, "a", [(1,), (2,)])
    start_call(strict, 6)
    assert_asked_once(strict, Kind.HUNG, 2.0)


def test_a_zone_that_slept_gives_workers_that_may_have_slept_as_well_their_time(
    strict: Office,
) -> None:
    strict.zone.send_nowait(double, "a", [(1,), (2,)])
    descriptor = start_call(strict, 6)
    pass_time(strict, 1.0)
    strict.clock.jump(60.0)
    pass_time(strict, 0.3)
    strict.memory.note_progress(descriptor.offset, 0, strict.clock.now_ns())  # another batch
    pass_time(strict, 1.5)
    assert all(kind != Kind.HUNG for kind, _ in asked(strict))


def test_calls_with_a_timeout_of_their_own_go_by_that(strict: Office) -> None:
    strict.zone.send_nowait(limited, "a", [(1,)])
    start_call(strict, 6)
    pass_time(strict, 4.0)
    assert {kind for kind, worker in asked(strict) if worker == 6} == {Kind.LOOK, Kind.KILL}


@pytest.mark.parametrize("kind", [Kind.WORKER_KILLED, Kind.WORKER_DIED])
def test_the_batch_that_hung_a_worker_is_the_one_that_is_blamed(
    strict: Office, monkeypatch: pytest.MonkeyPatch, kind: Kind
) -> None:
    strict.zone.send_nowait(only_once, "a", [(1,)])
    start_call(strict, 6)
    pass_time(strict, 4.0)
    monkeypatch.undo()
    strict.replies.write_nowait(Descriptor(kind, worker=6))
    assert isinstance(strict.take_all()["a", 0], cr.WorkerDied)


def test_a_batch_that_a_hung_worker_took_later_is_not_blamed(
    strict: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    strict.zone.send_nowait(only_once, "a", [(1,)])
    start_call(strict, 6)
    pass_time(strict, 0.5)
    monkeypatch.undo()
    strict.replies.write_nowait(Descriptor(Kind.WORKER_KILLED, worker=6))  # for another zone's
    assert strict.take_all() == {("a", 0): 1}


@cr.async_task(retries=1)
def total(numbers: list[int]) -> int:
    return sum(numbers)


@pytest.mark.parametrize("marked", [True, False])
def test_what_runs_again_runs_with_the_arguments_as_they_were_sent(
    single: Office, marked: bool
) -> None:
    numbers = [[1, 2], [3]]
    single.zone.send_nowait(total, "a", [(numbers[0],), (numbers[1],)])
    descriptor = read(single)
    for given in numbers:
        given.append(1_000)  # the Task goes on with what is its own
    if marked:
        single.die(descriptor, marked=True)
    else:
        single.clock.jump(LOST_S)
    assert single.take_all() == {("a", 0): 3, ("a", 1): 3}


def sent(office: Office) -> list[int]:
    """The first argument of each batch that waits in the FIFO, in order; takes them out."""
    found = []
    while (descriptor := office.read_call()) is not None:
        header = office.memory.header(descriptor.offset)
        if (header.sequence, header.attempt) == (descriptor.sequence, descriptor.attempt):
            start = descriptor.offset + header.request_offset
            request = office.memory.read(start, header.request_length)
            found.append(msgspec.msgpack.decode(request)[1][0])
    return found


def test_what_waits_behind_long_calls_keeps_its_place(single: Office) -> None:
    single.teach(double, 1_000)
    for i in range(5):
        single.zone.send_nowait(double, i, [(i,)])
    before = single.zone.batches_sent
    for _ in range(30):
        single.clock.jump(0.1)
        assert single.zone.take_nowait() == []
    assert single.zone.batches_sent == before
    descriptors = []
    while (descriptor := single.read_call()) is not None:
        descriptors.append(descriptor)
    first, copies = descriptors[:5], descriptors[5:]
    assert len(set(first)) == 5
    assert copies == first[:1]  # in case that it got lost: void as soon as the other is taken
    for descriptor in descriptors:
        single.give_back(descriptor)
    ran.clear()
    assert single.take_all() == {(i, 0): 2 * i for i in range(5)}
    assert ran == [0, 1, 2, 3, 4]


def test_one_that_got_lost_while_others_wait_is_made_good_by_a_copy(single: Office) -> None:
    single.zone.send_nowait(double, "a", [(1,)])
    lost = read(single)
    single.give_back(Descriptor(Kind.CALLS))  # somebody else's, which nobody reads either
    single.clock.jump(LOST_S)
    assert single.zone.take_nowait() == []
    found = [single.read_call() for _ in range(3)]
    assert found == [Descriptor(Kind.CALLS), lost, None]
    single.give_back(lost)
    assert single.take_all() == {("a", 0): 2}


def test_one_that_got_lost_again_after_a_death_is_not_waited_for_any_longer(single: Office) -> None:
    single.zone.send_nowait(double, "a", [(1,)])
    read(single)
    single.give_back(Descriptor(Kind.CALLS))
    for _ in range(70):  # long enough for some copies, which get lost as well
        single.clock.jump(0.1)
        single.zone.take_nowait()
    while single.read_call() is not None:
        pass
    single.tell_death(9)
    single.zone.take_nowait()
    lost = read(single)
    single.give_back(Descriptor(Kind.CALLS))
    single.clock.jump(LOST_S)
    single.zone.take_nowait()
    assert [single.read_call() for _ in range(3)] == [Descriptor(Kind.CALLS), lost, None]


def test_copies_come_to_an_end_whoever_holds_the_record(
    single: Office, source_environment: dict[str, str]
) -> None:
    single.zone.send_nowait(double, "a", [(1,)])
    lost = read(single)
    single.give_back(Descriptor(Kind.CALLS))
    ring = single.session.ring(single.number)
    with contextlib.closing(Onlooker(ring, lost.offset, source_environment)):
        for _ in range(3_000):
            single.clock.jump(0.1)
            single.zone.take_nowait()
    found = []
    while (descriptor := single.read_call()) is not None:
        found.append(descriptor)
    assert found == [Descriptor(Kind.CALLS)] + [lost] * 6


def test_a_full_fifo_takes_no_copies_and_one_goes_when_there_is_room(single: Office) -> None:
    single.zone.send_nowait(double, "a", [(1,)])
    lost = read(single)
    single.fill_the_calls()
    single.clock.jump(LOST_S)
    assert single.zone.take_nowait() == []
    for _ in range(single.calls_reader.capacity() // 2):
        single.read_call()
    single.clock.jump(LOST_S)
    assert single.zone.take_nowait() == []
    single.read_call()
    single.clock.jump(LOST_S)
    assert single.zone.take_nowait() == []
    found = set()
    while (descriptor := single.read_call()) is not None:
        found.add(descriptor)
    assert found == {Descriptor(Kind.CALLS), lost}


def test_what_may_have_got_lost_among_others_is_sent_again_later(single: Office) -> None:
    single.zone.send_nowait(double, "a", [(1,)])
    read(single)
    single.give_back(Descriptor(Kind.CALLS))  # somebody else's, which nobody reads either
    single.clock.jump(16 * LOST_S)
    assert single.zone.take_nowait() == []
    assert sent(single) == [1]


@pytest.mark.parametrize("death", [True, False])
def test_what_is_sent_again_goes_in_the_order_in_which_it_went_before(
    single: Office, death: bool
) -> None:
    single.teach(double, 1_000)
    for i in range(5):
        single.zone.send_nowait(double, "a", [(i,)])
        single.clock.jump(0.001)
    assert sent(single) == [0, 1, 2, 3, 4]
    if death:
        single.tell_death(99)
    else:
        single.clock.jump(LOST_S)
    assert single.zone.take_nowait() == []
    assert sent(single) == [0, 1, 2, 3, 4]


def test_what_waits_for_room_keeps_the_arguments_that_it_was_sent_with(tmp_path: Path) -> None:
    with contextlib.closing(Office(tmp_path, ring_bytes=1 << 14, max_batch=8)) as office:
        numbers = [[i] * (400 if i % 50 == 0 else 1) for i in range(1_500)]
        expected = {("a", i): sum(given) for i, given in enumerate(numbers)}
        office.zone.send_nowait(total, "a", [(given,) for given in numbers[:1_000]])
        for i, given in enumerate(numbers[1_000:], 1_000):
            office.zone.send_nowait(total, i, [(given,)])
            expected[i, 0] = expected.pop(("a", i))
        assert office.zone.statistics().batches_waiting
        for given in numbers:
            given.append(1_000)
        assert office.take_all() == expected


def test_what_waits_for_room_beside_a_call_without_an_encoding_keeps_its_arguments(
    single: Office,
) -> None:
    single.fill_the_calls()
    single.zone.send_nowait(total, "a", [([1],)])
    numbers = [[i] for i in range(5)]
    single.zone.send_nowait(total, "b", [(given,) for given in numbers[:4]] + [({object()},)])
    for given in numbers:
        given.append(1_000)
    outcomes = single.take_all()
    assert "argument numbers" in str(outcomes.pop(("b", 4)))
    assert outcomes == {("a", 0): 1} | {("b", i): i for i in range(4)}
