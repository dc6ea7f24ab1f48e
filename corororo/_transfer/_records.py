"""Batches of calls, and the records that carry them through the ring."""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from corororo._exceptions import RequestTooLarge, RingFull
from corororo._ring import (
    ATTEMPTS,
    Descriptor,
    Kind,
    RecordHeader,
    Ring,
    RingMemory,
    RingStatistics,
    keep_freed_blocks,
    record_bytes,
)

from ._arrays import Message
from ._functions import AsyncTaskFunction
from ._sizing import REPLY_HEAD_BYTES, FunctionState

CLOCK_STEP_NS = 1_000  # of the clock in a record
KEPT_BYTES = 8 << 20  # behind the ring, while no large record stands: new pages take long

Calls = Sequence[tuple[Any, ...]]  # the arguments of each
Snapshot = Callable[[Calls], Calls]  # copies calls, so that Tasks may change what they passed


class Pile:
    """Calls sent under one ticket that wait to be cut into batches, from the front."""

    def __init__(
        self, function: AsyncTaskFunction[..., Any], ticket: Any, arguments: Calls
    ) -> None:
        self.number = 0  # counts the piles of a zone
        self.function = function
        self.ticket = ticket
        self.total = len(arguments)
        self.frozen = False
        self._arguments = arguments
        self._cut = 0  # calls taken out so far

    def __len__(self) -> int:
        return self.total - self._cut

    def cut(self, size: int) -> Batch:
        """Take the next ``size`` calls out."""
        arguments = self._arguments
        if size < len(arguments):
            begin = len(arguments) - len(self)
            arguments = arguments[begin : begin + size]
        batch = Batch(self.function, self.ticket, self._cut, arguments)
        batch.pile = self.number
        batch.frozen = self.frozen
        self._cut += size
        return batch

    def freeze(self, snapshot: Snapshot) -> None:
        """Keep the arguments as they are now, whatever Tasks do with what they passed."""
        self.frozen = True
        self._arguments = snapshot(self._arguments[len(self._arguments) - len(self) :])


class Batch:
    """Some calls of one function that travel in one record."""

    def __init__(
        self, function: AsyncTaskFunction[..., Any], ticket: Any, start: int, arguments: Calls
    ) -> None:
        self.function = function
        self.ticket = ticket
        self.start = start  # index of the first call among those sent under the ticket
        self.arguments = arguments
        self.deaths = 0  # workers that died while they had this call alone
        self.pile = 0  # number of the pile that it was cut from
        self.frozen = False  # whether Tasks can no longer change the arguments
        # The arguments encoded; kept until the reply is taken, or until they stand behind the ring.
        self.request: Message | None = None
        # Of the record:
        self.request_bytes = 0
        self.reply_room = 0
        self.length = 0
        self.is_large = False
        self.offset = 0
        self.reply_offset = 0
        self.sequence = 0  # identifies the record in descriptors; never used twice
        self.attempt = 0
        # While it is out:
        self.sent = False
        self.sent_ns = 0
        self.expected_ns = 0.0  # likely service time
        self.ahead = 0  # batches of this zone that were out when it was sent
        self.copies = 0  # of its descriptor, sent because the first one may be lost
        self.seen = 0  # the holder that was found without a lock at the last look
        self.overdue: tuple[int, int] | None = None  # holder and progress that exceeded a limit

    @property
    def turn(self) -> tuple[int, int]:
        """Sorts batches in the order in which their calls were made."""
        return self.pile, self.start

    def part(self, begin: int, end: int) -> Batch:
        """Some of the calls as a batch of their own."""
        arguments = self.arguments[begin:end]
        part = Batch(self.function, self.ticket, self.start + begin, arguments)
        part.deaths, part.pile = self.deaths, self.pile
        part.frozen = self.frozen
        return part

    def halves(self) -> list[Batch]:
        """The same calls in two batches."""
        middle = (len(self.arguments) + 1) // 2
        return [self.part(0, middle), self.part(middle, len(self.arguments))]

    def freeze(self, snapshot: Snapshot) -> None:
        """Keep the arguments as they are now, whatever Tasks do with what they passed."""
        self.frozen = True
        if self.request is None:
            self.arguments = snapshot(self.arguments)
        else:
            self.request = [b"".join(self.request)]


