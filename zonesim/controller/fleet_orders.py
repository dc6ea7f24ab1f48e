"""The places of a run, the states of its zones, and the orders that go out to processes.

Knows no answers, and nothing of steps or results.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterable
from pathlib import Path

import msgspec
import trio

from zonesim.controller.handovers import Handovers
from zonesim.controller.zone_states import TICKING, ZoneState, ZoneStates
from zonesim.processes.slot import Host
from zonesim.scenario.supervision import Supervision
from zonesim.wire.messages import Assign, Drain, Leg, Order, Saving, SlowDisk

TELL_S = 1.0


class FleetPlan(msgspec.Struct, frozen=True):
    """What all zone processes of a run have in common."""

    socket_path: Path
    pool_address: str  # and the folder for all that the run has to hold
    period_s: float = 0.4
    supervision: Supervision = Supervision()
    inline: bool = False  # AsyncTasks run in the zone processes themselves


class FleetOrders:
    """What is wanted of all zone processes, and how they are told."""

    def __init__(self, plan: FleetPlan) -> None:
        self._plan = plan
        self._hosts: dict[int, Host] = {}  # by number
        self._states = ZoneStates()
        self._handovers = Handovers()
        self._draining: set[int] = set()
        self._lives: Counter[int] = Counter()  # by zone: how often it has been wanted anew
        self._leg: Leg | None = None
        self._slow_disk = SlowDisk(0.0, 0)  # until a moment; who comes up hears of it as well
        self._changed = trio.Event()

    async def _assign(self, host: Host) -> None:
        """Have the process there make what it has not been told to make."""
        if host.channel is None:
            return  # it hears of it when it says hello
        new = [spec for zone, spec in host.specs.items() if zone not in host.assigned]
        if new:
            host.assigned.update(spec.zone for spec in new)
            for spec in new:
                self._states.move(spec.zone, ZoneState.STARTING)
            every_ticks = self._plan.supervision.checkpoint_ticks
            saving = Saving(self._plan.pool_address, every_ticks, self._slow_disk)
            lives = {spec.zone: self._lives[spec.zone] for spec in new}
            await host.tell(Assign(new, lives, saving, self._plan.supervision.tick_bound_s))

    async def _send_leg(self, host: Host, leg: Leg) -> None:
        host.step_ordered = leg.step
        mine = {zone: leg.until[zone] for zone in self._to_tick(host, leg)}
        # What was due before a zone came back has run, or is missed: nobody waits for it now.
        start_ns = max(leg.start_ns, time.monotonic_ns()) if host.died_ns else leg.start_ns
        await host.tell(msgspec.structs.replace(leg, until=mine, start_ns=start_ns))

    def _to_tick(self, host: Host, leg: Leg) -> list[int]:
        """The zones there that a leg has tick; not those that have run it and are on their way."""
        return [z for z in host.specs if z in leg.until and not self._has_run(host, leg, z)]

    def _has_run(self, host: Host, leg: Leg, zone: int) -> bool:
        """Whether a zone that is on its way out has nothing of a leg left to run."""
        until = leg.until[zone]
        if zone not in self._draining:
            return False
        return until is None or host.next_ticks.get(zone, 0) >= until

    async def _tell_to_drain(self, host: Host) -> None:
        zones = [zone for zone in host.specs if zone in self._draining and self._can_tick(zone)]
        if zones and host.is_up:
            for zone in zones:
                self._states.move(zone, ZoneState.DRAINING)
            await host.tell(Drain(zones))

    async def _tell_all(self, order: Order) -> None:
        async with trio.open_nursery() as nursery:
            for host in self._hosts.values():
                nursery.start_soon(self._tell_soon, host, order)

    async def _tell_soon(self, host: Host, order: Order) -> None:
        with trio.move_on_after(TELL_S):  # whoever reads nothing is minded, and holds up nobody
            await host.tell(order)

    def _hosts_with(self, zones: Iterable[int]) -> list[Host]:
        wanted = set(zones)
        return [host for host in self._hosts.values() if not wanted.isdisjoint(host.specs)]

    def _can_tick(self, zone: int) -> bool:
        return self._states.of(zone) in TICKING

    def _is_given_up(self, zone: int) -> bool:
        return all(host.given_up for host in self._hosts_with([zone]))

    def _notify(self) -> None:
        changed, self._changed = self._changed, trio.Event()
        changed.set()

    async def _until(self, holds: Callable[[], bool]) -> None:
        while not holds():
            await self._changed.wait()
