"""What zone processes say, what becomes of them, and what follows from it for the others.

Lets the processes in and hears them; knows nothing of steps or results.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from types import MappingProxyType

import msgspec
import trio

from zonesim.controller.fleet_orders import FleetOrders, FleetPlan
from zonesim.controller.zone_states import ZoneState
from zonesim.processes.slot import Host
from zonesim.processes.supervisor import OnEvent
from zonesim.system.errors import RunFailed
from zonesim.wire.channel import Channel, ControlError, CutOff
from zonesim.wire.listener import Door, OnRefused
from zonesim.wire.messages import (
    Adopt,
    Adopted,
    Drained,
    Failed,
    Halt,
    LegDone,
    Ready,
    Stop,
    Ticks,
    Told,
    WorkerTotals,
    add_by_worker,
)
from zonesim.wire.ticks import TickRow


class FleetAnswers(FleetOrders):
    """What is known of all zone processes.

    ``on_ticks`` gets the rows that arrive, ``on_refused`` hears of connections that were closed:
    whose, and why. ``on_event`` hears what happens to processes, ``pool_failure`` says why the
    workers are no more, ``free_rings`` gives back the rings of the dead. Raises RunFailed where
    the zones cannot go on.
    """

    _nursery: trio.Nursery  # of all that goes on while the processes are served

    def __init__(
        self,
        plan: FleetPlan,
        on_ticks: Callable[[list[TickRow]], None],
        on_refused: OnRefused,
        on_event: OnEvent,
        pool_failure: Callable[[], str | None],
        free_rings: Callable[[], None],
    ) -> None:
        super().__init__(plan)
        self._free_rings = free_rings
        self.work: dict[int, WorkerTotals] = {}  # by number: what workers have done for all
        self._on_ticks = on_ticks
        self._on_refused = on_refused
        self._on_event = on_event
        self._pool_failure = pool_failure
        self._door = Door(
            plan.socket_path,
            lambda pid: self._awaited(pid) is not None,
            self._hear,
            on_refused,
            lambda: any(host.is_starting for host in self._hosts.values()),
        )
        self._stopping = False
        self._halting = False
        self._given_up_last = "nobody was given up"  # the process, and why

    def _awaited(self, pid: int) -> Host | None:
        """The place of a process of ours that has not said hello."""
        hosts = (h for h in self._hosts.values() if h.channel is None and h.handle is not None)
        return next((host for host in hosts if host.handle and host.handle.pid == pid), None)

    async def _hear(self, pid: int, channel: Channel) -> None:
        host = self._awaited(pid)
        assert host is not None  # the door expects nobody else
        host.connected(channel)
        if self._stopping:
            await host.tell(Stop())
        else:
            await self._assign(host)
        try:
            while (message := await channel.receive()) is not None:
                await self._take(host, channel, message)
        except CutOff:
            pass  # it ended in the middle of a message, and whoever minds the place tells how
        except ControlError as error:
            self._on_refused(host.title, str(error))
            if host.channel is channel:
                host.kill(f"killed: {error}")

    async def _take(self, host: Host, channel: Channel, message: msgspec.Struct) -> None:
        if isinstance(message, Ticks):  # they have run, whatever became of who ran them
            add_by_worker(self.work, message.workers)
            self._on_ticks(message.rows)
        if host.channel is not channel:
            return  # it is dead, and somebody else stands there by now
        host.heard()
        match message:
            case Ticks(rows):
                host.note_ticks(rows)
                self._note_players(rows)
            case Ready(next_ticks):
                await self._note_ready(host, next_ticks)
            case LegDone(step):
                host.step_done = step
            case Drained(zone, players, adopted) if zone in host.specs:
                host.drained.add(zone)
                self._handovers.released(zone, players, adopted)
            case Adopted(number, saved):
                self._note_adopted(number, saved)
            case Told(kind, zone, detail):
                self._on_event(kind, detail, zones=[zone], pid=host.pid)
            case Failed() as failure:
                self._note_failure(host, failure)
        self._notify()

    async def _note_ready(self, host: Host, next_ticks: dict[int, int]) -> None:
        """Zones are made; those that come back do what all others have been told meanwhile."""
        host.made |= next_ticks.keys() & host.assigned
        host.next_ticks = next_ticks
        back = []
        for zone in host.made:
            if self._states.of(zone) is ZoneState.STARTING:
                self._states.move(zone, ZoneState.READY)
                back.append(zone)
        returned = host.missed.intersection(back)
        if returned:
            host.missed -= returned
            after_ms = (time.monotonic_ns() - host.died_ns) / 1e6
            ticks = sorted({next_ticks[zone] for zone in returned})
            span = f"{ticks[0]}" if len(ticks) == 1 else f"{ticks[0]} to {ticks[-1]}"
            detail = f"after {after_ms:.0f} ms, continues at tick {span}"
            self._on_event("zone-restarted", detail, zones=returned, pid=host.pid)
        leg = self._leg
        is_behind = leg is not None and host.is_up and host.step_ordered != leg.step
        if leg is not None and is_behind and self._to_tick(host, leg):
            await self._send_leg(host, leg)
            if self._halting:
                await host.tell(Halt())
        await self._tell_to_drain(host)
        for zone in back:
            for adopt in self._handovers.for_zone(zone):
                await host.tell(adopt)

    def _note_failure(self, host: Host, failure: Failed) -> None:
        """A process says that it cannot go on."""
        reason, detail = failure.reason, failure.detail
        if not host.made or host.restarts.recent >= self._plan.supervision.restarts:
            self._check_pool()
        if not host.made and not host.died_ns and self._leg is None:
            # What nobody could make even once, at the beginning, will not come of trying again.
            error = RunFailed(f"{host.title}: {reason}")
            if detail:
                error.add_note(detail)
            raise error
        kind, how = ("zone-hung", "killed") if failure.hung else ("zone-failed", "failed")
        host.hung, host.hung_zones = host.hung or bool(failure.hung), failure.hung
        self._on_event(kind, f"{reason}\n{detail}".strip(), zones=host.specs, pid=host.pid)
        host.kill(f"{how}: {reason}")

    def _note_adopted(self, number: int, saved: bool) -> None:
        """Players are in a zone; where they are not on the disk, that is told, and its end."""
        adopt = self._handovers.adopted(number, saved)
        if adopt is not None:
            told = "players-saved", "those who came are in its checkpoint now"
            if not saved:
                kept = "no checkpoint holds those who came; kept for the case that it dies"
                told = "players-unsaved", kept
            self._on_event(*told, zones=[adopt.zone])

    def _note_players(self, rows: list[TickRow]) -> None:
        """A zone that can tick is allocated while it has players."""
        for row in rows:
            if self._can_tick(row.zone):
                state = ZoneState.ALLOCATED if row.players else ZoneState.READY
                self._states.move(row.zone, state)

    # -- what becomes of them

    def _note_death(self, host: Host) -> None:
        for zone in host.specs:
            self._states.move(zone, ZoneState.UNHEALTHY)
        self._free_rings()  # or there may be no room for those of whoever comes
        self._check_pool()
        self._notify()

    def _note_given_up(self, host: Host, why: str) -> None:
        heirs = [
            zone
            for other in self._hosts.values()
            if not other.given_up
            for zone in other.specs
            if zone not in self._draining
        ]
        # Where ticks are counted, players come after all that there are.
        until = self._leg.until if self._leg is not None else {}
        for zone in host.specs:
            self._nursery.start_soon(self._tell_adopts, self._send_elsewhere(zone, heirs, until))
        self._given_up_last = f"{host.title} {why}"
        self._check_any_left()
        self._notify()

    def _check_any_left(self) -> None:
        if self._hosts and all(host.given_up for host in self._hosts.values()):
            raise RunFailed(f"no zone is left: {self._given_up_last}")

    def _send_elsewhere(
        self,
        zone: int,
        heirs: Sequence[int],
        next_ticks: Mapping[int, int | None] = MappingProxyType({}),
    ) -> list[Adopt]:
        """A zone takes in nobody any more: whoever was on the way there gets another one."""
        moved = self._handovers.send_elsewhere(zone, heirs, next_ticks)
        for adopt in moved:
            told = f"players on their way to it go to zone {adopt.zone}"
            self._on_event("players-redirected", told, zones=[zone])
        lost = self._handovers.lose(zone)
        if lost:
            self._on_event("players-lost", f"{lost} arrivals of players", zones=[zone])
        return moved

    async def _tell_adopts(self, adopts: Iterable[Adopt]) -> None:
        by_host: dict[Host, list[Adopt]] = {}
        for adopt in adopts:
            for host in self._hosts_with([adopt.zone]):
                by_host.setdefault(host, []).append(adopt)
        async with trio.open_nursery() as nursery:  # whoever reads nothing holds up nobody else
            for host, theirs in by_host.items():
                nursery.start_soon(_tell_in_order, host, theirs)

    def _check_pool(self) -> None:
        """Zones whose workers are no more are not to blame, and no restart helps them."""
        failure = self._pool_failure()
        if failure is not None:
            raise RunFailed(failure)


async def _tell_in_order(host: Host, adopts: Iterable[Adopt]) -> None:
    """A world in which the same players come in another order is another one."""
    for adopt in adopts:
        await host.tell(adopt)
