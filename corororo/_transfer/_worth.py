"""What a batch has to hold to be worth its trip. Knows no functions and no records."""

from __future__ import annotations

# What a trip costs everybody together is some 50 us. Twice that measured better than four times.
WORTH_NS = 100_000
DEAREST_NS = 8 * WORTH_NS
PART = 0.5  # of the time in which nobody took a batch up, it had better hold in work
DOWN, UP = 1 / 2, 1 / 64  # the weight of the latest delay, if it is shorter or longer


class Worth:
    """For one transfer, from how long its batches wait until a worker takes them up.

    Where cores are free that is the time of a wake-up. Where a hundred zones share two cores it is
    milliseconds, nothing is won by cutting a tick's calls into small batches, and each of them
    costs zone and worker a turn more with caches that others have filled: 300 zones made nine times
    as many ticks when their calls went together. A long delay now and then says nothing: short ones
    count far more.
    """

    def __init__(self) -> None:
        self._delay_ns = 0.0
        self.worth_ns = float(WORTH_NS)

    def note_delay(self, delay_ns: float) -> None:
        """A batch was taken up so long after it was sent."""
        weight = DOWN if delay_ns < self._delay_ns else UP
        self._delay_ns += weight * (delay_ns - self._delay_ns)
        self.worth_ns = min(max(WORTH_NS, PART * self._delay_ns), DEAREST_NS)
