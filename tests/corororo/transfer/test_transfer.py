"""What a zone and its workers do with calls, replies, deaths and full pipes."""

from __future__ import annotations

import contextlib
import importlib
import os
import sys
import threading
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from office import Office, Onlooker, double, doubles, first_of, fragile, ran, swell, unresolvable

import corororo as cr
from corororo._platform import HAS_MEMORY_FILES
from corororo._ring import (
    Descriptor,
    Kind,
)
from corororo._transfer._shared_ring import FIFO_RETRY_S
from corororo._transfer._worth import WORTH_NS
from corororo._worker import _loop as _worker


def test_calls_come_back_under_their_ticket_and_in_their_place(office: Office) -> None:
    office.zone.send_nowait(double, "a", [(i,) for i in range(50)])
    office.zone.send_nowait(double, "b", [(i,) for i in range(3)])
    assert office.zone.in_flight == 53
    assert office.take_all() == doubles("a", 50) | doubles("b", 3)
    assert office.zone.statistics().ring.used_bytes == 0


def test_a_descriptor_of_an_older_attempt_runs_nothing(office: Office) -> None:
    office.zone.send_nowait(double, "a", [(1,), (2,)])
    office.tell_death(7)  # it may have read any of the descriptors that are still in the FIFO
    assert office.zone.take_nowait() == []
    assert office.take_all() == {("a", 0): 2, ("a", 1): 4}
    assert sorted(ran) == [1, 2]


def test_a_descriptor_that_comes_twice_runs_once(office: Office) -> None:
    office.zone.send_nowait(double, "a", [(1,)])
    descriptor = office.read_call()
    assert descriptor is not None
    office.give_back(descriptor)
    office.give_back(descriptor)
    office.work()
    office.give_back(descriptor)
    assert office.take_all() == {("a", 0): 2}
    office.work()
    assert ran == [1]


def test_a_reply_of_another_attempt_is_dropped_and_counted(office: Office) -> None:
    office.zone.send_nowait(double, "a", [(4,)])
    descriptor = office.read_call()
    assert descriptor is not None
    stale = descriptor._replace(kind=Kind.REPLY, attempt=descriptor.attempt + 1, worker=1)
    office.replies.write_nowait(stale)
    office.replies.write_nowait(stale._replace(sequence=12345))
    assert office.zone.take_nowait() == []
    assert office.zone.statistics().stale_replies == 2
    office.give_back(descriptor)
    assert office.take_all() == {("a", 0): 8}


def test_a_reply_that_comes_twice_is_taken_once(office: Office) -> None:
    office.zone.send_nowait(double, "a", [(4,)])
    descriptor = office.read_call()
    assert descriptor is not None
    office.give_back(descriptor)
    office.work()
    (reply,) = office.zone._replies.read_nowait()
    office.replies.write_nowait(reply)
    office.replies.write_nowait(reply)
    assert office.take_all() == {("a", 0): 8}
    assert office.zone.statistics().stale_replies == 1


def test_a_stale_reply_in_a_file_takes_its_file_along(office: Office) -> None:
    spill = office.session.spill(office.number, 99)
    spill.write_bytes(b"of an older attempt")
    office.replies.write_nowait(Descriptor(Kind.SPILLED, 1, office.number, sequence=99, worker=1))
    office.zone.take_nowait()
    assert not spill.exists()


DEATHS = st.lists(st.sampled_from(["work", "unmarked", "marked", "take", "idle"]), max_size=60)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=DEATHS, calls=st.integers(1, 40), service_ns=st.sampled_from([None, 100, 10**6]))
def test_whoever_dies_when_no_call_is_lost_or_answered_twice(
    tmp_path: Path, steps: list[str], calls: int, service_ns: int | None
) -> None:
    with contextlib.closing(Office(tmp_path, ring_bytes=1 << 14, max_batch=5)) as office:
        outcomes: dict[Any, Any] = {}
        if service_ns is not None:
            office.teach(double, service_ns)
        office.zone.send_nowait(double, "a", [(i,) for i in range(calls)])
        for step in steps:
            if step == "work" and office.has_calls():
                office.worker.do_work()
            elif step in ("marked", "unmarked"):
                office.die(office.read_call(), marked=step == "marked")
            elif step == "idle":
                office.tell_death(1_000)
            else:
                office.collect(outcomes)
        assert outcomes | office.take_all() == doubles("a", calls)
        assert office.zone.statistics().ring.used_bytes == 0
        assert len(list(office.session.directory.glob("*.spill"))) == 0


