"""A worker process: reads descriptors, runs batches, replies. Knows no Tasks."""

from __future__ import annotations

import gc
import importlib
import os
import signal
from collections.abc import Callable, Sequence
from typing import Any

from corororo._clock import SystemClock
from corororo._core import run_calls
from corororo._exceptions import FifoFull, PoolClosed, ReplyTooLarge
from corororo._platform import raise_open_file_limit
from corororo._ring import (
    NO_WORKER,
    RECORD_HEADER_BYTES,
    Descriptor,
    FifoReader,
    FifoWriter,
    Kind,
    RecordHeader,
    RingMemory,
    Session,
    remove_file,
)
from corororo.abc import IdleStrategy

from ._codec import Codec, encode_failure_of_all
from ._config import PoolConfig, read_config
from ._functions import resolve
from ._idle import Park
from ._lifeline import die_with_owner, set_title

FULL_FIFO_WAIT_S = 1.0  # between two looks whether a zone that reads nothing is still there


def worker_main(
    address: str,
    number: int,
    title: str,
    imports: Sequence[str],
    idle: IdleStrategy,
    cpu: int | None,
) -> None:
    """The life of worker ``number`` of the pool at ``address``, on one CPU if it is given."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the owner, who then stops us
    set_title(title)
    if cpu is not None:
        os.sched_setaffinity(0, {cpu})
    # A zone costs three descriptors: the usual soft limit would hold 340 of them.
    raise_open_file_limit()
    try:
        session = Session.attach(address)
        die_with_owner(session)
    except PoolClosed:
        return  # the owner went before we came
    for module in imports:
        importlib.import_module(module)
    worker = Worker(session, read_config(session), number, idle)
    gc.collect()
    gc.freeze()  # what is imported lives as long as we do: collections need not look at it
    worker.announce()
    while (work_count := worker.do_work()) is not None:
        idle.idle(work_count)


class Worker:
    """Reads from the calls' FIFO of a session, and answers to whichever zone sent the call."""

    def __init__(
        self, session: Session, config: PoolConfig, number: int, idle: IdleStrategy | None = None
    ) -> None:
        self._idle = idle or Park()
        self._session = session
        self._config = config
        self._number = number
        self._calls = FifoReader(session.calls, blocking=True)
        self._calls_nowait = FifoReader(session.calls, blocking=False)
        self._zones: dict[int, _Zone] = {}
        self._functions: dict[bytes, Codec | LookupError] = {}
        self._now_ns = SystemClock.now_ns

    def announce(self) -> None:
        """Tell the pool that calls are read from now on."""
        status = FifoWriter(self._session.status)
        status.write_nowait(Kind.READY, 0, 0, 0, 0, 0, 0, self._number)
        status.close()

    def do_work(self) -> int | None:
        """Wait for one batch and run it; returns its calls, or None when no more can come."""
        descriptor = self._next()
        return None if descriptor is None else self._run_batch(descriptor)

    def _next(self) -> Descriptor | None:
        """The next descriptor, waited for as the idle strategy has it."""
        if isinstance(self._idle, Park):
            return self._calls.read_one()  # one look less
        while True:
            try:
                return self._calls_nowait.read_one()
            except BlockingIOError:
                if not self._idle.idle(0):
                    return self._calls.read_one()

    def _run_batch(self, descriptor: Descriptor) -> int:
        zone = self._zone(descriptor.ring) if descriptor.kind == Kind.CALLS else None
        if zone is None or not zone.holds(descriptor):
            return 0  # the zone is gone, or the attempt is void and another one is on its way
        # Whoever has the lock only looks: a worker with a void descriptor, or the zone itself.
        zone.memory.lock(descriptor.offset)
        try:
            if not zone.holds(descriptor):
                return 0
            header = zone.memory.header(descriptor.offset)
            zone.memory.mark(descriptor.offset, self._number)
            reply = self._run(zone, descriptor, header)
            if len(reply) > header.reply_room:
                reply = self._spill(descriptor, header, reply)
            kind = Kind.REPLY if reply else Kind.SPILLED
            zone.memory.write(descriptor.offset + header.reply_offset, reply)
        finally:
            zone.memory.unlock(descriptor.offset)
        # The descriptor goes last: who reads it sees the whole reply, and finds the lock free.
        self._answer(zone, kind, descriptor, len(reply))
        return header.calls

    def _run(self, zone: _Zone, descriptor: Descriptor, header: RecordHeader) -> bytes:
        began_ns = self._now_ns()
        name_offset = descriptor.offset + header.request_offset - header.name_length
        name = zone.memory.read(name_offset, header.name_length)
        codec = self._codec(name)
        if isinstance(codec, LookupError):
            return encode_failure_of_all(header.calls, codec)
        request = zone.memory.read(descriptor.offset + header.request_offset, header.request_length)
        try:
            progress = zone.progress(descriptor.offset) if header.timed else None
            values, failures = _run_request(codec, request, progress)
            reply = codec.encode_reply(self._now_ns() - began_ns, values, failures)
            if len(reply) > self._config.max_reply_bytes:
                failures = (failures or {}) | self._too_large(codec, values)
                reply = codec.encode_reply(self._now_ns() - began_ns, values, failures)
        except Exception as error:  # of decoding or encoding: too deep, too large for the memory
            return encode_failure_of_all(header.calls, error)
        return reply

    def _spill(self, descriptor: Descriptor, header: RecordHeader, reply: bytes) -> bytes:
        """Put a reply that does not fit its extent into a file; what is left to write there."""
        path = self._session.spill(descriptor.ring, descriptor.sequence)
        try:
            path.write_bytes(reply)
        except OSError as error:
            path.unlink(missing_ok=True)
            failure = ReplyTooLarge(f"no room for a reply of {len(reply)} bytes: {error}")
            return encode_failure_of_all(header.calls, failure)
        return b""

    def _answer(self, zone: _Zone, kind: Kind, descriptor: Descriptor, length: int) -> None:
        answer = descriptor._replace(kind=kind, length=length, worker=self._number)
        while True:
            try:
                zone.replies.write_nowait(*answer)
            except FifoFull:
                zone.replies.wait_until_writable(FULL_FIFO_WAIT_S)
            except PoolClosed:  # the zone is gone, and with it everybody who waited for this
                self._zones.pop(descriptor.ring).close()
                remove_file(self._session.spill(descriptor.ring, descriptor.sequence))
                return
            else:
                return

    def _too_large(self, codec: Codec, values: list[Any]) -> dict[int, BaseException]:
        limit = self._config.max_reply_bytes
        sizes = {i: len(codec.encode_reply(0, [value], None)) for i, value in enumerate(values)}
        return {
            i: ReplyTooLarge(
                f"a result of {codec.function.name} takes {size} bytes, the limit is {limit}; "
                f"return less, or raise WorkerPool(max_reply_bytes=...)"
            )
            for i, size in sizes.items()
            if size > limit
        }

    def _codec(self, name: bytes) -> Codec | LookupError:
        codec = self._functions.get(name)
        if codec is None:
            try:
                codec = Codec(resolve(name.decode()))
            except LookupError as error:
                codec = error
            except Exception as error:  # annotations that cannot be used here
                codec = LookupError(f"{name.decode()} cannot be called here: {error!r}")
            self._functions[name] = codec
        return codec

    def _zone(self, ring: int) -> _Zone | None:
        zone = self._zones.get(ring)
        if zone is None:
            self._drop_zones_that_are_gone()
            try:
                zone = self._zones[ring] = _Zone(self._session, ring)
            except (FileNotFoundError, PoolClosed):
                return None
        return zone

    def _drop_zones_that_are_gone(self) -> None:
        for ring in [ring for ring, zone in self._zones.items() if zone.memory.removed]:
            self._zones.pop(ring).close()


