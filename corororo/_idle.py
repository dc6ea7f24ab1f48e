"""What a worker does while there is no work: IdleStrategies. Knows neither FIFOs nor batches.

The names are Agrona's. Spinning saves the wake-up of a sleeper, some tens of microseconds, and
takes a core for itself; where processes outnumber cores it takes it from those it waits for.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Final

from corororo._clock import SystemClock
from corororo._platform import HAS_SCHED_YIELD
from corororo.abc import Clock

MAX_HOLD_OFF: Final = 128  # waits; a core that stays crowded costs one late look in so many
NEVER: Final = -1.0  # before any time that a clock shows


def give_way() -> None:
    """Let whoever else wants to run have the core."""
    if HAS_SCHED_YIELD:
        os.sched_yield()
    else:
        SystemClock.wait(0.0)


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
        """One step further from spinning to parking; work begins it anew."""
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
    """Spins for a window that doubles where spinning pays, and parks at once in a crowd.

    Each wait that a spin of ``longest_us`` would have bridged doubles the window, each window
    that ends in vain halves it; it stays between ``shortest_us`` and ``longest_us``. Work that is
    there at once was not waited for, and changes nothing.

    It gives way between two looks. A look that comes more than ``late_us`` after the last one
    says that somebody else wanted the core: then it parks, the window shrinks to the shortest,
    and the next waits park without any spin. First one, then four times as many each time, at
    most 128; each spin that nobody disturbs halves that number.

    From the plan that this project answers: double up to 1,000 us, halve down to 1 us. To judge
    a window by the wait that it was for, and not by its end alone, is the way of Linux' haltpoll.
    """

    def __init__(
        self,
        shortest_us: float = 1.0,
        longest_us: float = 1000.0,
        clock: Clock | None = None,
        *,
        late_us: float = 50.0,
        give_way: Callable[[], object] = give_way,
    ) -> None:
        if not 0 < shortest_us <= longest_us:
            raise ValueError(
                f"expected 0 < shortest_us <= longest_us, got {shortest_us} and {longest_us}"
            )
        if not late_us > 0:
            raise ValueError(f"late_us must be more than 0, got {late_us}")
        self._shortest_us = shortest_us
        self._longest_us = longest_us
        self._late_ns = late_us * 1000
        self._clock = clock or SystemClock()
        self._give_way = give_way
        self._spinning = False
        self._looked_ns = 0
        self._spin_until_ns = 0.0
        self._in_reach_until_ns = NEVER  # work that comes by then would have paid for a spin
        self._tried_us = shortest_us  # the window of the wait that is to be judged
        self._hold_off = 0  # waits without a spin, next time that a look is late
        self._held_off = 0  # those that are still to come
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
        self._begin()
        return self._look()

    def _begin(self) -> None:
        now_ns = self._clock.now_ns()
        self._spinning = True
        self._looked_ns = now_ns
        self._spin_until_ns = now_ns + self.window_us * 1000
        self._in_reach_until_ns = now_ns + self._longest_us * 1000
        self._tried_us = self.window_us

    def _look(self) -> bool:
        self._give_way()
        # After giving way, not before: work that came meanwhile would hide how long it took.
        # Where giving way to nobody takes that long, spinning wins nothing over parking anyway.
        now_ns = self._clock.now_ns()
        late = now_ns - self._looked_ns > self._late_ns
        self._looked_ns = now_ns
        if late:
            self._hold_back()
        elif now_ns >= self._spin_until_ns:
            self._end_in_vain()
        return self._spinning

    def _hold_back(self) -> None:
        self._spinning = False
        self._in_reach_until_ns = NEVER
        self._hold_off = self._held_off = min(MAX_HOLD_OFF, max(1, 4 * self._hold_off))
        self.window_us = self._shortest_us

    def _end_in_vain(self) -> None:
        self._spinning = False
        self._hold_off //= 2
        self.window_us = max(self._shortest_us, self.window_us / 2)

    def _learn(self) -> None:
        # The batch has been run by now: a long one counts as come too late for a spin, and is.
        # Beside it the wake-up of a sleeper is nothing.
        if self._spinning:
            self._hold_off //= 2
        if self._spinning or self._clock.now_ns() <= self._in_reach_until_ns:
            self.window_us = min(self._longest_us, self._tried_us * 2)
        self._spinning = False
