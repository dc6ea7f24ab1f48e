"""Time. The only caller of ``time.*`` in the library."""

from __future__ import annotations

import time


def file_time() -> float:
    """The time that a file would bear that were written now; it may be set back."""
    return time.time()


class SystemClock:
    """The monotonic clock of the machine: one for all its processes, never set back."""

    now = staticmethod(time.monotonic)
    now_ns = staticmethod(time.monotonic_ns)
    wait = staticmethod(time.sleep)


class MockClock:
    """A clock that stands still until it is told to jump.

    Where a scheduler could only wait for a timer, as in ``Scheduler.run``, it jumps there by
    itself: tests of long sleeps take no time. While a tick waits for workers it stands still,
    and no deadline comes.
    """

    def __init__(self, start: float = 0.0) -> None:
        self._now_ns = round(start * 1e9)

    def now(self) -> float:
        """Seconds since the start."""
        return self._now_ns / 1e9

    def now_ns(self) -> int:
        """The same in nanoseconds."""
        return self._now_ns

    def jump(self, seconds: float) -> None:
        """Go forward; raises ValueError for a step back."""
        if not seconds >= 0:
            raise ValueError(f"a clock goes forward only, got a jump of {seconds} s")
        self._now_ns += round(seconds * 1e9)

    def wait(self, seconds: float) -> None:
        """What else would be slept through is jumped over."""
        self.jump(seconds)
