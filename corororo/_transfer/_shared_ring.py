"""SharedRing: takes a zone's calls to the workers of a pool and brings their replies back.

The zone owns ring and records. A record is freed when its reply has been taken, or when it is
certain that nobody can write into it any more; until then the zone can send it again. That is why
the death of a worker loses nothing.
"""

from __future__ import annotations

import contextlib
import select
from collections.abc import Sequence
from typing import Any

import msgspec

from corororo._clock import SystemClock
from corororo._exceptions import (
    FifoFull,
    PoolClosed,
    PoolFailed,
)
from corororo._idle import AdaptiveSpin
from corororo._platform import explaining_open_files, is_out_of_files
from corororo._ring import (
    NO_WORKER,
    Descriptor,
    FifoReader,
    FifoWriter,
    Kind,
    RingMemory,
    RingStatistics,
    Session,
    call_after_fork,
    remove_file,
)
from corororo.abc import Clock, Completion, WorkerUse

from ._batching import Batch, Pile
from ._codec import calls_as_encoded
from ._config import PoolConfig, read_config
from ._functions import AsyncTaskFunction
from ._incoming import Incoming
from ._outgoing import Outgoing
from ._records import Records
from ._recovery import Recovery
from ._retries import retry
from ._timeouts import Timeouts
from ._views import Leases

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
    batches_waiting: int  # for room in the ring, or for their turn at the workers
    stale_replies: int  # of attempts that were void already: dropped
    broken_replies: int  # not what a worker of ours would send: their batches ran again
    spilled_replies: int  # larger than their extent: came through a file
    workers: int  # that the pool is to have, as far as is known here


