"""A zone process: takes orders over the control channel and ticks its zones on time.

Imports neither matplotlib nor scipy nor typer: a hundred of these share one machine.
"""

from __future__ import annotations

import os
import signal
import traceback
from collections.abc import Awaitable
from functools import partial

import trio

import corororo as cr
from zonesim.channel import Channel, ControlError
from zonesim.control import (
    Assign,
    FromController,
    Halt,
    Hello,
    Leg,
    LegDone,
    Ready,
    Stop,
    Ticks,
    WorkerTotals,
    failed,
)
from zonesim.slack import Slack
from zonesim.system import set_title
from zonesim.ticker import Ticker
from zonesim.ticks import TickRow
from zonesim.worker_ledger import add_by_worker, done_since
from zonesim.workloads.base import ZoneSpec
from zonesim.zone import Zone

SMALLER_RINGS = "(--set ring_mb=0.25 makes them smaller)"  # what a user of a run can do
ROWS_IN_A_MESSAGE = 5000  # far below what a message may hold
MAX_PACE_REPORT_S = 0.1  # ticks that run back to back are told of in bundles


def zone_process_main(socket_path: str, pool_address: str, host: int, title: str) -> None:
    """The life of zone process number ``host``."""
    for signal_number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(signal_number, signal.SIG_IGN)  # they are for the controller, who stops us
    set_title(title)
    trio.run(_serve, socket_path, pool_address, host)


async def _serve(socket_path: str, pool_address: str, host: int) -> None:
    try:
        stream = await trio.open_unix_socket(socket_path)
        pool = cr.WorkerPool.attach(pool_address)
        pool.end_with_owner()
    except (OSError, cr.PoolClosed):
        return  # the controller went before we came
    async with Channel(stream, FromController) as channel:
        with cr.SlackCollector() as garbage:
            process = ZoneProcess(channel, pool, garbage)
            try:
                await process.serve(host)
            except* ControlError:
                # The controller is gone: there is nobody left to tell, and nothing left to do.
                pass
            finally:
                process.close()


class ZoneProcess:
    """The zones of one process, and the orders they follow."""

    def __init__(self, channel: Channel, pool: cr.AttachedPool, garbage: cr.SlackCollector) -> None:
        self._channel = channel
        self._pool = pool
        self._garbage = garbage
        self._slack = Slack(garbage)
        self._zones: list[Zone] = []
        self._tickers: dict[int, Ticker] = {}  # of the zones that tick now
        self._step = self._step_told = 0  # of the latest leg, and of the latest that is done
        self._rows: list[TickRow] = []
        self._work: dict[int, WorkerTotals] = {}  # of workers for all zones here, as told so far

    async def serve(self, host: int) -> None:
        """Do what the controller says until it says stop, or is gone."""
        await self._channel.send(Hello(host, os.getpid()))
        async with trio.open_nursery() as nursery:
            while True:
                match await self._channel.receive():
                    case Assign(zones):
                        await self._tell_failures(self._assign(zones))
                    case Leg() as leg:
                        tickers = self._follow(leg)
                        nursery.start_soon(self._tell_failures, self._run(leg, tickers))
                    case Halt():
                        for ticker in self._tickers.values():
                            ticker.halt()
                    case Stop() | None:
                        nursery.cancel_scope.cancel()
                        return

    def close(self) -> None:
        """Give the rings back."""
        for zone in self._zones:
            zone.close()

    async def _tell_failures(self, work: Awaitable[None]) -> None:
        """Follow an order; what goes wrong is told to the controller, which ends the run."""
        try:
            await work
        except* ControlError:
            raise
        except* Exception as group:
            error = _first(group)
            known = isinstance(error, cr.CorororoError)
            if isinstance(error, cr.SessionError):
                error = cr.SessionError(f"{error} {SMALLER_RINGS}")
            reason = " ".join(f"{'' if known else f'{type(error).__name__}: '}{error}".split())
            detail = "" if known else "".join(traceback.format_exception(error))
            await self._channel.send(failed(reason, detail))

    async def _assign(self, specs: list[ZoneSpec]) -> None:
        for spec in specs:
            self._zones.append(Zone(spec, self._pool, self._garbage))
        set_title(process_title([zone.spec.zone for zone in self._zones]))
        await self._channel.send(Ready(len(self._zones)))

    def _follow(self, leg: Leg) -> dict[int, Ticker]:
        """Have zones that tick already go on; the tickers of those that are to begin."""
        for ticker in self._tickers.values():
            ticker.follow(leg)
        self._step = leg.step
        fresh = {
            zone.spec.zone: Ticker(zone, leg, self._slack, partial(self._take, leg))
            for zone in self._zones
            if zone.spec.zone in leg.until and zone.spec.zone not in self._tickers
        }
        self._tickers |= fresh
        return fresh

    async def _run(self, leg: Leg, tickers: dict[int, Ticker]) -> None:
        over = trio.Event()
        async with trio.open_nursery() as nursery:
            if not leg.realtime:
                nursery.start_soon(self._report_in_bundles, over)
            async with trio.open_nursery() as ticking:
                for zone, ticker in tickers.items():
                    ticking.start_soon(self._tick, zone, ticker)
            over.set()
        await self._report()
        if not self._tickers and self._step_told != self._step:
            self._step_told = self._step
            await self._channel.send(LegDone(self._step))

    async def _tick(self, zone: int, ticker: Ticker) -> None:
        await ticker.run()
        del self._tickers[zone]

    async def _take(self, leg: Leg, row: TickRow) -> None:
        self._rows.append(row)
        if leg.realtime:
            await self._report()

    async def _report_in_bundles(self, over: trio.Event) -> None:
        while not over.is_set():
            with trio.move_on_after(MAX_PACE_REPORT_S):  # nothing but the wait is ever cut short
                await over.wait()
            await self._report()

    async def _report(self) -> None:
        rows, self._rows = self._rows, []
        for bundle in (
            rows[i : i + ROWS_IN_A_MESSAGE] for i in range(0, len(rows), ROWS_IN_A_MESSAGE)
        ):
            await self._channel.send(Ticks(bundle, self._work_since()))

    def _work_since(self) -> list[WorkerTotals]:
        """What workers have done since this was asked last."""
        before, self._work = self._work, {}
        for zone in self._zones:
            add_by_worker(self._work, zone.worker_totals())
        return done_since(before, self._work)


def _first(group: BaseException) -> BaseException:
    while isinstance(group, BaseExceptionGroup):
        group = group.exceptions[0]
    return group


def process_title(zones: list[int]) -> str:
    """What a process calls itself: by its zone, or by its first and last."""
    if len(zones) == 1:
        return f"zonesim zone {zones[0]}"
    return f"zonesim zones {zones[0]}-{zones[-1]}"
