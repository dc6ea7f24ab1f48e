"""The records of one zone: placed, sent again, given back. Knows no replies and no workers.

A record is given back when its reply has been taken, or under its lock, when nobody can write
into it any more.
"""

from __future__ import annotations

from collections.abc import Iterator

from corororo._exceptions import RingFull
from corororo._handles import HandlePool
from corororo._ring import (
    ATTEMPTS,
    Descriptor,
    Kind,
    RecordHeader,
    Ring,
    RingMemory,
    RingStatistics,
    record_bytes,
    reply_offset,
)

from ._batching import Batch
from ._lanes import REPLY_HEAD_BYTES, Lane

CLOCK_STEP_NS = 1_000  # of the clock in a record


class Records:
    """What stands in the ring of one zone."""

    def __init__(self, memory: RingMemory, number: int) -> None:
        self._memory = memory
        self._number = number
        self._ring = Ring(memory.size_bytes)
        self._out: HandlePool[Batch] = HandlePool()
        # A record of more than a quarter of the ring would make the workers wait for each other.
        self._largest = memory.size_bytes // 4
        self._attempts = 0  # so far, of all records
        self.timed = 0  # of them, those whose calls have a timeout
        self.out = 0  # batches that were sent, and have not come back
        self.out_ns = 0.0  # what their calls are likely to take together
        self.find = self._out.find  # the batch of a packed handle, or None

    def __len__(self) -> int:
        return len(self._out)

    def __iter__(self) -> Iterator[Batch]:
        return iter(self._out)

    def statistics(self) -> RingStatistics:
        """Of the ring."""
        return self._ring.statistics()

    def is_too_large(self, batch: Batch, lane: Lane) -> bool:
        """Whether an encoded batch should be halved."""
        assert batch.request is not None
        room = lane.reply_room(len(batch.arguments))
        return record_bytes(len(lane.name), len(batch.request), room) > self._largest

    def least_bytes(self, batch: Batch, lane: Lane) -> int:
        """What the record of an encoded batch takes at least, with room for a short reply."""
        assert batch.request is not None
        return record_bytes(len(lane.name), len(batch.request), REPLY_HEAD_BYTES)

    def place(self, batch: Batch, lane: Lane) -> bool:
        """Write the record of an encoded batch; False where there is no room now."""
        request = batch.request
        assert request is not None
        name, calls = lane.name, len(batch.arguments)
        room = lane.reply_room(calls)
        length = record_bytes(len(name), len(request), room)
        if length > self._largest:  # a single call: what does not fit its extent spills
            room = REPLY_HEAD_BYTES
            length = record_bytes(len(name), len(request), room)
        try:
            batch.offset = offset = self._ring.claim(length)
        except RingFull:
            return False
        batch.handle = self._out.acquire(batch)
        batch.sequence = batch.handle.pack()
        batch.attempt = self._next_attempt()
        timed = batch.function.timeout is not None
        self.timed += timed
        batch.request = None
        batch.reply_room = room
        batch.reply_offset = offset + reply_offset(len(name), len(request))
        batch.checksum = self._memory.write_record(
            offset,
            batch.attempt,
            batch.sequence,
            name,
            request,
            reply_room=room,
            calls=calls,
            timed=timed,
        )
        return True

    def descriptor(self, batch: Batch) -> Descriptor:
        """What tells a worker of the record."""
        return Descriptor(
            Kind.CALLS,
            batch.attempt,
            self._number,
            batch.offset,
            0,
            batch.sequence,
            batch.checksum,
        )

    def went_out(self, batch: Batch, now_ns: int) -> None:
        """Its descriptor was sent."""
        batch.sent = True
        batch.sent_ns = now_ns
        batch.reminders = 0
        batch.ahead = self.out
        self.out += 1
        self.out_ns += batch.expected_ns

    def came_back(self, batch: Batch) -> None:
        """Its descriptor is void, or was answered; nothing happens where none was sent."""
        if batch.sent:
            batch.sent = False
            self.out -= 1
            self.out_ns = self.out_ns - batch.expected_ns if self.out else 0.0

    def header(self, batch: Batch) -> RecordHeader:
        """As it stands there now."""
        return self._memory.header(batch.offset)

    def request(self, batch: Batch) -> bytes | None:
        """A copy of the request; None where the record is not what was written any more."""
        header = self.header(batch)
        if not self._memory.is_whole(header, self.descriptor(batch)):
            return None
        return self._memory.read(batch.offset + header.request_offset, header.request_length)

    def delay_ns(self, batch: Batch, now_ns: int) -> int | None:
        """How long it was until a worker took it up; None where nothing tells, or not the truth."""
        if batch.function.timeout is not None:
            return None  # its record tells since when its last call runs
        delay_ns = now_ns - batch.sent_ns - self.header(batch).runs_for_ns(now_ns)
        return delay_ns if -CLOCK_STEP_NS <= delay_ns <= now_ns - batch.sent_ns else None

    def reply(self, batch: Batch, length: int) -> bytes:
        """A copy of the reply."""
        return self._memory.read(batch.reply_offset, length)

    def try_lock(self, batch: Batch) -> bool:
        """Unless a worker has it."""
        return self._memory.try_lock(batch.offset)

    def unlock(self, batch: Batch) -> None:
        """Afterwards; nothing happens where the record was given back meanwhile."""
        self._memory.unlock(batch.offset)

    def give_up_room(self) -> None:
        """At the end; what a worker may still have open and read stays until it closes it."""
        if not self._out:
            self._memory.give_up_pages()

    def renew(self, batch: Batch) -> None:
        """Make all descriptors of the record void; under its lock."""
        batch.attempt = self._next_attempt()
        self._memory.renew(batch.offset, batch.attempt)

    def _next_attempt(self) -> int:
        self._attempts = (self._attempts + 1) % ATTEMPTS
        return self._attempts

    def forget(self, batch: Batch) -> None:
        """Give the record back."""
        self.came_back(batch)
        self._out.release(batch.handle)
        self.timed -= batch.function.timeout is not None
        self._ring.free(batch.offset)
