"""The process slots of a run, and the state of each zone in the terms of Agones."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from enum import StrEnum

import trio

from zonesim.processes.slot import ProcessSlot
from zonesim.scenario.supervision import Supervision
from zonesim.workloads.base import ZoneSpec


class ZoneState(StrEnum):
    """The life cycle of a zone."""

    CREATING = "Creating"  # its process is being started
    STARTING = "Starting"  # its process makes it
    READY = "Ready"  # it can tick
    ALLOCATED = "Allocated"  # it ticks, and has players
    DRAINING = "Draining"  # it hands its players over
    SHUTDOWN = "Shutdown"  # it has ended, until a step needs it again
    UNHEALTHY = "Unhealthy"  # its process hangs or is dead


_S = ZoneState
TRANSITIONS: dict[ZoneState, frozenset[ZoneState]] = {
    _S.CREATING: frozenset({_S.STARTING, _S.UNHEALTHY}),
    _S.STARTING: frozenset({_S.READY, _S.UNHEALTHY}),
    _S.READY: frozenset({_S.ALLOCATED, _S.DRAINING, _S.UNHEALTHY}),
    _S.ALLOCATED: frozenset({_S.READY, _S.DRAINING, _S.UNHEALTHY}),
    _S.DRAINING: frozenset({_S.SHUTDOWN, _S.UNHEALTHY}),
    _S.UNHEALTHY: frozenset({_S.STARTING, _S.SHUTDOWN}),
    _S.SHUTDOWN: frozenset({_S.CREATING}),
}
TICKING = frozenset({_S.READY, _S.ALLOCATED})
TO_TICK = TICKING | {_S.UNHEALTHY}  # an unhealthy zone is expected to tick as well


class SlotTable:
    """All slots, by number, and all zones, by zone; tasks can wait for a change."""

    def __init__(self, policy: Supervision) -> None:
        self._policy = policy
        self._slots: dict[int, ProcessSlot] = {}
        self._states: dict[int, ZoneState] = {}
        self._changed = trio.Event()

    def all(self) -> list[ProcessSlot]:
        """Every slot."""
        return list(self._slots.values())

    def slots_with(self, zones: Iterable[int]) -> list[ProcessSlot]:
        """The slots that hold any of these zones."""
        wanted = set(zones)
        return [slot for slot in self._slots.values() if not wanted.isdisjoint(slot.specs)]

    def awaited(self, pid: int) -> ProcessSlot | None:
        """The slot of a process that was started and has not connected yet."""
        for slot in self._slots.values():
            if slot.channel is None and slot.handle is not None and slot.handle.pid == pid:
                return slot
        return None

    def add_zone(self, spec: ZoneSpec, number: int) -> ProcessSlot:
        """Put a zone into a slot, for the first time or again."""
        self._states.setdefault(spec.zone, ZoneState.CREATING)
        self.move(spec.zone, ZoneState.CREATING)
        slot = self._slots.setdefault(number, ProcessSlot(number, self._policy))
        slot.specs[spec.zone] = spec
        return slot

    def remove_zones(self, zones: Iterable[int]) -> list[ProcessSlot]:
        """Take zones that have ended out of their slots; returns the slots that are empty now."""
        emptied = []
        for slot in self.slots_with(zones):
            for zone in slot.specs.keys() & set(zones):
                self.move(zone, ZoneState.SHUTDOWN)
                del slot.specs[zone]
                for known in (slot.assigned, slot.made, slot.missed):
                    known.discard(zone)
            if not slot.specs:
                slot.retiring = True
                del self._slots[slot.number]
                emptied.append(slot)
        self.notify()
        return emptied

    def move(self, zone: int, state: ZoneState) -> None:
        """Change the state of a zone; ValueError where TRANSITIONS does not allow it."""
        before = self._states[zone]
        if state is before:
            return
        if state not in TRANSITIONS[before]:
            allowed = ", ".join(sorted(TRANSITIONS[before]))
            raise ValueError(f"zone {zone} is {before} and can become {allowed}; got {state}")
        self._states[zone] = state

    def states(self) -> dict[int, ZoneState]:
        """The state of each zone, without those that have ended."""
        return {z: state for z, state in self._states.items() if state is not ZoneState.SHUTDOWN}

    def can_tick(self, zone: int) -> bool:
        """Whether a zone can tick now."""
        return self._states[zone] in TICKING

    def is_given_up(self, zone: int) -> bool:
        """Whether no process will be started for a zone any more."""
        return all(slot.quarantined for slot in self.slots_with([zone]))

    def is_settled(self, zone: int) -> bool:
        """Whether a zone can tick, or never will."""
        return self.can_tick(zone) or self.is_given_up(zone)

    def zone_pids(self) -> dict[int, int]:
        """The process of each zone that can tick."""
        return {
            zone: slot.handle.pid
            for slot in self._slots.values()
            if slot.is_up and slot.handle is not None
            for zone in slot.specs
            if self.can_tick(zone)
        }

    def notify(self) -> None:
        """Wake the tasks that wait for a change."""
        changed, self._changed = self._changed, trio.Event()
        changed.set()

    async def until(self, holds: Callable[[], bool]) -> None:
        """Wait until a condition holds; it is checked after each change."""
        while not holds():
            await self._changed.wait()
