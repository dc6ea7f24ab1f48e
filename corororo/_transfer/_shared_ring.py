"""The transfer of one zone: takes its calls to the workers of a pool and brings replies back.

The zone owns the ring and its records. Everything that a worker needs is in the record, and the
descriptor in the FIFO only points to it. A reply is copied out of the ring before it is decoded,
and is taken only if it answers the current attempt of a batch with one outcome for each call.
"""

from __future__ import annotations

import contextlib
import select
from collections.abc import Sequence
from typing import Any

import msgspec

from corororo._exceptions import PoolClosed, SessionError
from corororo._idle import AdaptiveSpin
from corororo._platform import SystemClock, explaining_open_files
from corororo._ring import (
    NO_WORKER,
    Descriptor,
    FifoReader,
    FifoWriter,
    Kind,
    PoolConfig,
    RingMemory,
    RingStatistics,
    Session,
    call_after_fork,
    remove_file,
)
from corororo._views import Leases
from corororo.abc import Clock, Completion, WorkerUse

from ._codec import Reply, failed_reply
from ._records import Batch, Pile, Records
from ._recovery import Recovery
from ._sender import Sender

MAX_SPIN_US = 150.0  # about twice what a wake-up takes across cores
FIFO_RETRY_S = 0.001
OWNER_CHECK_S = 1.0
FORKED = (
    "this process was forked off the one that opened the Scheduler, and has no part in it; make "
    "another one here, with WorkerPool.attach(address) for the same workers"
)


class TransferStatistics(msgspec.Struct, frozen=True):
    """A zone's side of the transfer at one moment."""

    ring: RingStatistics
    batches_out: int
    batches_waiting: int  # for room in the ring or in the send window
    stale_replies: int  # to attempts that were void already: dropped
    broken_replies: int  # that made no sense: their batches ran again
    spilled_replies: int  # larger than their extent: came through a file
    workers: int  # that the pool is to have, as far as is known here