def test_what_kills_its_worker_each_time_fails_alone(office: Office) -> None:
    harmless: list[Descriptor] = []
    office.zone.send_nowait(fragile, "a", [(i,) for i in range(8)])
    outcomes: dict[Any, Any] = {}
    for _ in range(20):
        while (descriptor := office.read_call()) is not None:
            header = office.memory.header(descriptor.offset)
            start = descriptor.offset + header.request_offset
            request = office.memory.read(start, header.request_length)
            if 5 in msgspec.msgpack.decode(request)[1]:
                office.die(descriptor, marked=True)
            else:
                harmless.append(descriptor)
        while harmless:
            office.give_back(harmless.pop())
        office.work()
        office.collect(outcomes)
    error = outcomes.pop(("a", 5))
    assert isinstance(error, cr.WorkerDied)
    assert "fragile was alone with 4 workers" in str(error)
    assert "retries=3" in str(error)
    assert outcomes == {("a", i): i for i in range(8) if i != 5}
    assert office.zone.in_flight == 0


def test_a_result_larger_than_its_extent_comes_through_a_file(office: Office) -> None:
    office.zone.send_nowait(swell, "a", [(40_000,), (10,)])
    outcomes = office.take_all()
    assert [len(outcomes["a", i]) for i in range(2)] == [40_000, 10]
    assert office.zone.statistics().spilled_replies >= 1
    assert list(office.session.directory.glob("*.spill")) == []


def test_a_reply_in_a_file_is_removed_when_its_worker_died_before_it_answered(
    office: Office,
) -> None:
    office.zone.send_nowait(swell, "a", [(40_000,)])
    office.work()
    (reply,) = office.zone._replies.read_nowait()  # the answer that is never sent
    assert reply.kind == Kind.SPILLED
    office.tell_death(1)
    assert len(office.take_all()["a", 0]) == 40_000
    assert list(office.session.directory.glob("*.spill")) == []


def test_a_zone_that_closes_takes_replies_in_files_along(office: Office) -> None:
    office.zone.send_nowait(swell, "a", [(40_000,), (50_000,)])
    office.work()
    assert len(list(office.session.directory.glob("*.spill"))) >= 1
    office.zone.close()
    assert list(office.session.directory.glob("*.spill")) == []


def test_a_reply_for_a_zone_that_has_closed_leaves_nothing(office: Office) -> None:
    office.zone.send_nowait(swell, "a", [(1,)])
    office.work()
    office.zone.send_nowait(swell, "a", [(40_000,)])
    descriptor = office.read_call()
    assert descriptor is not None
    office.zone.close()
    office.give_back(descriptor)
    office.work()
    assert list(office.session.directory.glob(f"{office.number:08x}.*")) == []


def test_a_result_above_the_limit_fails_alone_with_the_figures(office: Office) -> None:
    office.zone.send_nowait(swell, "a", [(2_000_000,), (10,)])
    outcomes = office.take_all()
    assert isinstance(outcomes["a", 0], cr.ReplyTooLarge)
    assert "swell takes 2000" in str(outcomes["a", 0])
    assert f"limit is {1 << 20}" in str(outcomes["a", 0])
    assert len(outcomes["a", 1]) == 10


def test_arguments_above_the_ring_fail_alone_with_the_figures(office: Office) -> None:
    office.zone.send_nowait(first_of, "a", [(b"x",), (bytes(100_000),), (b"xyz",)])
    outcomes = office.take_all()
    assert isinstance(outcomes["a", 1], cr.RequestTooLarge)
    assert "first_of take 1000" in str(outcomes["a", 1])
    assert "65536" in str(outcomes["a", 1])
    assert (outcomes["a", 0], outcomes["a", 2]) == (1, 3)


def test_arguments_without_an_encoding_fail_alone(office: Office) -> None:
    office.zone.send_nowait(first_of, "a", [(b"x",), (object(),), (b"xyz",)])
    outcomes = office.take_all()
    assert isinstance(outcomes["a", 1], TypeError)
    assert "first_of: argument " in str(outcomes["a", 1])
    assert (outcomes["a", 0], outcomes["a", 2]) == (1, 3)


