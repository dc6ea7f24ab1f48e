"""Finds zones that are at one tick for too long. Knows no wire, and asks zones for numbers alone.

A process whose Tasks await what never comes is well: it answers and beats. Only its zone is not.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol, TypeVar

LOOKS = 4  # in the time that a tick may take; a process that stood still has seen nothing meanwhile


class Ticking(Protocol):
    """What is asked of a zone."""

    @property
    def ticking(self) -> bool: ...
    @property
    def next_tick(self) -> int: ...


Z = TypeVar("Z", bound=Ticking)


class TickWatch:
    """For the zones of one process: ``look`` wants to be called each ``gap_s``."""

    def __init__(self, tick_hang_s: float) -> None:
        self.gap_s = tick_hang_s / LOOKS
        self._seen: dict[Ticking, tuple[int, int]] = {}  # the tick that runs, and looks since

    def look(self, zones: Iterable[Z]) -> list[Z]:
        """Those that have been at the same tick in every look for so long."""
        before, self._seen = self._seen, {}
        hung = []
        for zone in zones:
            if zone.ticking:
                tick, looks = before.get(zone, (-1, 0))
                looks = looks + 1 if tick == zone.next_tick else 0
                self._seen[zone] = (zone.next_tick, looks)
                if looks >= LOOKS:
                    hung.append(zone)
        return hung
