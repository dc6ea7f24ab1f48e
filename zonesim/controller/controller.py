"""The steps of a run, with its zone processes, workers, faults and records."""

from __future__ import annotations

import time
from pathlib import Path

import trio

import corororo as cr
from zonesim.controller.event_log import EventLog, OnNotice
from zonesim.controller.fault_injector import FaultInjector, FaultTargets
from zonesim.controller.fleet import Fleet
from zonesim.controller.stepping import Stepping
from zonesim.controller.worker_scaler import WorkerScaler
from zonesim.live.progress import OnProgress
from zonesim.live.view_file import ViewFile
from zonesim.results.recovery import RUN_FAILED, RUN_INTERRUPTED
from zonesim.results.saved_run import Packing
from zonesim.results.writer import RunWriter
from zonesim.scenario.loading import Scenario
from zonesim.system.errors import RunFailed, leaves_of
from zonesim.system.interrupts import Interrupts
from zonesim.system.operating_system import pss_mb
from zonesim.wire.messages import Leg
from zonesim.workloads.base import zone_spec
from zonesim.world.map_store import MapStore
from zonesim.zone.ticker import sleep_until_ns

PROGRESS_S = 0.25


class Controller:
    """Runs the steps of a scenario, in order, and ends every process it has started."""

    def __init__(
        self,
        scenario: Scenario,
        packing: Packing | None,
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
        self._writer = writer
        self._stepping = Stepping(scenario)
        session = Path(pool.address)
        self._maps = MapStore(scenario, session)
        shows = (ViewFile(session, writer.directory).publish, on_progress)
        self.log = EventLog(scenario, self._stepping, writer, shows, on_notice)
        on_ticks = [self.log.take_ticks]
        self._fleet = Fleet(scenario, pool, on_ticks, self.log.note, packing)
        self._scaler = WorkerScaler(pool, scenario.worker_bounds, self._fleet.work, self.log.note)
        targets = FaultTargets(self._ready_workers, self._fleet.slots.zone_pids, self._slow_disk)
        self._injector = FaultInjector(scenario.faults, scenario.seed, targets, self.log.note)
        on_ticks.append(self._injector.note_ticks)
        self._leg: Leg | None = None  # of the step that runs
        self._pss_mb: float | None = None  # of a zone, when last measured
        self._ended_early_ns = 0  # when the step was cut short
        self._patience = trio.CancelScope()  # cancelled by the first signal

    async def run(self) -> None:
        """Run every step, and end every process whatever happens.

        Raises RunFailed where the first step cannot begin. A run that fails later ends like one
        that was interrupted, and an event says why.
        """
        try:
            await self._run()
        except BaseExceptionGroup as group:
            failure = self._failure_in(group)
            if failure is None:
                raise
            if not self.log.step:
                raise failure from None
            try:
                if self._leg is not None:
                    self._end_step(None)
            finally:  # the disk may fail as well
                self.log.note(RUN_FAILED, str(failure))
            self._show()

    async def _run(self) -> None:
        async with trio.open_nursery() as nursery:
            with trio.CancelScope() as steps:
                nursery.start_soon(self._handle_signals, steps)
                await nursery.start(self._fleet.serve)
                nursery.start_soon(self._show_progress)
                nursery.start_soon(self._scaler.run)
                try:
                    async with trio.open_nursery() as faults:
                        faults.start_soon(self._injector.run)
                        await self._run_steps()
                        faults.cancel_scope.cancel()
                finally:
                    if self._leg is not None:  # nothing more is due, however long the end takes
                        self._ended_early_ns = self._ended_early_ns or time.monotonic_ns()
                    with trio.CancelScope(shield=True):
                        await self._fleet.stop()
            nursery.cancel_scope.cancel()

    def _failure_in(self, group: BaseExceptionGroup[BaseException]) -> RunFailed | None:
        if group.split((RunFailed, cr.CorororoError))[1] is not None:
            return None
        why = self._pool.statistics().failure
        if why is not None:  # the zones failed because of it
            return RunFailed(why)
        return next((error for error in leaves_of(group) if isinstance(error, RunFailed)), None)

    async def _run_steps(self) -> None:
        for number, step in enumerate(self._scenario.plan, start=1):
            continues = self._stepping.continuous and number < len(self._scenario.plan)
            with trio.CancelScope() as self._patience:
                leg = await self._begin_step(number, step.zones)
                if continues:
                    await sleep_until_ns(leg.start_ns + int((step.duration_s or 0) * 1e9))
            if continues and not self.interrupted:
                await self._measure_memory()
            if self._leg is not None and (self.interrupted or not continues):
                await self._fleet.until_done()
                with trio.CancelScope(shield=True):  # a step that has run is saved as it was
                    self.log.gauge.write()
                    await self._measure_memory()
                    self._end_step(None)
            if self.interrupted:
                return

    async def _begin_step(self, number: int, zones: int) -> Leg:
        """Create the zones of a step and have them tick; a step that runs ends where it begins."""
        if self._leg is None:
            self.log.gauge.begin("starting", number, zones)
        specs = [zone_spec(self._scenario, z, self._maps.graph_for(z)) for z in range(zones)]
        new_zones = await self._fleet.grow(specs)
        surplus = [zone for zone in self._fleet.slots.states() if zone >= zones]
        if self._leg is None:  # no zone ticks: those that stay get all players before they go on
            await self._fleet.drain(surplus, range(zones))
        with trio.CancelScope(shield=True):  # what has been ordered is recorded
            leg = self._stepping.begin(time.monotonic_ns(), new_zones)
            if number == 1:
                self._injector.begin(leg.start_ns)
            if number == len(self._scenario.plan) and leg.end_ns is not None:
                self._injector.end_at(leg.end_ns)
            await self._fleet.dispatcher.order_leg(leg)
            continues = self._leg is not None
            if continues:
                await sleep_until_ns(leg.start_ns)
                self._end_step(leg)
            self._leg, self._pss_mb = leg, None
            processes = len(self._fleet.slots.slots_with(leg.until))
            self.log.begin_step(leg, processes, self._pool.workers)
            self._scaler.begin_step()
        if continues:
            await self._fleet.drain(surplus, range(zones))
        return leg

    def _end_step(self, following: Leg | None) -> None:
        """End the step that runs, where the following begins or at its own end."""
        leg, now_ns = self._leg, time.monotonic_ns()
        assert leg is not None
        self._leg = None
        if following is not None:
            end_ns = ended_ns = following.start_ns
        elif self._ended_early_ns:
            # Nothing was due after the end of the step, however long zones took to reach it.
            # It may have been cut short before its first tick was due.
            early_ns = max(self._ended_early_ns, leg.start_ns)
            end_ns = min(early_ns, leg.end_ns or early_ns)
            ended_ns = max(now_ns, early_ns) if self.interrupted else early_ns
        else:
            # Zones are done when nothing more is due; the step lasts for all of its duration.
            end_ns = leg.end_ns or 0
            ended_ns = max(now_ns, end_ns)
        self._show()
        duration_s = (ended_ns - leg.start_ns) / 1e9
        workers = self._scaler.mean_workers()
        self.log.end_step(end_ns, duration_s, self._fleet.work(), self._pss_mb, workers)

    async def _measure_memory(self) -> None:
        assert self._leg is not None
        found_mb = []
        for pid in sorted(set(self._fleet.slots.zone_pids().values())):
            found_mb.append(pss_mb(pid))
            await trio.lowlevel.checkpoint()  # the system takes long for many processes
        known_mb = [mb for mb in found_mb if mb is not None]
        self._pss_mb = sum(known_mb) / len(self._leg.until) if known_mb else None

    def _ready_workers(self) -> dict[int, int]:
        """The workers that take calls: a pool gives up when workers die before that."""
        workers = self._pool.statistics().workers
        return {worker.place: worker.pid for worker in workers if worker.ready}

    async def _slow_disk(self, delay_s: float, for_s: float) -> None:
        until_ns = time.monotonic_ns() + round(for_s * 1e9)
        self._writer.slow_down(delay_s, until_ns)
        await self._fleet.dispatcher.slow_disk(delay_s, until_ns)

    async def _show_progress(self) -> None:
        while True:
            self._show()
            await trio.sleep(PROGRESS_S)

    def _show(self) -> None:
        self.log.show(self._fleet.slots.states(), self._fleet.work(), self._pool.statistics())

    async def _handle_signals(self, steps: trio.CancelScope) -> None:
        """End the step at the first signal, and do not wait for zones after the second."""
        await self._interrupts.wait_for(1)
        if self.log.gauge.phase != "running":
            steps.cancel()
        self.interrupted = True
        if self._leg is not None:
            self.log.note(RUN_INTERRUPTED, "the step was cut short")
        self._ended_early_ns = time.monotonic_ns()
        self._patience.cancel()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._fleet.halt)  # a process that hangs does not read it
            await self._interrupts.wait_for(2)
            steps.cancel()
            self._fleet.kill()
