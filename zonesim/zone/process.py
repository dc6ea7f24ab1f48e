"""A zone process: follows the controller's orders and ticks its zones.

It must stay small, since a hundred share a machine: no matplotlib, scipy, click or rich.
"""

from __future__ import annotations

import signal
from collections.abc import Awaitable, Callable, Iterable
from functools import partial
from pathlib import Path

import trio

import corororo as cr
from corororo.processes import dump_stacks_on_signal, set_title
from zonesim.wire.channel import Channel, ControlError, socket_name
from zonesim.wire.messages import (
    DETAIL_CHARACTERS,
    Adopt,
    Assign,
    Drain,
    FromController,
    Halt,
    Leg,
    LegDone,
    Ready,
    SlowDisk,
    Stop,
    TickRow,
    failed,
    process_title,
    zone_event,
)
from zonesim.workloads.base import ZoneSpec
from zonesim.zone.checkpoint import CheckpointError, CheckpointStore
from zonesim.zone.handover import Handover
from zonesim.zone.reporter import Reporter
from zonesim.zone.ticker import HangDetector, Slack, Ticker
from zonesim.zone.zone import Zone

REHEARSALS_S = 1.0  # for all zones assigned together
REPORT_INTERVAL_S = 0.1  # rows of ticks that run back to back are sent in bundles


def zone_process_main(socket_path: str, pool_address: str, title: str, stack_path: str) -> None:
    """Run a zone process until the controller stops it or is gone."""
    for signal_number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(signal_number, signal.SIG_IGN)  # the controller handles them and stops us
    set_title(title)
    trio.run(_serve, socket_path, pool_address, stack_path)


async def _serve(socket_path: str, pool_address: str, stack_path: str) -> None:
    try:
        with socket_name(Path(socket_path)) as name:
            stream = await trio.open_unix_socket(name)
        pool = cr.WorkerPool.attach(pool_address)
        pool.end_with_owner()
        dump_stacks_on_signal(Path(stack_path))
    except (FileNotFoundError, ConnectionRefusedError, cr.PoolClosed):
        return  # the controller has ended already
    async with Channel(stream, FromController) as channel:
        with cr.SlackCollector() as garbage:
            process = ZoneProcess(channel, pool, garbage)
            try:
                await process.serve()
            except* ControlError:
                pass  # the controller is gone, so there is nothing left to do


