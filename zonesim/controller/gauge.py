"""The figures that a run shows of itself while it goes on. Saves nothing, shows nothing."""

from __future__ import annotations

import time
from collections import Counter, deque
from collections.abc import Iterable, Mapping
from heapq import nlargest
from typing import NamedTuple

import corororo as cr
from zonesim.controller.missed_gauge import MissedGauge
from zonesim.controller.worker_gauge import WorkerGauge
from zonesim.controller.zone_gauge import ZoneGauge
from zonesim.controller.zone_states import TICKING, TO_TICK, ZoneState
from zonesim.live.progress import EventLine, Progress, StepLine, ZoneLine
from zonesim.results.statistics import NS_PER_MS, percentile, response_ns
from zonesim.results.step_info import StepInfo
from zonesim.scenario.loading import Scenario
from zonesim.wire.messages import WorkerTotals
from zonesim.wire.ticks import TickRow

RECENT_S = 5.0  # how far back the recent figures look; at least three periods
ZONES_SHOWN = 100  # more than a large terminal has room for
EVENTS_SHOWN = 8
STEPS_SHOWN = 10


class _Load(NamedTuple):
    """How a zone stands that is to tick."""

    zone: int
    utilisation: float
    tps: float


class Gauge:
    """Takes rows as they come, and tells how the run stands."""

    def __init__(self, scenario: Scenario) -> None:
        self._scenario = scenario
        self._plan = scenario.plan
        self._period_ns = scenario.period_ms * NS_PER_MS
        self._recent_ns = round(max(RECENT_S * 1e9, 3 * self._period_ns))
        self._zone_gauges: dict[int, ZoneGauge] = {}
        self._step = 0
        self.zones = 0  # of the step
        self._ticks = self._late = 0
        self._missed: MissedGauge | None = None  # while zones tick for which something is due
        self._states: Mapping[int, ZoneState] = {}  # as they were when they were told last
        self._phase = "starting"
        self._run_began_ns = self._began_ns = time.monotonic_ns()
        self._ended_ns: int | None = None  # when the zones ended the step
        self._workers = WorkerGauge(self._recent_ns)
        self._ended: deque[StepLine] = deque(maxlen=STEPS_SHOWN)
        self._events: deque[EventLine] = deque(maxlen=EVENTS_SHOWN)

    @property
    def running(self) -> bool:
        """Whether zones tick now."""
        return self._phase == "running"

    def write(self) -> None:
        """The step has run; its figures stand until the next one begins."""
        self._phase = "writing"
        self._ended_ns = time.monotonic_ns()

    def end_at(self, end_ns: int) -> None:
        """Nothing of the step was due from then on; 0 where ticks alone bound it."""
        if self._missed is not None:
            self._missed.end_at(end_ns)

    def begin(self, phase: str, step: int, zones: int) -> None:
        """A new phase of a step: its clock and counts begin."""
        if self._ticks:
            self._ended.append(self._step_line())
        self._phase, self._step, self.zones = phase, step, zones
        self._ticks = self._late = 0
        self._missed = None
        self._began_ns = time.monotonic_ns()
        self._ended_ns = None
        self._zone_gauges.clear()

    def run(self, step: StepInfo, until: Mapping[int, int | None]) -> None:
        """Zones tick: a step begins, with the first tick that each zone runs no more."""
        self.begin("running", step.step, step.zones)
        if step.pace == "realtime":
            self._missed = MissedGauge(step, until)

    def take(self, rows: list[TickRow]) -> None:
        """Count ticks."""
        pace = self._scenario.pace
        for row in rows:
            self._gauge_of(row.zone, row.started_ns).take(row, response_ns(row, pace))
            self._late += row.late
        self._ticks += len(rows)
        if self._missed is not None:
            self._missed.take(rows)

    def note(self, at_ns: int, text: str) -> None:
        """Show an event for a while."""
        self._events.append(EventLine((at_ns - self._run_began_ns) / 1e9, text))

    def progress(
        self,
        states: Mapping[int, ZoneState],
        totals: Iterable[WorkerTotals],
        pool: cr.PoolStatistics,
    ) -> Progress:
        """How it stands now; ``states`` are those of the zones of this step, by zone."""
        now_ns = self._ended_ns or time.monotonic_ns()
        self._states = states
        self._forget(states, now_ns)
        loads = self._loads(states, now_ns)
        tps = sorted(load.tps for load in loads) or [0.0]
        use = [load.utilisation for load in loads] or [0.0]
        p50, p95, p99 = self._responses_ms()
        ticks = self._scenario.ticks
        return Progress(
            scenario=self._scenario.name,
            period_ms=self._scenario.period_ms,
            phase=self._phase,
            step=self._step,
            steps=len(self._plan),
            zones=self.zones,
            zones_ready=sum(state in TICKING for state in states.values()),
            zones_by_state=self._count_states(states),
            elapsed_s=(now_ns - self._began_ns) / 1e9,
            duration_s=self._plan[max(0, self._step - 1)].duration_s,
            ticks_wanted=None if ticks is None else ticks * self.zones,
            ticks=self._ticks,
            late=self._late,
            missed=self._count_missed(now_ns),
            tps_lowest=tps[0],
            tps_median=tps[len(tps) // 2],
            tps_highest=tps[-1],
            utilisation_mean=sum(use) / len(use),
            utilisation_highest=max(use),
            headroom=headroom(p99 / self._scenario.period_ms, max(use)),
            response_p50_ms=p50,
            response_p95_ms=p95,
            response_p99_ms=p99,
            busiest=self._busiest(states, loads),
            async_in_flight=sum(zone.carried for zone in self._zone_gauges.values()),
            batches_queued=pool.queued,
            workers=self._workers.lines(totals, pool.workers, time.monotonic_ns()),
            worker_restarts=pool.restarts,
            ended=tuple(self._ended),
            events=tuple(self._events),
        )

    def _gauge_of(self, zone: int, since_ns: int) -> ZoneGauge:
        gauge = self._zone_gauges.get(zone)
        if gauge is None:
            gauge = self._zone_gauges[zone] = ZoneGauge(since_ns)
        return gauge

    def _forget(self, states: Mapping[int, ZoneState], now_ns: int) -> None:
        """Drop the zones that are gone, and the ticks that are long past."""
        for zone in self._zone_gauges.keys() - states.keys():
            del self._zone_gauges[zone]
        for gauge in self._zone_gauges.values():
            gauge.forget_before(now_ns - self._recent_ns)

    def _loads(self, states: Mapping[int, ZoneState], now_ns: int) -> list[_Load]:
        """Of all zones that are to tick; one that has just begun may not have had its turn."""
        period_ns = 0.0 if self._scenario.pace == "max" else self._period_ns
        loads = []
        for zone, state in states.items():
            if state in TO_TICK:
                gauge = self._gauge_of(zone, now_ns)
                if gauge.recent or now_ns - gauge.since_ns > self._recent_ns:
                    use, tps = gauge.utilisation(self._period_ns), gauge.tps(now_ns, period_ns)
                    loads.append(_Load(zone, use, tps))
        return loads

    def _busiest(self, states: Mapping[int, ZoneState], loads: list[_Load]) -> tuple[ZoneLine, ...]:
        # By whole percents: zones that are as busy as each other keep their places.
        shown = nlargest(
            ZONES_SHOWN, loads, key=lambda load: (round(load.utilisation, 2), -load.zone)
        )
        return tuple(
            self._zone_gauges[zone].line(zone, states[zone].value, utilisation, tps)
            for zone, utilisation, tps in shown
        )

    def _responses_ms(self) -> tuple[float, float, float]:
        """p50, p95 and p99 of the recent ticks of all zones."""
        recent = sorted(
            tick.response_ns for zone in self._zone_gauges.values() for tick in zone.recent
        ) or [0]
        p50, p95, p99 = (percentile(recent, p) / NS_PER_MS for p in (0.50, 0.95, 0.99))
        return p50, p95, p99

    def _count_states(self, states: Mapping[int, ZoneState]) -> dict[str, int]:
        counts = Counter(states.values())
        counts[ZoneState.CREATING] += max(0, self.zones - len(states))
        return {state.value: counts[state] for state in ZoneState if counts[state]}

    def _count_missed(self, now_ns: int) -> int:
        return 0 if self._missed is None else self._missed.missed(self._states, now_ns)

    def _step_line(self) -> StepLine:
        p50, p95, p99 = self._responses_ms()
        missed = self._count_missed(self._ended_ns or time.monotonic_ns())
        return StepLine(self._step, self.zones, self._ticks, self._late, missed, p50, p95, p99)


def headroom(response_p99_share: float, utilisation_highest: float) -> float:
    """The share of the period that is left, 0 to 1.

    Whichever leaves less decides: the slowest percent of ticks, from when they were due to their
    end (there, workers that are too few show), or the main thread of the busiest zone.
    """
    return max(0.0, 1.0 - max(response_p99_share, utilisation_highest))
