"""Helpers for tests of code that uses corororo: MockClock, an inline pool, and a runner."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

from ._clock import MockClock as MockClock
from ._core import Scheduler
from ._pool import WorkerPool

T = TypeVar("T")


def inline_pool() -> WorkerPool:
    """A pool without workers: AsyncTasks run inline, one after another, in a fixed order.

    For code that takes a pool: ``with inline_pool() as pool:``.
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
