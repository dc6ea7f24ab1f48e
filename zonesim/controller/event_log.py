"""The record of a run: ticks, steps, workers and events, as they are saved and shown."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence

import msgspec

import corororo as cr
from zonesim.controller.gauge import Gauge
from zonesim.controller.slots import ZoneState
from zonesim.controller.stepping import Stepping
from zonesim.live.progress import OnProgress
from zonesim.results.saved_run import Event, WorkerRow
from zonesim.results.step_info import StepInfo
from zonesim.results.writer import RunWriter
from zonesim.scenario.loading import Scenario
from zonesim.system.operating_system import cpu_shares, cpu_times
from zonesim.system.text import event_text, process_text
from zonesim.wire.messages import Leg, TickRow, WorkerTotals
from zonesim.world.determinism import combine

OnNotice = Callable[[str], None]


class EventLog:
    """Takes what happens in a run, saves it and shows it."""

    def __init__(
        self,
        scenario: Scenario,
        stepping: Stepping,
        writer: RunWriter,
        on_progress: Sequence[OnProgress],
        on_notice: OnNotice,
    ) -> None:
        self.gauge = Gauge(scenario)
        self._cpu_times = cpu_times()  # when the step began
        self._scenario = scenario
        self._stepping = stepping
        self._writer = writer
        self._on_progress = on_progress
        self._on_notice = on_notice
        self._workers = WorkerLedger()
        self.step = 0  # the one that runs, or has run last
        self._hashes: dict[int, int] = {}  # by zone, after its latest tick
        self._disk_failed = False

    def world_hash(self) -> str:
        """One hash of all zones after their latest ticks, as 16 hex digits."""
        return f"{combine(self._hashes.items()):016x}"

    def begin_step(self, leg: Leg, zone_processes: int, workers: int) -> None:
        """Begin a step; its ticks, workers and events follow."""
        self.step = leg.step
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
        self._cpu_times = cpu_times()
        self.gauge.begin("running", leg.step, len(leg.until))

    def end_step(
        self,
        end_ns: int,
        duration_s: float,
        work: Iterable[WorkerTotals],
        pss_mb: float | None,
        workers: float | None,
    ) -> None:
        """End the step; late ticks of it may still follow.

        ``pss_mb`` is the memory of a zone, ``workers`` their mean number where it changed.
        """
        for row in self._workers.end_step(self.step, work):
            self._writer.add_worker(row)
        cores = cpu_shares(self._cpu_times, cpu_times())
        self._writer.end_step(self.step, duration_s, pss_mb, end_ns, workers, cores)

    def take_ticks(self, rows: list[TickRow]) -> None:
        """Save ticks in the steps in which they were due."""
        by_step: dict[int, list[TickRow]] = {}
        for row in rows:
            by_step.setdefault(self._stepping.step_of(row.scheduled_ns), []).append(row)
            self._hashes[row.zone] = row.world_hash
        for step, part in by_step.items():
            self._writer.add_ticks(step, part)
        self.gauge.take(by_step.get(self.step, []))

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
        event = Event(self.step, at_ns, kind, detail, None, worker, pid)
        for each in [msgspec.structs.replace(event, zone=zone) for zone in zones] or [event]:
            self._writer.add_event(each)
        self._show_event(at_ns, event_text(kind, process_text(zones, worker, pid), detail))

    def _note_workers(self, pool: cr.PoolStatistics) -> None:
        for worker in self._workers.note(pool):
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
        """Show how the run stands; report dead workers, and once that figures cannot be saved."""
        self._note_workers(pool)
        failure = self._writer.failure
        if failure is not None and not self._disk_failed:
            self._disk_failed = True
            self._show_event(failure.at_ns, event_text(failure.kind, "", failure.detail))
        here = {zone: state for zone, state in states.items() if zone < self.gauge.zones}
        progress = self.gauge.progress(here, work, pool)
        for show in self._on_progress:
            show(progress)

    def _show_event(self, at_ns: int, text: str) -> None:
        self.gauge.note(at_ns, text)
        self._on_notice(text)


class WorkerLedger:
    """Adds up what workers did in a step; a dead one counts with its successor."""

    def __init__(self) -> None:
        self._seen: dict[int, cr.WorkerStatus] = {}  # by number
        self._present: set[int] = set()  # places that are taken
        self._dead: set[int] = set()
        self._died_in_step: list[int] = []
        self._before: dict[int, WorkerTotals] = {}

    def note(self, pool: cr.PoolStatistics) -> list[cr.WorkerStatus]:
        """Take a snapshot of the pool; returns the workers that have died since the last one."""
        gone = (*pool.died, *pool.retired, *pool.retiring)
        self._seen.update((worker.number, worker) for worker in (*gone, *pool.workers))
        self._present = {worker.place for worker in (*pool.workers, *pool.retiring)}
        died = [worker for worker in pool.died if worker.number not in self._dead]
        self._dead.update(worker.number for worker in died)
        self._died_in_step += [worker.number for worker in died]
        return died

    def end_step(self, step: int, totals: Iterable[WorkerTotals]) -> list[WorkerRow]:
        """What was done since the last step ended, at the places in use."""
        now = {total.worker: total for total in totals}
        rows: dict[int, WorkerRow] = {}
        for number, status in sorted(self._seen.items()):
            none = WorkerTotals(number, 0, 0, 0)
            after, before = now.get(number, none), self._before.get(number, none)
            row = rows.get(status.place) or WorkerRow(step, status.place, 0, 0, 0, 0, 0)
            rows[status.place] = WorkerRow(
                step,
                status.place,
                status.pid,
                row.calls + after.calls - before.calls,
                row.batches + after.batches - before.batches,
                row.busy_ns + after.busy_ns - before.busy_ns,
                row.restarts + self._died_in_step.count(number),
            )
        self._before = now
        self._died_in_step.clear()
        return [r for r in rows.values() if r.worker in self._present or r.batches or r.restarts]
