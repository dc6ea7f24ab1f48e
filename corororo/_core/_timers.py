"""Timers, ordered by due time and then by creation, and the intervals that they start."""

from __future__ import annotations

import heapq
import math
from collections.abc import Callable
from typing import Any, Literal, Self

from corororo.abc import Clock

from ._task import as_coroutine, named_after

Missed = Literal["burst", "delay", "skip"]


def check_seconds(call: str, seconds: float, least: float = 0.0, *, finite: bool = False) -> None:
    """Raise a TypeError or ValueError that names the call unless this is a number within bounds."""
    kind: type[Exception] = ValueError
    try:
        if least <= seconds <= math.inf and not (finite and math.isinf(seconds)):
            return
    except TypeError:
        kind = TypeError
    number = "a finite number" if finite else "a number"
    bound = f" from {least:g}" if least > -math.inf else ""
    raise kind(f"{call} takes {number} of seconds{bound}, got {seconds!r}")


class Timer:
    """An action at a moment; ``action`` is None once it has run or was removed."""

    __slots__ = ("action",)

    def __init__(self, action: Callable[[], None]) -> None:
        self.action: Callable[[], None] | None = action


class Timers:
    """A heap of timers: adding and running one costs O(log n), removing one O(1) in the mean."""

    def __init__(self) -> None:
        self._heap: list[tuple[int, int, Timer]] = []
        self._made = 0
        self._removed = 0  # timers in the heap that were removed

    def add(self, due_ns: int, action: Callable[[], None]) -> Timer:
        timer = Timer(action)
        self._made += 1
        heapq.heappush(self._heap, (due_ns, self._made, timer))
        return timer

    def remove(self, timer: Timer) -> None:
        """Cancel a timer; harmless where it has run already."""
        if timer.action is not None:
            timer.action = None
            self._removed += 1
            if self._removed > 64 and self._removed > len(self._heap) // 2:
                self._heap = [entry for entry in self._heap if entry[2].action is not None]
                heapq.heapify(self._heap)
                self._removed = 0

    def next_due_ns(self) -> int | None:
        """When the first timer is due; None where there is none."""
        while self._heap and self._heap[0][2].action is None:
            heapq.heappop(self._heap)
            self._removed -= 1
        return self._heap[0][0] if self._heap else None

    def run_due(self, now_ns: int) -> None:
        """Call what is due. No action adds a timer: it starts Tasks or cancels them."""
        while self._heap and self._heap[0][0] <= now_ns:
            timer = heapq.heappop(self._heap)[2]
            action, timer.action = timer.action, None
            if action is None:
                self._removed -= 1
            else:
                action()

    def __len__(self) -> int:
        return len(self._heap) - self._removed


class CancellationToken:
    """Cancels something that was scheduled for later; as a context manager it does so on exit.

    Unlike Coro-Roro's, a token that is dropped cancels nothing.
    """

    def __init__(self, cancel: Callable[[], None]) -> None:
        self._cancel: Callable[[], None] | None = cancel

    @property
    def valid(self) -> bool:
        """Whether there is still something to cancel: False after the run of a delayed Task."""
        return self._cancel is not None

    def cancel(self) -> None:
        """Start no further run; one that has begun runs to its end. Idempotent."""
        cancel, self._cancel = self._cancel, None
        if cancel is not None:
            cancel()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.cancel()


class Interval:
    """Starts a Task each period, and never while its last run goes on."""

    def __init__(
        self, stepper: Any, period_ns: int, factory: Callable[[], Any], missed: Missed
    ) -> None:
        self._stepper = stepper
        self._timers: Timers = stepper.timers
        self._clock: Clock = stepper.clock
        self._period_ns = period_ns
        self._factory = factory
        self._missed = missed
        self._due_ns: int = self._clock.now_ns()
        self._timer = self._timers.add(self._due_ns, self._start_run)
        self.token = CancellationToken(lambda: self._timers.remove(self._timer))

    def _start_run(self) -> None:
        self._began_ns: int = self._clock.now_ns()
        self._stepper.start(None, None, [named_after(self._factory, self._run())])

    async def _run(self) -> None:
        try:
            await as_coroutine(self._factory)
        finally:
            if self.token.valid:
                self._due_ns = self._next_due_ns(self._clock.now_ns())
                self._timer = self._timers.add(self._due_ns, self._start_run)

    def _next_due_ns(self, now_ns: int) -> int:
        if self._missed == "delay":
            return self._began_ns + self._period_ns
        next_ns = self._due_ns + self._period_ns
        if self._missed == "skip" and next_ns < now_ns:
            next_ns += -((next_ns - now_ns) // self._period_ns) * self._period_ns
        return next_ns
