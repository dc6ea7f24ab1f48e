"""A zone's transfer: calls go to workers, and their outcomes come back exactly once."""

from __future__ import annotations

import contextlib
import math
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from zone_and_worker import ZoneAndWorker, double, doubles, ran, unresolvable

import corororo as cr
from corororo._platform import HAS_MEMORY_FILES
from corororo._ring import Descriptor, Kind, RingMemory
from corororo._transfer._codec import Codec
from corororo._transfer._records import KEPT_BYTES
from corororo._transfer._sender import MAX_BATCHES_OUT
from corororo._transfer._shared_ring import FIFO_RETRY_S


@cr.async_task(retries=1)
def total(numbers: list[int]) -> int:
    return sum(numbers)


@cr.async_task
def swell(length: int) -> bytes:
    return bytes(length)


def spills(pair: ZoneAndWorker) -> list[Path]:
    return list(pair.session.directory.glob("*.spill"))


def answer(pair: ZoneAndWorker) -> Descriptor:
    """Let the worker run a batch, and take its reply descriptor before the zone does."""
    pair.worker.do_work()
    (reply,) = pair.zone._replies.read_nowait()
    return reply


# -- exactly once


def test_calls_come_back_under_their_ticket_and_in_their_place(pair: ZoneAndWorker) -> None:
    pair.zone.send_nowait(double, "a", [(i,) for i in range(50)])
    pair.zone.send_nowait(double, "b", [(i,) for i in range(3)])
    assert pair.zone.in_flight == 53
    assert pair.take_all() == doubles("a", 50) | doubles("b", 3)
    assert pair.zone.statistics().ring.used_bytes == 0


def test_a_reply_to_another_attempt_is_dropped_and_counted(pair: ZoneAndWorker) -> None:
    pair.zone.send_nowait(double, "a", [(4,)])
    call = pair.read_call()
    stale = call._replace(kind=Kind.REPLY, attempt=call.attempt + 1, worker=1)
    spill = pair.session.spill(pair.number, 99)
    spill.write_bytes(b"of an older attempt")
    pair.replies.write_nowait(stale)
    pair.replies.write_nowait(stale._replace(sequence=99, kind=Kind.SPILLED))
    assert pair.zone.take_nowait() == []
    assert pair.zone.statistics().stale_replies == 2
    assert not spill.exists()
    pair.give_back(call)
    assert pair.take_all() == {("a", 0): 8}


def test_a_reply_that_arrives_twice_is_taken_once(pair: ZoneAndWorker) -> None:
    pair.zone.send_nowait(double, "a", [(4,)])
    reply = answer(pair)
    pair.replies.write_nowait(reply)
    pair.replies.write_nowait(reply)
    assert pair.take_all() == {("a", 0): 8}
    assert pair.zone.statistics().stale_replies == 1


GARBAGE = st.builds(
    Descriptor,
    st.integers(0, 2**16 - 1) | st.sampled_from(list(map(int, Kind))),
    st.integers(0, 2**16 - 1),
    st.integers(0, 2**32 - 1),
    st.integers(0, 2**32 - 1) | st.integers(0, 1 << 14),
    st.integers(0, 2**32 - 1),
    st.integers(0, 2**64 - 1),
    st.integers(0, 2**32 - 1) | st.integers(0, 3),
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(st.booleans(), st.booleans(), GARBAGE), max_size=30))
def test_descriptors_that_make_no_sense_harm_neither_worker_nor_zone(
    tmp_path: Path, garbage: list[tuple[bool, bool, Descriptor]]
) -> None:
    with contextlib.closing(ZoneAndWorker(tmp_path, ring_bytes=1 << 14)) as pair:
        pair.zone.send_nowait(double, "a", [(i,) for i in range(20)])
        for to_zone, own_ring, descriptor in garbage:
            if own_ring:
                descriptor = descriptor._replace(ring=pair.number)
            (pair.replies if to_zone else pair.calls_writer).write_nowait(descriptor)
        assert pair.take_all() == doubles("a", 20)


# -- replies that make no sense


def with_reply(*reply: Any) -> Callable[[ZoneAndWorker, Descriptor], Descriptor]:
    """A reply descriptor whose extent holds these bytes, or this message."""
    data = reply[0] if isinstance(reply[0], bytes) else msgspec.msgpack.encode(reply)

    def replace(pair: ZoneAndWorker, descriptor: Descriptor) -> Descriptor:
        header = pair.memory.header(descriptor.offset)
        pair.memory.write(descriptor.offset + header.reply_offset, data)
        return descriptor._replace(length=len(data))

    return replace


