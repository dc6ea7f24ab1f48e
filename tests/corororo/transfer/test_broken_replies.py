"""Records, replies and descriptors that are not what they should be: run again, never believed."""

from __future__ import annotations

import contextlib
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from office import Office, Onlooker, double, fragile, ran, swell

import corororo as cr
from corororo._ring import Descriptor, Kind
from corororo._ring._layout import CONTENT_OFFSET, RECORD_HEADER_BYTES
from corororo._transfer._codec import Codec
from corororo._transfer._functions import ENCODER
from corororo._worker import _loop as _worker


@pytest.fixture
def office(tmp_path: Path) -> Iterator[Office]:
    """All calls of a function in one batch."""
    ran.clear()
    with contextlib.closing(Office(tmp_path, max_batch=512, workers=1)) as office:
        yield office


def answer(office: Office) -> Descriptor:
    """Have the worker run what waits, and take its answer before the zone does."""
    office.worker.do_work()
    (reply,) = office.zone._replies.read_nowait()
    return reply


def with_data(office: Office, reply: Descriptor, data: bytes) -> Descriptor:
    """An answer whose extent holds these bytes, and that says so rightly."""
    header = office.memory.header(reply.offset)
    office.memory.write(reply.offset + header.reply_offset, data)
    return reply._replace(length=len(data), checksum=zlib.crc32(data))


def spoil_extent(office: Office, reply: Descriptor) -> Descriptor:
    header = office.memory.header(reply.offset)
    office.memory.write(reply.offset + header.reply_offset, b"\xff\x00\xff")
    return reply


BROKEN: dict[str, Callable[[Office, Descriptor], Descriptor]] = {
    "garbage in the extent": spoil_extent,
    "another checksum": lambda _, reply: reply._replace(checksum=reply.checksum ^ 1),
    "too short": lambda _, reply: reply._replace(length=reply.length - 1),
    "longer than the extent": lambda _, reply: reply._replace(length=1 << 30),
    "another kind": lambda _, reply: reply._replace(kind=Kind.READY),
    "a file that is not there": lambda _, reply: reply._replace(kind=Kind.SPILLED),
    "refused": lambda _, reply: reply._replace(kind=Kind.REFUSED),
    "no msgpack": lambda office, reply: with_data(office, reply, b"\xc1\xc1"),
    "nothing": lambda office, reply: with_data(office, reply, b""),
    "too few values": lambda office, reply: with_data(
        office, reply, msgspec.msgpack.encode((1, [2, 4], None))
    ),
    "values of another type": lambda office, reply: with_data(
        office, reply, msgspec.msgpack.encode((1, 7, None))
    ),
    "failures out of place": lambda office, reply: with_data(
        office, reply, msgspec.msgpack.encode((1, [2, 4], {5: 7}))
    ),
}


@pytest.mark.parametrize("how", BROKEN)
def test_a_reply_that_is_broken_is_not_believed_and_its_batch_runs_again(
    office: Office, how: str
) -> None:
    office.zone.send_nowait(double, "a", [(1,), (2,), (3,)])
    broken = BROKEN[how](office, answer(office))
    office.replies.write_nowait(broken)
    assert office.zone.take_nowait() == []
    assert office.zone.statistics().broken_replies == 1
    assert office.take_all() == {("a", 0): 2, ("a", 1): 4, ("a", 2): 6}
    assert office.zone.statistics().ring.used_bytes == 0


def test_a_call_that_is_never_answered_rightly_fails_in_the_end(office: Office) -> None:
    office.zone.send_nowait(fragile, "a", [(1,)])
    outcomes: dict[Any, Any] = {}
    for _ in range(20):
        if office.has_calls():
            office.replies.write_nowait(spoil_extent(office, answer(office)))
        office.collect(outcomes)
    assert isinstance(outcomes["a", 0], cr.WorkerDied)
    assert office.zone.in_flight == 0


RECORD_END = RECORD_HEADER_BYTES + len(double.name) + len(ENCODER.encode([(1,), (2,)]))