class SharedRing:
    """The transfer of one Scheduler to the workers of one pool."""

    def __init__(self, session: Session, config: PoolConfig, clock: Clock | None = None) -> None:
        self._session = session
        self.max_pending = config.max_pending
        self._ready: list[Completion] = []  # refused, or given up after a worker failed
        self._leases = Leases()
        self._idle = AdaptiveSpin(longest_us=MAX_SPIN_US)
        self._use: dict[int, list[int]] = {}  # in this tick, by worker: batches, calls, busy ns
        self._stale = self._broken = self._spilled = 0
        self._why_closed = ""
        self.in_flight = 0
        self._now_ns = (clock or SystemClock()).now_ns
        with contextlib.ExitStack() as undo, explaining_open_files(f"{session.directory}"):
            self._open(undo, config)
            self._files = undo.pop_all()
        self._poll = select.poll()
        self._poll.register(self._replies.fileno(), select.POLLIN)
        self._poll.register(self._lifeline.fileno(), 0)  # only its hang-up, if poll reports it
        call_after_fork(self, SharedRing.after_fork)

    def _open(self, files: contextlib.ExitStack, config: PoolConfig) -> None:
        session = self._session
        try:
            # The lifeline is opened before the owner is checked, so its end cannot be missed.
            self._lifeline = FifoReader(session.lifeline, blocking=False)
        except FileNotFoundError:
            raise PoolClosed(f"{session.directory}: the owner of this pool is gone") from None
        files.callback(self._lifeline.close)
        session.check_owner_lives()
        self._number, self._replies = session.open_replies()
        files.callback(self._replies.close)
        files.callback(session.remove_ring, self._number)
        held_open = FifoWriter(session.replies(self._number))
        files.callback(held_open.close)
        calls = FifoWriter(session.calls)
        files.callback(calls.close)
        memory = RingMemory.create(session.ring(self._number), config.ring_bytes)
        files.callback(memory.close)
        # Read after the reply FIFO exists: later changes are announced there.
        workers = session.read_config().workers
        self._records = records = Records(memory, self._number, config.max_message_bytes)
        self._sender = Sender(records, calls, config, workers, self._now_ns, self._fail)
        self._recovery = Recovery(records, self._sender, session, config.hang_timeout, self._fail)

    # -- Transfer

    def begin_tick(self) -> None:
        """End the views in results that were not kept; raises PoolClosed after ``close``."""
        self._check_open()
        self._use.clear()
        if self._leases.views:
            self._leases.end()

    def lend(self, function: Any, values: Sequence[Any]) -> None:
        """Let the views in results end with the tick in which Tasks got them."""
        self._leases.lend(function, values)

    def worth_sending(self, function: Any) -> int:
        """How many calls of a function are worth a batch."""
        return self._sender.worth_sending(function)

    def send_nowait(self, function: Any, ticket: Any, arguments: Sequence[Any]) -> None:
        """Send as many calls as there is room for; the rest waits."""
        self._check_open()
        self.in_flight += len(arguments)
        try:
            state = self._sender.state(function)
        except TypeError as error:  # a worker cannot call it
            refusal = error.with_traceback(None)  # of this place, which says nothing to the caller
            self._complete(ticket, 0, failed_reply(len(arguments), refusal))
            return
        self._sender.add(Pile(function, state, ticket, arguments))

    def take_nowait(self) -> list[Completion]:
        """Outcomes that have come back; raises PoolClosed when the pool's owner is gone."""
        descriptors = self._replies.read_nowait()
        for descriptor in descriptors:
            self._take(descriptor)
        if self._records:
            self._recovery.look()
        if self._sender:
            self._sender.send_more()
        ready, self._ready = self._ready, []
        if not descriptors and not ready:
            with contextlib.suppress(BlockingIOError):  # a living owner writes nothing
                if self._lifeline.read_one() is None:
                    raise self._session.owner_gone()
        for completion in ready:
            self.in_flight -= len(completion.values)
        return ready

    def wait(self, timeout_s: float | None) -> None:
        """Block until a descriptor is there, the owner is gone, or the time is over.

        Spins for a short time first, giving way between looks: the wake-up of a sleeping core
        takes longer than most batches.
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
        """Seconds until ``take_nowait`` wants to be called, even if nothing comes back."""
        if self._ready:
            return 0.0
        if self._sender.fifo_is_full:  # nothing reports that it has room again
            return FIFO_RETRY_S
        return self._recovery.next_look_s() if self._records else OWNER_CHECK_S

    def likely_wait_s(self) -> float:
        """Likely time for all calls that are out, from what such calls took before."""
        return self._sender.likely_ns() / 1e9

    @property
    def batches_sent(self) -> int:
        """Batches handed to workers so far."""
        return self._sender.batches_sent

    @property
    def calls_retried(self) -> int:
        """Calls that ran again, or may have, because their worker failed."""
        return self._recovery.calls_retried

    def worker_use(self) -> list[WorkerUse]:
        """What each worker that has replied in this tick has done."""
        return [WorkerUse(worker, *use) for worker, use in self._use.items()]

    def close(self) -> None:
        """Remove the ring and its FIFO; calls in flight are forgotten. Idempotent."""
        if not self._why_closed:
            self._why_closed = "the transfer is closed"
            self._leases.forget()
            self._records.release_memory()
            self._files.close()

    def after_fork(self) -> None:
        """In a forked process: nothing here belongs to it."""
        self._why_closed = FORKED

    def statistics(self) -> TransferStatistics:
        """A frozen snapshot."""
        return TransferStatistics(
            ring=self._records.statistics(),
            batches_out=self._records.out,
            batches_waiting=len(self._sender),
            stale_replies=self._stale,
            broken_replies=self._broken,
            spilled_replies=self._spilled,
            workers=self._sender.window.workers,
        )

    # -- replies

    def _take(self, descriptor: Descriptor) -> None:
        kind = descriptor.kind
        if kind == Kind.WORKER_DIED or kind == Kind.WORKER_KILLED:
            if descriptor.worker != NO_WORKER:
                self._recovery.worker_died(descriptor)
        elif kind == Kind.RESIZED:
            self._sender.window.workers = max(1, descriptor.length)
        else:
            batch = self._records.find(descriptor.sequence)
            if batch is None or not batch.sent or batch.attempt != descriptor.attempt:
                self._drop(descriptor)
            else:
                self._take_reply(batch, descriptor)

    def _drop(self, descriptor: Descriptor) -> None:
        """A reply to an attempt that is void, or a second one."""
        self._stale += 1
        if descriptor.kind == Kind.SPILLED:
            remove_file(self._session.spill(self._number, descriptor.sequence))

    def _take_reply(self, batch: Batch, descriptor: Descriptor) -> None:
        self._sender.note_back(batch)
        state, calls = batch.state, batch.calls
        try:
            data = self._reply_bytes(batch, descriptor)
        except (OSError, SessionError) as error:
            reply: Reply | None = failed_reply(calls, error)
        else:
            reply = state.codec.read_reply(data, calls)
            if reply is not None:
                state.note_reply(len(data), reply, self._sender.worth.worth_ns)
                use = self._use.setdefault(descriptor.worker, [0, 0, 0])
                use[0] += 1
                use[1] += calls
                use[2] += reply.busy_ns
        if reply is None:
            self._broken += 1
            self._recovery.reply_is_invalid(batch)
        else:
            self._records.free(batch)
            self._complete(batch.ticket, batch.start, reply, state.codec.may_return_none)

    def _reply_bytes(self, batch: Batch, descriptor: Descriptor) -> bytes:
        """A copy of the reply; empty, which is no reply, if the descriptor makes no sense."""
        if descriptor.kind == Kind.REPLY and descriptor.length <= batch.reply_room:
            return self._records.reply(batch, descriptor.length)
        if descriptor.kind != Kind.SPILLED:
            return b""
        self._spilled += 1
        path = self._session.spill(self._number, descriptor.sequence)
        try:
            with explaining_open_files(f"the reply of {batch.function.name}"):
                return path.read_bytes()
        except FileNotFoundError:  # workers write the file before the descriptor
            return b""
        finally:
            remove_file(path)

    def _complete(self, ticket: Any, start: int, reply: Reply, may_hold_none: bool = True) -> None:
        self._ready.append(Completion(ticket, start, *reply[1:], may_hold_none))

    def _fail(self, batch: Batch, place: int, error: BaseException) -> None:
        """Fail one call of a batch."""
        self._complete(batch.ticket, batch.start + place, failed_reply(1, error))

    def _check_open(self) -> None:
        if self._why_closed:
            raise PoolClosed(self._why_closed)
