"""Brings batches back from workers that died, hang, or lost a descriptor.

The zone keeps each call until its reply has been taken, so every call can run again. For a batch
that is out there are these cases:

- Its worker died: its calls run again, in halves, until a call that kills its workers is alone.
- A worker died and the record is unmarked: that worker may have read the descriptor. The record
  gets a new attempt number, which makes the old descriptor void, and is sent again.
- The record stays unmarked for long: a copy of the descriptor goes out. The first one that is read
  has the batch run, and the other finds the record marked.
- The record is marked and its lock free at two looks: no worker runs it, so its calls run again.
- A call exceeds its timeout, or a batch ``hang_timeout``: the pool is asked to kill the worker.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import msgspec

from corororo._exceptions import AsyncTaskTimeout, FifoFull, PoolClosed, WorkerDied
from corororo._platform import is_out_of_files
from corororo._ring import (
    NO_WORKER,
    Descriptor,
    FifoWriter,
    Kind,
    RecordHeader,
    Session,
    remove_file,
)

from ._codec import calls_as_encoded
from ._records import Batch, Records
from ._sender import Sender

LOOK_NS = 100_000_000  # how long a batch is out before the first look at it
MAX_LOOK_NS = 1_600_000_000  # looks become ever rarer while no worker comes to any batch
LOST_NS = 1_000_000_000  # how long a record is unmarked before its descriptor counts as lost
LOOKS = 4  # in the time that a call or a batch may take
MIN_LIMIT_LOOK_NS = 1_000_000
SLEPT_NS = 2_000_000_000  # a look so late suggests that workers slept as well, as after Ctrl-Z


class Recovery:
    """Watches the batches of one zone. ``fail`` gets calls that will not run again."""

    def __init__(
        self,
        records: Records,
        sender: Sender,
        session: Session,
        hang_timeout_s: float | None,
        fail: Callable[[Batch, int, BaseException], None],
    ) -> None:
        self._records = records
        self._sender = sender
        self._session = session
        self._number = records.number
        self._now_ns = sender.now_ns
        self._hang_ns = 0 if hang_timeout_s is None else round(hang_timeout_s * 1e9)
        self._fail = fail
        self._next_look_ns = 0
        self._gap_ns = LOOK_NS
        self._next_limit_look_ns = 0
        self._limit_gap_ns = 0
        self._timed = 0  # records with a timeout at the last look at limits
        self._progress: dict[int, tuple[int, int]] = {}  # by sequence: holder and progress then
        self.calls_retried = 0

    def next_look_s(self) -> float:
        """Seconds until ``look`` wants to be called."""
        next_ns: float = self._next_look_ns
        if self._hang_ns or self._records.timed:
            next_ns = min(next_ns, self._next_limit_look_ns)
        return max(0.0, (next_ns - self._now_ns()) / 1e9)

    def look(self) -> None:
        """Look at the batches that are out, if it is time to."""
        now_ns = self._now_ns()
        if self._hang_ns or self._records.timed:
            self._look_at_limits(now_ns)
        if now_ns >= self._next_look_ns:
            self._look_at_late_batches(now_ns)

    def worker_died(self, death: Descriptor) -> None:
        """Run again what the dead worker had, and send again what it may have had."""
        for batch in self._latest_first():
            if self._records.header(batch).worker not in (NO_WORKER, death.worker):
                continue  # another worker has it
            with self._records.locked(batch) as is_locked:
                holder = self._records.header(batch).worker
                if not is_locked:
                    continue  # a worker just looks at it: a later look helps
                if holder == NO_WORKER:
                    self._records.renew(batch)
                    self._sender.send_again(batch)
                elif holder == death.worker:
                    self._run_again(batch, is_to_blame=death.kind == Kind.WORKER_DIED)

    def reply_is_invalid(self, batch: Batch) -> None:
        """Run a batch again whose reply makes no sense, unless its worker is still at it."""
        with self._records.locked(batch) as is_locked:
            if is_locked and self._records.header(batch).worker != NO_WORKER:
                self._run_again(batch, is_to_blame=True)

    def _run_again(self, batch: Batch, *, is_to_blame: bool) -> None:
        """Give the record back and place its calls anew, but for a call that has to fail.

        ``is_to_blame``: the worker may have died because of what it ran.
        """
        header = self._records.header(batch)
        was_overdue = batch.overdue == (header.holder, header.progress)
        request = self._records.request(batch)
        self._records.free(batch)
        remove_file(self._session.spill(self._number, batch.sequence))
        try:  # as they were sent: the Tasks may have changed what they passed
            batch.arguments = calls_as_encoded(request)
        except msgspec.DecodeError:  # of a large call, whose only copy is the record
            error = WorkerDied(
                f"{batch.function.name} cannot run again: the worker that died has overwritten its "
                f"arguments"
            )
            return self._fail(batch, 0, error)
        batch.frozen = True
        if was_overdue and batch.function.timeout is not None:
            again = self._without_call(batch, header.current)
        elif batch.calls > 1:
            again = batch.halves()
        else:
            again = self._retry_call(batch, is_to_blame=is_to_blame or was_overdue)
        self.calls_retried += sum(part.calls for part in again)
        self._sender.put_first(again)

    def _without_call(self, batch: Batch, place: int) -> list[Batch]:
        """The neighbours of a call that exceeded its timeout and fails."""
        error = AsyncTaskTimeout(
            f"{batch.function.name} ran for more than {batch.function.timeout} s, which is its "
            f"limit: @async_task(timeout=...), or with_options(timeout=...) for one call"
        )
        self._fail(batch, place, error)
        ends = (0, place), (place + 1, batch.calls)
        return [batch.part(begin, end) for begin, end in ends if begin < end]

    def _retry_call(self, batch: Batch, *, is_to_blame: bool) -> list[Batch]:
        """A single call again, unless it has used up its retries and fails."""
        deaths = batch.deaths + is_to_blame
        if is_to_blame and deaths > batch.function.retries:
            workers = "1 worker, and it" if deaths == 1 else f"{deaths} workers, and each of them"
            error = WorkerDied(
                f"{batch.function.name} was alone with {workers} died; "
                f"its limit is @async_task(retries={batch.function.retries})"
            )
            self._fail(batch, 0, error)
            return []
        again = batch.part(0, 1)
        again.deaths = deaths
        return [again]

    # -- batches that are out for long

    def _look_at_late_batches(self, now_ns: int) -> None:
        """Deal with batches that are out for long, and have the pool look at their workers.

        While no worker comes to any of them there is more work than workers, and frequent looks
        only slow it down: 300 zones that all looked ten times a second did nothing else.
        """
        queued = self._sender.calls.queued() > 0
        late = [batch for batch in self._latest_first() if now_ns - batch.sent_ns >= LOOK_NS]
        holders = {self._look_at(batch) for batch in late}
        unread = [b for b in late if b.sent and self._records.header(b).worker == NO_WORKER]
        # While descriptors are queued, a missing one is probably among them: one copy will do.
        for batch in unread[-1:] if queued else reversed(unread):
            if now_ns - batch.sent_ns >= LOST_NS << batch.copies:
                batch.copies += self._sender.send_copy(batch)
        asked = [self._ask_pool(Kind.LOOK, worker) for worker in holders]
        crowded = all(asked) and holders == {NO_WORKER} and queued
        self._gap_ns = min(2 * self._gap_ns, MAX_LOOK_NS) if crowded else LOOK_NS
        self._next_look_ns = now_ns + self._gap_ns

    def _latest_first(self) -> list[Batch]:
        """Batches that are out, in the order in which they are put before all others."""
        sent = [batch for batch in self._records if batch.sent]
        return sorted(sent, key=lambda batch: batch.sent_ns)[::-1]

    def _look_at(self, batch: Batch) -> int:
        """The worker that marked a batch; runs it again if no worker has been at it for a while."""
        header = self._records.header(batch)
        if header.worker != NO_WORKER:
            with self._records.locked(batch) as is_locked:
                if is_locked and batch.seen == header.holder:  # its reply had time to arrive
                    self._run_again(batch, is_to_blame=False)
                elif is_locked:
                    batch.seen = header.holder
        return header.worker

    # -- calls and batches that run for too long

    def _look_at_limits(self, now_ns: int) -> None:
        """Have the pool kill workers whose call or batch takes longer than it may."""
        if now_ns < self._next_limit_look_ns and self._records.timed == self._timed:
            return
        slept = now_ns >= self._next_limit_look_ns + max(self._limit_gap_ns, SLEPT_NS)
        before, self._progress = self._progress, {}
        for batch in self._records:
            if batch.sent and self._limit_ns(batch) < math.inf:
                header = self._records.header(batch)
                seen = self._progress[batch.sequence] = (header.holder, header.progress)
                # Only what stood there at two looks counts: a wild worker may write anything.
                if seen == before.get(batch.sequence) and seen != batch.overdue:
                    self._check_limit(batch, header, now_ns, slept=slept)
        self._timed = self._records.timed
        shortest_ns = min(map(self._limit_ns, self._records), default=1e9)
        self._limit_gap_ns = max(MIN_LIMIT_LOOK_NS, round(shortest_ns / LOOKS))
        self._next_limit_look_ns = now_ns + self._limit_gap_ns

    def _limit_ns(self, batch: Batch) -> float:
        timeout_s = batch.function.timeout
        return (self._hang_ns or math.inf) if timeout_s is None else timeout_s * 1e9

    def _check_limit(self, batch: Batch, header: RecordHeader, now_ns: int, *, slept: bool) -> None:
        kind = Kind.HUNG if batch.function.timeout is None else Kind.KILL
        if slept and kind == Kind.HUNG:
            return
        if not header.worker or not header.progress or header.current >= batch.calls:
            return
        # No call can have run for longer than the batch has been out.
        out_ns = now_ns - batch.sent_ns + 1_000_000
        exceeded = self._limit_ns(batch) < header.runs_for_ns(now_ns) <= out_ns
        if exceeded and self._ask_pool(kind, header.worker):
            batch.overdue = header.holder, header.progress

    def _ask_pool(self, kind: Kind, worker: int) -> bool:
        """Ask the pool to look at a worker or to kill it; False if it takes no requests now."""
        try:
            status = FifoWriter(self._session.status)
        except PoolClosed:
            raise self._session.owner_gone() from None
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
