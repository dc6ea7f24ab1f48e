"""Brings batches back from workers that died, stand still or answer nonsense. Knows no bytes.

Whatever a worker does, the zone still has the calls. Three things are looked at: the record's
lock, which the kernel frees when its holder dies; the worker that marked the record as its own;
and how long the batch has been out.

A worker that read a descriptor and died before it marked the record leaves no trace. So every
unmarked record gets another attempt once its lock is free: the descriptor that is perhaps still
in the FIFO is void then, and nothing runs twice. While the lock is taken, by a worker that only
looks or one that the kernel has not buried yet, the batch stays suspect.

Where descriptors wait unread, one that is missed is likely among them. Then a copy goes after it:
whichever is read first has the batch run, and the other finds it taken.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Protocol

from corororo._ring import NO_WORKER, Descriptor, Kind

from ._batching import Batch
from ._records import Records

LOOK_NS = 100_000_000  # how long a batch is out before somebody looks where it is
LONGEST_LOOK_NS = 1_600_000_000  # looks that find all of them unread become ever rarer, up to it
LOST_NS = 1_000_000_000  # how long one may wait unread before its descriptor counts as lost
DOUBLINGS_MAX = 6  # of that time, for one that waits still longer
QUEUED_DOUBLINGS = 4  # more of them where descriptors do wait unread: it is likely among them


class Desk(Protocol):
    """What a transfer does for its recovery."""

    def send_again(self, batch: Batch) -> None:
        """The record stands, under another attempt; its descriptor has to go out."""
        ...

    def remind(self, batch: Batch) -> bool:
        """Send a copy of its descriptor; False where there is no room to spare."""
        ...

    def write_again(self, batch: Batch) -> None:
        """Nobody has taken the batch: its record may be spoilt, and is replaced by another one."""
        ...

    def run_again(self, batch: Batch, *, its_own_doing: bool) -> None:
        """The record is given back; the calls go into others."""
        ...

    def ask_pool(self, kind: Kind, worker: int) -> bool:
        """Have the pool look at a worker, or kill it; False where it takes no requests now."""
        ...

    def calls_are_queued(self) -> bool:
        """Whether any descriptors wait unread."""
        ...


class Recovery:
    """For one transfer."""

    def __init__(self, records: Records, desk: Desk, now_ns: Callable[[], int]) -> None:
        self._records = records
        self._desk = desk
        self._now_ns = now_ns
        self._suspects: list[tuple[int, Descriptor]] = []  # and the deaths that may touch them
        self._next_look_ns = 0
        self._gap_ns = LOOK_NS

    @property
    def has_suspects(self) -> bool:
        """Whether a lock is awaited that nobody tells of."""
        return bool(self._suspects)

    def worker_died(self, death: Descriptor) -> None:
        """It may have had any of the batches that are out."""
        self._suspects += [(batch.sequence, death) for batch in self._latest_first()]

    def settle(self) -> None:
        """Run again what a dead worker had, and send again what it may have had."""
        suspects, self._suspects = self._suspects, []
        for sequence, death in suspects:
            batch = self._records.find(sequence)
            if batch is None or not batch.sent:
                continue
            if self._records.header(batch).worker not in (NO_WORKER, death.worker):
                continue  # a living worker has it
            if not self._records.try_lock(batch):
                self._suspects.append((sequence, death))
                continue
            try:
                self._settle(batch, death)
            finally:
                self._records.unlock(batch)

    def _settle(self, batch: Batch, death: Descriptor) -> None:
        holder = self._records.header(batch).worker
        if holder == NO_WORKER:
            self._records.renew(batch)
            self._desk.send_again(batch)
        elif holder == death.worker:
            if batch.expired != self._records.header(batch).current:
                batch.expired = None  # it came back in its last moment, and another one began
            own = death.kind == Kind.WORKER_DIED or self._hangs(batch)
            self._desk.run_again(batch, its_own_doing=own)

    def _hangs(self, batch: Batch) -> bool:
        """Whether whoever has it now was ended for it."""
        return batch.hung == self._records.header(batch).holder

    def distrust(self, batch: Batch) -> None:
        """What came in answer to a batch is no answer. Who has the batch may still send one."""
        if not self._records.try_lock(batch):
            return
        try:
            if self._records.header(batch).worker != NO_WORKER:
                self._desk.run_again(batch, its_own_doing=True)
        finally:
            self._records.unlock(batch)

    # -- batches that are out for long

    def next_look_s(self) -> float:
        """Seconds until ``look`` wants to be called."""
        return max(0.0, (self._next_look_ns - self._now_ns()) / 1e9)

    def look(self) -> None:
        """Look for batches that are out for long; now and then.

        Where no worker has come to any of them yet, there is more work than workers, and looks
        only take from it: 300 zones that all looked ten times a second did nothing else.
        """
        now_ns = self._now_ns()
        if now_ns < self._next_look_ns:
            return
        queued = self._desk.calls_are_queued()
        late = [b for b in self._latest_first() if now_ns - b.sent_ns >= LOOK_NS]
        holders = {self._look_at(batch, now_ns, queued) for batch in late}
        if queued:
            self._remind(reversed(late), now_ns)
        asked = [self._desk.ask_pool(Kind.LOOK, worker) for worker in holders]
        crowded = all(asked) and holders == {NO_WORKER} and queued
        self._gap_ns = min(2 * self._gap_ns, LONGEST_LOOK_NS) if crowded else LOOK_NS
        self._next_look_ns = now_ns + self._gap_ns

    def _latest_first(self) -> list[Batch]:
        """Those that are out: each that is sent again goes before those that have been so far."""
        sent = [batch for batch in self._records if batch.sent]
        return sorted(sent, key=lambda batch: batch.sent_ns)[::-1]

    def _look_at(self, batch: Batch, now_ns: int, queued: bool) -> int:
        """The worker that has a batch, whoever that is; deals with what nobody has."""
        holder = self._records.header(batch).worker
        # One that is still queued would lose its place, to calls that were made after it.
        doublings = batch.sendings + QUEUED_DOUBLINGS * queued
        is_lost = _is_out_for(batch, doublings, now_ns)
        # No lock but in need: in a crowd the one who has it may not run again for long.
        if (holder != NO_WORKER or is_lost) and self._records.try_lock(batch):
            try:
                self._deal_with(batch, self._records.header(batch).worker, is_lost)
            finally:
                self._records.unlock(batch)
        return holder

    def _remind(self, batches: Iterable[Batch], now_ns: int) -> None:
        """The descriptor of the first batch that nobody has come to may be lost."""
        unread = (b for b in batches if b.sent and self._records.header(b).worker == NO_WORKER)
        batch = next(unread, None)
        if batch is None or batch.reminders == DOUBLINGS_MAX:
            return
        if _is_out_for(batch, batch.reminders, now_ns):
            batch.reminders += self._desk.remind(batch)

    def _deal_with(self, batch: Batch, holder: int, is_lost: bool) -> None:
        """Nobody runs this batch now."""
        if holder == NO_WORKER:
            if is_lost:
                batch.sendings += 1
                self._desk.write_again(batch)
        elif batch.seen == (batch.attempt, holder):  # its reply has had the time to arrive
            self._desk.run_again(batch, its_own_doing=self._hangs(batch))
        else:
            batch.seen = (batch.attempt, holder)


def _is_out_for(batch: Batch, doublings: int, now_ns: int) -> bool:
    """Whether its descriptor is missed, that long after it was sent."""
    return now_ns - batch.sent_ns >= LOST_NS << min(doublings, DOUBLINGS_MAX)