@pytest.mark.parametrize("place", range(CONTENT_OFFSET, RECORD_END))
def test_a_record_with_a_wrong_byte_is_not_run(office: Office, place: int) -> None:
    office.zone.send_nowait(double, "a", [(1,), (2,)])
    descriptor = office.read_call()
    assert descriptor is not None
    (byte,) = office.memory.read(descriptor.offset + place, 1)
    office.memory.write(descriptor.offset + place, bytes([byte ^ 0x55]))
    office.give_back(descriptor)
    office.work()
    assert ran == []
    for _ in range(5):  # where the sequence is gone its zone only misses the reply
        office.zone.take_nowait()
        office.clock.jump(1.1)
    assert office.take_all() == {("a", 0): 2, ("a", 1): 4}


# -- forged: everything but the sender is right


def forged(office: Office, descriptor: Descriptor) -> Descriptor:
    """An answer before its time: what stands in the extent is no reply yet."""
    return descriptor._replace(kind=Kind.REPLY, length=16, checksum=1, worker=1)


def test_an_answer_to_a_batch_that_nobody_has_read_is_passed_over(office: Office) -> None:
    office.zone.send_nowait(double, "a", [(1,)])
    descriptor = office.read_call()
    assert descriptor is not None
    office.replies.write_nowait(forged(office, descriptor))
    assert office.zone.take_nowait() == []
    assert office.zone.calls_retried == 0
    office.give_back(descriptor)
    assert office.take_all() == {("a", 0): 2}
    assert ran == [1]


@pytest.mark.timeout(30)
def test_an_answer_to_a_batch_that_runs_is_passed_over(
    office: Office, source_environment: dict[str, str]
) -> None:
    office.zone.send_nowait(double, "a", [(1,)])
    descriptor = office.read_call()
    assert descriptor is not None
    ring = office.session.ring(office.number)
    with contextlib.closing(Onlooker(ring, descriptor.offset, source_environment)) as worker:
        office.memory.mark(descriptor.offset, descriptor.attempt, 8)
        office.replies.write_nowait(forged(office, descriptor))
        assert office.zone.take_nowait() == []
        assert office.zone.calls_retried == 0
        worker.let_go()
    office.tell_death(8)
    assert office.take_all() == {("a", 0): 2}


def test_an_answer_before_the_true_one_costs_a_second_run_and_nothing_else(
    office: Office,
) -> None:
    office.zone.send_nowait(double, "a", [(1,)])
    true = answer(office)
    office.replies.write_nowait(forged(office, true))
    office.replies.write_nowait(true)
    assert office.take_all() == {("a", 0): 2}
    assert office.zone.statistics().stale_replies == 1


def test_a_failure_that_is_too_long_for_a_crowded_extent_reaches_each_call(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_room(path: Path, _data: bytes) -> None:
        path.touch()
        raise OSError(28, "No space left on device")

    office.zone.send_nowait(swell, "a", [(40_000,)] * 8)
    monkeypatch.setattr(_worker, "write_file", no_room)
    outcomes = office.take_all()
    assert len(outcomes) == 8
    assert all(isinstance(error, cr.ReplyTooLarge) for error in outcomes.values())
    assert "No space left" in str(outcomes["a", 7])
    assert list(office.session.directory.glob("*.spill")) == []


def test_a_failure_to_open_a_file_for_a_reply_fits_the_smallest_extent(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_file(path: Path, _data: bytes) -> None:
        raise OSError(24, "Too many open files", f"{path}{'x' * 200}")

    office.zone.send_nowait(swell, "a", [(40_000,)])
    monkeypatch.setattr(_worker, "write_file", no_file)
    outcomes = office.take_all()
    assert isinstance(outcomes["a", 0], cr.ReplyTooLarge)
    assert "Too many open files" in str(outcomes["a", 0])
    assert office.zone.statistics().broken_replies == 0


def test_a_reply_that_is_more_than_this_process_can_take_fails_its_calls_and_is_not_distrusted(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_memory(_codec: Codec, _data: bytes) -> Any:
        raise MemoryError("none is left")

    office.zone.send_nowait(double, "a", [(1,), (2,)])
    monkeypatch.setattr(Codec, "decode_reply", no_memory)
    outcomes = office.take_all()
    assert [type(outcomes["a", i]) for i in range(2)] == [MemoryError, MemoryError]
    assert office.zone.statistics().broken_replies == 0
    assert sorted(ran) == [1, 2]