class _Zone:
    """A worker's view of one zone: its ring and the way back."""

    def __init__(self, session: Session, ring: int) -> None:
        self.replies = FifoWriter(session.replies(ring))
        try:
            self.memory = RingMemory.open(session.ring(ring))
        except BaseException:
            self.replies.close()
            raise

    def holds(self, descriptor: Descriptor) -> bool:
        """Whether the record still waits for whoever reads this descriptor."""
        if not 0 <= descriptor.offset <= self.memory.size_bytes - RECORD_HEADER_BYTES:
            return False  # forged: no zone sends that
        header = self.memory.header(descriptor.offset)
        waiting = (descriptor.sequence, descriptor.attempt, NO_WORKER)
        return (header.sequence, header.attempt, header.worker) == waiting

    def progress(self, offset: int) -> Callable[[int], None]:
        """What notes in a record which call of it runs."""
        memory, now_ns = self.memory, SystemClock.now_ns
        return lambda call: memory.note_progress(offset, call, now_ns())

    def close(self) -> None:
        self.replies.close()
        self.memory.close()


def _run_request(
    codec: Codec, request: bytes, progress: Callable[[int], None] | None
) -> tuple[list[Any], dict[int, BaseException] | None]:
    calls, wrong = codec.decode_request(request)
    if wrong is None:
        return run_calls(codec.function.run, calls, progress)
    good = [i for i in range(len(calls)) if i not in wrong]
    before = None if progress is None else lambda i: progress(good[i])
    values, failures = run_calls(codec.function.run, [calls[i] for i in good], before)
    spread: list[Any] = [None] * len(calls)
    for i, value in zip(good, values, strict=True):
        spread[i] = value
    return spread, wrong | {good[i]: error for i, error in (failures or {}).items()}
