"""For tests of code that uses corororo: a clock that jumps, a pool without processes, a runner."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

from ._clock import MockClock as MockClock
from ._core import Scheduler
from ._pool import WorkerPool

T = TypeVar("T")


def inline_pool() -> WorkerPool:
    """A pool without workers: AsyncTasks run inline, one after another, in a fixed order.

    Use it where code under test wants a pool: ``with inline_pool() as pool:``.
    """
    return WorkerPool(workers=0)


def run(
    work: Coroutine[Any, Any, T] | Callable[[], Coroutine[Any, Any, T]],
    *,
    clock: MockClock | None = None,
) -> T:
    """Run a coroutine to its end as a Task, inline and on a MockClock; its result.

    Sleeps take no time: the clock jumps wherever nothing but a timer could go on.
    """
    with Scheduler(clock=clock or MockClock()) as scheduler:
        result: T = scheduler.run(work)
        return result
