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
    reply_offset,
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
        self,
        function: AsyncTaskFunction[..., Any],
        state: FunctionState,
        ticket: Any,
        arguments: Calls,
    ) -> None:
        self.number = 0  # counts the piles of a zone
        self.function = function
        self.state = state
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
        batch = Batch(self, (self.number, self._cut), arguments, self.frozen)
        self._cut += size
        return batch

    def freeze(self, snapshot: Snapshot) -> None:
        """Keep the arguments as they are now, whatever Tasks do with what they passed."""
        self.frozen = True
        self._arguments = snapshot(self._arguments[len(self._arguments) - len(self) :])


class Batch:
    """Some calls of one function that travel in one record."""

    deaths = 0  # workers that died while they had this call alone
    # The arguments encoded; kept until the reply is taken, or until they stand behind the ring.
    request: Message | None = None
    # While it is out:
    sent = False
    copies = 0  # of its descriptor, sent because the first one may be lost
    seen = 0  # the holder that was found without a lock at the last look
    overdue: tuple[int, int] | None = None  # holder and progress that exceeded a limit
    sent_ns: int
    expected_ns: float  # likely service time
    ahead: int  # batches of this zone that were out when it was sent
    # Of the record:
    request_bytes: int
    reply_offset: int  # from the start of the record
    reply_room: int
    length: int
    is_large: bool
    offset: int
    sequence: int  # identifies the record in descriptors; never used twice
    attempt: int

    def __init__(
        self, of: Pile | Batch, turn: tuple[int, int], arguments: Calls, frozen: bool
    ) -> None:
        self.function: AsyncTaskFunction[..., Any] = of.function
        self.state: FunctionState = of.state
        self.ticket: Any = of.ticket
        # Number of the pile, and of the first call in it: the order in which calls were made.
        self.turn = turn
        self.arguments = arguments
        self.calls = len(arguments)
        self.frozen = frozen  # whether Tasks can no longer change the arguments

    @property
    def start(self) -> int:
        """Index of the first call among those sent under the ticket."""
        return self.turn[1]

    def part(self, begin: int, end: int) -> Batch:
        """Some of the calls as a batch of their own."""
        turn = self.turn[0], self.start + begin
        part = Batch(self, turn, self.arguments[begin:end], self.frozen)
        part.deaths = self.deaths
        return part

    def halves(self) -> list[Batch]:
        """The same calls in two batches."""
        middle = (self.calls + 1) // 2
        return [self.part(0, middle), self.part(middle, self.calls)]

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

    def measure(self, batch: Batch, request: Message) -> None:
        """Note how large the record of a batch is.

        A large one is to be halved, or to stand behind the ring if it is that of a single call.
        """
        state = batch.state
        batch.request_bytes = size = sum(map(len, request))
        batch.reply_offset = start = reply_offset(len(state.name), size)
        room = state.reply_room(batch.calls)
        batch.is_large = start + room > self.largest
        if start + room > KEPT_BYTES:  # a reply beyond the minimum goes into a file
            room = REPLY_HEAD_BYTES
        batch.reply_room = room
        batch.length = start + room

    def place(self, batch: Batch, request: Message) -> bool:
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
        name, size, room = batch.state.name, batch.request_bytes, batch.reply_room
        header = attempt, 0, sequence, len(name), size, room, batch.calls, timed
        self._memory.write_record(offset, header, name, request)
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
        delay_ns = now_ns - batch.sent_ns - self._memory.runs_for_ns(batch.offset, now_ns)
        return delay_ns if -CLOCK_STEP_NS <= delay_ns <= now_ns - batch.sent_ns else None

    def request(self, batch: Batch) -> bytes:
        """A copy of the request."""
        if batch.request is not None:
            return b"".join(batch.request)
        start = batch.offset + self.header(batch).request_offset
        return self._memory.read(start, batch.request_bytes)

    def reply(self, batch: Batch, length: int) -> bytes:
        """A copy of the reply."""
        return self._memory.read(batch.offset + batch.reply_offset, length)

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
