"""The zone processes of a run and the wires to them: started, ordered about, listened to, ended.

Knows what a zone process answers, and nothing of steps or results.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence
from pathlib import Path

import msgspec
import trio

from zonesim.channel import Channel, ControlError, CutOff
from zonesim.control import (
    Assign,
    Failed,
    Halt,
    Leg,
    LegDone,
    Ready,
    Stop,
    Ticks,
    WorkerTotals,
)
from zonesim.door import Door, OnRefused
from zonesim.errors import RunFailed
from zonesim.supervisor import ZoneProcessHandle
from zonesim.ticks import TickRow
from zonesim.worker_ledger import add_by_worker
from zonesim.workloads.base import ZoneSpec
from zonesim.zone_process import process_title
from zonesim.zone_states import TICKING, ZoneState, ZoneStates

READY_S = 60.0  # what zone processes get to come up


class Host:
    """One zone process and what is known of it."""

    def __init__(self, handle: ZoneProcessHandle) -> None:
        self.handle = handle
        self.channel: Channel | None = None
        self.zones: list[int] = []
        self.step_done = 0


class Fleet:
    """All zone processes. ``serve`` runs beside everything else, and is cancelled in the end.

    ``on_ticks`` gets the rows that arrive, ``on_refused`` hears of connections that were closed:
    whose, and why. Raises RunFailed where a process ends or fails.
    """

    def __init__(
        self,
        socket_path: Path,
        pool_address: str,
        on_ticks: Callable[[list[TickRow]], None],
        on_refused: OnRefused,
    ) -> None:
        self.hosts: list[Host] = []
        self._socket_path = socket_path
        self._pool_address = pool_address
        self.work: dict[int, WorkerTotals] = {}  # by number: what workers have done for all
        self._on_ticks = on_ticks
        self._on_refused = on_refused
        self._door = Door(
            socket_path, lambda pid: self._awaited(pid) is not None, self._hear, on_refused
        )
        self._states = ZoneStates()
        self._leg: Leg | None = None
        self._changed = trio.Event()
        self._stopping = False
        self._halting = False

    def zone_states(self) -> dict[int, ZoneState]:
        """The state of each zone that there is, by zone."""
        return self._states.all()

    def hosts_of(self, leg: Leg) -> list[Host]:
        """The processes that hold zones of a leg."""
        return [host for host in self.hosts if not leg.until.keys().isdisjoint(host.zones)]

    async def serve(self, task_status: trio.TaskStatus[None]) -> None:
        """Let the processes in and hear them, and notice their ends."""
        async with trio.open_nursery() as nursery:
            self._nursery = nursery
            await nursery.start(self._door.serve)
            task_status.started()

    async def grow(self, specs: Sequence[ZoneSpec], zones_per_process: int) -> None:
        """Make those of these zones that are not there; wait until all of them can tick.

        New ones go to new processes where the last is full.
        """
        orders: dict[int, list[ZoneSpec]] = {}
        for spec in specs:
            if spec.zone not in self._states.all():
                self._states.create(spec.zone)
                orders.setdefault(spec.zone // zones_per_process, []).append(spec)
        for number in orders:
            if number == len(self.hosts):
                first = number * zones_per_process
                host = Host(ZoneProcessHandle(number, first, self._socket_path, self._pool_address))
                self.hosts.append(host)
                self._nursery.start_soon(self._watch, host)
                await trio.lowlevel.checkpoint()
        with trio.move_on_after(READY_S) as scope:
            for number, zones in orders.items():
                await self._assign(self.hosts[number], zones)
            await self._until(lambda: all(self._can_tick(spec.zone) for spec in specs))
        if scope.cancelled_caught:
            missing = sum(not all(map(self._can_tick, host.zones)) for host in self.hosts)
            raise RunFailed(f"{missing} zone processes did not come up within {READY_S:.0f} s")

    async def order(self, leg: Leg) -> None:
        """Have zones tick as a leg says, and those that it does not name end."""
        self._leg = leg
        for host in self.hosts:
            mine = {zone: leg.until[zone] for zone in host.zones if zone in leg.until}
            await self._send(host, msgspec.structs.replace(leg, until=mine))
        if self._halting:  # it came while the orders went out, and some got theirs the wrong way
            await self._tell_all(Halt())

    async def until_done(self) -> None:
        """Wait until all zones have come to the end of the leg that was ordered last."""
        leg = self._leg
        if leg is not None:
            hosts = self.hosts_of(leg)
            await self._until(lambda: all(host.step_done == leg.step for host in hosts))

    async def halt(self) -> None:
        """End the leg that runs, and all that are ordered later."""
        self._halting = True
        await self._tell_all(Halt())

    def kill(self) -> None:
        """End all processes now, whatever they do."""
        self._stopping = True
        for host in self.hosts:
            host.handle.kill()

    async def stop(self) -> None:
        """End all processes, those that do not listen by force."""
        self._stopping = True
        await self._tell_all(Stop())
        async with trio.open_nursery() as nursery:
            for host in self.hosts:
                nursery.start_soon(host.handle.stop)

    async def _assign(self, host: Host, specs: list[ZoneSpec]) -> None:
        await self._until(lambda: host.channel is not None)
        host.zones += [spec.zone for spec in specs]
        host.handle.title = process_title(host.zones)
        for spec in specs:
            self._states.move(spec.zone, ZoneState.STARTING)
        await self._send(host, Assign(specs))

    def _can_tick(self, zone: int) -> bool:
        return self._states.of(zone) in TICKING

    async def _tell_all(self, order: Halt | Stop) -> None:
        for host in self.hosts:
            await self._tell(host, order)

    async def _tell(self, host: Host, order: Halt | Stop) -> None:
        if host.channel is not None:
            # One that has ended has done more than it was asked for.
            with contextlib.suppress(ControlError):
                await host.channel.send(order)

    async def _send(self, host: Host, order: Assign | Leg) -> None:
        assert host.channel is not None
        try:
            await host.channel.send(order)
        except ControlError as error:
            if not self._stopping:
                raise RunFailed(f"{host.handle.title}: {error}") from None

    def _awaited(self, pid: int) -> Host | None:
        """The process of this id, if it is one of ours that has not said hello."""
        hosts = (host for host in self.hosts if host.channel is None)
        return next((host for host in hosts if host.handle.pid == pid), None)

    async def _hear(self, pid: int, channel: Channel) -> None:
        host = self._awaited(pid)
        assert host is not None  # the door expects nobody else
        host.channel = channel
        self._notify()
        if self._stopping:
            await self._tell(host, Stop())
        try:
            while (message := await channel.receive()) is not None:
                self._take(host, message)
        except CutOff:
            pass  # it ended in the middle of a message, and whoever watches it tells how
        except ControlError as error:
            self._on_refused(host.handle.title, str(error))
            raise RunFailed(f"{host.handle.title}: {error}") from None

    async def _watch(self, host: Host) -> None:
        code = await host.handle.wait_until_ended()
        if not self._stopping:
            raise RunFailed(f"{host.handle.title} ended in the middle of the run, {told(code)}")

    def _take(self, host: Host, message: msgspec.Struct) -> None:
        match message:
            case Ticks(rows, workers):
                add_by_worker(self.work, workers)
                self._note_players(rows)
                self._on_ticks(rows)
            case Ready(zones):
                for zone in host.zones[:zones]:
                    if self._states.of(zone) is ZoneState.STARTING:
                        self._states.move(zone, ZoneState.READY)
            case LegDone(step):
                host.step_done = step
            case Failed(reason, detail):
                error = RunFailed(f"{host.handle.title}: {reason}")
                if detail:
                    error.add_note(detail)
                raise error
        self._notify()

    def _note_players(self, rows: list[TickRow]) -> None:
        """A zone that can tick is allocated while it has players."""
        for row in rows:
            if self._can_tick(row.zone):
                state = ZoneState.ALLOCATED if row.players else ZoneState.READY
                self._states.move(row.zone, state)

    def _notify(self) -> None:
        changed, self._changed = self._changed, trio.Event()
        changed.set()

    async def _until(self, holds: Callable[[], bool]) -> None:
        while not holds():
            await self._changed.wait()


def told(exit_code: int) -> str:
    """An exit code in words."""
    return f"by signal {-exit_code}" if exit_code < 0 else f"with exit code {exit_code}"