FAILURE = ["builtins", "ValueError", [], "", ""]
INVALID: dict[str, Callable[[ZoneAndWorker, Descriptor], Descriptor]] = {
    "too short": lambda _, reply: reply._replace(length=reply.length - 1),
    "longer than the extent": lambda _, reply: reply._replace(length=1 << 30),
    "another kind": lambda _, reply: reply._replace(kind=Kind.READY),
    "a missing file": lambda _, reply: reply._replace(kind=Kind.SPILLED),
    "no msgpack": with_reply(b"\xc1\xc1"),
    "too few values": with_reply(1, [2, 4], None),
    "no values": with_reply(1, 7, None),
    "a failure of another call": with_reply(1, [2, 4, 6], {5: FAILURE}),
}


@pytest.mark.parametrize("how", INVALID)
def test_the_batch_of_an_invalid_reply_runs_again(pair: ZoneAndWorker, how: str) -> None:
    pair.teach(double, 1_000)
    pair.zone.send_nowait(double, "a", [(1,), (2,), (3,)])
    pair.replies.write_nowait(INVALID[how](pair, answer(pair)))
    assert pair.zone.take_nowait() == []
    assert pair.zone.statistics().broken_replies == 1
    assert pair.take_all() == {("a", 0): 2, ("a", 1): 4, ("a", 2): 6}
    assert pair.zone.statistics().ring.used_bytes == 0


