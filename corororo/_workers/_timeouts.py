"""Finds calls that have run for longer than they may. Knows no replies."""

from __future__ import annotations

from collections.abc import Callable

from corororo._ring import Kind

from ._batching import Batch
from ._records import Records
from ._recovery import Desk

LOOKS = 4  # in the time that a call may take
SHORTEST_LOOK_NS = 1_000_000


class Timeouts:
    """For one transfer. What counts is what stood in the record at two looks.

    A worker that has gone wild may write anything at all.
    """

    def __init__(self, records: Records, desk: Desk, now_ns: Callable[[], int]) -> None:
        self._records = records
        self._desk = desk
        self._now_ns = now_ns
        self._seen: dict[int, tuple[int, int]] = {}  # by sequence: holder and progress
        self._next_look_ns = 0

    def next_look_s(self) -> float:
        """Seconds until ``look`` wants to be called."""
        return max(0.0, (self._next_look_ns - self._now_ns()) / 1e9)

    def look(self) -> None:
        """Have the pool kill the workers of calls that have run for too long."""
        now_ns = self._now_ns()
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
        runs = header.worker and header.progress and header.current < len(batch.arguments)
        for_ns = header.runs_for_ns(now_ns)
        # Nothing can have been running for longer than it has been out.
        if not runs or not timeout_s * 1e9 < for_ns <= now_ns - batch.sent_ns + 1_000_000:
            return
        if self._desk.ask_pool(Kind.KILL, header.worker):
            batch.expired = header.current
