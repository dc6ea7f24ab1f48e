"""What a worker does while there is no work: IdleStrategies. Knows neither FIFOs nor batches.

The names are Agrona's. Spinning saves the wake-up of a sleeper, some tens of microseconds, and
takes a core for itself; where processes outnumber cores it takes it from those it waits for.
"""

from __future__ import annotations

import os

from corororo._clock import SystemClock
from corororo.abc import Clock


class Park:
    """Sleeps in the kernel at once: no idle worker costs anything."""

    def idle(self, work_count: int) -> bool:
        """Never look again before work has come."""
        return False


class BusySpin:
    """Looks again at once, for ever: for workers that have a core of their own."""

    def idle(self, work_count: int) -> bool:
        """Look again."""
        return True


class Yielding:
    """Looks again for ever, and lets others have the core between two looks."""

    def idle(self, work_count: int) -> bool:
        """Look again after whoever else wants to run."""
        if work_count == 0:
            os.sched_yield()
        return True


class Backoff:
    """Looks again ``spins`` times at once, then ``yields`` times yielding, then parks."""

    def __init__(self, spins: int = 20, yields: int = 50) -> None:
        for name, value in (("spins", spins), ("yields", yields)):
            if value < 0:
                raise ValueError(f"{name} must be 0 or more, got {value}")
        self._spins = spins
        self._yields = yields
        self._looks = 0

    def idle(self, work_count: int) -> bool:
        """One step further from spinning to parking; work begins it anew."""
        if work_count:
            self._looks = 0
            return True
        self._looks += 1
        if self._looks <= self._spins:
            return True
        if self._looks <= self._spins + self._yields:
            os.sched_yield()
            return True
        self._looks = 0
        return False


class AdaptiveSpin:
    """Spins for a window that doubles with each success and halves with each failure.

    Success is work that comes while it spins, or right after; the window stays between
    ``shortest_us`` and ``longest_us`` microseconds. From the plan that this project answers:
    double up to 1,000 us, halve down to 1 us.
    """

    def __init__(
        self, shortest_us: float = 1.0, longest_us: float = 1000.0, clock: Clock | None = None
    ) -> None:
        if not 0 < shortest_us <= longest_us:
            raise ValueError(
                f"expected 0 < shortest_us <= longest_us, got {shortest_us} and {longest_us}"
            )
        self._shortest_us = shortest_us
        self._longest_us = longest_us
        self._clock = clock or SystemClock()
        self._began_ns: int | None = None
        self.window_us = shortest_us

    def idle(self, work_count: int) -> bool:
        """Spin for the window, then park."""
        if work_count:
            self._began_ns = None
            self.window_us = min(self._longest_us, self.window_us * 2)
            return True
        now_ns = self._clock.now_ns()
        if self._began_ns is None:
            self._began_ns = now_ns
        if now_ns - self._began_ns < self.window_us * 1000:
            os.sched_yield()
            return True
        self._began_ns = None
        self.window_us = max(self._shortest_us, self.window_us / 2)
        return False
