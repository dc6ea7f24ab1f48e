"""Idle strategies: what a worker does while there is no work. The names are Agrona's.

Spinning saves the wake-up of a sleeping thread, some tens of microseconds, and occupies a core.
Where processes outnumber cores, it takes the core from the processes it waits for.
"""

from __future__ import annotations

import os
from typing import Final

from corororo._platform import SystemClock
from corororo.abc import Clock

MAX_HOLD_OFF: Final = 128  # waits; on a crowded core one late look in so many
LATE_NS: Final = 50_000  # between two looks
NEVER: Final = -1.0  # before any time that a clock shows


def give_way() -> None:
    """Yield the core to any other runnable process."""
    os.sched_yield()


class Park:
    """Sleeps in the kernel at once, so that an idle worker costs nothing."""

    def idle(self, work_count: int) -> bool:
        """Sleep until work comes."""
        return False


class BusySpin:
    """Looks again at once, for ever: for workers with a core of their own."""

    def idle(self, work_count: int) -> bool:
        """Look again."""
        return True


class Yielding:
    """Looks again for ever, and yields the core between two looks."""

    def idle(self, work_count: int) -> bool:
        """Look again after other processes."""
        if work_count == 0:
            give_way()
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
        """Go from spinning over yielding to parking; work restarts the sequence."""
        if work_count:
            self._looks = 0
            return True
        self._looks += 1
        if self._looks <= self._spins:
            return True
        if self._looks <= self._spins + self._yields:
            give_way()
            return True
        self._looks = 0
        return False


class AdaptiveSpin:
    """Spins for a window that doubles while spinning pays, and parks at once on a crowded core.

    Each wait that a spin of ``longest_us`` would have bridged doubles the window, and each window
    that ends without work halves it; it stays between ``shortest_us`` and ``longest_us``. Work
    that is there at once changes nothing.

    It yields the core between two looks. A look more than 50 us after the last one means that
    another process wanted the core: the strategy parks, the window shrinks to the shortest, and
    the next waits park without a spin. First one wait, then four times as many each time, at most
    128; each undisturbed spin halves that number. Judges a window as Linux' haltpoll does.
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
        self._spinning = False
        self._looked_ns = 0
        self._spin_until_ns = 0.0
        self._in_reach_until_ns = NEVER  # a spin would have paid for work until then
        self._tried_us = shortest_us  # the window of the wait to be judged
        self._hold_off = 0  # waits without a spin after the next late look
        self._held_off = 0  # waits without a spin still to come
        self.window_us = shortest_us

    def idle(self, work_count: int) -> bool:
        """Spin for the window, then park."""
        if work_count:
            self._learn()
            return True
        if self._spinning:
            return self._look()
        if self._held_off:
            self._held_off -= 1
            return False
        self._spinning = True
        self._looked_ns = now_ns = self._clock.now_ns()
        self._spin_until_ns = now_ns + self.window_us * 1000
        self._in_reach_until_ns = now_ns + self._longest_us * 1000
        self._tried_us = self.window_us
        return self._look()

    def _look(self) -> bool:
        give_way()
        # Read after the yield: work that came meanwhile would hide how long the yield took.
        now_ns = self._clock.now_ns()
        late = now_ns - self._looked_ns > LATE_NS
        self._looked_ns = now_ns
        self._spinning = not late and now_ns < self._spin_until_ns
        if late:
            self._in_reach_until_ns = NEVER
            self._hold_off = self._held_off = min(MAX_HOLD_OFF, max(1, 4 * self._hold_off))
            self.window_us = self._shortest_us
        elif not self._spinning:
            self._hold_off //= 2
            self.window_us = max(self._shortest_us, self.window_us / 2)
        return self._spinning

    def _learn(self) -> None:
        # The batch has run by now, so a long one counts as too late for a spin: beside it a
        # wake-up costs nothing.
        if self._spinning:
            self._hold_off //= 2
        if self._spinning or self._clock.now_ns() <= self._in_reach_until_ns:
            self.window_us = min(self._longest_us, self._tried_us * 2)
        self._spinning = False
