"""The bounds and the stopwatch of one pass. Knows no Tasks."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Literal

from corororo.abc import Clock, Transfer

from ._garbage import SlackCollector
from ._report import TickReport

Late = Literal["wait", "carry"]


STEP, ENCODE, WAIT, RESUME = range(4)  # what the time of a pass is spent on


class Counters:
    """What a scheduler has done since it was made."""

    __slots__ = ("dropped", "failed", "finished", "sent", "started", "steps", "taken", "ticks")

    def __init__(self) -> None:
        self.ticks = self.steps = self.started = self.finished = 0
        self.sent = self.taken = self.failed = self.dropped = 0

    def figures(self) -> tuple[int, int, int, int, int, int]:
        """Those that a report tells the growth of, at this moment."""
        return self.steps, self.started, self.finished, self.sent, self.taken, self.failed


class Bound:
    """How long a pass may wait: a deadline, and an end that may come earlier."""

    def __init__(self, deadline_s: float | None, late: Late, ended: Callable[[], bool]) -> None:
        if late not in ("wait", "carry"):
            raise ValueError(f'late must be "wait" or "carry", got {late!r}')
        if deadline_s is not None and not deadline_s >= 0:
            raise ValueError(f"deadline must be seconds from now, 0 or more, got {deadline_s}")
        if late == "carry" and deadline_s is None:
            raise ValueError('late="carry" needs a deadline: tick(deadline=0.4, late="carry")')
        self._deadline_s = math.inf if deadline_s is None else deadline_s
        self._carry = late == "carry"
        self._deadline_ns = math.inf
        self.ended = ended
        self.heeds_timers = False  # a wait ends when a timer is due, too

    def begin(self, now_ns: int) -> None:
        """Count the deadline from here."""
        self._deadline_ns = now_ns + self._deadline_s * 1e9

    def passed(self, now_ns: int) -> bool:
        """Whether the deadline is over."""
        return now_ns > self._deadline_ns

    def carries(self, now_ns: int) -> bool:
        """Whether what is still out now stays out until a later tick."""
        return self._carry and now_ns >= self._deadline_ns

    def timeout_s(self, now_ns: int, longest_s: float | None) -> float | None:
        """How long to wait for a reply at most; None for as long as it takes."""
        left = (self._deadline_ns - now_ns) / 1e9 if self._carry else math.inf
        timeout = max(0.0, min(left, math.inf if longest_s is None else longest_s))
        return None if timeout == math.inf else timeout


class Stopwatch:
    """Books the time since the last look at it under what was done in it.

    It runs on the clock less the pauses of the garbage collector, which are booked apart.
    """

    __slots__ = (
        "_batches_before",
        "_before",
        "_count",
        "_garbage",
        "_laps_ns",
        "_last_ns",
        "_now_ns",
        "_paused_before_ns",
        "_retried_before",
        "_transfer",
        "started_ns",
    )

    def __init__(
        self,
        clock: Clock,
        garbage: SlackCollector | None,
        count: Counters,
        reported: tuple[int, ...],
        transfer: Transfer,
    ) -> None:
        self._now_ns = clock.now_ns
        self._garbage = garbage
        self._count = count
        self._transfer = transfer
        self._before = reported  # so that what began between two ticks counts in the later one
        self._batches_before = transfer.batches_sent
        self._retried_before = transfer.calls_retried
        self._paused_before_ns = self._paused_ns()
        self.started_ns = self._now_ns()
        self._last_ns = self.started_ns - self._paused_before_ns
        self._laps_ns = [0, 0, 0, 0]

    def note(self, what: int) -> None:
        """It was spent on STEP, ENCODE, WAIT or RESUME."""
        now_ns = self._now_ns()
        if self._garbage is not None:
            now_ns -= self._garbage.paused_ns
        self._laps_ns[what] += now_ns - self._last_ns
        self._last_ns = now_ns

    def report(self, bound: Bound) -> TickReport:
        """All of it, as of now; counts one more tick."""
        self._count.ticks += 1
        finished_ns = self._now_ns()
        now = self._count.figures()
        steps, started, finished, sent, taken, failed = (
            figure - before for figure, before in zip(now, self._before, strict=True)
        )
        return TickReport(
            started_ns=self.started_ns,
            finished_ns=finished_ns,
            step_ns=self._laps_ns[STEP],
            encode_ns=self._laps_ns[ENCODE],
            wait_ns=self._laps_ns[WAIT],
            resume_ns=self._laps_ns[RESUME],
            gc_ns=self._paused_ns() - self._paused_before_ns,
            steps=steps,
            tasks_started=started,
            tasks_finished=finished,
            async_tasks_sent=sent,
            async_tasks_taken=taken,
            async_tasks_failed=failed,
            async_tasks_retried=self._transfer.calls_retried - self._retried_before,
            async_tasks_carried=self._transfer.in_flight,
            batches=self._transfer.batches_sent - self._batches_before,
            late=bound.passed(finished_ns),
        )

    def _paused_ns(self) -> int:
        return 0 if self._garbage is None else self._garbage.paused_ns