def test_a_reply_that_does_not_fit_into_memory_fails_its_calls(
    pair: ZoneAndWorker, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_memory(_codec: Codec, _data: bytes) -> Any:
        raise MemoryError("none is left")

    monkeypatch.setattr(Codec, "decode_reply", no_memory)
    pair.zone.send_nowait(double, "a", [(1,), (2,)])
    assert {type(outcome) for outcome in pair.take_all().values()} == {MemoryError}
    assert pair.zone.statistics().broken_replies == 0
    assert sorted(ran) == [1, 2]


# -- large replies


def test_a_file_of_a_dead_worker_that_did_not_answer_is_removed(pair: ZoneAndWorker) -> None:
    pair.zone.send_nowait(swell, "a", [(40_000,)])
    assert answer(pair).kind == Kind.SPILLED  # and never arrives
    pair.report_death(1)
    assert len(pair.take_all()["a", 0]) == 40_000
    assert spills(pair) == []


def test_closing_removes_replies_in_files_before_and_after(pair: ZoneAndWorker) -> None:
    pair.zone.send_nowait(swell, "a", [(1,)])
    pair.take_all()
    pair.zone.send_nowait(swell, "a", [(40_000,), (50_000,)])
    pair.worker.do_work()
    assert spills(pair)
    pair.zone.close()
    pair.work()
    assert list(pair.session.directory.glob(f"{pair.number:08x}.*")) == []


# -- large requests


@cr.async_task(retries=1)
def measure(data: bytes) -> int:
    return len(data)


@cr.async_task
def first_of(array: np.ndarray) -> int:
    return int(array[0])


LARGE = bytes(100_000)


def test_a_large_call_without_room_waits_for_others_and_fails_alone_with_the_reason(
    pair: ZoneAndWorker, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_room(_memory: RingMemory, _end: int) -> None:
        raise OSError(28, os.strerror(28))

    pair.zone.send_nowait(measure, "a", [(LARGE,)])
    monkeypatch.setattr(RingMemory, "reserve", no_room)
    pair.zone.send_nowait(measure, "b", [(LARGE,)])
    assert pair.zone.statistics().batches_waiting == 1
    pair.work()
    outcomes = pair.take_all()
    assert outcomes.pop(("a", 0)) == len(LARGE)
    [error] = outcomes.values()
    assert isinstance(error, cr.RequestTooLarge)
    parts = "measure takes 10", f"room in {pair.session.directory}: No space left", "directory="
    assert all(part in str(error) for part in parts)
    monkeypatch.undo()
    pair.zone.send_nowait(measure, "c", [(LARGE,)])
    assert pair.take_all() == {("c", 0): len(LARGE)}


@pytest.mark.parametrize("marked", [True, False])
def test_a_large_call_outlives_its_worker(pair: ZoneAndWorker, marked: bool) -> None:
    pair.zone.send_nowait(measure, "a", [(LARGE,), (b"",), (LARGE,)])
    pair.die(pair.read_call(), marked=marked)
    assert pair.take_all() == {("a", 0): len(LARGE), ("a", 1): 0, ("a", 2): len(LARGE)}
    assert pair.zone.statistics().ring.used_bytes == 0


def test_a_large_call_whose_arguments_a_dying_worker_overwrote_fails(pair: ZoneAndWorker) -> None:
    pair.zone.send_nowait(measure, "a", [(LARGE,)])
    call = pair.read_call()
    assert pair.memory.waits(call)
    pair.mark(call, 5)
    pair.memory.write(call.offset + 24, b"\xff" * 1_000)
    pair.report_death(5)
    [error] = pair.take_all().values()
    assert isinstance(error, cr.WorkerDied)
    assert "measure cannot run again" in str(error)


def test_a_large_call_that_waits_runs_with_the_arguments_it_was_sent_with(
    pair: ZoneAndWorker,
) -> None:
    arrays = [np.full(20_000, i) for i in range(12)]
    for place, array in enumerate(arrays):
        pair.zone.send_nowait(first_of, place, [(array,)])
    assert pair.zone.statistics().batches_waiting
    for array in arrays:
        array[:] = 1_000
    pair.report_death(99)
    assert pair.take_all() == {(i, 0): i for i in range(12)}


@pytest.mark.skipif(not HAS_MEMORY_FILES, reason="files that can give up pages")
def test_the_memory_of_large_calls_is_given_back() -> None:
    with contextlib.closing(ZoneAndWorker(Path("/dev/shm"), max_message_bytes=1 << 25)) as pair:
        pair.zone.send_nowait(measure, "a", [(bytes(3 * KEPT_BYTES),)])
        ring = pair.session.ring(pair.number)
        assert ring.stat().st_blocks * 512 > 3 * KEPT_BYTES
        pair.take_all()
        assert ring.stat().st_blocks * 512 <= KEPT_BYTES + pair.config.ring_bytes


# -- calls that cannot be sent


def test_annotations_that_cannot_be_used_fail_their_calls_and_no_others(
    pair: ZoneAndWorker,
) -> None:
    pair.zone.send_nowait(unresolvable, "a", [(1,), (2,)])
    pair.zone.send_nowait(double, "b", [(1,)])
    outcomes = pair.take_all()
    assert outcomes.pop(("b", 0)) == 2
    assert len(outcomes) == 2
    assert all("NoSuchType" in str(error) for error in outcomes.values())


# -- calls that wait


def test_a_full_ring_makes_calls_wait_in_order(tmp_path: Path) -> None:
    ran.clear()
    with contextlib.closing(ZoneAndWorker(tmp_path, ring_bytes=1 << 14, max_batch=4)) as pair:
        for ticket in "abcdefgh":
            pair.zone.send_nowait(double, ticket, [(i,) for i in range(40)])
        assert pair.zone.statistics().batches_waiting > 0
        outcomes = pair.take_all()
        assert outcomes == {k: v for t in "abcdefgh" for k, v in doubles(t, 40).items()}
        assert ran == list(range(40)) * 8


def test_a_full_fifo_makes_calls_wait_in_order(pair: ZoneAndWorker) -> None:
    pair.fill_calls()
    pair.zone.send_nowait(double, "a", [(i,) for i in range(40)])
    assert pair.zone.take_nowait() == []
    assert pair.zone.statistics().batches_out == 0
    assert pair.zone.longest_wait_s() == FIFO_RETRY_S  # nothing reports that there is room again
    assert pair.take_all() == doubles("a", 40)
    assert ran == list(range(40))


def test_calls_that_wait_run_with_the_arguments_they_were_sent_with(tmp_path: Path) -> None:
    with contextlib.closing(ZoneAndWorker(tmp_path, ring_bytes=1 << 14)) as pair:
        numbers = [[i] * (400 if i % 50 == 0 else 1) for i in range(1_500)]
        expected = {("a", i): sum(passed) for i, passed in enumerate(numbers)}
        pair.zone.send_nowait(total, "a", [(passed,) for passed in numbers[:1_000]])
        for i, passed in enumerate(numbers[1_000:], 1_000):
            pair.zone.send_nowait(total, i, [(passed,)])
            expected[i, 0] = expected.pop(("a", i))
        assert pair.zone.statistics().batches_waiting
        for passed in numbers:
            passed.append(1_000)
        assert pair.take_all() == expected


def test_calls_that_wait_beside_one_without_an_encoding_keep_their_arguments(
    pair: ZoneAndWorker,
) -> None:
    pair.fill_calls()
    pair.zone.send_nowait(total, "a", [([1],)])
    numbers = [[i] for i in range(5)]
    pair.zone.send_nowait(total, "b", [(passed,) for passed in numbers[:4]] + [({object()},)])
    for passed in numbers:
        passed.append(1_000)
    outcomes = pair.take_all()
    assert "argument numbers" in str(outcomes.pop(("b", 4)))
    assert outcomes == {("a", 0): 1} | {("b", i): i for i in range(4)}


def test_no_more_batches_are_out_than_the_smallest_fifo_holds(tmp_path: Path) -> None:
    with contextlib.closing(ZoneAndWorker(tmp_path, ring_bytes=1 << 20, max_batch=1)) as pair:
        pair.teach(double, 1_000)
        pair.zone.send_nowait(double, "a", [(i,) for i in range(600)])
        assert pair.zone.statistics().batches_out == MAX_BATCHES_OUT
        assert pair.take_all() == doubles("a", 600)


def test_the_likely_wait_follows_from_what_calls_took_before(pair: ZoneAndWorker) -> None:
    assert pair.zone.likely_wait_s() == 0.0
    pair.zone.send_nowait(double, "a", [(1,)])
    pair.take_all()
    [use] = pair.zone.worker_use()
    assert (use.worker, use.batches, use.calls) == (1, 1, 1)
    pair.zone.send_nowait(double, "b", [(i,) for i in range(6)])
    assert pair.zone.likely_wait_s() == pytest.approx(use.busy_ns * 6 / 2 / 1e9)  # by two workers
    pair.fill_calls()
    pair.zone.send_nowait(double, "c", [(1,)])
    assert pair.zone.likely_wait_s() == math.inf


def test_the_use_of_workers_is_that_of_the_tick(pair: ZoneAndWorker) -> None:
    pair.zone.send_nowait(double, "a", [(1,), (2,)])
    pair.take_all()
    [use] = pair.zone.worker_use()
    assert (use.worker, use.calls) == (1, 2)
    pair.zone.begin_tick()
    assert pair.zone.worker_use() == []


# -- the end


@pytest.mark.parametrize("why", ["", "the workers cannot be had"])
def test_a_zone_whose_owner_has_ended_reports_it_with_the_reason(
    pair: ZoneAndWorker, why: str
) -> None:
    if why:
        pair.session.failure.write_text(why)
    pair.writers[0].close()  # the lifeline's
    pair.readers[0].close()
    kind, rule = (cr.PoolFailed, why) if why else (cr.PoolClosed, "its owner has died")
    with pytest.raises(kind, match=rule):
        pair.zone.take_nowait()


def test_closing_removes_the_files_and_may_be_repeated(pair: ZoneAndWorker) -> None:
    pair.zone.close()
    pair.zone.close()
    assert list(pair.session.directory.glob("*.r*")) == []
    with pytest.raises(cr.PoolClosed):
        pair.zone.send_nowait(double, "a", [(1,)])


@pytest.mark.skipif(not HAS_MEMORY_FILES, reason="files that can give up pages")
@pytest.mark.parametrize("in_flight", [False, True])
def test_a_closed_ring_takes_no_memory_though_workers_have_it_open(in_flight: bool) -> None:
    with contextlib.closing(ZoneAndWorker(Path("/dev/shm"))) as pair:
        pair.zone.send_nowait(double, "a", [(1,)])
        assert pair.take_all() == {("a", 0): 2}
        if in_flight:
            pair.zone.send_nowait(double, "b", [(1,)])
        with pair.session.ring(pair.number).open("rb") as ring:
            pair.zone.close()
            assert bool(os.fstat(ring.fileno()).st_blocks) == in_flight  # a worker may read there


@pytest.mark.skipif(not HAS_MEMORY_FILES, reason="files that can give up pages")
def test_the_ring_of_a_killed_zone_takes_no_memory_though_workers_have_it_open() -> None:
    with contextlib.closing(ZoneAndWorker(Path("/dev/shm"))) as pair:
        pair.zone.send_nowait(measure, "a", [(LARGE,)])
        with pair.session.ring(pair.number).open("rb") as ring:
            pair.zone._replies.close()  # as its end does
            pair.session.remove_rings_left_behind()
            assert os.fstat(ring.fileno()).st_blocks == 0
