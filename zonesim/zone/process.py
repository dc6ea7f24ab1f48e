"""A zone process: takes orders over the control channel and ticks its zones on time.

Imports neither matplotlib nor scipy nor click: a hundred of these share one machine.
"""

from __future__ import annotations

import signal
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path
from typing import TypeVarTuple

import msgspec
import trio

import corororo as cr
from corororo.processes import dump_stacks_on_signal, set_title
from zonesim.wire.channel import Channel, ControlError
from zonesim.wire.messages import (
    DETAIL_CHARACTERS,
    Adopt,
    Adopted,
    Assign,
    Drain,
    Drained,
    FromController,
    Halt,
    Leg,
    LegDone,
    Ready,
    SlowDisk,
    Stop,
    Ticks,
    WorkerTotals,
    add_by_worker,
    done_since,
    failed,
    process_title,
)
from zonesim.wire.ticks import TickRow
from zonesim.workloads.base import ZoneSpec
from zonesim.zone.checkpoint import CheckpointError
from zonesim.zone.reporter import Mouthpiece
from zonesim.zone.saver import Saver, State
from zonesim.zone.slack import Slack
from zonesim.zone.tick_watch import TickWatch
from zonesim.zone.ticker import Ticker
from zonesim.zone.zone import Zone

Args = TypeVarTuple("Args")

ROWS_IN_A_MESSAGE = 5000  # far below what a message may hold
REHEARSALS_S = 1.0  # for all zones that a process is to make together
SURE_S = 2.0  # what the disk gets for players who come and go, until others are told without it
MAX_PACE_REPORT_S = 0.1  # ticks that run back to back are told of in bundles


def zone_process_main(
    socket_path: str, pool_address: str, host: int, title: str, stack_path: str
) -> None:
    """The life of zone process number ``host``."""
    for signal_number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(signal_number, signal.SIG_IGN)  # they are for the controller, who stops us
    set_title(title)
    trio.run(_serve, socket_path, pool_address, host, stack_path)