class SharedRing:
    """The transfer of one Scheduler to the workers of one pool."""

    def __init__(self, session: Session, config: PoolConfig, clock: Clock | None = None) -> None:
        self._session = session
        self.max_pending = config.max_pending
        with contextlib.ExitStack() as undo, explaining_open_files(f"{session.directory}"):
            self._open(undo, config)
            self._parts = undo.pop_all()
        self._poll = select.poll()
        self._poll.register(self._replies.fileno(), select.POLLIN)
        self._poll.register(self._lifeline.fileno(), 0)  # its hang-up, where poll tells of it
        self._now_ns = now_ns = (clock or SystemClock()).now_ns
        self._outgoing = Outgoing(
            self._records, self._calls, config, self._workers, now_ns, self._fail
        )
        self._incoming = Incoming(session, self._number, self._records)
        self._recovery = Recovery(self._records, self, now_ns)
        self._timeouts = Timeouts(self._records, self, now_ns, config.hang_timeout)
        self._ready: list[Completion] = []  # outcomes that need no reply: refused, or given up
        self._leases = Leases()
        self._idle = AdaptiveSpin(longest_us=LONGEST_SPIN_US)
        self._closed = False
        self._why_closed = "the transfer is closed"
        self.in_flight = 0
        self.calls_retried = 0
        call_after_fork(self, SharedRing.after_fork)

    def _open(self, parts: contextlib.ExitStack, config: PoolConfig) -> None:
        session = self._session
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
        self._calls = FifoWriter(session.calls)
        parts.callback(self._calls.close)
        memory = RingMemory.create(session.ring(self._number), config.ring_bytes)
        parts.callback(memory.close)
        self._records = Records(memory, self._number)
        # Read late: changes are told from the moment on in which our FIFO stood there.
        self._workers = read_config(session).workers

    # -- Transfer

    def begin_tick(self) -> None:
        """End the views in results that were not kept; raises PoolClosed after ``close``."""
        if self._closed:
            raise PoolClosed(self._why_closed)
        self._leases.end()

    def lend(self, function: Any, values: Sequence[Any]) -> None:
        """Have the views in results end with the tick in which Tasks got them."""
        lane = self._outgoing.lanes.get(function.name)
        if lane is not None and lane.codec.results_hold_views:
            self._leases.add(values)

    def worth_sending(self, function: Any) -> int:
        """How many of its calls are worth a batch."""
        return self._outgoing.worth_sending(function)

    def send_nowait(self, function: Any, ticket: Any, arguments: Sequence[Any]) -> None:
        """Split the calls into batches and send as many as there is room for; the rest waits."""
        if self._closed:
            raise PoolClosed(self._why_closed)
        self.in_flight += len(arguments)
        try:
            self._outgoing.lane(function)
        except Exception as error:  # of typing or msgspec: the annotations cannot be used
            self._ready.append(_refused(function, ticket, len(arguments), error))
            return
        self._outgoing.add(Pile(function, ticket, arguments))

    def take_nowait(self) -> list[Completion]:
        """Outcomes that have come back; raises PoolClosed when the pool's owner is gone."""
        descriptors = self._replies.read_nowait()
        for descriptor in descriptors:
            self._take(descriptor)
        if self._records:
            self._look_after_batches()
        if self._outgoing:
            self._outgoing.go_on()
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
        if self._outgoing.fifo_is_full or self._recovery.has_suspects:
            return FIFO_RETRY_S
        if not self._records:
            return OWNER_CHECK_S
        look_s = self._recovery.next_look_s()
        return min(look_s, self._timeouts.next_look_s()) if self._timeouts.is_needed else look_s

    def likely_wait_s(self) -> float:
        """From what the calls that are out have taken before, with all workers at them."""
        return self._outgoing.likely_ns() / 1e9

    @property
    def batches_sent(self) -> int:
        """Batches handed to workers so far."""
        return self._outgoing.batches_sent

    def worker_use(self) -> list[WorkerUse]:
        """What each worker has done here so far; workers that died are among them."""
        return self._incoming.worker_use()

    def close(self) -> None:
        """Remove the ring and its FIFO; calls in flight are forgotten. Idempotent."""
        if not self._closed:
            self._closed = True
            self._leases.forget()
            self._records.give_up_room()
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
            batches_out=self._records.out,
            batches_waiting=len(self._outgoing),
            stale_replies=self._incoming.stale,
            broken_replies=self._incoming.broken,
            spilled_replies=self._incoming.spilled,
            workers=self._outgoing.window.workers,
        )

    # -- taking

    def _take(self, descriptor: Descriptor) -> None:
        kind = descriptor.kind
        if kind == Kind.WORKER_DIED or kind == Kind.WORKER_KILLED:
            if descriptor.worker != NO_WORKER:
                self._recovery.worker_died(descriptor)
            return
        if kind == Kind.RESIZED:
            self._outgoing.window.workers = max(1, descriptor.length)
            return
        batch = self._incoming.batch(descriptor)
        if batch is None:
            return
        self._learn_delay(batch)
        reply = self._incoming.reply(batch, descriptor, self._outgoing.lane(batch.function))
        if reply is None:
            self._recovery.distrust(batch)
            return
        self._records.forget(batch)
        self._ready.append(Completion(batch.ticket, batch.start, reply.values, reply.failures))

    def _learn_delay(self, batch: Batch) -> None:
        """How long batches wait for a worker, unless for one that has others of ours."""
        if batch.ahead < self._outgoing.window.workers:
            delay_ns = self._records.delay_ns(batch, self._now_ns())
            if delay_ns is not None:
                self._outgoing.worth.note_delay(delay_ns)

    def _fail(self, batch: Batch, place: int, error: BaseException) -> None:
        """One call of a batch fails."""
        self._ready.append(Completion(batch.ticket, batch.start + place, [None], {0: error}))

    # -- what goes wrong

    def _look_after_batches(self) -> None:
        if self._recovery.has_suspects:
            self._recovery.settle()
        self._recovery.look()
        if self._timeouts.is_needed:
            self._timeouts.look()

    def send_again(self, batch: Batch) -> None:
        """Its record stands, under another attempt."""
        self._records.came_back(batch)
        self._outgoing.put_back(batch)

    def remind(self, batch: Batch) -> bool:
        """A copy of its descriptor: void where the first one is still there to be read."""
        if 2 * self._calls.queued() >= self._calls.capacity():
            return False  # what is sent for the first time goes before
        try:
            self._calls.write_nowait(self._records.descriptor(batch))
        except FifoFull:
            return False
        return True

    def write_again(self, batch: Batch) -> None:
        """Its record is replaced by another one; what may still point to this one is void."""
        self._records.renew(batch)
        self._give_back(batch)
        batch.leave_ring()
        self._outgoing.put_first([batch])

    def run_again(self, batch: Batch, *, its_own_doing: bool) -> None:
        """The calls of a batch whose worker failed it."""
        self._give_back(batch)
        again, failed, error = retry(batch, its_own_doing=its_own_doing)
        self.calls_retried += sum(len(part.arguments) for part in again)
        self._outgoing.put_first(again)
        if failed is not None and error is not None:
            self._fail(batch, failed, error)

    def _give_back(self, batch: Batch) -> None:
        """A record whose reply was not taken; it may have got one all the same."""
        request = self._records.request(batch)
        if request is not None:  # the Tasks may have changed since what they passed
            batch.arguments = calls_as_encoded(request)
            batch.kept = True
        self._records.forget(batch)
        remove_file(self._session.spill(self._number, batch.sequence))

    def ask_pool(self, kind: Kind, worker: int) -> bool:
        """False where the pool takes no requests at the moment."""
        try:
            status = FifoWriter(self._session.status)
        except PoolClosed:
            raise self._owner_is_gone() from None
        except OSError as error:
            if not is_out_of_files(error):
                raise
            return False
        try:
            status.write_nowait(Descriptor(kind, ring=self._number, worker=worker))
        except FifoFull:
            return False
        finally:
            status.close()
        return True

    def calls_are_queued(self) -> bool:
        """Whether workers have descriptors to read."""
        return self._calls.queued() > 0

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
