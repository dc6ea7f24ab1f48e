"""SharedRing: takes a zone's calls to the workers of a pool and brings their replies back.

The zone owns ring and records. A record is freed when its reply has been taken, or when it is
certain that nobody can write into it any more; until then the zone can send it again. That is why
the death of a worker loses nothing.
"""

from __future__ import annotations

import contextlib
import math
import select
import zlib
from collections import deque
from collections.abc import Sequence
from typing import Any

import msgspec

from corororo._clock import SystemClock
from corororo._exceptions import (
    AsyncTaskTimeout,
    FifoFull,
    PoolClosed,
    PoolFailed,
    RequestTooLarge,
    WorkerDied,
)
from corororo._ring import (
    NO_WORKER,
    Descriptor,
    FifoReader,
    FifoWriter,
    Kind,
    RingMemory,
    RingStatistics,
    Session,
    explaining_open_files,
    remove_file,
    told_after_fork,
)
from corororo.abc import Clock, Completion, WorkerUse

from ._arguments import argument_error
from ._batching import Batch, Pile
from ._codec import Reply
from ._config import PoolConfig
from ._functions import AsyncTaskFunction
from ._idle import AdaptiveSpin
from ._lanes import FIRST_EARLY, Lane
from ._placement import Outbox
from ._records import Records
from ._recovery import Recovery
from ._timeouts import Timeouts
from ._views import Leases

MAX_BATCHES_OUT = 192  # the smallest FIFO that Linux makes holds 256 descriptors
LONGEST_SPIN_US = 150.0  # about twice what a wake-up takes across cores
FIFO_RETRY_S = 0.001
OWNER_CHECK_S = 1.0
FORKED = (
    "this process was forked off the one that opened the Scheduler, and has no part in it; make "
    "another one here, with WorkerPool.attach(address) for the same workers"
)
OWNER_GONE = "the pool is closed, or its owner died, with AsyncTasks in flight"


class TransferStatistics(msgspec.Struct, frozen=True):
    """A zone's side of the transfer at one moment."""

    ring: RingStatistics
    calls_in_flight: int
    batches_out: int
    batches_waiting: int  # for room in the ring or the FIFO
    stale_replies: int  # of attempts that were void already: dropped
    broken_replies: int  # not what a worker of ours would send: their batches ran again
    spilled_replies: int  # larger than their extent: came through a file


