"""The controller: runs the steps of a scenario with real processes, and has them written down.

Knows processes, messages and results; draws and prints nothing.
"""

from __future__ import annotations

import time
from pathlib import Path

import trio

import corororo as cr
from zonesim.controller.event_log import Logbook, OnNotice
from zonesim.controller.fault_injector import Wrecker
from zonesim.controller.fleet import Fleet, FleetPlan
from zonesim.controller.stepping import Stepping
from zonesim.controller.targets import RunTargets
from zonesim.controller.worker_scaler import WorkerScaler
from zonesim.live.latest import LatestThread
from zonesim.live.progress import OnProgress
from zonesim.live.view_file import ViewFile
from zonesim.results.recovery import RUN_FAILED
from zonesim.results.writer import RunWriter
from zonesim.scenario.loading import Scenario
from zonesim.system.errors import RunFailed, leaves_of
from zonesim.system.interrupts import Interrupts
from zonesim.system.machine import pss_mb
from zonesim.system.sessions import CONTROL
from zonesim.wire.messages import Leg, WorkerTotals
from zonesim.wire.ticks import TickRow
from zonesim.workloads.base import ZoneSpec
from zonesim.world.map_store import MapStore
from zonesim.zone.ticker import sleep_until_ns

PROGRESS_S = 0.25


