"""What runs later, or again and again: schedule_delayed, schedule_interval. Knows no clock."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Literal

from ._task import as_coroutine
from ._timers import CancellationToken, Timer

if TYPE_CHECKING:
    from ._scheduler import Scheduler

Missed = Literal["burst", "delay", "skip"]


class Delayed:
    """A Task that starts once, at a moment."""

    def __init__(self, scheduler: Scheduler, due_ns: int, work: Any) -> None:
        self._scheduler = scheduler
        self._coroutine: Any = as_coroutine(work)
        self._timer = scheduler.add_timer_ns(due_ns, self._start)
        self.token = CancellationToken(self.close)

    def close(self) -> None:
        """Have it never start."""
        self._scheduler.remove_timer(self._timer)
        coroutine, self._coroutine = self._coroutine, None
        if coroutine is not None:
            coroutine.close()  # never begun: without this Python warns that nobody awaited it
            self._scheduler.forget_later(self)

    def _start(self) -> None:
        self.token.expire()
        self._scheduler.forget_later(self)
        coroutine, self._coroutine = self._coroutine, None
        self._scheduler.start_root(coroutine)


class Interval:
    """A Task that starts again each period, and never while its last run goes on.

    ``missed`` says what follows a run that took too long: ``burst`` starts every run that was
    due, one after another, until it has caught up; ``delay`` starts the next one a period after
    this one began; ``skip`` waits for the next multiple of the period. The names are tokio's.
    """

    def __init__(
        self, scheduler: Scheduler, period_ns: int, factory: Callable[[], Any], missed: Missed
    ) -> None:
        self._scheduler = scheduler
        self._period_ns = period_ns
        self._factory = factory
        self._missed = missed
        self._due_ns = scheduler.clock.now_ns()
        self._began_ns = self._due_ns
        self._timer: Timer | None = scheduler.add_timer_ns(self._due_ns, self._start)
        self.token = CancellationToken(self.close)

    def close(self) -> None:
        """Have it not start again."""
        if self._timer is not None:
            self._scheduler.remove_timer(self._timer)
            self._timer = None
        self._scheduler.forget_later(self)

    def child_done(self, index: int, value: Any, error: BaseException | None) -> None:
        """A run has ended: only now is it clear when the next one begins."""
        if error is not None:
            self._scheduler.root_failed(error)
        if self.token.valid:
            self._due_ns = self._next_due_ns(self._scheduler.clock.now_ns())
            self._timer = self._scheduler.add_timer_ns(self._due_ns, self._start)

    def _start(self) -> None:
        self._timer = None
        self._began_ns = self._scheduler.clock.now_ns()
        # The factory runs inside the Task: what it raises is raised as the run's own error.
        self._scheduler.start_root(as_coroutine(self._factory), self)

    def _next_due_ns(self, now_ns: int) -> int:
        if self._missed == "delay":
            return self._began_ns + self._period_ns
        next_ns = self._due_ns + self._period_ns
        if self._missed == "skip" and next_ns < now_ns:
            next_ns += -((next_ns - now_ns) // self._period_ns) * self._period_ns
        return next_ns