class SharedRing:
    """The transfer of one Scheduler to the workers of one pool."""

    def __init__(self, session: Session, config: PoolConfig, clock: Clock | None = None) -> None:
        self._session = session
        self._config = config
        self.max_pending = config.max_pending
        with contextlib.ExitStack() as undo, explaining_open_files(f"{session.directory}"):
            self._open(undo)
            self._parts = undo.pop_all()
        self._poll = select.poll()
        self._poll.register(self._replies.fileno(), select.POLLIN)
        self._poll.register(self._lifeline.fileno(), 0)  # its hang-up, where poll tells of it
        self._now_ns = now_ns = (clock or SystemClock()).now_ns
        self._waiting: deque[Batch | Pile] = deque()
        self._recovery = Recovery(self._records, self, now_ns)
        self._timeouts = Timeouts(self._records, self, now_ns)
        self._ready: list[Completion] = []  # outcomes that need no reply: refused, or given up
        self._lanes: dict[str, Lane] = {}  # by name: functions with other options share one
        self._leases = Leases()
        self._idle = AdaptiveSpin(longest_us=LONGEST_SPIN_US)
        self._fifo_is_full = False
        self._closed = False
        self._why_closed = "the transfer is closed"
        self._stale_replies = self._broken_replies = self._spilled_replies = 0
        self.in_flight = 0
        self.batches_sent = 0
        self.calls_retried = 0
        self._worker_use: dict[int, list[int]] = {}  # batches, calls, busy ns
        told_after_fork(self)

    def _open(self, parts: contextlib.ExitStack) -> None:
        session, config = self._session, self._config
        try:
            # The lifeline is opened before the owner is seen alive: its end cannot be missed then.
            self._lifeline = FifoReader(session.lifeline, blocking=False)
        except FileNotFoundError:
            raise PoolClosed(f"{session.directory}: the owner of this pool is gone") from None
        parts.callback(self._lifeline.close)
        session.check_owner_lives()
        self._number, self._replies = session.open_replies()
        parts.callback(self._replies.close)
        parts.callback(session.remove_ring, self._number)
        self._replies_held_open = FifoWriter(session.replies(self._number))
        parts.callback(self._replies_held_open.close)
        home = self._number % config.workers if config.placement == "home" else None
        self._outbox = Outbox(session, home, config.workers)
        parts.callback(self._outbox.close)
        memory = RingMemory.create(session.ring(self._number), config.ring_bytes)
        parts.callback(memory.close)
        self._records = Records(memory, self._number)

    # -- Transfer

    def begin_tick(self) -> None:
        """End the views in results that were not kept; raises PoolClosed after ``close``."""
        if self._closed:
            raise PoolClosed(self._why_closed)
        self._leases.end()

    def lend(self, function: Any, values: Sequence[Any]) -> None:
        """Have the views in results end with the tick in which Tasks got them."""
        lane = self._lanes.get(function.name)
        if lane is not None and lane.codec.results_hold_views:
            self._leases.add(values)

    def worth_sending(self, function: Any) -> int:
        """How many of its calls are worth a batch."""
        lane = self._lanes.get(function.name)
        least = FIRST_EARLY if lane is None else lane.worth_sending
        return min(least, self._config.max_batch)

    def send_nowait(self, function: Any, ticket: Any, arguments: list[Any]) -> None:
        """Split the calls into batches and send as many as there is room for; the rest waits."""
        if self._closed:
            raise PoolClosed(self._why_closed)
        self.in_flight += len(arguments)
        if function.name not in self._lanes:
            try:
                self._lanes[function.name] = Lane(function)
            except Exception as error:  # of typing or msgspec: the annotations cannot be used
                self._ready.append(_refused(function, ticket, len(arguments), error))
                return
        self._waiting.append(Pile(function, ticket, arguments))
        self._send_waiting()

    def take_nowait(self) -> list[Completion]:
        """Outcomes that have come back; raises PoolClosed when the pool's owner is gone."""
        descriptors = self._replies.read_nowait()
        for descriptor in descriptors:
            self._take(descriptor)
        if self._records:
            self._look_after_batches()
        if self._waiting:
            self._send_waiting()
        ready, self._ready = self._ready, []
        if not descriptors and not ready:
            self._check_owner()
        for completion in ready:
            self.in_flight -= len(completion.values)
        return ready

    def wait(self, timeout_s: float | None) -> None:
        """Block until a descriptor is there, the owner is gone, or the time is over.

        A reply that is due at once is looked for a little while first, letting others have the
        core between two looks: the wake-up of a sleeping core takes longer than most batches.
        """
        if self._ready:
            return
        idle = self._idle.idle
        while idle(0):
            if self._poll.poll(0):
                idle(1)
                return
        self._poll.poll(None if timeout_s is None else timeout_s * 1000)
        idle(1)

    def fileno(self) -> int:
        """The reading end of the reply FIFO."""
        return self._replies.fileno()

    def longest_wait_s(self) -> float | None:
        """Short where nothing tells that a full FIFO has room again, or a lock has been freed."""
        if self._ready:
            return 0.0
        if self._fifo_is_full or self._recovery.has_suspects:
            return FIFO_RETRY_S
        if not self._records:
            return OWNER_CHECK_S
        look_s = self._recovery.next_look_s()
        return min(look_s, self._timeouts.next_look_s()) if self._records.timed else look_s

    def likely_wait_s(self) -> float:
        """From what the calls that are out have taken before, with all workers at them."""
        if self._waiting:
            return math.inf
        work_ns = sum(
            len(batch.arguments) * self._lanes[batch.function.name].service_ns
            for batch in self._records
        )
        return work_ns / self._config.workers / 1e9

    def worker_use(self) -> list[WorkerUse]:
        """What each worker has done here so far; workers that died are among them."""
        return [WorkerUse(worker, *use) for worker, use in self._worker_use.items()]

    def close(self) -> None:
        """Remove the ring and its FIFO; calls in flight are forgotten. Idempotent."""
        if not self._closed:
            self._closed = True
            self._parts.close()

    def after_fork(self) -> None:
        """In a forked process, to which nothing of this belongs."""
        self._closed = True
        self._why_closed = FORKED

    def statistics(self) -> TransferStatistics:
        """A frozen snapshot."""
        return TransferStatistics(
            ring=self._records.statistics(),
            calls_in_flight=self.in_flight,
            batches_out=sum(batch.sent for batch in self._records),
            batches_waiting=len(self._waiting),
            stale_replies=self._stale_replies,
            broken_replies=self._broken_replies,
            spilled_replies=self._spilled_replies,
        )

    # -- sending

    def _send_waiting(self) -> None:
        waiting = self._waiting
        self._fifo_is_full = False
        while waiting:
            batch = waiting[0]
            lane = self._lanes[batch.function.name]
            if isinstance(batch, Pile) or batch.sequence == 0:
                if len(self._records) >= MAX_BATCHES_OUT:
                    return
                if isinstance(batch, Pile):
                    batch = self._cut(batch, lane)
                if batch.request is None and not self._encode(batch, lane):
                    continue  # smaller ones stand in its place, or it was refused
                if not self._records.place(batch, lane):
                    return  # the ring is full
            try:
                self._outbox.send_nowait(self._records.descriptor(batch), len(self._records) - 1)
            except FifoFull:
                self._fifo_is_full = True
                return
            waiting.popleft()
            batch.sent = True
            batch.sent_ns = self._now_ns()
            self.batches_sent += 1

    def _cut(self, pile: Pile, lane: Lane) -> Batch:
        """Put the next batch of a pile before it, or in its place."""
        config = self._config
        size = lane.next_size(len(pile), pile.total, config.workers, config.max_batch)
        batch = pile.cut(size)
        if len(pile):
            self._waiting.appendleft(batch)
        else:
            self._waiting[0] = batch
        return batch

    def _encode(self, batch: Batch, lane: Lane) -> bool:
        """Encode the first waiting batch; False where it does not wait any more as it is."""
        several = len(batch.arguments) > 1
        try:
            batch.request = lane.codec.encode_request(batch.arguments)
        except Exception as error:  # whatever the encoder raises, it is the caller's to hear
            if several:
                self._halve(batch)
            else:
                self._refuse(batch, argument_error(batch.function, batch.arguments[0], error))
            return False
        if several and self._records.is_too_large(batch, lane):
            self._halve(batch)
            return False
        if self._records.never_fits(batch, lane):
            self._refuse(batch, _request_too_large(batch, self._config))
            return False
        return True

    def _halve(self, batch: Batch) -> None:
        self._waiting.popleft()
        self._waiting.extendleft(reversed(batch.halves()))

    def _refuse(self, batch: Batch, error: BaseException) -> None:
        self._waiting.popleft()
        self._fail(batch, 0, error)

    def _fail(self, batch: Batch, place: int, error: BaseException) -> None:
        """One call of a batch fails."""
        self._ready.append(Completion(batch.ticket, batch.start + place, [None], {0: error}))

    # -- taking

    def _take(self, descriptor: Descriptor) -> None:
        kind = descriptor.kind
        if kind == Kind.WORKER_DIED or kind == Kind.WORKER_KILLED:
            if descriptor.worker != NO_WORKER:
                self._recovery.worker_died(descriptor)
            return
        batch = self._records.find(descriptor.sequence)
        if batch is None or batch.attempt != descriptor.attempt:
            self._stale_replies += 1
            if kind == Kind.SPILLED:
                remove_file(self._session.spill(self._number, descriptor.sequence))
            return
        data = self._reply_data(batch, descriptor)
        reply = None if data is None else self._decode(batch, data)
        if data is None or reply is None:
            self._broken_replies += 1
            self._recovery.distrust(batch)
            return
        lane = self._lanes[batch.function.name]
        self._records.forget(batch)
        lane.note_reply(len(data), reply)
        self._note_use(descriptor.worker, reply)
        self._ready.append(Completion(batch.ticket, batch.start, reply.values, reply.failures))

    def _reply_data(self, batch: Batch, descriptor: Descriptor) -> bytes | None:
        """The bytes of a reply; None where they are not what the descriptor says."""
        if descriptor.kind == Kind.REPLY:
            if descriptor.length > batch.reply_room:
                return None
            data = self._records.reply(batch, descriptor.length)
        elif descriptor.kind == Kind.SPILLED:
            path = self._session.spill(self._number, descriptor.sequence)
            try:
                data = path.read_bytes()
            except OSError:  # forged: our workers write the file first
                return None
            remove_file(path)
            self._spilled_replies += 1
        else:
            return None
        return data if zlib.crc32(data) == descriptor.checksum else None

    def _decode(self, batch: Batch, data: bytes) -> Reply | None:
        """None where the bytes are no reply to this batch."""
        calls = len(batch.arguments)
        try:
            reply = self._lanes[batch.function.name].codec.decode_reply(data)
        except msgspec.DecodeError:
            return None
        except Exception as error:  # a reply that is right, and more than this process can take
            return Reply(0, [None] * calls, dict.fromkeys(range(calls), error))
        return reply if len(reply.values) == calls else None

    def _note_use(self, worker: int, reply: Reply) -> None:
        use = self._worker_use.get(worker)
        if use is None:
            use = self._worker_use[worker] = [0, 0, 0]
        use[0] += 1
        use[1] += len(reply.values)
        use[2] += reply.busy_ns

    # -- what goes wrong

    def _look_after_batches(self) -> None:
        if self._recovery.has_suspects:
            self._recovery.settle()
        self._recovery.look()
        if self._records.timed:
            self._timeouts.look()

    def send_again(self, batch: Batch) -> None:
        """Its record stands, under another attempt."""
        batch.sent = False
        self._waiting.appendleft(batch)

    def write_again(self, batch: Batch) -> None:
        """Its record is replaced by another one; what may still point to this one is void."""
        self._records.renew(batch)
        self._give_back(batch)
        batch.sent = False
        batch.sequence = 0
        self._waiting.appendleft(batch)

    def run_again(self, batch: Batch, *, its_own_doing: bool) -> None:
        """The calls of a batch whose worker failed it: in halves, and alone until they fail."""
        self._give_back(batch)
        if batch.expired is not None:
            self._fail_expired_call(batch, batch.expired)
            return
        if len(batch.arguments) > 1:
            again = batch.halves()
        elif batch.deaths < batch.function.retries or not its_own_doing:
            again = batch.parts(1)
            again[0].deaths += its_own_doing
        else:
            self._fail(batch, 0, _worker_died(batch))
            return
        self.calls_retried += len(batch.arguments)
        self._waiting.extendleft(reversed(again))

    def _give_back(self, batch: Batch) -> None:
        """A record whose reply was not taken; it may have got one all the same."""
        self._records.forget(batch)
        remove_file(self._session.spill(self._number, batch.sequence))

    def _fail_expired_call(self, batch: Batch, place: int) -> None:
        """The call at this place fails; its neighbours run again."""
        calls = len(batch.arguments)
        again = [batch.part(b, e) for b, e in ((0, place), (place + 1, calls)) if b < e]
        self.calls_retried += calls - 1
        self._waiting.extendleft(reversed(again))
        error = AsyncTaskTimeout(
            f"{batch.function.name} ran for more than {batch.function.timeout} s, which is its "
            f"limit: @async_task(timeout=...), or with_options(timeout=...) for one call"
        )
        self._fail(batch, place, error)

    def ask_pool(self, kind: Kind, worker: int) -> bool:
        """False where the pool takes no requests at the moment."""
        try:
            status = FifoWriter(self._session.status)
        except PoolClosed:
            raise self._owner_is_gone() from None
        try:
            status.write_nowait(Descriptor(kind, ring=self._number, worker=worker))
        except FifoFull:
            return False
        finally:
            status.close()
        return True

    def ask_for_help(self) -> None:
        """Have other workers take what waits at home."""
        self._outbox.ask_for_help()

    def _check_owner(self) -> None:
        try:
            lives = self._lifeline.read_one() is not None
        except BlockingIOError:  # as long as it lives it has nothing to say
            lives = True
        if not lives:
            raise self._owner_is_gone()

    def _owner_is_gone(self) -> PoolClosed:
        """Where the pool gave up, it left behind why."""
        try:
            return PoolFailed(self._session.failure.read_text())
        except OSError:  # closed, or killed; or nothing can be read any more
            return PoolClosed(OWNER_GONE)


def _refused(
    function: AsyncTaskFunction[..., Any], ticket: Any, calls: int, error: Exception
) -> Completion:
    told = TypeError(f"the annotations of {function.name} cannot be used: {error}")
    told.__cause__ = error
    return Completion(ticket, 0, [None] * calls, dict.fromkeys(range(calls), told))


def _request_too_large(batch: Batch, config: PoolConfig) -> RequestTooLarge:
    assert batch.request is not None
    return RequestTooLarge(
        f"the arguments of {batch.function.name} take {len(batch.request)} bytes, and the ring "
        f"holds {config.ring_bytes}; pass less, or raise WorkerPool(ring_bytes=...)"
    )


def _worker_died(batch: Batch) -> WorkerDied:
    deaths = batch.deaths + 1
    workers = "1 worker, and it" if deaths == 1 else f"{deaths} workers, and each of them"
    return WorkerDied(
        f"{batch.function.name} was alone with {workers} died; "
        f"its limit is @async_task(retries={batch.function.retries})"
    )
