"""The live figures of a run: counts of its step, and zones and workers over the last seconds."""

from __future__ import annotations

import time
from collections import Counter, deque
from collections.abc import Iterable, Mapping, Sequence
from heapq import nlargest

import corororo as cr
from zonesim.controller.slots import TICKING, TO_TICK, ZoneState
from zonesim.live.progress import EventLine, Progress, StepLine, WorkerLine, ZoneLine
from zonesim.results.statistics import NS_PER_MS, percentile, response_ns
from zonesim.scenario.loading import Scenario
from zonesim.wire.messages import TickRow, WorkerTotals

RECENT_S = 5.0  # how far back the recent figures look; at least three periods
TICKS_KEPT = 200  # of a zone: at full speed it makes far more in that time
ZONES_SHOWN = 100  # more than a large terminal has room for
EVENTS_SHOWN = 8
STEPS_SHOWN = 10


class Gauge:
    """Takes rows as they come, and gives snapshots of the run."""

    def __init__(self, scenario: Scenario) -> None:
        self.zones = 0  # of the step
        self.phase = "starting"
        self._scenario = scenario
        self._period_ns = scenario.period_ms * NS_PER_MS
        self._recent_ns = round(max(RECENT_S * 1e9, 3 * self._period_ns))
        self._zones: dict[int, _Zone] = {}
        self._step = self._ticks = self._late = self._missed = 0
        self._run_began_ns = self._began_ns = time.monotonic_ns()
        self._ended_ns: int | None = None  # when the step had run
        self._workers = _WorkerUse(self._recent_ns)
        self._ended: deque[StepLine] = deque(maxlen=STEPS_SHOWN)
        self._events: deque[EventLine] = deque(maxlen=EVENTS_SHOWN)

    def begin(self, phase: str, step: int, zones: int) -> None:
        """Begin a phase of a step: its clock and counts start at zero."""
        if self._ticks:
            figures = (self._step, self.zones, self._ticks, self._late, self._missed)
            self._ended.append(StepLine(*figures, *self._responses_ms()))
        self.phase, self._step, self.zones = phase, step, zones
        self._ticks = self._late = self._missed = 0
        self._began_ns, self._ended_ns = time.monotonic_ns(), None
        self._zones.clear()

    def write(self) -> None:
        """End the step: its figures stand until the next one begins."""
        self.phase = "writing"
        self._ended_ns = time.monotonic_ns()

    def take(self, rows: list[TickRow]) -> None:
        """Count ticks. What a zone misses while its process is dead counts once it is back."""
        is_paced = self._scenario.pace == "realtime"
        for row in rows:
            gap_ns = self._zone(row.zone, row.started_ns).take(row)
            if is_paced:
                self._missed += max(0, round(gap_ns / self._period_ns) - 1)
            self._late += row.late
        self._ticks += len(rows)

    def note(self, at_ns: int, text: str) -> None:
        """Show an event for a while."""
        self._events.append(EventLine((at_ns - self._run_began_ns) / 1e9, text))

    def progress(
        self,
        states: Mapping[int, ZoneState],
        totals: Iterable[WorkerTotals],
        pool: cr.PoolStatistics,
    ) -> Progress:
        """Give a snapshot; ``states`` are those of the zones of this step."""
        now_ns = self._ended_ns or time.monotonic_ns()
        zones = self._to_tick(states, now_ns)
        # By whole percents: zones that are equally busy keep their places.
        busiest = nlargest(ZONES_SHOWN, zones, key=lambda z: (round(z.utilisation, 2), -z.zone))
        tps = sorted(zone.tps for zone in zones) or [0.0]
        use = [zone.utilisation for zone in zones] or [0.0]
        p50, p95, p99 = self._responses_ms()
        counts = Counter(states.values())
        counts[ZoneState.CREATING] += max(0, self.zones - len(states))
        plan, ticks = self._scenario.plan, self._scenario.ticks
        return Progress(
            scenario=self._scenario.name,
            period_ms=self._scenario.period_ms,
            phase=self.phase,
            step=self._step,
            steps=len(plan),
            zones=self.zones,
            zones_ready=sum(counts[state] for state in TICKING),
            zones_by_state={state.value: counts[state] for state in ZoneState if counts[state]},
            elapsed_s=(now_ns - self._began_ns) / 1e9,
            duration_s=plan[max(0, self._step - 1)].duration_s,
            ticks_wanted=None if ticks is None else ticks * self.zones,
            ticks=self._ticks,
            late=self._late,
            missed=self._missed,
            tps_lowest=tps[0],
            tps_median=tps[len(tps) // 2],
            tps_highest=tps[-1],
            utilisation_mean=sum(use) / len(use),
            utilisation_highest=max(use),
            # The slowest ticks, or the main thread of the busiest zone, leave the least.
            headroom=max(0.0, 1.0 - max(p99 / self._scenario.period_ms, *use)),
            response_p50_ms=p50,
            response_p95_ms=p95,
            response_p99_ms=p99,
            busiest=tuple(zone.line(states[zone.zone]) for zone in busiest),
            async_in_flight=sum(zone.last.carried for zone in self._zones.values() if zone.last),
            batches_queued=pool.queued,
            workers=self._workers.lines(totals, pool.workers, time.monotonic_ns()),
            worker_restarts=pool.restarts,
            ended=tuple(self._ended),
            events=tuple(self._events),
        )

    def _zone(self, zone: int, since_ns: int) -> _Zone:
        if zone not in self._zones:
            self._zones[zone] = _Zone(zone, since_ns)
        return self._zones[zone]

    def _to_tick(self, states: Mapping[int, ZoneState], now_ns: int) -> list[_Zone]:
        """Bring all zones up to date; returns those that are expected to tick.

        A zone that has just begun is not among them until it has had its turn.
        """
        for zone in self._zones.keys() - states.keys():
            del self._zones[zone]
        period_ns = 0.0 if self._scenario.pace == "max" else self._period_ns
        zones = [self._zone(z, now_ns) for z, state in states.items() if state in TO_TICK]
        for each in self._zones.values():
            each.update(now_ns, self._recent_ns, self._period_ns)
            each.tps = ticks_per_second(each.ticks, now_ns, period_ns)
        return [each for each in zones if each.ticks or now_ns - each.since_ns > self._recent_ns]

    def _responses_ms(self) -> tuple[float, float, float]:
        pace = self._scenario.pace
        ticks = [response_ns(row, pace) for zone in self._zones.values() for row in zone.ticks]
        recent = sorted(ticks) or [0]
        p50, p95, p99 = (percentile(recent, p) / NS_PER_MS for p in (0.50, 0.95, 0.99))
        return p50, p95, p99


def ticks_per_second(ticks: Sequence[TickRow], now_ns: int, period_ns: float) -> float:
    """The rate of ticks, from start to start; 0 without any.

    The time since the last start counts once it is twice as long as usual, so that a zone that
    stands still gets slower. ``period_ns`` is 0 where nothing is ever due.
    """
    if not ticks:
        return 0.0
    first, last, count = ticks[0], ticks[-1], len(ticks)
    usual_ns = max(1.0, period_ns, first.finished_ns - first.started_ns)
    if count > 1:
        usual_ns = max(1.0, (last.started_ns - first.started_ns) / (count - 1))
    if now_ns - last.started_ns <= 2 * usual_ns:
        return 1e9 / usual_ns
    return count * 1e9 / (now_ns - first.started_ns)


class _Zone:
    """One zone and its recent ticks, oldest first."""

    def __init__(self, zone: int, since_ns: int) -> None:
        self.zone = zone
        self.since_ns = since_ns
        self.ticks: deque[TickRow] = deque(maxlen=TICKS_KEPT)
        self.last: TickRow | None = None
        self.late = 0
        self.utilisation = self.tps = 0.0

    def take(self, row: TickRow) -> int:
        """Count a tick; returns how long it was due after the one before."""
        gap_ns = row.scheduled_ns - self.last.scheduled_ns if self.last else 0
        self.last = row
        self.late += row.late
        self.ticks.append(row)
        return gap_ns

    def update(self, now_ns: int, recent_ns: int, period_ns: float) -> None:
        while self.ticks and self.ticks[0].finished_ns < now_ns - recent_ns:
            self.ticks.popleft()
        busy_ns = sum(tick.busy_ns for tick in self.ticks)
        self.utilisation = busy_ns / (period_ns * max(1, len(self.ticks)))

    def line(self, state: ZoneState) -> ZoneLine:
        ticks_ns = sorted(tick.finished_ns - tick.started_ns for tick in self.ticks) or [0]
        return ZoneLine(
            zone=self.zone,
            state=state.value,
            utilisation=self.utilisation,
            mspt_p50_ms=percentile(ticks_ns, 0.50) / NS_PER_MS,
            mspt_p95_ms=percentile(ticks_ns, 0.95) / NS_PER_MS,
            tps=self.tps,
            players=self.last.players if self.last else 0,
            entities=self.last.entities if self.last else 0,
            late=self.late,
        )


class _WorkerUse:
    """How busy each worker was over the last seconds."""

    def __init__(self, recent_ns: int) -> None:
        self._recent_ns = recent_ns
        self._looks: deque[tuple[int, dict[int, int]]] = deque()  # when; busy time by number

    def lines(
        self, totals: Iterable[WorkerTotals], workers: Iterable[cr.WorkerStatus], now_ns: int
    ) -> tuple[WorkerLine, ...]:
        """A line for each worker: the share of its time since the oldest recent look."""
        now_busy_ns = {total.worker: total.busy_ns for total in totals}
        self._looks.append((now_ns, now_busy_ns))
        while len(self._looks) > 2 and self._looks[1][0] <= now_ns - self._recent_ns:
            self._looks.popleft()
        then_ns, before_ns = self._looks[0]
        lines = []
        for worker in workers:
            did_ns = now_busy_ns.get(worker.number, 0) - before_ns.get(worker.number, 0)
            lines.append(WorkerLine(worker.place, min(1.0, did_ns / max(1, now_ns - then_ns))))
        return tuple(lines)
