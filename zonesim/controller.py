"""The controller: runs a scenario with real processes, step by step, and saves what they measure.

Knows processes, messages and results; draws and prints nothing.
"""

from __future__ import annotations

import signal
import time
from collections.abc import Callable
from pathlib import Path

import msgspec
import trio

import corororo as cr
from zonesim.control import Leg, WorkerTotals
from zonesim.errors import RunFailed as RunFailed
from zonesim.fleet import Fleet
from zonesim.gauge import Gauge
from zonesim.machine import describe_machine, pss_mb, versions
from zonesim.maps import MapStore
from zonesim.open_files import raise_open_file_limit
from zonesim.progress import OnProgress
from zonesim.refusals import Refusals
from zonesim.results import OutputError, RunWriter, Summary
from zonesim.scenario import Scenario
from zonesim.sessions import CONTROL
from zonesim.statistics import StepInfo
from zonesim.supervisor import PRELOAD
from zonesim.ticks import TickRow
from zonesim.worker_ledger import WorkerLedger
from zonesim.workloads.base import ZoneSpec
from zonesim.world.hash import combine
from zonesim.world.map import MapError
from zonesim.zone_process import SMALLER_RINGS

PROGRESS_S = 0.25
LEAD_S = 0.1  # from the order to the first tick: time for the order to reach everybody
LEAD_FOR_EACH_ZONE_S = 0.002

OnNotice = Callable[[str], None]


def run_scenario(
    scenario: Scenario, directory: Path, on_progress: OnProgress, on_notice: OnNotice
) -> Summary:
    """Run all steps of a scenario and save them below ``directory``; blocks until it is done.

    Ctrl-C or SIGTERM ends the step that runs; what was measured is saved, and KeyboardInterrupt
    is raised. Raises RunFailed where the machine does not hold the run or a zone fails, and
    OutputError where the results cannot be written.
    """
    zones = max(scenario.steps)
    raise_open_file_limit(zones)
    try:
        with _pool(scenario, zones) as pool, _writer(scenario, directory) as writer:
            controller = Controller(scenario, pool, writer, on_progress, on_notice)
            try:
                trio.run(controller.run)
            except BaseExceptionGroup:
                failure = pool.statistics().failure
                if failure is not None:  # the pool took the zones along when it gave up
                    raise RunFailed(failure) from None
                raise
            summary = writer.finish(controller.world_hash(), scenario.limits.figures())
    except cr.SessionError as error:
        raise RunFailed(f"{error} {SMALLER_RINGS}") from None
    except (cr.PoolFailed, MapError) as error:
        raise RunFailed(str(error)) from None
    except BaseExceptionGroup as group:
        plainest = _plainest(group)
        for note in getattr(plainest, "__notes__", ()):
            on_notice(note)  # the traceback of a zone: too long for the one line of an error
        raise plainest from None
    if controller.interrupted:
        raise KeyboardInterrupt
    return summary


