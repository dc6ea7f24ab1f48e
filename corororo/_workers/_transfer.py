"""SharedRing: takes a zone's calls to the workers of a pool and brings their replies back.

The zone owns ring and records. A record is freed when its reply has been taken, or when it is
certain that nobody can write into it any more; until then the zone can send it again. That is why
the death of a worker loses nothing.
"""

from __future__ import annotations

import contextlib
import select
from collections import deque
from typing import Any

import msgspec

from corororo._clock import SystemClock
from corororo._exceptions import (
    AsyncTaskTimeout,
    FifoFull,
    PoolClosed,
    RequestTooLarge,
    RingFull,
    StaleHandle,
    WorkerDied,
)
from corororo._handles import Handle, HandlePool
from corororo._ring import (
    KILLED_ON_REQUEST,
    NO_WORKER,
    Descriptor,
    FifoReader,
    FifoWriter,
    Kind,
    RecordHeader,
    Ring,
    RingMemory,
    RingStatistics,
    Session,
    record_bytes,
    remove_file,
)
from corororo.abc import Completion, WorkerUse

from ._arguments import argument_error
from ._batching import UNPLACED, Batch, batch_size
from ._codec import Codec, Reply
from ._config import PoolConfig
from ._functions import AsyncTaskFunction

MAX_BATCHES_OUT = 192  # the smallest FIFO that Linux makes holds 256 descriptors
REPLY_HEAD_BYTES = 512  # of a reply without any values; one short failure fits, too
FIRST_REPLY_BYTES = 32  # a call's share of the extent, until the function has replied once
RETRY_S = 0.001
OWNER_CHECK_S = 1.0


class TransferStatistics(msgspec.Struct, frozen=True):
    """A zone's side of the transfer at one moment."""

    ring: RingStatistics
    calls_in_flight: int
    batches_out: int
    batches_waiting: int  # for room in the ring or the FIFO
    stale_replies: int  # of attempts that were void already: dropped
    spilled_replies: int  # larger than their extent: came through a file