class Controller:
    """One run: its processes, and the order of its steps."""

    def __init__(
        self,
        scenario: Scenario,
        pool: cr.WorkerPool,
        writer: RunWriter,
        on_progress: OnProgress,
        on_notice: OnNotice,
        interrupts: Interrupts,
    ) -> None:
        self.interrupted = False
        self._interrupts = interrupts
        self._scenario = scenario
        self._pool = pool
        self._stepping = Stepping(scenario)
        session = Path(pool.address)
        self._view = LatestThread("run view", ViewFile(session, writer.directory).publish)
        self._log = Logbook(
            scenario, self._stepping, writer, on_progress, on_notice, self._view.give
        )
        self._maps = MapStore(scenario, session)
        self._fleet = Fleet(
            FleetPlan(
                session / CONTROL,
                pool.address,
                scenario.period_ms / 1000,
                scenario.supervision,
                inline=pool.workers == 0,
            ),
            self._take_ticks,
            self._note_refusal,
            self._log.note,
            lambda: pool.statistics().failure,
            pool.remove_rings_left_behind,
        )
        self._scaler = WorkerScaler(
            pool, scenario.worker_bounds, self._worker_busy_ns, self._note_scaling
        )
        self._wrecker = Wrecker(
            scenario.faults,
            scenario.seed,
            RunTargets(pool, self._fleet, writer),
            self._log.note,
        )
        self._leg: Leg | None = None  # of the step that runs
        self._pss_mb: float | None = None  # of a zone, when last measured
        self._ended_early_ns = 0  # when the step that ran was cut short
        self._patience = trio.CancelScope()  # what the first signal cuts short

    async def run(self) -> None:
        """Run every step, and end every process whatever happens.

        Raises RunFailed where not even the first step can begin. A run that cannot go on later
        ends as if that had been asked for, and an event says why.
        """
        with self._view:
            try:
                await self._run()
            except BaseExceptionGroup as group:
                failure = self._failure_in(group)
                if failure is None:
                    raise
                if not self._log.has_begun:
                    raise failure from None
                self._break_off(failure)

    def world_hash(self) -> str:
        """One hash of all zones after their latest ticks, as 16 hex digits."""
        return self._log.world_hash()

    async def _run(self) -> None:
        async with trio.open_nursery() as nursery:
            with trio.CancelScope() as steps:
                nursery.start_soon(self._heed_signals, steps)
                await nursery.start(self._fleet.serve)
                nursery.start_soon(self._show_progress)
                nursery.start_soon(self._scaler.run)
                try:
                    async with trio.open_nursery() as faults:
                        faults.start_soon(self._wrecker.run)
                        await self._run_steps()
                        faults.cancel_scope.cancel()
                finally:
                    if self._leg is not None:  # nothing more is due, whoever takes long to end
                        self._ended_early_ns = self._ended_early_ns or time.monotonic_ns()
                    with trio.CancelScope(shield=True):
                        await self._fleet.stop()
            nursery.cancel_scope.cancel()

    def _failure_in(self, group: BaseExceptionGroup[BaseException]) -> RunFailed | None:
        """Why the run cannot go on, where nothing else is wrong."""
        if group.split((RunFailed, cr.CorororoError))[1] is not None:
            return None
        why = self._pool.statistics().failure
        if why is not None:  # it took the zones along, whatever they say
            return RunFailed(why)
        return next((error for error in leaves_of(group) if isinstance(error, RunFailed)), None)

    def _break_off(self, failure: RunFailed) -> None:
        try:
            if self._leg is not None:
                self._end_step(None)
        finally:  # the disk may fail as well
            self._log.note(RUN_FAILED, str(failure))
        self._tell_progress()

    async def _run_steps(self) -> None:
        for number, step in enumerate(self._scenario.plan, start=1):
            goes_on = self._stepping.continuous and number < len(self._scenario.plan)
            with trio.CancelScope() as self._patience:
                leg = await self._begin_step(number, step.zones)
                if goes_on:
                    await sleep_until_ns(leg.start_ns + int((step.duration_s or 0) * 1e9))
            if goes_on and not self.interrupted:
                await self._measure_memory()
            if self._leg is not None and (self.interrupted or not goes_on):
                await self._fleet.until_done()
                with trio.CancelScope(shield=True):  # what has run to its end is told as it was
                    self._log.gauge.write()
                    await self._measure_memory()
                    self._end_step(None)
            if self.interrupted:
                return

    async def _begin_step(self, number: int, zones: int) -> Leg:
        """Have its zones made and ticking; the step that runs until then ends where it begins."""
        if self._leg is None:
            self._log.gauge.begin("starting", number, zones)
        specs = [self._spec(zone) for zone in range(zones)]
        await self._fleet.grow(specs, self._scenario.zones_per_process)
        surplus = [zone for zone in self._fleet.zone_states() if zone >= zones]
        if self._leg is None:  # nobody ticks: whoever stays has all players before it goes on
            await self._fleet.drain(surplus, range(zones))
        with trio.CancelScope(shield=True):  # once ordered, it is on record
            leg = self._stepping.begin(time.monotonic_ns())
            if number == 1:
                self._wrecker.begin(leg.start_ns)
            if number == len(self._scenario.plan) and leg.end_ns is not None:
                self._wrecker.end_at(leg.end_ns)
            await self._fleet.order(leg)
            goes_on = self._leg is not None
            if goes_on:
                await sleep_until_ns(leg.start_ns)
                self._end_step(leg)
            self._leg, self._pss_mb = leg, None
            self._log.begin_step(leg, len(self._fleet.hosts_of(leg)), self._pool.workers)
            self._scaler.begin_step()
        if goes_on:
            await self._fleet.drain(surplus, range(zones))
        return leg

    def _end_step(self, following: Leg | None) -> None:
        """Close the step that runs, where the following begins or at its own end."""
        leg, now_ns = self._leg, time.monotonic_ns()
        assert leg is not None
        self._leg = None
        if following is not None:
            end_ns = ended_ns = following.start_ns
        elif self._ended_early_ns:
            # Nothing was due behind the end of the step, however long zones took to come to it.
            # It may have been cut short before its first tick was due.
            early_ns = max(self._ended_early_ns, leg.start_ns)
            end_ns = min(early_ns, leg.end_ns or early_ns)
            ended_ns = max(now_ns, early_ns) if self.interrupted else early_ns
        else:
            # Zones are done when nothing more is due; the step lasts as long as it was to last.
            end_ns = leg.end_ns or 0
            ended_ns = max(now_ns, end_ns)
        self._log.gauge.end_at(end_ns)
        self._note_deaths()
        self._tell_progress()
        duration_s = (ended_ns - leg.start_ns) / 1e9
        workers = self._scaler.mean_workers()
        self._log.end_step(end_ns, duration_s, self._work(), self._pss_mb, workers)

    def _spec(self, zone: int) -> ZoneSpec:
        scenario = self._scenario
        return ZoneSpec(
            zone=zone,
            seed=scenario.seed,
            period_s=scenario.period_ms / 1000,
            workload=scenario.workload,
            graph=self._maps.graph_for(zone),
            mobs=scenario.field.mobs,
            players=scenario.field.players,
            chains=scenario.chains.chains,
            work=scenario.chains.work,
            late=scenario.late,
            missed=scenario.missed,
            surges=scenario.surges_for(zone),
        )

    async def _measure_memory(self) -> None:
        """Of the zone processes of the step, per zone."""
        assert self._leg is not None
        found_mb = []
        for pid in sorted(set(self._fleet.zone_pids().values())):
            found_mb.append(pss_mb(pid))
            await trio.lowlevel.checkpoint()  # it takes the system a while for very many
        known_mb = [mb for mb in found_mb if mb is not None]
        self._pss_mb = sum(known_mb) / len(self._leg.until) if known_mb else None

    def _work(self) -> list[WorkerTotals]:
        return list(self._fleet.work.values())

    def _note_deaths(self) -> None:
        self._log.note_workers(self._pool.statistics())

    def _worker_busy_ns(self) -> int:
        return sum(total.busy_ns for total in self._work())

    def _note_scaling(self, what: str) -> None:
        self._log.note("workers-scaled", what)

    def _take_ticks(self, rows: list[TickRow]) -> None:
        self._log.take_ticks(rows)
        for row in rows:
            self._wrecker.note_tick(row.zone, row.tick)

    def _note_refusal(self, subject: str, reason: str) -> None:
        self._log.note("connection-refused", f"{subject}: {reason}")

    async def _show_progress(self) -> None:
        while True:
            self._note_deaths()
            self._tell_progress()
            await trio.sleep(PROGRESS_S)

    def _tell_progress(self) -> None:
        self._log.show(self._fleet.zone_states(), self._work(), self._pool.statistics())

    async def _heed_signals(self, steps: trio.CancelScope) -> None:
        """End the step at the first signal, and without waiting for it at the second."""
        await self._interrupts.wait_for(1)
        if not self._log.gauge.running:
            steps.cancel()
        self.interrupted = True
        self._ended_early_ns = time.monotonic_ns()
        self._patience.cancel()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._fleet.halt)  # a process that hangs may not take the order
            await self._interrupts.wait_for(2)
            steps.cancel()
            self._fleet.kill()
