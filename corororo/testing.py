"""For tests of code that uses corororo: MockClock, an inline pool, and a runner."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

from ._core import Scheduler
from ._pool import WorkerPool

T = TypeVar("T")


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
        """Go forward."""
        if not seconds >= 0:
            raise ValueError(f"a clock goes forward only, got a jump of {seconds} s")
        self._now_ns += round(seconds * 1e9)

    def wait(self, seconds: float) -> None:
        """What else would be slept through is jumped over."""
        self.jump(seconds)


def inline_pool() -> WorkerPool:
    """A pool without workers: AsyncTasks run inline, one after another, in a fixed order.

    For code that takes a pool: ``with inline_pool() as pool:``. Values and errors are those of a
    worker.
    """
    return WorkerPool(workers=0)


def run(
    work: Coroutine[Any, Any, T] | Callable[[], Coroutine[Any, Any, T]],
    *,
    clock: MockClock | None = None,
) -> T:
    """Run a coroutine to its end as a Task, inline and on a MockClock; its result.

    Sleeps take no time: where only a timer could resume a Task, the clock jumps there.
    """
    with Scheduler(clock=clock or MockClock()) as scheduler:
        result: T = scheduler.run(work)
        return result
