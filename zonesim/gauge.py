"""The figures that a run shows of itself while it goes on. Saves nothing, shows nothing."""

from __future__ import annotations

import time
from collections import Counter, deque
from collections.abc import Iterable, Mapping

import corororo as cr
from zonesim.control import WorkerTotals
from zonesim.progress import Progress, WorkerLine
from zonesim.scenario import Scenario
from zonesim.statistics import percentile, response_ns
from zonesim.ticks import TickRow
from zonesim.zone_states import TICKING, ZoneState

RECENT_S = 5.0  # how far back the percentiles look


class Gauge:
    """Takes rows as they come, and tells how the run stands."""

    def __init__(self, scenario: Scenario) -> None:
        self._scenario = scenario
        self._plan = scenario.plan
        self._recent: deque[tuple[int, int]] = deque()  # finished, response
        self._carried: dict[int, int] = {}  # by zone
        self._step = self._zones = 0
        self._ticks = self._late = self._missed = 0
        self._phase = "starting"
        self._began_ns = time.monotonic_ns()
        self._busy_ns: Counter[int] = Counter()  # by worker, when it was last asked for
        self._busy_at_ns = self._began_ns

    @property
    def running(self) -> bool:
        """Whether zones tick now."""
        return self._phase == "running"

    def write(self) -> None:
        """The step has run; its figures stand until the next one begins."""
        self._phase = "writing"

    def begin(self, phase: str, step: int, zones: int) -> None:
        """A new phase of a step: its clock and counts begin."""
        self._phase, self._step, self._zones = phase, step, zones
        self._ticks = self._late = self._missed = 0
        self._began_ns = time.monotonic_ns()
        self._recent.clear()
        self._carried.clear()

    def take(self, rows: list[TickRow]) -> None:
        """Count ticks."""
        for row in rows:
            self._recent.append((row.finished_ns, response_ns(row, self._scenario.pace)))
            self._carried[row.zone] = row.carried
            self._late += row.late
            self._missed += row.missed
        self._ticks += len(rows)

    def progress(
        self,
        states: Mapping[int, ZoneState],
        totals: Iterable[WorkerTotals],
        pool: cr.PoolStatistics,
    ) -> Progress:
        """How it stands now; ``states`` are those of all zones, by zone."""
        now_ns = time.monotonic_ns()
        while self._recent and self._recent[0][0] < now_ns - RECENT_S * 1e9:
            self._recent.popleft()
        recent = sorted(response for _, response in self._recent)
        p50, p95, p99 = (percentile(recent, p) / 1e6 if recent else 0.0 for p in (0.5, 0.95, 0.99))
        ticks = self._scenario.ticks
        return Progress(
            phase=self._phase,
            step=self._step,
            steps=len(self._plan),
            zones=self._zones,
            # More may have been made, for the step after this one.
            zones_ready=sum(s in TICKING for zone, s in states.items() if zone < self._zones),
            zones_by_state=dict(Counter(states.values())),
            elapsed_s=(now_ns - self._began_ns) / 1e9,
            duration_s=self._plan[max(0, self._step - 1)].duration_s,
            ticks_wanted=None if ticks is None else ticks * self._zones,
            ticks=self._ticks,
            late=self._late,
            missed=self._missed,
            response_p50_ms=p50,
            response_p95_ms=p95,
            response_p99_ms=p99,
            async_in_flight=sum(self._carried.values()),
            workers=self._worker_lines(now_ns, totals, pool),
            worker_restarts=pool.restarts,
        )

    def _worker_lines(
        self, now_ns: int, totals: Iterable[WorkerTotals], pool: cr.PoolStatistics
    ) -> tuple[WorkerLine, ...]:
        busy_ns: Counter[int] = Counter()
        for use in totals:
            busy_ns[use.worker] += use.busy_ns
        since_ns = max(1, now_ns - self._busy_at_ns)
        lines = tuple(
            WorkerLine(
                worker.title,
                min(1.0, (busy_ns[worker.number] - self._busy_ns[worker.number]) / since_ns),
            )
            for worker in pool.workers
        )
        self._busy_ns, self._busy_at_ns = busy_ns, now_ns
        return lines
