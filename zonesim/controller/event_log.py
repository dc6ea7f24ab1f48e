"""What a run writes down and shows of itself: ticks, steps, workers, events. Orders nothing."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping

import msgspec

import corororo as cr
from zonesim.controller.gauge import Gauge
from zonesim.controller.stepping import Stepping
from zonesim.controller.worker_ledger import WorkerLedger
from zonesim.controller.zone_states import ZoneState
from zonesim.live.progress import OnProgress
from zonesim.results.saved_run import Event, WorkerRow
from zonesim.results.step_info import StepInfo
from zonesim.results.writer import RunWriter
from zonesim.scenario.loading import Scenario
from zonesim.system.text import event_text, process_text
from zonesim.wire.messages import Leg, WorkerTotals
from zonesim.wire.ticks import TickRow
from zonesim.world.determinism import combine

OnNotice = Callable[[str], None]


class Logbook:
    """Takes what happens in a run to its files and its viewer."""

    def __init__(
        self,
        scenario: Scenario,
        stepping: Stepping,
        writer: RunWriter,
        on_progress: OnProgress,
        on_notice: OnNotice,
        publish: OnProgress,
    ) -> None:
        self.gauge = Gauge(scenario)
        self._publish = publish
        self._scenario = scenario
        self._stepping = stepping
        self._writer = writer
        self._on_progress = on_progress
        self._on_notice = on_notice
        self._ledger = WorkerLedger()
        self._hashes: dict[int, int] = {}  # by zone, after its latest tick
        self._step = 0
        self._told_failure = False  # of the writer

    @property
    def has_begun(self) -> bool:
        """Whether there is a step that things are written down for."""
        return self._step > 0

    def world_hash(self) -> str:
        """One hash of all zones after their latest ticks, as 16 hex digits."""
        return f"{combine(self._hashes.items()):016x}"

    def begin_step(self, leg: Leg, zone_processes: int, workers: int) -> None:
        """A step begins; its ticks, workers and events follow."""
        self._step = leg.step
        info = StepInfo(
            step=leg.step,
            zones=len(leg.until),
            zone_processes=zone_processes,
            workers=workers,
            period_ms=self._scenario.period_ms,
            pace=self._scenario.pace,
            origin_ns=leg.origin_ns,
            begin_ns=leg.start_ns,
            ticks=self._scenario.ticks or 0,
        )
        self._writer.begin_step(info)
        self.gauge.run(msgspec.structs.replace(info, end_ns=leg.end_ns or 0), leg.until)

    def end_step(
        self,
        end_ns: int,
        duration_s: float,
        work: Iterable[WorkerTotals],
        pss_mb: float | None,
        workers: float | None,
    ) -> None:
        """The step is over; ticks of it may still arrive. ``pss_mb`` is of a zone.

        ``workers`` is how many there were in the mean, where that changed.
        """
        for record in self._ledger.end_step(work):
            self._writer.add_worker(
                WorkerRow(
                    step=self._step,
                    worker=record.worker,
                    pid=record.pid,
                    calls=record.calls,
                    batches=record.batches,
                    busy_ns=record.busy_ns,
                    restarts=record.restarts,
                )
            )
        self._writer.end_step(self._step, duration_s, pss_mb, end_ns, workers)

    def take_ticks(self, rows: list[TickRow]) -> None:
        """Sort ticks into their steps."""
        by_step: dict[int, list[TickRow]] = {}
        for row in rows:
            by_step.setdefault(self._stepping.step_of(row.scheduled_ns), []).append(row)
            self._hashes[row.zone] = row.world_hash
        for step, part in by_step.items():
            self._writer.add_ticks(step, part)
        self.gauge.take(by_step.get(self._step, []))

    def note(
        self,
        kind: str,
        detail: str,
        *,
        zones: Iterable[int] = (),
        worker: int | None = None,
        pid: int | None = None,
    ) -> None:
        """Save an event, one row for each zone that it concerns, and show it in one line."""
        at_ns, zones = time.monotonic_ns(), sorted(zones)
        event = Event(self._step, at_ns, kind, detail, None, worker, pid)
        for each in [msgspec.structs.replace(event, zone=zone) for zone in zones] or [event]:
            self._writer.add_event(each)
        self._show_event(at_ns, event_text(kind, process_text(zones, worker, pid), detail))

    def note_workers(self, pool: cr.PoolStatistics) -> None:
        """Learn which workers are there, and tell of those that have died."""
        for worker in self._ledger.note(pool):
            place, pid = worker.place, worker.pid
            if worker.hung:
                detail = f"{worker.ended}\n{worker.stacks}".strip()
                self.note("worker-hung", detail, worker=place, pid=pid)
            self.note("worker-died", worker.ended, worker=place, pid=pid)

    def show(
        self,
        states: Mapping[int, ZoneState],
        work: Iterable[WorkerTotals],
        pool: cr.PoolStatistics,
    ) -> None:
        """Tell the viewer how the run stands; of the zones, those that its step asks for."""
        failure = self._writer.failure
        if failure is not None and not self._told_failure:
            self._told_failure = True
            self._show_event(failure.at_ns, event_text(failure.kind, "", failure.detail))
        here = {zone: state for zone, state in states.items() if zone < self.gauge.zones}
        progress = self.gauge.progress(here, work, pool)
        self._publish(progress)
        self._on_progress(progress)

    def _show_event(self, at_ns: int, text: str) -> None:
        self.gauge.note(at_ns, text)
        self._on_notice(text)