def test_annotations_that_cannot_be_used_fail_their_calls_and_no_others(office: Office) -> None:
    office.zone.send_nowait(unresolvable, "a", [(1,), (2,)])
    office.zone.send_nowait(double, "b", [(1,)])
    outcomes = office.take_all()
    assert outcomes.pop(("b", 0)) == 2
    assert len(outcomes) == 2
    assert all(isinstance(error, Exception) for error in outcomes.values())
    assert all("NoSuchType" in str(error) for error in outcomes.values())


def test_a_full_ring_makes_calls_wait_in_order(tmp_path: Path) -> None:
    with contextlib.closing(Office(tmp_path, ring_bytes=1 << 14, max_batch=4)) as office:
        ran.clear()
        for ticket in "abcdefgh":
            office.zone.send_nowait(double, ticket, [(i,) for i in range(40)])
        assert office.zone.statistics().batches_waiting > 0
        outcomes = office.take_all()
        assert outcomes == {k: v for t in "abcdefgh" for k, v in doubles(t, 40).items()}
        assert ran == list(range(40)) * 8


def test_a_full_fifo_makes_calls_wait_in_order(office: Office) -> None:
    office.fill_the_calls()
    office.zone.send_nowait(double, "a", [(i,) for i in range(40)])
    assert office.zone.take_nowait() == []
    assert office.zone.statistics().batches_out == 0
    assert office.zone.longest_wait_s() == FIFO_RETRY_S  # nothing tells that there is room again
    assert office.take_all() == doubles("a", 40)
    assert ran == list(range(40))


def test_calls_that_were_void_when_the_fifo_was_full_are_sent_again(office: Office) -> None:
    office.zone.send_nowait(double, "a", [(i,) for i in range(16)])
    office.fill_the_calls()
    office.tell_death(3)
    assert office.zone.take_nowait() == []
    assert office.take_all() == doubles("a", 16)
    assert sorted(ran) == list(range(16))


GARBAGE = st.builds(
    Descriptor,
    st.integers(0, 2**16 - 1) | st.sampled_from(list(map(int, Kind))),
    st.integers(0, 2**16 - 1),
    st.integers(0, 2**32 - 1),
    st.integers(0, 2**32 - 1) | st.integers(0, 1 << 14),
    st.integers(0, 2**32 - 1),
    st.integers(0, 2**64 - 1),
    st.integers(0, 2**32 - 1),
    st.integers(0, 2**32 - 1) | st.integers(0, 3),
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(st.booleans(), st.booleans(), GARBAGE), max_size=30))
def test_forged_descriptors_harm_neither_worker_nor_zone(
    tmp_path: Path, forged: list[tuple[bool, bool, Descriptor]]
) -> None:
    with contextlib.closing(Office(tmp_path, ring_bytes=1 << 14)) as office:
        office.zone.send_nowait(double, "a", [(i,) for i in range(20)])
        for to_zone, own_ring, descriptor in forged:
            if own_ring:
                descriptor = descriptor._replace(ring=office.number)
            (office.replies if to_zone else office.calls_writer).write_nowait(descriptor)
        assert office.take_all() == doubles("a", 20)


@pytest.mark.timeout(30)
def test_a_valid_descriptor_is_not_dropped_because_another_worker_looks_at_the_record(
    office: Office, source_environment: dict[str, str]
) -> None:
    office.zone.send_nowait(double, "a", [(3,)])
    descriptor = office.read_call()
    assert descriptor is not None
    ring = office.session.ring(office.number)
    with contextlib.closing(Onlooker(ring, descriptor.offset, source_environment)) as onlooker:
        office.give_back(descriptor)
        done: list[int | None] = []
        thread = threading.Thread(target=lambda: done.append(office.worker.do_work()))
        thread.start()
        thread.join(0.3)  # long enough to find the lock taken; it must still be there
        assert done == []
        onlooker.let_go()
        thread.join(20)
    assert done == [1]
    assert office.take_all() == {("a", 0): 6}


