"""Notices that nobody at home takes a batch, and has other workers come for it.

A home may be busy with a long call of another zone, or between two lives. Knows no replies.
"""

from __future__ import annotations

from collections.abc import Callable

from corororo._ring import NO_WORKER

from ._placement import Outbox
from ._records import Records

FIRST_NS = 1_000_000  # how long a batch waits at home before others are asked
LONGEST_NS = 64_000_000  # they are asked again after twice as long each time, up to this


class Help:
    """For one transfer. Only hints go out: whoever comes may find that it is too late."""

    def __init__(self, records: Records, outbox: Outbox, now_ns: Callable[[], int]) -> None:
        self._records = records
        self._outbox = outbox
        self._now_ns = now_ns
        self._gap_ns = FIRST_NS
        self._next_look_ns = 0

    def next_look_s(self) -> float:
        """Seconds until ``look`` wants to be called."""
        return max(0.0, (self._next_look_ns - self._now_ns()) / 1e9)

    def look(self) -> None:
        """Ask one worker for each batch that has not been taken for a while."""
        now_ns = self._now_ns()
        if now_ns < self._next_look_ns:
            return
        unread = sum(
            batch.sent
            and now_ns - batch.sent_ns >= FIRST_NS
            and self._records.header(batch).worker == NO_WORKER
            for batch in self._records
        )
        for _ in range(min(unread, self._outbox.helpers)):
            self._outbox.ask_for_help()
        self._gap_ns = min(2 * self._gap_ns, LONGEST_NS) if unread else FIRST_NS
        self._next_look_ns = now_ns + self._gap_ns
