"""Which faults of a scenario are due, by time and by ticks. Knows no clock and no processes."""

from __future__ import annotations

from collections.abc import Sequence

from zonesim.scenario.faults import Fault, KillZone, StallZone, SurgeFault


class FaultClock:
    """Tells of each fault once for each time that it is due; moments count from the first tick.

    Who asks late is told once of a fault that was due several times: there is no catching up.
    """

    def __init__(self, faults: Sequence[Fault]) -> None:
        self._moments = {n: Moments(fault) for n, fault in enumerate(faults)}
        self._ticks = {
            n: (_zone(fault), fault.at_tick)
            for n, fault in enumerate(faults)
            if fault.at_tick is not None
        }
        self._highest: dict[int | None, int] = {}  # tick by zone; by None, of all zones

    def note_tick(self, zone: int, tick: int) -> bool:
        """A zone has run a tick; tell whether a fault is due for it."""
        for which in (zone, None):
            self._highest[which] = max(tick, self._highest.get(which, -1))
        return any(map(self._has_come, self._ticks))

    def take_due(self, now_ns: int) -> list[int]:
        """The places of the faults that are due and have not been told of, in order."""
        by_tick = [n for n in self._ticks if self._has_come(n)]
        for n in by_tick:
            del self._ticks[n]
        return sorted(by_tick + [n for n, each in self._moments.items() if each.take(now_ns)])

    def next_ns(self) -> int | None:
        """When a fault is due next by time; None where none is any more."""
        coming = (each.next_ns for each in self._moments.values())
        return min((ns for ns in coming if ns is not None), default=None)

    def _has_come(self, n: int) -> bool:
        zone, tick = self._ticks[n]
        return self._highest.get(zone, -1) >= tick


class Moments:
    """The moments of one fault, each of them taken once or, where another has come, not at all."""

    def __init__(self, fault: Fault) -> None:
        self._first_ns = round(fault.begin_s * 1e9)
        self._every_ns = None if fault.every_s is None else round(fault.every_s * 1e9)
        self._until_ns = None if fault.until_s is None else round(fault.until_s * 1e9)
        self.next_ns = self._first_ns if fault.at_tick is None else None

    def take(self, now_ns: int) -> bool:
        """Whether a moment has come that was not taken; all up to now count as taken then."""
        if self.next_ns is None or now_ns < self.next_ns:
            return False
        self.next_ns = self._after(now_ns)
        return True

    def _after(self, now_ns: int) -> int | None:
        if self._every_ns is None:
            return None
        past = (now_ns - self._first_ns) // self._every_ns + 1
        next_ns = self._first_ns + past * self._every_ns
        return None if self._until_ns is not None and next_ns >= self._until_ns else next_ns


def _zone(fault: Fault) -> int | None:
    """The zone whose ticks count for a fault; None where those of any zone do."""
    return fault.zone if isinstance(fault, KillZone | StallZone | SurgeFault) else None