@pytest.mark.timeout(30)
def test_a_zone_that_stands_still_with_a_lock_takes_no_worker_from_the_others(
    office: Office, source_environment: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_worker, "LOCK_TRIES", 5)
    office.zone.send_nowait(double, "a", [(3,)])
    descriptor = office.read_call()
    assert descriptor is not None
    ring = office.session.ring(office.number)
    with contextlib.closing(Onlooker(ring, descriptor.offset, source_environment)) as zone:
        office.give_back(descriptor)
        assert office.worker.do_work() == 0  # it goes on without the batch
        zone.let_go()
    office.clock.jump(1.1)
    assert office.take_all() == {("a", 0): 6}


@pytest.mark.timeout(30)
def test_a_call_is_not_lost_because_its_record_was_looked_at_when_its_worker_died(
    office: Office, source_environment: dict[str, str]
) -> None:
    office.zone.send_nowait(double, "a", [(3,)])
    descriptor = office.read_call()  # by a worker that dies before it marks the record
    assert descriptor is not None
    ring = office.session.ring(office.number)
    with contextlib.closing(Onlooker(ring, descriptor.offset, source_environment)) as onlooker:
        office.tell_death(9)
        assert office.zone.take_nowait() == []
        assert office.zone.longest_wait_s() == FIFO_RETRY_S  # nobody tells of a lock
        onlooker.let_go()
    assert office.take_all() == {("a", 0): 6}


@pytest.mark.skipif(not HAS_MEMORY_FILES, reason="files that can give up pages")
@pytest.mark.parametrize("in_flight", [False, True])
def test_a_closed_ring_takes_no_memory_though_workers_have_it_open(in_flight: bool) -> None:
    with contextlib.closing(Office(Path("/dev/shm"))) as office:
        office.zone.send_nowait(double, "a", [(1,)])
        assert office.take_all() == {("a", 0): 2}
        if in_flight:
            office.zone.send_nowait(double, "b", [(1,)])
        with office.session.ring(office.number).open("rb") as ring:
            office.zone.close()
            assert bool(os.fstat(ring.fileno()).st_blocks) == in_flight  # a worker may read there


LATE_MODULE = """
import pathlib
import corororo as cr
if pathlib.Path({marker!r}).exists():
    raise RuntimeError("not yet")
@cr.async_task
def late_double(x: int) -> int:
    return 2 * x
"""


def test_a_module_that_could_not_be_imported_once_is_tried_again(
    office: Office, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    marker = tmp_path / "not yet"
    (tmp_path / "late_module.py").write_text(LATE_MODULE.format(marker=str(marker)))
    monkeypatch.syspath_prepend(tmp_path)
    late_double = importlib.import_module("late_module").late_double
    monkeypatch.delitem(sys.modules, "late_module")  # a worker is another process
    marker.touch()
    office.zone.send_nowait(late_double, "a", [(1,)])
    assert "not yet" in str(office.take_all()["a", 0])
    marker.unlink()
    office.zone.send_nowait(late_double, "b", [(1,)])
    assert office.take_all() == {("b", 0): 2}


# -- how long batches wait for a worker


def learnt_ns(office: Office, waited_ns: int, forged_ns: int | None = None) -> float:
    """What a batch has to hold after many that a worker took up so long after they were sent.

    ``forged_ns`` is when a broken worker says that it did, from the moment of its reply.
    """
    office.worker._now_ns = office.clock.now_ns
    for number in range(400):
        office.zone.send_nowait(double, number, [(number,)])
        descriptor = office.read_call()
        assert descriptor is not None
        office.give_back(descriptor)
        office.clock.jump(waited_ns / 1e9)
        office.work()
        if forged_ns is not None:
            office.memory.note_progress(descriptor.offset, 0, office.clock.now_ns() + forged_ns)
        assert office.take_all() == {(number, 0): 2 * number}
    return office.zone._outgoing.worth.worth_ns


def test_a_zone_learns_how_long_its_batches_wait_for_a_worker(office: Office) -> None:
    assert learnt_ns(office, 10 * WORTH_NS) == pytest.approx(5 * WORTH_NS, rel=0.05)


def test_batches_that_are_taken_up_at_once_may_stay_small(office: Office) -> None:
    assert learnt_ns(office, 0) == WORTH_NS


@pytest.mark.parametrize("forged_ns", [10**9, -(10**12)])
def test_nothing_is_learnt_from_what_cannot_be(office: Office, forged_ns: int) -> None:
    assert learnt_ns(office, 10 * WORTH_NS, forged_ns) == WORTH_NS
