"""Timers: what is due when, in order of time and then of creation. Knows no clock and no Tasks."""

from __future__ import annotations

import heapq
import types
from collections.abc import Callable
from typing import Self


class Timer:
    """Something to be done at a moment; ``action`` is None once it was done or given up."""

    __slots__ = ("action", "due_ns")

    def __init__(self, due_ns: int, action: Callable[[], None]) -> None:
        self.due_ns = due_ns
        self.action: Callable[[], None] | None = action


class Timers:
    """A heap of timers: adding and taking one costs O(log n), giving one up O(1) in the mean."""

    def __init__(self) -> None:
        self._heap: list[tuple[int, int, Timer]] = []
        self._made = 0
        self._given_up = 0

    def add(self, due_ns: int, action: Callable[[], None]) -> Timer:
        """Have ``action`` called when the time has come."""
        timer = Timer(due_ns, action)
        self._made += 1
        heapq.heappush(self._heap, (due_ns, self._made, timer))
        return timer

    def remove(self, timer: Timer) -> None:
        """Give a timer up; nothing happens where it has been called already."""
        if timer.action is not None:
            timer.action = None
            self._given_up += 1
            if self._given_up > 64 and self._given_up > len(self._heap) // 2:
                self._heap = [entry for entry in self._heap if entry[2].action is not None]
                heapq.heapify(self._heap)
                self._given_up = 0

    def next_due_ns(self) -> int | None:
        """When the first timer is due; None where there is none."""
        self._drop_given_up()
        return self._heap[0][0] if self._heap else None

    def run_due(self, now_ns: int) -> None:
        """Call what is due; what is added meanwhile waits for the next time."""
        made = self._made
        later: list[tuple[int, int, Timer]] = []
        while self._heap and self._heap[0][0] <= now_ns:
            entry = heapq.heappop(self._heap)
            action = entry[2].action
            if entry[1] > made:
                later.append(entry)
            elif action is None:
                self._given_up -= 1
            else:
                entry[2].action = None
                action()
        for entry in later:
            heapq.heappush(self._heap, entry)

    def __len__(self) -> int:
        return len(self._heap) - self._given_up

    def _drop_given_up(self) -> None:
        while self._heap and self._heap[0][2].action is None:
            heapq.heappop(self._heap)
            self._given_up -= 1


class CancellationToken:
    """Holds something that was scheduled for later; as a context manager it cancels on exit.

    Unlike Coro-Roro's, a token that is dropped cancels nothing.
    """

    def __init__(self, cancel: Callable[[], None]) -> None:
        self._cancel: Callable[[], None] | None = cancel

    @property
    def valid(self) -> bool:
        """Whether there is still something to cancel: False after the run of a delayed Task."""
        return self._cancel is not None

    def cancel(self) -> None:
        """Have it not run again; a run that goes on goes on to its end. Idempotent."""
        cancel, self._cancel = self._cancel, None
        if cancel is not None:
            cancel()

    def expire(self) -> None:
        """What it held has run: nothing is left to cancel."""
        self._cancel = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: types.TracebackType | None,
    ) -> None:
        self.cancel()
