"""The messages between a run and its zone processes: orders go out, reports come in."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence

import msgspec
import trio

import corororo as cr
from zonesim.controller.handovers import Handovers
from zonesim.controller.slots import SlotTable, ZoneState
from zonesim.processes.slot import ProcessSlot
from zonesim.processes.supervisor import OnEvent
from zonesim.scenario.supervision import Supervision
from zonesim.system.errors import RunFailed
from zonesim.wire.channel import Channel, ControlError
from zonesim.wire.messages import (
    Adopt,
    Adopted,
    Assign,
    Drain,
    Drained,
    Failed,
    FromController,
    Halt,
    Leg,
    LegDone,
    Ready,
    Saving,
    SlowDisk,
    Stop,
    TickRow,
    Ticks,
    WorkerTotals,
    ZoneEvent,
    add_by_worker,
)

SEND_S = 1.0  # for an order to all; the supervisor finds the process that reads nothing

OnTicks = Sequence[Callable[[list[TickRow]], None]]  # each gets the rows that arrive


class Dispatcher:
    """Knows what each process has been ordered, and repeats it to the one that replaces it."""

    def __init__(
        self,
        policy: Supervision,
        pool: cr.WorkerPool,
        slots: SlotTable,
        handovers: Handovers,
        on_ticks: OnTicks,
        on_event: OnEvent,
    ) -> None:
        self.leg: Leg | None = None  # ordered last
        self.halting = False
        self.stopping = False
        self.draining: set[int] = set()
        self.work: dict[int, WorkerTotals] = {}  # by worker number, for all zones
        self.lives: Counter[int] = Counter()  # by zone: how often it was created
        self._policy = policy
        self._pool = pool
        self._slots = slots
        self._handovers = handovers
        self._on_ticks = on_ticks
        self._on_event = on_event
        self._slow_disk = SlowDisk(0.0, 0)

    async def assign(self, slot: ProcessSlot) -> None:
        """Have a process make the zones of its slot that it has not been told to make."""
        new = [spec for zone, spec in slot.specs.items() if zone not in slot.assigned]
        if slot.channel is None or not new:
            return  # without a channel, it gets them when it connects
        slot.assigned.update(spec.zone for spec in new)
        for spec in new:
            self._slots.move(spec.zone, ZoneState.STARTING)
        saving = Saving(self._pool.address, self._policy.checkpoint_ticks, self._slow_disk)
        lives = {spec.zone: self.lives[spec.zone] for spec in new}
        await slot.send(Assign(new, lives, saving, self._policy.tick_bound_s))

    async def order_leg(self, leg: Leg) -> None:
        """Have all zones tick as a leg says; those that it does not name end."""
        self.leg = leg
        async with trio.open_nursery() as nursery:
            # At once: the first zones begin to tick and may take the CPU that sending needs.
            for slot in self._slots.all():
                if slot.is_up:  # else it gets the leg when its zones are made
                    nursery.start_soon(self._send_leg, slot, leg)
        if self.halting:  # halt() came meanwhile, and may have been sent before the leg
            await self.send_all(Halt())

    async def order_drain(self, slot: ProcessSlot) -> None:
        """Have a process end those of its zones that are to be drained and can tick."""
        zones = [z for z in slot.specs if z in self.draining and self._slots.can_tick(z)]
        if zones and slot.is_up:
            for zone in zones:
                self._slots.move(zone, ZoneState.DRAINING)
            await slot.send(Drain(zones))

    async def send_adopts(self, adopts: list[Adopt]) -> None:
        """Send players to their new zones; the order at each zone is part of its world."""
        async with trio.open_nursery() as nursery:
            for slot in self._slots.all():
                theirs = [adopt for adopt in adopts if adopt.zone in slot.specs]
                nursery.start_soon(_send_in_order, slot, theirs)

    async def slow_disk(self, delay_s: float, until_ns: int) -> None:
        """Slow down checkpoints, also of processes that start later."""
        self._slow_disk = SlowDisk(delay_s, until_ns)
        await self.send_all(self._slow_disk)

    async def send_all(self, order: FromController) -> None:
        """Send an order to all processes; one that does not read holds up no other."""
        with trio.move_on_after(SEND_S):
            async with trio.open_nursery() as nursery:
                for slot in self._slots.all():
                    nursery.start_soon(slot.send, order)

    async def _send_leg(self, slot: ProcessSlot, leg: Leg) -> None:
        slot.step_ordered = leg.step
        # A replacement runs nothing that was due before: that has run, or is missed.
        start_ns = max(leg.start_ns, time.monotonic_ns()) if slot.died_ns else leg.start_ns
        await slot.send(
            msgspec.structs.replace(leg, until=self._until(slot, leg), start_ns=start_ns)
        )

    def _until(self, slot: ProcessSlot, leg: Leg) -> dict[int, int | None]:
        """What a leg says about the zones of a slot, without those that drain and have run it."""
        until = {z: leg.until[z] for z in slot.specs if z in leg.until}
        for zone in until.keys() & self.draining:
            if slot.next_ticks.get(zone, 0) >= (until[zone] or 0):
                del until[zone]
        return until

    async def serve(self, pid: int, channel: Channel) -> None:
        """Take the messages of one process until it ends."""
        slot = self._slots.awaited(pid)
        assert slot is not None  # the listener admits no other
        slot.connected(channel)
        await (slot.send(Stop()) if self.stopping else self.assign(slot))
        try:
            while (message := await channel.receive()) is not None:
                await self._take(slot, channel, message)
        except ControlError as error:
            if slot.channel is channel:
                slot.kill(f"killed: {error}")

    async def _take(self, slot: ProcessSlot, channel: Channel, message: msgspec.Struct) -> None:
        if isinstance(message, Ticks):  # they count, even if their process is dead by now
            add_by_worker(self.work, message.workers)
            for take_ticks in self._on_ticks:
                take_ticks(message.rows)
        if slot.channel is not channel:
            return  # from a process that has been replaced
        slot.heard()
        match message:
            case Ticks(rows):
                slot.note_ticks(rows)
                self._note_players(rows)
            case Ready(next_ticks):
                await self._note_ready(slot, next_ticks)
            case LegDone(step):
                slot.step_done = step
            case Drained(zone, players, adopted) if zone in slot.specs:
                slot.drained.add(zone)
                self._handovers.released(zone, players, adopted)
            case Adopted(number, saved):
                self._handovers.adopted(number, saved)
            case ZoneEvent(kind, zone, detail):
                self._on_event(kind, detail, zones=[zone], pid=slot.pid)
            case Failed() as failure:
                self._note_failure(slot, failure)
        self._slots.notify()

    def _note_players(self, rows: list[TickRow]) -> None:
        for row in rows:
            if self._slots.can_tick(row.zone):
                state = ZoneState.ALLOCATED if row.players else ZoneState.READY
                self._slots.move(row.zone, state)

    async def _note_ready(self, slot: ProcessSlot, next_ticks: dict[int, int]) -> None:
        slot.made |= next_ticks.keys() & slot.assigned
        slot.next_ticks = next_ticks
        states = self._slots.states()
        ready = [z for z in slot.made if states[z] is ZoneState.STARTING]
        for zone in ready:
            self._slots.move(zone, ZoneState.READY)
        self._note_restarted(slot, slot.missed.intersection(ready))
        leg = self.leg
        is_behind = leg is not None and slot.is_up and slot.step_ordered != leg.step
        if leg is not None and is_behind and self._until(slot, leg):
            await self._send_leg(slot, leg)
            if self.halting:
                await slot.send(Halt())
        await self.order_drain(slot)
        for zone in ready:
            await _send_in_order(slot, self._handovers.for_zone(zone))

    def _note_restarted(self, slot: ProcessSlot, zones: set[int]) -> None:
        if not zones:
            return
        slot.missed -= zones
        after_ms = (time.monotonic_ns() - slot.died_ns) / 1e6
        tick = min(slot.next_ticks[zone] for zone in zones)
        detail = f"after {after_ms:.0f} ms, continues at tick {tick}"
        self._on_event("zone-restarted", detail, zones=zones, pid=slot.pid)

    def _note_failure(self, slot: ProcessSlot, failure: Failed) -> None:
        """A process cannot continue: replace it, or end the run where no restart can help."""
        reason, detail = failure.reason, failure.detail
        if not slot.made or slot.restarts.recent >= self._policy.restarts:
            self.check_pool()
        if not slot.made and not slot.died_ns and self.leg is None:
            error = RunFailed(f"{slot.title}: {reason}")  # its zones cannot be made even once
            if detail:
                error.add_note(detail)
            raise error
        kind, how = ("zone-hung", "killed") if failure.hung else ("zone-failed", "failed")
        slot.hung, slot.hung_zones = slot.hung or bool(failure.hung), failure.hung
        self._on_event(kind, f"{reason}\n{detail}".strip(), zones=slot.specs, pid=slot.pid)
        slot.kill(f"{how}: {reason}")

    def check_pool(self) -> None:
        """Raise where the workers have failed: no restart of a zone process helps then."""
        failure = self._pool.statistics().failure
        if failure is not None:
            raise RunFailed(failure)


async def _send_in_order(slot: ProcessSlot, orders: Iterable[FromController]) -> None:
    for order in orders:
        await slot.send(order)
