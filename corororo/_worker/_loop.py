"""The loop of a worker: reads descriptors, runs their batches, replies."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from corororo._exceptions import FifoFull, PoolClosed, ReplyTooLarge
from corororo._idle import Park
from corororo._main_module import resolve
from corororo._platform import SystemClock, is_out_of_files
from corororo._ring import (
    Descriptor,
    FifoReader,
    FifoWriter,
    Kind,
    PoolConfig,
    RecordHeader,
    RingMemory,
    Session,
    keep_freed_blocks,
    remove_file,
    write_file,
)
from corororo._transfer._arrays import Message
from corororo._transfer._codec import Codec, encode_failure_of_all
from corororo.abc import IdleStrategy

LOCK_TRIES = 500
LOCK_RETRY_S = 0.001
FULL_FIFO_WAIT_S = 1.0  # between two looks whether a zone that reads nothing still exists


class Worker:
    """Runs batches of all zones of a session, and replies to the zone that sent each."""

    def __init__(
        self, session: Session, config: PoolConfig, number: int, idle: IdleStrategy | None = None
    ) -> None:
        self._session = session
        self._number = number
        self._inbox = Inbox(session.calls, idle or Park())
        self._zones: dict[int, _Zone] = {}
        self._codecs: dict[bytes, Codec] = {}
        self._clock = SystemClock()
        self._now_ns = self._clock.now_ns
        self._ring_bytes = config.ring_bytes
        self._reply_limit = config.max_message_bytes
        self.retired = False

    def announce(self) -> None:
        """Tell the pool that this worker is ready."""
        status = FifoWriter(self._session.status)
        status.write_nowait(Descriptor(Kind.READY, worker=self._number))
        status.close()

    def do_work(self) -> int | None:
        """Wait for one batch and run it; returns its calls, or None if no more can come."""
        descriptor = self._inbox.next()
        return None if descriptor is None else self._run_batch(descriptor)

    def retire(self) -> None:
        """Finish the current batch and take no other; for a signal handler."""
        self.retired = True
        self._inbox.retire()

    def close(self) -> None:
        """Close all files; idempotent."""
        self._inbox.close()
        for zone in self._zones.values():
            zone.close()

    def _run_batch(self, descriptor: Descriptor) -> int:
        zone = self._zone(descriptor.ring) if descriptor.kind == Kind.CALLS else None
        if zone is None:
            return 0  # the zone is gone
        if not self._lock(zone, descriptor):
            return 0  # another worker has it, or its zone will send a copy of the descriptor
        try:
            header = zone.memory.waits(descriptor)
            if header is None:
                return 0
            zone.memory.mark(descriptor.offset, descriptor.attempt, self._number)
            answer = self._run(zone, descriptor, header)
        finally:
            zone.memory.unlock(descriptor.offset)
        # The descriptor goes last: its reader sees the whole reply, and finds the lock free.
        self._answer(zone, answer)
        return header.calls

    def _lock(self, zone: _Zone, descriptor: Descriptor) -> bool:
        """Take a record's lock.

        Another worker or the zone may hold it for microseconds to look at the record. Gives up if
        another worker has the batch, or if the holder seems to be stopped.
        """
        for _ in range(LOCK_TRIES):
            if zone.memory.try_lock(descriptor.offset):
                return True
            if zone.memory.waits(descriptor) is None:
                return False
            self._clock.wait(LOCK_RETRY_S)
        return False

    def _run(self, zone: _Zone, descriptor: Descriptor, header: RecordHeader) -> Descriptor:
        """Run the batch and write its reply; returns the descriptor that says where it is."""
        if descriptor.offset >= self._ring_bytes:
            keep_freed_blocks()
        reply = self._reply(zone, descriptor, header)
        length = sum(map(len, reply))
        if length > header.reply_room:
            failure = self._spill(descriptor, reply, length)
            if failure is None:
                return descriptor._replace(kind=Kind.SPILLED, worker=self._number)
            # For many calls it may not fit. The zone takes what is cut off here for an invalid
            # reply, and halves the batch until it fits.
            reply = [encode_failure_of_all(header.calls, failure)[: header.reply_room]]
            length = len(reply[0])
        zone.memory.write(descriptor.offset + header.reply_offset, *reply)
        return descriptor._replace(kind=Kind.REPLY, length=length, worker=self._number)

    def _reply(self, zone: _Zone, descriptor: Descriptor, header: RecordHeader) -> Message:
        start = descriptor.offset + header.request_offset
        if not header.timed:  # the zone learns from it how long the batch has waited
            zone.memory.note_progress(descriptor.offset, 0, self._now_ns())
        codec = self._codec(zone.memory.read(start - header.name_length, header.name_length))
        if isinstance(codec, LookupError):
            return [encode_failure_of_all(header.calls, codec)]
        began_ns = self._now_ns()
        try:
            progress = zone.progress(descriptor.offset) if header.timed else None
            with zone.memory.view(start, start + header.request_length) as request:
                values, failures = codec.run_request(request, progress)
            reply = codec.reply_parts(self._now_ns() - began_ns, values, failures)
            if sum(map(len, reply)) > self._reply_limit:
                failures = (failures or {}) | self._too_large(codec, values)
                reply = codec.reply_parts(self._now_ns() - began_ns, values, failures)
        except Exception as error:  # of decoding or encoding: too deep, or no memory
            return [encode_failure_of_all(header.calls, error)]
        return reply

    def _spill(self, descriptor: Descriptor, reply: Message, length: int) -> ReplyTooLarge | None:
        """Write a reply that does not fit its extent to a file; a failure if there is no room."""
        path = self._session.spill(descriptor.ring, descriptor.sequence)
        try:
            write_file(path, *reply)
        except OSError as error:
            remove_file(path)
            # Without the path, so that it fits the smallest extent.
            return ReplyTooLarge(
                f"no room for a reply of {length} bytes: {error.strerror}; free some, or choose "
                f"another place: WorkerPool(directory=...)"
            )
        return None

    def _answer(self, zone: _Zone, answer: Descriptor) -> None:
        while True:
            try:
                return zone.replies.write_nowait(answer)
            except FifoFull:
                zone.replies.wait_until_writable(FULL_FIFO_WAIT_S)
            except PoolClosed:  # the zone is gone
                self._zones.pop(answer.ring).close()
                return remove_file(self._session.spill(answer.ring, answer.sequence))

    def _too_large(self, codec: Codec, values: list[Any]) -> dict[int, BaseException]:
        sizes = {i: len(codec.encode_reply(0, [value], None)) for i, value in enumerate(values)}
        return {
            i: ReplyTooLarge(
                f"a result of {codec.function.name} takes {size} bytes, the limit is "
                f"{self._reply_limit}; return less, or raise WorkerPool(max_message_bytes=...)"
            )
            for i, size in sizes.items()
            if size > self._reply_limit
        }

    def _codec(self, name: bytes) -> Codec | LookupError:
        """The codec of a function; a failure is not kept, as an import may fail only once."""
        codec = self._codecs.get(name)
        if codec is None:
            try:
                codec = self._codecs[name] = resolve(name.decode()).codec()
            except LookupError as error:
                return error
            except Exception as error:  # annotations that cannot be used here
                return LookupError(f"{name!r} cannot be called here: {error!r}")
        return codec

    def _zone(self, ring: int) -> _Zone | None:
        """The files of a zone; None if it is gone or cannot be opened now."""
        zone = self._zones.get(ring)
        if zone is not None:
            return zone
        self._close_zones([ring for ring, zone in self._zones.items() if zone.memory.removed])
        try:
            zone = self._zones[ring] = _Zone(self._session, ring)
        except (FileNotFoundError, PoolClosed, ValueError):  # ValueError: its file is empty
            return None
        except OSError as error:
            if not is_out_of_files(error) or not self._zones:
                raise
            self._close_zones(list(self._zones))  # this zone will send a copy of the descriptor
            return None
        return zone

    def _close_zones(self, rings: list[int]) -> None:
        for ring in rings:
            self._zones.pop(ring).close()


class Inbox:
    """The FIFO of calls; an idle strategy decides how to wait for them."""

    def __init__(self, path: Path, idle: IdleStrategy) -> None:
        self._blocking = FifoReader(path, blocking=True)
        self._polling = FifoReader(path, blocking=False)
        self._idle = idle
        self._never_spins = isinstance(idle, Park)
        self._retired = False

    def next(self) -> Descriptor | None:
        """The next descriptor; None when all writers are gone, or after ``retire``."""
        if self._never_spins and not self._retired:
            return self._wait()
        while not self._retired:
            try:
                return self._polling.read_one()
            except BlockingIOError:
                if not self._idle.idle(0):
                    return self._wait()
        return None

    def retire(self) -> None:
        """Let ``next`` return None from now on, even if it is waiting; for a signal handler."""
        self._retired = True
        self._blocking.stop_waiting()

    def close(self) -> None:
        """Close both readers; idempotent."""
        self._blocking.close()
        self._polling.close()

    def _wait(self) -> Descriptor | None:
        try:
            return self._blocking.read_one()
        except BlockingIOError:  # retired before anything was read, so nothing is lost
            return None


class _Zone:
    """A worker's files of one zone: its ring and its reply FIFO."""

    def __init__(self, session: Session, ring: int) -> None:
        self.replies = FifoWriter(session.replies(ring))
        try:
            self.memory = RingMemory.open(session.ring(ring))
        except BaseException:
            self.replies.close()
            raise

    def progress(self, offset: int) -> Callable[[int], None]:
        """A function that notes in a record which call runs."""
        memory, now_ns = self.memory, SystemClock.now_ns
        return lambda call: memory.note_progress(offset, call, now_ns())

    def close(self) -> None:
        """Idempotent."""
        self.replies.close()
        self.memory.close()