async def _serve(socket_path: str, pool_address: str, host: int, stack_path: str) -> None:
    try:
        stream = await trio.open_unix_socket(socket_path)
        pool = cr.WorkerPool.attach(pool_address)
        pool.end_with_owner()
        dump_stacks_on_signal(Path(stack_path))
    except (FileNotFoundError, ConnectionRefusedError, cr.PoolClosed):
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
        self._mouth = Mouthpiece(channel)
        self._pool = pool
        self._garbage = garbage
        self._slack = Slack(garbage)
        self._zones: dict[int, Zone] = {}
        self._is_saving = False  # a Saver is there
        self._tickers: dict[int, Ticker] = {}  # of the zones that tick now
        self._arrivals: dict[int, list[Adopt]] = {}  # that wait for a zone to have run a tick
        self._draining: set[int] = set()
        self._step = self._step_told = 0  # of the latest leg, and of the latest that is done
        self._rows: list[TickRow] = []
        self._reporting = trio.Lock()
        self._work: dict[int, WorkerTotals] = {}  # of workers for all zones here, as told so far
        self._work_of_ended: dict[int, WorkerTotals] = {}  # of them, for zones that are gone

    async def serve(self, host: int) -> None:
        """Do what the controller says until it says stop, or is gone."""
        await self._mouth.say_hello(host)
        async with trio.open_nursery() as self._nursery:
            self._nursery.start_soon(self._mouth.say_what_is_told)
            while True:
                match await self._channel.receive():
                    case Assign() as order:
                        self._expect(order)
                        self._start(self._assign, order)
                    case Leg() as leg:
                        self._start(self._run, leg, self._follow(leg))
                    case Halt():
                        for ticker in self._tickers.values():
                            ticker.halt()
                    case Drain(zones):
                        self._drain(zones)
                    case Adopt() as players:
                        self._welcome(players)
                    case SlowDisk(delay_s, until_ns):
                        self._saver.slow_down(delay_s, until_ns)
                    case Stop() | None:
                        self._nursery.cancel_scope.cancel()
                        return

    def close(self) -> None:
        """Give the rings back."""
        for zone in self._zones.values():
            zone.close()

    # -- zones come

    def _expect(self, order: Assign) -> None:
        """Get ready for zones. Who was on the way to one in its last life is sent elsewhere."""
        for spec in order.zones:
            self._arrivals.pop(spec.zone, None)
        if not self._is_saving:
            self._is_saving = True
            self._saver = Saver(order.saving, self._mouth.tell)
            self._nursery.start_soon(self._mouth.beat, order.zones[0].period_s)
            self._nursery.start_soon(self._watch_ticks, order.tick_hang_s)

    async def _assign(self, order: Assign) -> None:
        for spec in order.zones:
            self._zones[spec.zone] = zone = self._make(spec, order.lives[spec.zone])
            self._let_in(zone)
            await trio.lowlevel.checkpoint()  # a process that makes very many is well all the while
        self._set_title()
        await self._rehearse([spec.zone for spec in order.zones])
        next_ticks = {number: zone.next_tick for number, zone in self._zones.items()}
        await self._mouth.say(Ready(next_ticks))

    async def _rehearse(self, zones: list[int]) -> None:
        """All those that there is time for: others may wait for this process."""
        until_s = trio.current_time() + REHEARSALS_S
        for zone in zones:
            if trio.current_time() < until_s:
                await self._zones[zone].rehearse(until_s)

    def _make(self, spec: ZoneSpec, life: int) -> Zone:
        resume = self._saver.load(spec.zone)
        try:
            return Zone(spec, self._pool, self._garbage, resume, life)
        except CheckpointError as error:
            self._saver.tell_unusable(spec.zone, error)
            return Zone(spec, self._pool, self._garbage, None, life)

    # -- zones tick

    def _follow(self, leg: Leg) -> dict[int, Ticker]:
        """Have zones that tick already go on; the tickers of those that are to begin."""
        for ticker in self._tickers.values():
            ticker.follow(leg)
        self._step = leg.step
        fresh = {
            number: Ticker(zone, leg, self._slack, partial(self._take, leg), self._between)
            for number, zone in self._zones.items()
            if number in leg.until and number not in self._tickers
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
            await self._mouth.say(LegDone(self._step))

    async def _tick(self, zone: int, ticker: Ticker) -> None:
        await ticker.run()
        del self._tickers[zone]
        if zone in self._draining:
            self._start(self._release, zone)

    def _between(self, zone: Zone) -> None:
        """A zone has run a tick, and the next one has not begun."""
        self._let_in(zone)
        if self._saver.is_due(zone):
            # The state as it is now: when the write begins, the next tick may have begun, too.
            self._start(self._save, self._saver.state_of(zone))

    async def _save(self, state: State) -> None:
        await self._report()  # no checkpoint is ahead of the ticks that are told
        await self._saver.save(state)

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
        """Return when all ticks that have run are told, by whomever."""
        async with self._reporting:
            rows, self._rows = self._rows, []
            for bundle in (
                rows[i : i + ROWS_IN_A_MESSAGE] for i in range(0, len(rows), ROWS_IN_A_MESSAGE)
            ):
                await self._mouth.say(Ticks(bundle, self._work_since()))

    def _work_since(self) -> list[WorkerTotals]:
        """What workers have done since this was asked last."""
        before, self._work = self._work, dict(self._work_of_ended)
        for zone in self._zones.values():
            add_by_worker(self._work, zone.worker_totals())
        return done_since(before, self._work)

    async def _watch_ticks(self, tick_hang_s: float) -> None:
        """Until a tick gets on no more; the controller then ends this process."""
        watch, hung = TickWatch(tick_hang_s), list[Zone]()
        while not hung:
            await trio.sleep(watch.gap_s)
            hung = watch.look(self._zones.values())
        first = hung[0]
        reason = (
            f"zone {first.spec.zone}: in {tick_hang_s:g} s nothing has come of tick "
            f"{first.next_tick - 1}; supervision.tick_hang_s allows it longer"
        )
        stacks = "\n\n".join(zone.format_stacks() for zone in hung)
        failure = failed(reason, stacks[:DETAIL_CHARACTERS])  # those most share come first
        zones = tuple(zone.spec.zone for zone in hung)
        await self._mouth.say(msgspec.structs.replace(failure, hung=zones))

    # -- players move, zones go

    def _welcome(self, players: Adopt) -> None:
        self._arrivals.setdefault(players.zone, []).append(players)
        zone = self._zones.get(players.zone)  # None: it is being made
        if zone is not None and not zone.ticking:
            self._let_in(zone)

    def _let_in(self, zone: Zone) -> None:
        """Take in those who wait for the tick that comes next, or an earlier one."""
        if zone.has_released:
            return
        waiting = self._arrivals.pop(zone.spec.zone, [])
        early = [players for players in waiting if players.next_tick > zone.next_tick]
        if early:
            self._arrivals[zone.spec.zone] = early
        for players in waiting:
            if players not in early:
                self._adopt(zone, players)

    def _adopt(self, zone: Zone, players: Adopt) -> None:
        zone.adopt(players.number, players.players)
        self._start(self._confirm, players.number, self._saver.state_of(zone))

    async def _confirm(self, number: int, state: State) -> None:
        # Saved first: whoever hears of it relies on them being there after a death as well.
        await self._report()
        saved = self._save_surely(state)
        if not await _happens_soon(saved):
            await self._mouth.say(Adopted(number, saved=False))
            await saved.wait()
        await self._mouth.say(Adopted(number))

    def _save_surely(self, state: State) -> trio.Event:
        saved = trio.Event()
        self._start(self._saver.save_surely, state, saved)
        return saved

    def _drain(self, zones: list[int]) -> None:
        for zone in zones:
            if zone in self._zones and zone not in self._draining:
                self._draining.add(zone)
                if zone not in self._tickers:
                    self._start(self._release, zone)

    async def _release(self, number: int) -> None:
        zone = self._zones[number]
        players = zone.release()
        await self._report()
        # A disk that takes nothing keeps nobody here: whoever hears of them has them from then on.
        await _happens_soon(self._save_surely(self._saver.state_of(zone)))
        del self._zones[number]
        add_by_worker(self._work_of_ended, zone.worker_totals())
        zone.close()
        self._draining.discard(number)
        if self._zones:
            self._set_title()
        await self._mouth.say(Drained(number, players, zone.adopted))

    # -- all of them

    def _start(self, work: Callable[[*Args], Awaitable[None]], *args: *Args) -> None:
        self._nursery.start_soon(partial(self._mouth.telling_failures, work, *args))

    def _set_title(self) -> None:
        set_title(process_title(sorted(self._zones)))


async def _happens_soon(event: trio.Event) -> bool:
    with trio.move_on_after(SURE_S):
        await event.wait()
    return event.is_set()
