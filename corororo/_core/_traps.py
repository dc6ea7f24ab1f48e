"""The only place that yields: what a coroutine may ask of the scheduler that drives it.

A trap is what travels up the chain of awaits to ``Stepper._step``. The hot one, an AsyncTask
call, is a plain tuple ``(function, arguments)``; every other is an object with ``apply``.
"""

from __future__ import annotations

import math
import types
from collections.abc import Awaitable, Callable, Coroutine, Generator
from typing import TYPE_CHECKING, Any, Protocol, TypeVar, cast

if TYPE_CHECKING:
    from corororo.abc import AsyncFunction

    from ._scheduler import Scheduler
    from ._stepper import Stepper
    from ._task import Task
    from ._timers import Timer

T = TypeVar("T")

# What asyncio and trio raise inside a coroutine of ours that they try to drive.
_FOREIGN_ERRORS = ("no running event loop", "must be called from async context")
_REFUSALS = ("Task got bad yield", "trio.run received unrecognized yield message")


class Trap(Protocol):
    """A request to the scheduler other than an AsyncTask call."""

    def apply(self, stepper: Stepper, task: Task) -> None:
        """Do what is asked; the Task stays parked until something resumes it."""
        ...

    def abandon(self, stepper: Stepper, task: Task) -> bool:
        """The Task was cancelled: forget it and answer True, or False if it has to wait on."""
        ...


@types.coroutine
def call_async(call: tuple[AsyncFunction, tuple[Any, ...]]) -> Generator[Any, Any, Any]:
    """Park the Task until a worker has answered this call."""
    try:
        return (yield call)
    except (RuntimeError, TypeError) as error:
        _explain_refusal(error)
        raise


@types.coroutine
def _trap(request: Trap) -> Generator[Any, Any, Any]:
    try:
        return (yield request)
    except (RuntimeError, TypeError) as error:
        _explain_refusal(error)
        raise


def trap(request: Trap) -> Coroutine[Any, Any, Any]:
    """An awaitable that hands ``request`` to the scheduler."""
    return cast("Coroutine[Any, Any, Any]", _trap(request))


class _Checkpoint:
    def apply(self, stepper: Stepper, task: Task) -> None:
        stepper.resume_next_tick(task)

    def abandon(self, stepper: Stepper, task: Task) -> bool:
        # False where it has gone on since, to wait for a call: that is not noted on the Task.
        return stepper.take_back(task)


class _CurrentScheduler:
    uncancellable = True  # as it does not wait

    def apply(self, stepper: Stepper, task: Task) -> None:
        stepper.resume_now(task, stepper)

    def abandon(self, stepper: Stepper, task: Task) -> bool:
        return False  # it is answered at once


class _Sleep:
    def __init__(self, deadline: float | None, seconds: float) -> None:
        self._deadline = deadline
        self._seconds = seconds
        self._timer: Timer | None = None
        self._for_ever = math.inf in (deadline, seconds)

    def apply(self, stepper: Stepper, task: Task) -> None:
        now = stepper.clock.now()
        deadline = now + self._seconds if self._deadline is None else self._deadline
        if deadline <= now:
            stepper.resume_next_tick(task)
        elif deadline != math.inf:  # then only a cancellation ends it
            self._timer = stepper.add_timer(deadline, lambda: stepper.resume_now(task, None))

    def abandon(self, stepper: Stepper, task: Task) -> bool:
        if self._timer is not None:
            stepper.remove_timer(self._timer)
            return True
        return stepper.take_back(task) or self._for_ever


class TrioRequest:
    """A trio function that a Task waits for."""

    def __init__(self, function: Callable[..., Awaitable[Any]], args: tuple[Any, ...]) -> None:
        self.function = function
        self.args = args
        self.task: Task | None = None

    def apply(self, stepper: Stepper, task: Task) -> None:
        self.task = task
        stepper.ask_trio(self)

    def abandon(self, stepper: Stepper, task: Task) -> bool:
        self.task = None
        stepper.withdraw_from_trio(self)
        return True

    def answer(self, stepper: Stepper, value: Any, error: BaseException | None) -> None:
        """It has ended: resume the Task, unless it does not wait any more."""
        stepper.withdraw_from_trio(self)
        if self.task is not None:
            if error is None:
                stepper.resume_now(self.task, value)
            else:
                stepper.resume_with_error(self.task, error)


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


async def sleep(seconds: float) -> None:
    """Continue in the first tick that begins after so many seconds; 0 is a checkpoint.

    Raises ValueError for a negative duration.
    """
    if not seconds >= 0:
        raise ValueError(f"seconds must be 0 or more, got {seconds}")
    await _trap(_Sleep(None, seconds))


async def sleep_until(deadline: float) -> None:
    """Continue in the first tick that begins after a moment of the scheduler's clock.

    Raises ValueError for what is not a number.
    """
    if math.isnan(deadline):
        raise ValueError("deadline must be a time of the scheduler's clock, got nan")
    await _trap(_Sleep(deadline, 0.0))


async def run_in_trio(function: Callable[..., Awaitable[T]], *args: Any) -> T:
    """The result of a trio function, run beside the tick by whoever drives it.

    For a tick that trio drives: ``await scheduler.run_tick()``. The tick waits for it as for an
    AsyncTask; cancelling the Task cancels it. Raises RuntimeError under a tick that blocks.
    """
    return cast("T", await _trap(TrioRequest(function, args)))


def foreign_trap_error(request: object) -> TypeError:
    """What a Task is told that awaits something made for another event loop."""
    made_by = request if isinstance(request, type) else type(request)
    kind = f"{made_by.__module__}.{made_by.__qualname__}"
    if request is None:
        kind = "a bare yield, as asyncio.sleep(0) does it"
    return TypeError(
        f"a Task can await coroutines, AsyncTasks and what corororo offers, got {kind}; for "
        f"trio, use `await corororo.run_in_trio(async_function, *args)`, which needs a tick "
        f"driven by `await scheduler.run_tick()`"
    )


def explain_foreign_error(error: BaseException) -> None:
    """Note the remedy on what trio and asyncio say where none of them runs."""
    if isinstance(error, RuntimeError) and str(error) in _FOREIGN_ERRORS:
        error.add_note(
            "A Task of corororo awaited something of trio or asyncio. For trio, use `await "
            "corororo.run_in_trio(async_function, *args)` under `await scheduler.run_tick()`; run "
            "asyncio in a thread of its own, and hand its results to the Tasks."
        )


def withdraw_from_trio(request: object) -> None:
    """Undo what a primitive of trio did before it came here.

    It took the trio task that drives the tick for the one that waits, and noted that; its own
    abort function takes the note back, as for a wait that was cancelled.
    """
    abort = getattr(request, "abort_func", None)
    if callable(abort):
        abort(_raise_nothing)


def _raise_nothing() -> None:
    """What trio would raise where it aborted: our Task gets an error of ours instead."""


def _explain_refusal(error: BaseException) -> None:
    if str(error).startswith(_REFUSALS):
        raise RuntimeError(
            "this coroutine awaits something of corororo and is driven by asyncio or trio; run "
            "it with Scheduler.run(...), or schedule it and await scheduler.run_tick() there"
        ) from error
