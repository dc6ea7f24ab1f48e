"""Finds zones whose tick does not get on. Knows no wire, and asks zones for numbers alone.

A process whose Tasks await what never comes is well: it answers and beats. Only its zone is not.
On a crowded machine a tick may take long: while answers come and Tasks end, it is none of ours.
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
    def progress(self) -> tuple[int, ...]: ...


Z = TypeVar("Z", bound=Ticking)


class TickWatch:
    """For the zones of one process: ``look`` wants to be called each ``gap_s``."""

    def __init__(self, tick_hang_s: float) -> None:
        self.gap_s = tick_hang_s / LOOKS
        self._seen: dict[Ticking, tuple[tuple[int, ...], int]] = {}  # and looks since

    def look(self, zones: Iterable[Z]) -> list[Z]:
        """Those that tick, and have got no further in all looks for so long."""
        before, self._seen = self._seen, {}
        hung = []
        for zone in zones:
            if zone.ticking:
                now = zone.progress
                seen, looks = before.get(zone, ((), 0))
                looks = looks + 1 if seen == now else 0
                self._seen[zone] = (now, looks)
                if looks >= LOOKS:
                    hung.append(zone)
        return hung
