"""How much of one zone's work may be with the workers at a time. Knows no batches and no bytes.

All zones of a pool share one queue. A zone that put all it has into it at once would have the
others wait behind: so the rest stands in its own ring until replies come back. What is out bridges
the time until the zone looks for replies. That is little, unless it looks seldom.
"""

from __future__ import annotations

from collections.abc import Callable

LEAST_BATCHES = 2  # for each worker: one that runs, and one to go on with
AHEAD_NS = 4_000_000  # of work for each worker
LONGEST_AHEAD_NS = 250_000_000
HOLD_NS = 1_000_000_000  # how long a zone that has looked late counts as one that looks seldom


class Window:
    """For one transfer."""

    def __init__(self, workers: int, now_ns: Callable[[], int]) -> None:
        self.workers = workers  # in the pool, as far as is known
        self._now_ns = now_ns
        self._ahead_ns = AHEAD_NS
        self._until_ns = 0  # when less may do
        self._looked_ns = now_ns()

    def has_room(self, batches: int, work_ns: float) -> bool:
        """Whether one more batch may go out beside so many, which take so long together."""
        return batches < LEAST_BATCHES * self.workers or work_ns < self._ahead_ns * self.workers

    def sent(self) -> None:
        """All that there was room for has gone out now."""
        self._looked_ns = self._now_ns()

    def look(self, batches: int) -> None:
        """Learn from a look for replies: so many batches are out still, and more wait here."""
        now_ns = self._now_ns()
        gap_ns = now_ns - self._looked_ns
        if not batches and gap_ns > self._ahead_ns:  # all was done, and the workers had to wait
            self._ahead_ns = min(gap_ns, LONGEST_AHEAD_NS)
        elif now_ns < self._until_ns or self._ahead_ns == AHEAD_NS:
            return
        elif 2 * gap_ns < self._ahead_ns:
            self._ahead_ns = max(AHEAD_NS, self._ahead_ns // 2)
        self._until_ns = now_ns + HOLD_NS