class ZoneProcess:
    """The zones of one process, and the orders they follow."""

    _nursery: trio.Nursery
    _store: CheckpointStore  # from the first Assign on, like the handover
    _handover: Handover

    def __init__(self, channel: Channel, pool: cr.AttachedPool, garbage: cr.SlackCollector) -> None:
        self.zones: dict[int, Zone] = {}
        self._channel = channel
        self._pool = pool
        self._garbage = garbage
        self._slack = Slack(garbage)
        self._reporter = Reporter(channel)
        self._is_assigned = False
        self._tickers: dict[int, Ticker] = {}  # of the zones that tick now
        self._draining: set[int] = set()
        self._step = self._step_done = 0

    async def serve(self) -> None:
        """Follow orders until Stop, or until the controller is gone."""
        try:
            async with trio.open_nursery() as self._nursery:
                self._nursery.start_soon(self._reporter.send_events)
                await self._follow_orders()
                self._nursery.cancel_scope.cancel()
        finally:
            for zone in self.zones.values():
                zone.scheduler.close()

    async def _follow_orders(self) -> None:
        while (order := await self._channel.receive()) is not None:
            match order:
                case Assign():
                    self._prepare(order)
                    self.start(self._assign, order)
                case Leg():
                    self.start(self._run, order, self._take_leg(order))
                case Halt():
                    for ticker in self._tickers.values():
                        ticker.halt()
                case Drain(zones):
                    self._drain(zones)
                case Adopt():
                    self._handover.add_arrival(order)
                case SlowDisk(delay_s, until_ns):
                    self._store.slow_down(delay_s, until_ns)
                case Stop():
                    break

    def start(self, work: Callable[..., Awaitable[object]], *args: object) -> None:
        """Run an async function in the background; report what it raises."""
        self._nursery.start_soon(partial(self._reporter.reporting_failures, work, *args))

    def retire(self, zone: Zone) -> None:
        """End a zone."""
        number = zone.spec.zone
        del self.zones[number]
        zone.scheduler.close()
        self._draining.discard(number)
        if self.zones:
            self._set_title()

    # -- creating zones

    def _prepare(self, order: Assign) -> None:
        """Start what the first zones need; drop arrivals for earlier lives of these zones."""
        if not self._is_assigned:
            self._is_assigned = True
            self._store = CheckpointStore(
                order.saving, self._reporter.flush_rows, self._reporter.add_event
            )
            self._handover = Handover(
                self.zones, self._store, self._reporter, self.start, self.retire
            )
            self._nursery.start_soon(self._reporter.beat, order.zones[0].period_s)
            self._nursery.start_soon(self._detect_hangs, order.tick_hang_s)
        for spec in order.zones:
            self._handover.forget_arrivals(spec.zone)

    async def _assign(self, order: Assign) -> None:
        for spec in order.zones:
            self.zones[spec.zone] = zone = self._make(spec, order.lives[spec.zone])
            self._handover.admit(zone)
            await trio.lowlevel.checkpoint()  # for heartbeats, where there are very many
        self._set_title()
        await self._rehearse(spec.zone for spec in order.zones)
        await self._reporter.send(Ready({n: zone.next_tick for n, zone in self.zones.items()}))

    async def _rehearse(self, zones: Iterable[int]) -> None:
        until_s = trio.current_time() + REHEARSALS_S
        for zone in zones:
            if trio.current_time() < until_s:  # the controller may be waiting for this process
                await self.zones[zone].rehearse(until_s)

    def _make(self, spec: ZoneSpec, life: int) -> Zone:
        try:
            return Zone(spec, self._pool, self._garbage, self._store.load(spec.zone), life)
        except CheckpointError as error:
            self._reporter.add_event(zone_event("checkpoint-unusable", spec.zone, str(error)))
            return Zone(spec, self._pool, self._garbage, None, life)

    # -- ticking

    def _take_leg(self, leg: Leg) -> dict[int, Ticker]:
        """Give the leg to zones that tick already; return new tickers for the others."""
        for ticker in self._tickers.values():
            ticker.update(leg)
        self._step = leg.step
        new = {
            number: Ticker(zone, leg, self._slack, partial(self._take_row, leg), self._between)
            for number, zone in self.zones.items()
            if number in leg.until and number not in self._tickers
        }
        self._tickers |= new
        return new

    async def _run(self, leg: Leg, tickers: dict[int, Ticker]) -> None:
        over = trio.Event()
        async with trio.open_nursery() as nursery:
            if not leg.realtime:
                nursery.start_soon(self._send_bundles, over)
            async with trio.open_nursery() as ticking:
                for zone, ticker in tickers.items():
                    ticking.start_soon(self._tick, zone, ticker)
            over.set()
        await self._reporter.flush_rows()
        if not self._tickers and self._step_done != self._step:
            self._step_done = self._step
            await self._reporter.send(LegDone(self._step))

    async def _tick(self, zone: int, ticker: Ticker) -> None:
        await ticker.run()
        del self._tickers[zone]
        if zone in self._draining:
            self.start(self._handover.release, zone)

    def _between(self, zone: Zone) -> None:
        """Change and save a zone between two of its ticks."""
        self._handover.admit(zone)
        number = zone.spec.zone
        if self._store.is_due(number, zone.next_tick):
            self._store.put(number, zone.checkpoint())
            self.start(self._store.save, number)

    async def _take_row(self, leg: Leg, row: TickRow) -> None:
        self._reporter.add_row(row, self.zones[row.zone].worker_use)
        if leg.realtime:
            await self._reporter.flush_rows()

    async def _send_bundles(self, over: trio.Event) -> None:
        while not over.is_set():
            with trio.move_on_after(REPORT_INTERVAL_S):  # cancels the wait, never a message
                await over.wait()
            await self._reporter.flush_rows()

    async def _detect_hangs(self, tick_hang_s: float) -> None:
        """Report the first zones that hang; the controller then ends this process."""
        detector, hung = HangDetector(tick_hang_s), list[Zone]()
        while not hung:
            await trio.sleep(detector.interval_s)
            hung = detector.check(self.zones.values())
        reason = (
            f"zone {hung[0].spec.zone}: tick {hung[0].next_tick - 1} made no progress for "
            f"{tick_hang_s:g} s; raise supervision.tick_hang_s to allow more"
        )
        stacks = "\n\n".join(zone.scheduler.format_stacks() for zone in hung)[:DETAIL_CHARACTERS]
        zones = tuple(zone.spec.zone for zone in hung)
        await self._reporter.send(failed(reason, stacks, zones))

    # -- ending zones

    def _drain(self, zones: list[int]) -> None:
        for zone in self.zones.keys() & set(zones) - self._draining:
            self._draining.add(zone)
            if zone not in self._tickers:
                self.start(self._handover.release, zone)

    def _set_title(self) -> None:
        set_title(process_title(sorted(self.zones)))
