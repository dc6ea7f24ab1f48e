"""The states of a zone, in Agones' words, and how it gets from one to another. Does nothing."""

from __future__ import annotations

from enum import StrEnum


class ZoneState(StrEnum):
    """Where a zone is in its life."""

    CREATING = "Creating"  # its process is being started
    STARTING = "Starting"  # its process makes it
    READY = "Ready"  # can tick
    ALLOCATED = "Allocated"  # ticks, and has players
    DRAINING = "Draining"  # hands its players over
    SHUTDOWN = "Shutdown"  # gone, until it is wanted again
    UNHEALTHY = "Unhealthy"  # hangs, or is dead


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
TO_TICK = TICKING | {_S.UNHEALTHY}  # its players count on an unhealthy one as well


class ZoneStates:
    """The state of every zone of a run."""

    def __init__(self) -> None:
        self._states: dict[int, ZoneState] = {}

    def create(self, zone: int) -> None:
        """A zone is wanted: for the first time, or again."""
        if zone in self._states:
            self.move(zone, ZoneState.CREATING)
        else:
            self._states[zone] = ZoneState.CREATING

    def move(self, zone: int, state: ZoneState) -> None:
        """Go from state to state; raises ValueError where no way leads."""
        before = self._states[zone]
        if state is before:
            return
        if state not in TRANSITIONS[before]:
            ways = ", ".join(sorted(TRANSITIONS[before]))
            raise ValueError(f"zone {zone} is {before}, and can become {ways}; got {state}")
        self._states[zone] = state

    def of(self, zone: int) -> ZoneState:
        """The state of one zone."""
        return self._states[zone]

    def all(self) -> dict[int, ZoneState]:
        """The state of each zone that there is, by zone; not of those that are gone."""
        return {z: state for z, state in self._states.items() if state is not ZoneState.SHUTDOWN}