class Controller:
    """One run: its processes, and what they report."""

    def __init__(
        self,
        scenario: Scenario,
        pool: cr.WorkerPool,
        writer: RunWriter,
        on_progress: OnProgress,
        on_notice: OnNotice,
    ) -> None:
        self.interrupted = False
        self._scenario = scenario
        self._pool = pool
        self._writer = writer
        self._on_progress = on_progress
        self._on_notice = on_notice
        session = Path(pool.address)
        self._maps = MapStore(scenario, session)
        self._refusals = Refusals(self._tell_refusal)
        self._fleet = Fleet(session / CONTROL, pool.address, self._take_ticks, self._refusals.note)
        self._gauge = Gauge(scenario)
        self._step = 0
        self._hashes: dict[int, int] = {}  # by zone, after its latest tick
        self._ledger = WorkerLedger()

    async def run(self) -> None:
        """Run every step, and end every process whatever happens."""
        async with trio.open_nursery() as nursery:
            with trio.CancelScope() as steps:
                await nursery.start(self._heed_signals, steps)
                await nursery.start(self._fleet.serve)
                nursery.start_soon(self._show_progress)
                try:
                    for number, zones in enumerate(self._scenario.steps, start=1):
                        if not self.interrupted:
                            await self._run_step(number, zones)
                finally:
                    with trio.CancelScope(shield=True):
                        await self._fleet.stop()
                    self._refusals.close()
            nursery.cancel_scope.cancel()

    def world_hash(self) -> str:
        """One hash of all zones after their latest ticks, as 16 hex digits."""
        return f"{combine(self._hashes.items()):016x}"

    async def _run_step(self, number: int, zones: int) -> None:
        self._gauge.begin("starting", number, zones)
        made = sum(len(host.zones) for host in self._fleet.hosts)
        await self._fleet.grow(
            [self._spec(zone) for zone in range(made, zones)], self._scenario.zones_per_process
        )
        hosts = [host for host in self._fleet.hosts if host.zones and host.zones[0] < zones]
        self._step = number
        self._writer.begin_step(
            StepInfo(
                step=number,
                zones=zones,
                zone_processes=len(hosts),
                workers=self._pool.workers,
                period_ms=self._scenario.period_ms,
                pace=self._scenario.pace,
            )
        )
        leg = self._leg(number, zones)
        self._gauge.begin("running", number, zones)
        await self._fleet.run_leg(leg)
        duration_s = (time.monotonic_ns() - leg.start_ns) / 1e9
        if leg.end_ns is not None and not self.interrupted:
            # Zones are done when nothing more is due; the step lasts as long as it was to last.
            duration_s = max(duration_s, (leg.end_ns - leg.start_ns) / 1e9)
        self._gauge.write()
        memory_mb = [pss_mb(host.handle.pid) for host in hosts]
        known_mb = [mb for mb in memory_mb if mb is not None]
        self._note_deaths()
        self._save_workers(number)
        self._tell_progress()
        self._writer.end_step(number, duration_s, sum(known_mb) / zones if known_mb else None)

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
        )

    def _leg(self, number: int, zones: int) -> Leg:
        scenario = self._scenario
        period_ns = round(scenario.period_ms * 1e6)
        start_ns = time.monotonic_ns() + int((LEAD_S + LEAD_FOR_EACH_ZONE_S * zones) * 1e9)
        duration_s = scenario.duration_s
        return Leg(
            step=number,
            start_ns=start_ns,
            period_ns=period_ns,
            # Staggered: a hundred zones that wake at once would wait for each other.
            phases_ns={zone: zone * period_ns // zones for zone in range(zones)},
            ticks=scenario.ticks,
            end_ns=None if duration_s is None else start_ns + int(duration_s * 1e9),
            realtime=scenario.pace == "realtime",
        )

    def _take_ticks(self, rows: list[TickRow]) -> None:
        self._writer.add_ticks(self._step, rows)
        self._gauge.take(rows)
        for row in rows:
            self._hashes[row.zone] = row.world_hash

    def _save_workers(self, step: int) -> None:
        for record in self._ledger.end_step(self._totals()):
            self._writer.add_worker(
                step,
                record.title,
                record.pid,
                record.calls,
                record.batches,
                record.busy_ns,
                record.restarts,
            )

    def _totals(self) -> list[WorkerTotals]:
        return list(self._fleet.work.values())

    def _note_deaths(self) -> None:
        for worker in self._ledger.note(self._pool.statistics()):
            self._writer.add_event(
                self._step, time.monotonic_ns(), "worker-died", worker.title, f"pid {worker.pid}"
            )
            self._on_notice(f"{worker.title} (pid {worker.pid}) died and was replaced")

    def _tell_refusal(self, subject: str, reason: str) -> None:
        self._writer.add_event(
            self._step, time.monotonic_ns(), "connection-refused", subject, reason
        )
        self._on_notice(f"connection refused: {subject}: {reason}")

    async def _show_progress(self) -> None:
        while True:
            self._note_deaths()
            self._tell_progress()
            await trio.sleep(PROGRESS_S)

    def _tell_progress(self) -> None:
        self._on_progress(
            self._gauge.progress(self._fleet.zones_ready, self._totals(), self._pool.statistics())
        )

    async def _heed_signals(
        self, steps: trio.CancelScope, task_status: trio.TaskStatus[None]
    ) -> None:
        """End the step at the first signal, and without waiting for it at the second."""
        ends = [signal.SIGINT, signal.SIGTERM]
        if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:  # as nohup has it
            ends.append(signal.SIGHUP)
        with trio.open_signal_receiver(*ends) as signals:
            task_status.started()
            async for _ in signals:
                if self.interrupted or not self._gauge.running:
                    steps.cancel()
                self.interrupted = True
                await self._fleet.halt()


def _pool(scenario: Scenario, zones: int) -> cr.WorkerPool:
    inline = scenario.transfer == "inline"
    return cr.WorkerPool(
        0 if inline else scenario.worker_count,
        ring_bytes=int(scenario.ring_mb * (1 << 20)),
        rings=zones,
        name="zonesim",
        # Workers import scipy before the first call: that takes longer than a tick.
        imports=("zonesim.world.search",) if scenario.workload == "field" else (),
        preload=PRELOAD,
    )


def _writer(scenario: Scenario, directory: Path) -> RunWriter:
    return RunWriter(
        directory,
        scenario=scenario.name,
        seed=scenario.seed,
        scenario_toml_or_json=msgspec.json.encode(scenario).decode(),
        machine=describe_machine(),
        versions=versions(),
    )


def _plainest(group: BaseExceptionGroup[BaseException]) -> BaseException:
    """The one error of a group that tells the user most."""
    errors = _flat(group)
    known = [error for error in errors if isinstance(error, RunFailed | OutputError)]
    return (known or errors)[0]


def _flat(error: BaseException) -> list[BaseException]:
    if isinstance(error, BaseExceptionGroup):
        return [leaf for inner in error.exceptions for leaf in _flat(inner)]
    return [error]