class SharedRing:
    """The transfer of one Scheduler to the workers of one pool."""

    def __init__(self, session: Session, config: PoolConfig) -> None:
        self._session = session
        self._config = config
        self._ring = Ring(config.ring_bytes)
        with contextlib.ExitStack() as undo:
            self._open(undo)
            self._parts = undo.pop_all()
        self._poll = select.poll()
        self._poll.register(self._replies.fileno(), select.POLLIN)
        self._owner_poll = select.poll()
        for poll in (self._poll, self._owner_poll):
            poll.register(self._lifeline.fileno(), 0)  # only its hang-up
        self._waiting: deque[Batch] = deque()
        self._suspects: list[tuple[Handle, Descriptor]] = []  # and the deaths that may touch them
        self._out: HandlePool[Batch] = HandlePool()  # those that have a record
        self._timed = 0  # of them, those whose calls have a timeout
        self._refused: list[Completion] = []  # calls that never left
        self._codecs: dict[str, _Functions] = {}  # by name: those with other options share one
        self._fifo_is_full = False
        self._closed = False
        self._stale_replies = 0
        self._spilled_replies = 0
        self.in_flight = 0
        self.batches_sent = 0
        self.calls_retried = 0
        self._worker_use: dict[int, WorkerUse] = {}

    def _open(self, parts: contextlib.ExitStack) -> None:
        session = self._session
        try:
            # The lifeline is opened before the owner is seen alive: its end cannot be missed then.
            self._lifeline = FifoReader(session.lifeline, blocking=False)
        except FileNotFoundError:
            raise PoolClosed(f"{session.directory}: the owner of this pool is gone") from None
        parts.callback(self._lifeline.close)
        session.check_owner_lives()
        self._calls = FifoWriter(session.calls)
        parts.callback(self._calls.close)
        self._number, self._replies = session.open_replies()
        parts.callback(self._replies.close)
        parts.callback(session.remove_ring, self._number)
        self._replies_held_open = FifoWriter(session.replies(self._number))
        parts.callback(self._replies_held_open.close)
        self._memory = RingMemory.create(session.ring(self._number), self._config.ring_bytes)
        parts.callback(self._memory.close)

    # -- Transfer

    def send_nowait(self, function: Any, ticket: Any, arguments: list[Any]) -> None:
        """Split the calls into batches and send as many as there is room for; the rest waits."""
        if self._closed:
            raise PoolClosed("the transfer is closed")
        try:
            self._known(function)
        except Exception as error:  # of typing or msgspec: the annotations cannot be used
            self._refuse_all(function, ticket, len(arguments), error)
            return
        size = batch_size(len(arguments), self._config.workers, self._config.max_batch)
        self._waiting.extend(Batch(function, ticket, 0, arguments).parts(size))
        self.in_flight += len(arguments)
        self._send_waiting()

    def take_nowait(self) -> list[Completion]:
        """Outcomes that have come back; raises PoolClosed when the pool's owner is gone."""
        completions, self._refused = self._refused, []
        descriptors = self._replies.read_nowait()
        for descriptor in descriptors:
            if descriptor.kind in (Kind.REPLY, Kind.SPILLED):
                completions += self._take(descriptor)
            elif descriptor.kind == Kind.WORKER_DIED and descriptor.worker != NO_WORKER:
                self._suspects += [(batch.handle, descriptor) for batch in self._out if batch.sent]
        if self._suspects:
            completions += self._settle_suspects()
        if self._timed:
            self._look_for_expired_calls()
        if self._waiting:
            self._send_waiting()
        if not descriptors and not completions:
            self._check_owner(self._owner_poll, 0)
        for completion in completions:
            self.in_flight -= len(completion.values)
        return completions

    def wait(self, timeout_s: float | None) -> None:
        """Block until a descriptor is there; raises PoolClosed when the owner is gone."""
        if not self._refused:
            self._check_owner(self._poll, None if timeout_s is None else timeout_s * 1000)

    def fileno(self) -> int:
        """The reading end of the reply FIFO."""
        return self._replies.fileno()

    def longest_wait_s(self) -> float | None:
        """Short where nothing tells that a full FIFO has room again, or a lock has been freed."""
        if self._refused:
            return 0.0
        if self._fifo_is_full or self._suspects:
            return RETRY_S
        return min(self._shortest_timeout_s() / 4, OWNER_CHECK_S) if self._timed else OWNER_CHECK_S

    def worker_use(self) -> list[WorkerUse]:
        """What each worker has done here so far; workers that died are among them."""
        return list(self._worker_use.values())

    def close(self) -> None:
        """Remove the ring and its FIFO; calls in flight are forgotten. Idempotent."""
        if self._closed:
            return
        self._closed = True
        self._parts.close()

    def statistics(self) -> TransferStatistics:
        """A frozen snapshot."""
        return TransferStatistics(
            ring=self._ring.statistics(),
            calls_in_flight=self.in_flight,
            batches_out=sum(batch.sent for batch in self._out),
            batches_waiting=len(self._waiting),
            stale_replies=self._stale_replies,
            spilled_replies=self._spilled_replies,
        )

    # -- sending

    def _send_waiting(self) -> None:
        waiting = self._waiting
        self._fifo_is_full = False
        while waiting:
            batch = waiting[0]
            if batch.offset == UNPLACED and len(self._out) >= MAX_BATCHES_OUT:
                break
            if batch.offset == UNPLACED:
                if not self._place(batch):
                    break
                if batch.offset == UNPLACED:
                    continue  # smaller ones stand in its place, or it was refused
            try:
                self._send_descriptor(batch)
            except FifoFull:
                self._fifo_is_full = True
                break
            waiting.popleft()
            batch.sent = True
            self.batches_sent += 1

    def _send_descriptor(self, batch: Batch) -> None:
        self._calls.write_nowait(
            Kind.CALLS, 0, self._number, batch.offset, 0, batch.sequence, batch.attempt, NO_WORKER
        )

    def _place(self, batch: Batch) -> bool:
        """Write the record of the first waiting batch; False where the ring has no room now."""
        known = self._known(batch.function)
        request = batch.request
        if request is None:
            request = self._encode(batch, known)
            if request is None:
                return True
        room = REPLY_HEAD_BYTES + int(known.reply_bytes * len(batch.arguments))
        length = record_bytes(len(known.name), len(request), room)
        # A record of more than a quarter of the ring would make the workers wait for each other.
        if length > self._ring.size_bytes // 4:
            if len(batch.arguments) > 1:
                self._waiting.popleft()
                self._waiting.extendleft(reversed(batch.halves()))
                return True
            room = REPLY_HEAD_BYTES  # what does not fit there spills
            length = record_bytes(len(known.name), len(request), room)
            if length > self._ring.size_bytes:
                self._refuse(batch, _request_too_large(batch, len(request), self._config))
                return True
        try:
            batch.offset = self._ring.claim(length)
        except RingFull:
            return False
        timed = batch.function.timeout is not None
        self._timed += timed
        batch.handle = self._out.acquire(batch)
        header = RecordHeader(
            batch.sequence,
            batch.attempt,
            NO_WORKER,
            len(known.name),
            len(request),
            room,
            len(batch.arguments),
            timed,
        )
        batch.request = None
        batch.reply_offset = batch.offset + header.reply_offset
        self._memory.write_record(batch.offset, header, known.name, request)
        return True

    def _encode(self, batch: Batch, known: _Functions) -> bytes | None:
        try:
            batch.request = known.codec.encode_request(batch.arguments)
        except Exception as error:  # whatever the encoder raises, it is the caller's to hear
            if len(batch.arguments) == 1:
                self._refuse(batch, argument_error(batch.function, batch.arguments[0], error))
            else:
                self._waiting.popleft()
                self._waiting.extendleft(reversed(batch.halves()))
        return batch.request

    def _refuse_all(
        self, function: AsyncTaskFunction[..., Any], ticket: Any, calls: int, error: Exception
    ) -> None:
        told = TypeError(f"the annotations of {function.name} cannot be used: {error}")
        told.__cause__ = error
        self.in_flight += calls
        self._refused.append(Completion(ticket, 0, [None] * calls, _same(told, calls)))

    def _refuse(self, batch: Batch, error: BaseException) -> None:
        self._waiting.popleft()
        self._refused.append(Completion(batch.ticket, batch.start, [None], {0: error}))

    # -- taking

    def _take(self, descriptor: Descriptor) -> list[Completion]:
        batch = self._find(Handle.unpack(descriptor.sequence))
        if batch is None or batch.attempt != descriptor.attempt:
            self._stale_replies += 1
            if descriptor.kind == Kind.SPILLED:
                remove_file(self._session.spill(self._number, descriptor.sequence))
            return []
        known = self._known(batch.function)
        try:
            data = self._read_reply(batch, descriptor)
            reply = known.codec.decode_reply(data)
        except (msgspec.DecodeError, OSError):
            return self._run_again(batch)
        except Exception as error:  # a reply that is right, and more than this process can take
            reply = Reply(0, [None] * len(batch.arguments), _same(error, len(batch.arguments)))
            data = b""
        if len(reply.values) != len(batch.arguments):
            return self._run_again(batch)
        self._forget(batch)
        self._note_reply(known, descriptor, len(data), reply)
        return [Completion(batch.ticket, batch.start, reply.values, reply.failures)]

    def _read_reply(self, batch: Batch, descriptor: Descriptor) -> bytes:
        if descriptor.kind == Kind.REPLY:
            return self._memory.read(batch.reply_offset, descriptor.length)
        self._spilled_replies += 1
        path = self._session.spill(self._number, descriptor.sequence)
        data = path.read_bytes()
        path.unlink()
        return data

    def _note_reply(
        self, known: _Functions, descriptor: Descriptor, length: int, reply: Reply
    ) -> None:
        calls = len(reply.values)
        worker = descriptor.worker
        use = self._worker_use.get(worker) or WorkerUse(worker, 0, 0, 0)
        self._worker_use[worker] = WorkerUse(
            worker, use.batches + 1, use.calls + calls, use.busy_ns + reply.busy_ns
        )
        if reply.failures is None:  # a traceback says nothing of the size of results
            known.reply_bytes = max(0.95 * known.reply_bytes, 1.25 * length / calls)

    def _find(self, handle: Handle) -> Batch | None:
        try:
            return self._out.get(handle)
        except StaleHandle:  # answered already, or by somebody else: what came is dropped
            return None

    def _forget(self, batch: Batch) -> None:
        self._out.release(batch.handle)
        self._timed -= batch.function.timeout is not None
        self._ring.free(batch.offset)

    # -- when a worker has died

    def _settle_suspects(self) -> list[Completion]:
        """Run again what a dead worker had, and send again what it may have had.

        A worker that read a descriptor and died before it marked the record leaves no trace. So
        every unmarked record gets another attempt once its lock is free: the descriptor that is
        perhaps still in the FIFO is void then, and nothing runs twice. While the lock is taken,
        by a worker that only looks or one that the kernel has not buried yet, it stays suspect.
        """
        completions: list[Completion] = []
        suspects, self._suspects = self._suspects, []
        for handle, death in suspects:
            batch = self._find(handle)
            if batch is None:
                continue
            if self._memory.header(batch.offset).worker not in (NO_WORKER, death.worker):
                continue  # a living worker has it
            if not self._memory.try_lock(batch.offset):
                self._suspects.append((handle, death))
                continue
            try:
                holder = self._memory.header(batch.offset).worker
                if holder == death.worker:
                    batch.deaths -= bool(death.flags & KILLED_ON_REQUEST)  # not its own doing
                    completions += self._run_again(batch)
                elif holder == NO_WORKER:
                    self._send_again(batch)
            finally:
                self._memory.unlock(batch.offset)
        return completions

    def _send_again(self, batch: Batch) -> None:
        batch.attempt += 1
        self._memory.renew(batch.offset, batch.attempt)
        try:
            self._send_descriptor(batch)
        except FifoFull:
            batch.sent = False
            self._waiting.appendleft(batch)

    def _run_again(self, batch: Batch) -> list[Completion]:
        """The calls of a batch whose worker failed it: in halves, and alone until they fail."""
        self._forget(batch)
        remove_file(self._session.spill(self._number, batch.sequence))
        if batch.expired is not None:
            return self._fail_expired_call(batch, batch.expired)
        if len(batch.arguments) > 1:
            again = batch.halves()
        elif batch.deaths < batch.function.retries:
            again = batch.parts(1)
            again[0].deaths += 1
        else:
            return [Completion(batch.ticket, batch.start, [None], {0: _worker_died(batch)})]
        self.calls_retried += len(batch.arguments)
        self._waiting.extendleft(reversed(again))
        return []

    # -- timeouts

    def _look_for_expired_calls(self) -> None:
        """Have the pool kill the workers of calls that have run for too long."""
        now_ns = SystemClock.now_ns()
        for batch in self._out:
            timeout = batch.function.timeout
            if timeout is None or batch.expired is not None or not batch.sent:
                continue
            header = self._memory.header(batch.offset)
            if header != self._memory.header(batch.offset):
                continue  # the worker was writing it
            runs = header.worker and header.started_ns
            if runs and now_ns - header.started_ns > timeout * 1e9:
                batch.expired = header.current
                self._ask_to_kill(header.worker)

    def _ask_to_kill(self, worker: int) -> None:
        status = FifoWriter(self._session.status)
        try:
            status.write_nowait(Kind.KILL, 0, 0, 0, 0, 0, 0, worker)
        finally:
            status.close()

    def _fail_expired_call(self, batch: Batch, place: int) -> list[Completion]:
        """The call at this place fails; its neighbours run again."""
        calls = len(batch.arguments)
        again = [batch.part(b, e) for b, e in ((0, place), (place + 1, calls)) if b < e]
        self.calls_retried += calls - 1
        self._waiting.extendleft(reversed(again))
        error = AsyncTaskTimeout(
            f"{batch.function.name} ran for more than {batch.function.timeout} s, which is its "
            f"limit: @async_task(timeout=...), or with_options(timeout=...) for one call"
        )
        return [Completion(batch.ticket, batch.start + place, [None], {0: error})]

    def _shortest_timeout_s(self) -> float:
        timeouts = (batch.function.timeout for batch in self._out)
        return min((timeout for timeout in timeouts if timeout is not None), default=OWNER_CHECK_S)

    def _known(self, function: AsyncTaskFunction[..., Any]) -> _Functions:
        known = self._codecs.get(function.name)
        if known is None:
            known = self._codecs[function.name] = _Functions(function)
        return known

    def _check_owner(self, poll: select.poll, timeout_ms: float | None) -> None:
        for fd, _ in poll.poll(timeout_ms):
            if fd == self._lifeline.fileno():
                raise PoolClosed("the pool is closed, or its owner died, with AsyncTasks in flight")


class _Functions:
    """What a transfer knows of one function."""

    def __init__(self, function: AsyncTaskFunction[..., Any]) -> None:
        self.codec = Codec(function)
        self.name = function.name.encode()
        self.reply_bytes: float = FIRST_REPLY_BYTES  # a call's share of a reply extent


def _same(error: BaseException, calls: int) -> dict[int, BaseException]:
    return dict.fromkeys(range(calls), error)


def _request_too_large(batch: Batch, length: int, config: PoolConfig) -> RequestTooLarge:
    return RequestTooLarge(
        f"the arguments of {batch.function.name} take {length} bytes, and the ring holds "
        f"{config.ring_bytes}; pass less, or raise WorkerPool(ring_bytes=...)"
    )


def _worker_died(batch: Batch) -> WorkerDied:
    deaths = batch.deaths + 1
    workers = "1 worker, and it" if deaths == 1 else f"{deaths} workers, and each of them"
    return WorkerDied(
        f"{batch.function.name} was alone with {workers} died; "
        f"its limit is @async_task(retries={batch.function.retries})"
    )