class Records:
    """The batches that have a record, and where it is.

    A record is freed when its reply has been taken, or under its lock when no worker can write
    into it any more. Until then it can be sent again.

    A record of more than a quarter of the ring would make the workers wait for each other: it goes
    behind the ring, where the memory is made larger as it is needed.
    """

    def __init__(self, memory: RingMemory, number: int, max_message_bytes: int) -> None:
        self._memory = memory
        self.number = number
        size_bytes = memory.size_bytes
        self._ring = Ring(size_bytes)
        self.largest = size_bytes // 4  # of a record in the ring
        self._large = Ring(max_message_bytes + KEPT_BYTES, size_bytes, compact=True)
        self._batches: dict[int, Batch] = {}  # by sequence
        self._sequences = itertools.count(1)
        self._attempts = 0
        self.timed = 0  # records whose calls have a timeout
        self.out = 0  # batches that were sent and have not come back
        self.out_ns = 0.0  # their likely service time
        self.find = self._batches.get  # the batch of a sequence, or None

    def __len__(self) -> int:
        return len(self._batches)

    def __iter__(self) -> Iterator[Batch]:
        return iter(self._batches.values())

    def statistics(self) -> RingStatistics:
        """The state of the ring; ``used_bytes`` and ``records`` with what stands behind it."""
        ring, large = self._ring.statistics(), self._large.statistics()
        used_bytes = ring.used_bytes + large.used_bytes
        return RingStatistics(ring.size_bytes, used_bytes, ring.records + large.records)

    def measure(self, batch: Batch, request: Message, state: FunctionState) -> None:
        """Note how large the record of a batch is.

        A large one is to be halved, or to stand behind the ring if it is that of a single call.
        """
        batch.request_bytes = size = sum(map(len, request))
        batch.reply_room = room = state.reply_room(len(batch.arguments))
        batch.length = record_bytes(len(state.name), size, room)
        batch.is_large = batch.length > self.largest
        if batch.length > KEPT_BYTES:  # a reply beyond the minimum goes into a file
            batch.reply_room = REPLY_HEAD_BYTES
            batch.length = record_bytes(len(state.name), size, REPLY_HEAD_BYTES)

    def place(self, batch: Batch, request: Message, name: bytes) -> bool:
        """Write the record of a batch; returns False if there is no room now.

        Raises RequestTooLarge where there is none even for this record alone.
        """
        try:
            if batch.is_large:
                offset = self._claim_large(batch)
                batch.request = None
            else:
                offset = self._ring.claim(batch.length)
                batch.request = request = [b"".join(request)]
        except RingFull:
            return False
        batch.offset = offset
        batch.sequence = sequence = next(self._sequences)
        self._batches[sequence] = batch
        batch.attempt = attempt = self._next_attempt()
        timed = batch.function.timeout is not None
        self.timed += timed
        size, room, calls = batch.request_bytes, batch.reply_room, len(batch.arguments)
        header = RecordHeader(attempt, 0, sequence, len(name), size, room, calls, timed)
        batch.reply_offset = offset + header.reply_offset
        self._memory.write_record(offset, header, name, *request)
        return True

    def descriptor(self, batch: Batch) -> Descriptor:
        """The descriptor that points a worker to the record."""
        attempt, offset, length = batch.attempt, batch.offset, batch.length
        return Descriptor(Kind.CALLS, attempt, self.number, offset, length, batch.sequence)

    def note_sent(self, batch: Batch, now_ns: int) -> None:
        """The descriptor of the batch was written at ``now_ns``."""
        batch.sent = True
        batch.sent_ns = now_ns
        batch.copies = 0
        batch.ahead = self.out
        self.out += 1
        self.out_ns += batch.expected_ns

    def note_back(self, batch: Batch) -> None:
        """The batch was answered, or its descriptor is void; idempotent."""
        if batch.sent:
            batch.sent = False
            self.out -= 1
            self.out_ns = self.out_ns - batch.expected_ns if self.out else 0.0

    def header(self, batch: Batch) -> RecordHeader:
        """The header as it is now."""
        return self._memory.header(batch.offset)

    def delay_ns(self, batch: Batch, now_ns: int) -> int | None:
        """How long the batch waited for a worker; None if the record does not tell."""
        if batch.function.timeout is not None:
            return None  # its progress tells when the last call began
        delay_ns = now_ns - batch.sent_ns - self.header(batch).runs_for_ns(now_ns)
        return delay_ns if -CLOCK_STEP_NS <= delay_ns <= now_ns - batch.sent_ns else None

    def request(self, batch: Batch) -> bytes:
        """A copy of the request."""
        if batch.request is not None:
            return b"".join(batch.request)
        start = batch.offset + self.header(batch).request_offset
        return self._memory.read(start, batch.request_bytes)

    def reply(self, batch: Batch, length: int) -> bytes:
        """A copy of the reply."""
        return self._memory.read(batch.reply_offset, length)

    @contextlib.contextmanager
    def locked(self, batch: Batch) -> Iterator[bool]:
        """Hold the record's lock; gives False where a worker has it."""
        is_locked = self._memory.try_lock(batch.offset)
        try:
            yield is_locked
        finally:
            if is_locked:
                self._memory.unlock(batch.offset)

    def renew(self, batch: Batch) -> None:
        """Begin a new attempt, which makes earlier descriptors void; under the record's lock."""
        batch.attempt = self._next_attempt()
        self._memory.renew(batch.offset, batch.attempt)

    def free(self, batch: Batch) -> None:
        """Give the record back."""
        self.note_back(batch)
        del self._batches[batch.sequence]
        self.timed -= batch.function.timeout is not None
        if batch.is_large:
            self._large.free(batch.offset)
            if self._large.is_empty:
                self._memory.release(self._ring.size_bytes + KEPT_BYTES)
        else:
            self._ring.free(batch.offset)

    def release_memory(self) -> None:
        """Free the memory at the end, unless a worker may still read it."""
        if not self._batches:
            self._memory.release(0)

    def _claim_large(self, batch: Batch) -> int:
        offset = self._large.claim(batch.length)
        keep_freed_blocks()
        try:
            self._memory.reserve(offset + batch.length)
        except OSError as error:
            self._large.free(offset)
            if not self._large.is_empty:
                raise RingFull("no room beside the other large records") from None
            raise RequestTooLarge(
                f"a call of {batch.function.name} takes {batch.length} bytes with room for its "
                f"reply, found no room in {self._memory.path.parent}: {error.strerror}; free some "
                f"there, or choose another place: WorkerPool(directory=...)"
            ) from None
        return offset

    def _next_attempt(self) -> int:
        self._attempts = (self._attempts + 1) % ATTEMPTS
        return self._attempts
