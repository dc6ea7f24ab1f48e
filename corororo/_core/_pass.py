"""The bounds and the stopwatch of one pass. Knows no Tasks."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Literal

from corororo.abc import Clock, Transfer

from ._garbage import SlackCollector
from ._report import TickReport

Late = Literal["wait", "carry"]


class Counters:
    """What a scheduler has done since it was made."""

    __slots__ = ("dropped", "failed", "finished", "sent", "started", "steps", "taken", "ticks")

    def __init__(self) -> None:
        self.ticks = self.steps = self.started = self.finished = 0
        self.sent = self.taken = self.failed = self.dropped = 0

    def copy(self) -> Counters:
        """The figures of this moment."""
        other = Counters()
        for name in self.__slots__:
            setattr(other, name, getattr(self, name))
        return other


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

    def __init__(
        self,
        clock: Clock,
        garbage: SlackCollector | None,
        count: Counters,
        reported: Counters,
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
        self._step_ns = self._encode_ns = self._wait_ns = self._resume_ns = 0

    def stepped(self) -> None:
        """It was spent running coroutines."""
        self._step_ns += self._lap_ns()

    def encoded(self) -> None:
        """It was spent sending calls."""
        self._encode_ns += self._lap_ns()

    def waited(self) -> None:
        """It was spent waiting."""
        self._wait_ns += self._lap_ns()

    def resumed(self) -> None:
        """It was spent taking replies and resuming their Tasks."""
        self._resume_ns += self._lap_ns()

    def report(self, bound: Bound) -> TickReport:
        """All of it, as of now; counts one more tick."""
        count, before = self._count, self._before
        count.ticks += 1
        finished_ns = self._now_ns()
        return TickReport(
            started_ns=self.started_ns,
            finished_ns=finished_ns,
            step_ns=self._step_ns,
            encode_ns=self._encode_ns,
            wait_ns=self._wait_ns,
            resume_ns=self._resume_ns,
            gc_ns=self._paused_ns() - self._paused_before_ns,
            steps=count.steps - before.steps,
            tasks_started=count.started - before.started,
            tasks_finished=count.finished - before.finished,
            async_tasks_sent=count.sent - before.sent,
            async_tasks_taken=count.taken - before.taken,
            async_tasks_failed=count.failed - before.failed,
            async_tasks_retried=self._transfer.calls_retried - self._retried_before,
            async_tasks_carried=self._transfer.in_flight,
            batches=self._transfer.batches_sent - self._batches_before,
            late=bound.passed(finished_ns),
        )

    def _lap_ns(self) -> int:
        now_ns = self._now_ns() - self._paused_ns()
        lap_ns = now_ns - self._last_ns
        self._last_ns = now_ns
        return lap_ns

    def _paused_ns(self) -> int:
        return 0 if self._garbage is None else self._garbage.paused_ns
