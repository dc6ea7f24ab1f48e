"""When the ticks of a zone are due: its phase in the period, and what follows a late tick."""

from __future__ import annotations

from typing import NamedTuple

from zonesim.scenario.supervision import Missed

GOLDEN = (5**0.5 - 1) / 2  # 0.618…: the fraction furthest from every simple ratio


def phase_ns(zone: int, period_ns: int) -> int:
    """How long after the start of each period a zone is due; its number alone decides.

    Fractional parts of multiples of the golden ratio spread any first n zones evenly over the
    period, so zones can be added without moving the others. It is the Kronecker sequence of the
    golden ratio: by the three-gap theorem (Sós, 1958) the gaps have at most three lengths. See
    Knuth, "The Art of Computer Programming", volume 3, section 6.4.
    """
    return int(zone * GOLDEN % 1.0 * period_ns)


class DueTimes(NamedTuple):
    """The moments at which a zone is due: a first one, then one each period."""

    first_ns: int
    period_ns: int

    def before(self, end_ns: int) -> int:
        """How many there are before a moment."""
        return max(0, -((self.first_ns - end_ns) // self.period_ns))


def due_times(origin_ns: int, zone: int, period_ns: int, begin_ns: int) -> DueTimes:
    """The due times of a zone from ``begin_ns`` on; its first period starts at ``origin_ns``."""
    first_ns = origin_ns + phase_ns(zone, period_ns)
    periods = max(0, -((first_ns - begin_ns) // period_ns))
    return DueTimes(first_ns + periods * period_ns, period_ns)


class Schedule:
    """The due times of one zone: one each period from ``first_ns`` on, unless ticks are late.

    It ends before ``end_ns``, or after ``ticks`` ticks; without either it does not end.
    ``missed`` is the policy for late ticks, in tokio's names:

    - ``skip``: ticks overdue by whole periods never run. The next tick runs at once and the phase
      stays.
    - ``burst``: every overdue tick runs, one after another, until the zone has caught up. Lateness
      counts from the original due times. Nothing is missed, but a schedule with an ``end_ns`` may
      take longer than that.
    - ``delay``: the next tick is due a period after the late one ended, so the phase shifts. (An
      interval of corororo counts that period from the start of its run.)

    Missed ticks are counted against the undisturbed schedule: executed + missed is the number of
    whole periods between ``first_ns`` and ``due_ns``, in the end of ticks due before ``end_ns``.
    """

    def __init__(
        self,
        first_ns: int,
        period_ns: int,
        missed: Missed = "skip",
        *,
        end_ns: int | None = None,
        ticks: int | None = None,
    ) -> None:
        self.due_ns = first_ns  # when the next tick is due
        self.executed = 0
        self.missed = 0
        self._first_ns = first_ns
        self._period_ns = period_ns
        self._policy = missed
        self._end_ns = end_ns
        self._ticks = ticks

    def set_bounds(self, end_ns: int | None, ticks: int | None) -> None:
        """Replace the bounds: a moment, and the number of ticks left to run."""
        self._end_ns = end_ns
        self._ticks = None if ticks is None else self.executed + ticks

    @property
    def is_over(self) -> bool:
        """Whether no more ticks are due."""
        return self._is_past_end() or self.executed == self._ticks

    def finish(self, finished_ns: int) -> tuple[bool, int]:
        """Move to the next due time; return whether the tick was late, and the ticks it missed.

        A tick is late if it ends after the next one was due. Each missed tick is counted once.
        """
        late = finished_ns > self.due_ns + self._period_ns
        self.executed += 1
        self.due_ns = self._next_due_ns(finished_ns, late)
        missed = self._due_so_far() - self.executed - self.missed
        self.missed += missed
        return late, missed

    def _next_due_ns(self, finished_ns: int, late: bool) -> int:
        next_ns = self.due_ns + self._period_ns
        if late and self._policy == "delay":
            return finished_ns + self._period_ns
        if late and self._policy == "skip":
            return next_ns + (finished_ns - next_ns) // self._period_ns * self._period_ns
        return next_ns

    def _is_past_end(self) -> bool:
        return self._end_ns is not None and self.due_ns >= self._end_ns

    def _due_so_far(self) -> int:
        """Ticks of the undisturbed schedule that were due before the next due time."""
        if self.executed == self._ticks:
            return self.executed + self.missed  # nothing is due after the last one
        if self._end_ns is not None and self._is_past_end():
            return -((self._first_ns - self._end_ns) // self._period_ns)
        return (self.due_ns - self._first_ns) // self._period_ns
