"""Finds calls that have run for longer than they may, and workers that hang. Knows no replies."""

from __future__ import annotations

from collections.abc import Callable

from corororo._ring import Kind, RecordHeader

from ._batching import Batch
from ._records import Records
from ._recovery import Desk

LOOKS = 4  # in the time that a call or a batch may take
SHORTEST_LOOK_NS = 1_000_000
SLEPT_NS = 2_000_000_000  # who looks so much too late has seen nothing of what was meanwhile


class Timeouts:
    """For one transfer. What counts is what stood in the record at two looks.

    A worker that has gone wild may write anything at all.
    """

    def __init__(
        self,
        records: Records,
        desk: Desk,
        now_ns: Callable[[], int],
        hang_timeout_s: float | None,
    ) -> None:
        """After ``hang_timeout_s`` at one batch without timeouts a worker hangs."""
        self._records = records
        self._desk = desk
        self._now_ns = now_ns
        self._seen: dict[int, tuple[int, int]] = {}  # by sequence: holder and progress
        self._next_look_ns = 0
        self._hang_ns = None if hang_timeout_s is None else round(hang_timeout_s * 1e9)
        self._held: dict[int, tuple[int, int]] = {}  # the same, of batches without timeouts
        self._next_look_for_hung_ns = 0

    @property
    def is_needed(self) -> bool:
        """Whether there is anything to look for."""
        return self._hang_ns is not None or self._records.timed > 0

    def next_look_s(self) -> float:
        """Seconds until ``look`` wants to be called, where there is anything to look for."""
        looks_ns = [self._next_look_ns] if self._records.timed else []
        if self._hang_ns is not None:
            looks_ns.append(self._next_look_for_hung_ns)
        return max(0.0, (min(looks_ns) - self._now_ns()) / 1e9)

    def look(self) -> None:
        """Have the pool kill workers that hang, and those of calls that have run for too long."""
        now_ns = self._now_ns()
        if self._records.timed:
            self._look_for_expired_calls(now_ns)
        if self._hang_ns is not None and now_ns >= self._next_look_for_hung_ns:
            gap_ns = max(SHORTEST_LOOK_NS, self._hang_ns // LOOKS)
            if now_ns >= self._next_look_for_hung_ns + max(gap_ns, SLEPT_NS):
                self._held.clear()  # they have perhaps slept as we have: Ctrl-Z stops all of us
            self._next_look_for_hung_ns = now_ns + gap_ns
            self._look_for_hung_workers(now_ns, self._hang_ns)

    def _look_for_expired_calls(self, now_ns: int) -> None:
        timed = [b for b in self._records if b.sent and b.function.timeout is not None]
        if now_ns < self._next_look_ns and len(timed) == len(self._seen):
            return
        before, self._seen = self._seen, {}
        for batch in timed:
            self._look_at(batch, before.get(batch.sequence), now_ns)
        shortest_s = min((b.function.timeout or 0.0 for b in timed), default=1.0)
        self._next_look_ns = now_ns + max(SHORTEST_LOOK_NS, round(shortest_s * 1e9 / LOOKS))

    def _look_at(self, batch: Batch, before: tuple[int, int] | None, now_ns: int) -> None:
        header = self._records.header(batch)
        seen = (header.holder, header.progress)
        self._seen[batch.sequence] = seen
        timeout_s = batch.function.timeout
        if seen != before or batch.expired is not None or timeout_s is None:
            return
        if not _runs_longer(header, batch, timeout_s * 1e9, now_ns):
            return
        if self._desk.ask_pool(Kind.KILL, header.worker):
            batch.expired = header.current

    def _look_for_hung_workers(self, now_ns: int, hang_ns: int) -> None:
        before, self._held = self._held, {}
        for batch in self._records:
            if not batch.sent or batch.function.timeout is not None:
                continue
            header = self._records.header(batch)
            self._held[batch.sequence] = seen = (header.holder, header.progress)
            if seen != before.get(batch.sequence) or batch.hung == header.holder:
                continue
            hangs = _runs_longer(header, batch, hang_ns, now_ns)
            if hangs and self._desk.ask_pool(Kind.HUNG, header.worker):
                batch.hung = header.holder


def _runs_longer(header: RecordHeader, batch: Batch, limit_ns: float, now_ns: int) -> bool:
    """Whether a worker has been at a call, or at the batch, for longer than so long."""
    if not header.worker or not header.progress or header.current >= len(batch.arguments):
        return False
    # Nothing can have been running for longer than it has been out.
    return limit_ns < header.runs_for_ns(now_ns) <= now_ns - batch.sent_ns + 1_000_000
