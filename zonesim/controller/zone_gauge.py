"""The latest ticks of one zone, and the figures that they give. Knows no other zone."""

from __future__ import annotations

from collections import deque
from typing import NamedTuple

from zonesim.live.progress import ZoneLine
from zonesim.results.statistics import NS_PER_MS, percentile
from zonesim.wire.ticks import TickRow

TICKS_KEPT = 1000  # at full speed a zone makes far more in the time that is looked back


class RecentTick(NamedTuple):
    """What is kept of a tick for a while."""

    started_ns: int
    finished_ns: int
    busy_ns: int
    response_ns: int


class ZoneGauge:
    """Takes the ticks of a zone as they come, and forgets them in time."""

    def __init__(self, since_ns: int) -> None:
        self.since_ns = since_ns  # when it was to begin ticking, or did
        self.recent: deque[RecentTick] = deque()
        self.late = 0
        self.carried = 0
        self._busy_ns = 0  # of the recent ticks together
        self._players = self._entities = 0

    def take(self, row: TickRow, response_ns: int) -> None:
        """Count a tick."""
        self.recent.append(RecentTick(row.started_ns, row.finished_ns, row.busy_ns, response_ns))
        self._busy_ns += row.busy_ns
        self.late += row.late
        self.carried = row.carried
        self._players, self._entities = row.players, row.entities
        if len(self.recent) > TICKS_KEPT:
            self._forget_oldest()

    def forget_before(self, moment_ns: int) -> None:
        """Drop the ticks that ended before a moment."""
        while self.recent and self.recent[0].finished_ns < moment_ns:
            self._forget_oldest()

    def utilisation(self, period_ns: float) -> float:
        """Busy time over the period, mean of the recent ticks; 0 without any."""
        return self._busy_ns / (period_ns * len(self.recent)) if self.recent else 0.0

    def tps(self, now_ns: int, period_ns: float) -> float:
        """Ticks per second, from start to start of the recent ticks; 0 without any.

        The time since the last start counts once it is twice as long as usual: a zone that
        stands still has fewer and fewer. ``period_ns`` is 0 where nothing is ever due.
        """
        if not self.recent:
            return 0.0
        first, last, ticks = self.recent[0], self.recent[-1], len(self.recent)
        usual_ns = max(1.0, period_ns, first.finished_ns - first.started_ns)
        if ticks > 1:
            usual_ns = max(1.0, (last.started_ns - first.started_ns) / (ticks - 1))
        if now_ns - last.started_ns <= 2 * usual_ns:
            return 1e9 / usual_ns
        return ticks * 1e9 / (now_ns - first.started_ns)

    def line(self, zone: int, state: str, utilisation: float, tps: float) -> ZoneLine:
        """The zone as an operator sees it."""
        ticks_ns = sorted(tick.finished_ns - tick.started_ns for tick in self.recent) or [0]
        return ZoneLine(
            zone=zone,
            state=state,
            utilisation=utilisation,
            mspt_p50_ms=percentile(ticks_ns, 0.50) / NS_PER_MS,
            mspt_p95_ms=percentile(ticks_ns, 0.95) / NS_PER_MS,
            tps=tps,
            players=self._players,
            entities=self._entities,
            late=self.late,
        )

    def _forget_oldest(self) -> None:
        self._busy_ns -= self.recent.popleft().busy_ns
