"""When the ticks of a zone are due, and what follows a late one. Knows no clock and no zone."""

from __future__ import annotations

from typing import NamedTuple

from zonesim.scenario.supervision import Missed


class Verdict(NamedTuple):
    """What is to be said of a tick that has ended."""

    late: bool  # it ended after the next one was due
    missed: int  # ticks that were due, and have never run and never will, told once


class Schedule:
    """The due times of one zone: undisturbed, one each period from ``first_ns`` on.

    It ends before ``end_ns``, or after ``ticks`` ticks have run; without either it goes on.
    ``missed`` says what follows a late tick; the names are tokio's:

    - ``skip``: those that are overdue by whole periods never run. The next one is overdue by
      less, runs at once, and the phase stays.
    - ``burst``: every overdue tick runs, one after another, until the zone has caught up. Each
      is due when it always was, so its lateness counts from there. Nothing is missed; a
      schedule with an ``end_ns`` may take longer than until then to come to its end.
    - ``delay``: the next one is due a period after the end of the late one, so that the phase
      shifts. (An interval of corororo counts that period from the beginning of its run.)

    Missed ticks are counted against the undisturbed schedule, whatever the policy: at any time
    executed + missed is how many whole periods lie between ``first_ns`` and ``due_ns``, and in
    the end how many ticks were due before ``end_ns``. So a shift by less than a period misses
    no tick yet: it counts when shifts have added up to a period, or have taken the last tick.
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

    def end_at(self, end_ns: int | None) -> None:
        """Move the end; None takes it away."""
        self._end_ns = end_ns

    def end_after(self, ticks: int | None) -> None:
        """Have it end when so many more ticks have run; None takes that bound away."""
        self._ticks = None if ticks is None else self.executed + ticks

    @property
    def is_over(self) -> bool:
        """Whether no tick is due any more."""
        if self._end_ns is not None and self.due_ns >= self._end_ns:
            return True
        return self.executed == self._ticks

    def finish(self, finished_ns: int) -> Verdict:
        """Go on to the next due time: the tick that was due has ended."""
        late = finished_ns > self.due_ns + self._period_ns
        self.executed += 1
        self.due_ns = self._next_due_ns(finished_ns, late)
        missed = self._due_so_far() - self.executed - self.missed
        self.missed += missed
        return Verdict(late, missed)

    def _next_due_ns(self, finished_ns: int, late: bool) -> int:
        next_ns = self.due_ns + self._period_ns
        if late and self._policy == "delay":
            return finished_ns + self._period_ns
        if late and self._policy == "skip":
            return next_ns + (finished_ns - next_ns) // self._period_ns * self._period_ns
        return next_ns

    def _due_so_far(self) -> int:
        """Ticks of the undisturbed schedule that were due, and are behind us."""
        if self.executed == self._ticks:
            return self.executed + self.missed  # nothing is due after the last one
        if self._end_ns is not None and self.due_ns >= self._end_ns:
            return -((self._first_ns - self._end_ns) // self._period_ns)
        return (self.due_ns - self._first_ns) // self._period_ns
