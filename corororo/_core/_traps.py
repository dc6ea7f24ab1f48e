"""The only place that yields: what a coroutine may ask of the scheduler that drives it.

A trap is what travels up the chain of awaits to ``Scheduler._step``. The hot one, an AsyncTask
call, is a plain tuple ``(function, arguments)``; every other is an object with ``apply``.
"""

from __future__ import annotations

import types
from collections.abc import Coroutine, Generator
from typing import TYPE_CHECKING, Any, Protocol, cast

if TYPE_CHECKING:
    from corororo.abc import AsyncFunction

    from ._scheduler import Scheduler
    from ._task import Task


class Trap(Protocol):
    """A request to the scheduler other than an AsyncTask call."""

    def apply(self, scheduler: Scheduler, task: Task) -> None:
        """Do what is asked; the Task stays parked until something resumes it."""
        ...


@types.coroutine
def call_async(call: tuple[AsyncFunction, tuple[Any, ...]]) -> Generator[Any, Any, Any]:
    """Park the Task until a worker has answered this call."""
    return (yield call)


@types.coroutine
def _trap(trap: Trap) -> Generator[Any, Any, Any]:
    return (yield trap)


class _Checkpoint:
    def apply(self, scheduler: Scheduler, task: Task) -> None:
        scheduler.resume_next_tick(task)


class _CurrentScheduler:
    def apply(self, scheduler: Scheduler, task: Task) -> None:
        scheduler.resume_now(task, scheduler)


_CHECKPOINT = _Checkpoint()
_CURRENT_SCHEDULER = _CurrentScheduler()


async def checkpoint() -> None:
    """Let the tick go on without this Task, which continues in the next one."""
    await _trap(_CHECKPOINT)


async def current_scheduler() -> Scheduler:
    """The Scheduler that drives this Task, whatever the depth of the await.

    It is whoever answers: no global, thread-local or context variable is involved.
    """
    return cast("Scheduler", await _trap(_CURRENT_SCHEDULER))


def trap(request: Trap) -> Coroutine[Any, Any, Any]:
    """An awaitable that hands ``request`` to the scheduler."""
    return cast("Coroutine[Any, Any, Any]", _trap(request))


def foreign_trap_error(request: object) -> TypeError:
    """What a Task is told that awaits something made for another event loop."""
    kind = f"{type(request).__module__}.{type(request).__qualname__}"
    return TypeError(
        f"a Task can await coroutines, AsyncTasks and what corororo offers, got {kind}; await "
        f"trio and asyncio in the code that drives the scheduler, for example beside run_tick()"
    )
