"""Traps: what a coroutine yields to the Stepper that drives it, and the functions that do so.

A trap travels up the chain of awaits to ``Stepper.step``. The hot one, an AsyncTask call, is a
plain tuple ``(function, *arguments)``; every other is an object with ``apply``.
"""

from __future__ import annotations

import math
import types
from collections.abc import Awaitable, Callable, Coroutine, Generator
from typing import Any, Never, TypeVar, cast

from ._stepper import Stepper, Trap
from ._task import AWAITED, NONE, Task, check_function
from ._timers import Timer, check_seconds

T = TypeVar("T")

# What asyncio and trio throw into a coroutine of theirs that awaits something of ours.
_REFUSALS = ("Task got bad yield", "trio.run received unrecognized yield message")


@types.coroutine
def trap(request: Trap) -> Generator[Any, Any, Any]:
    """Park the Task until the Stepper has the answer to a request."""
    try:
        return (yield request)
    except (RuntimeError, TypeError) as error:
        raise explained(error, request)  # noqa: B904 - it has its cause


def explained(error: Exception, request: Any) -> Exception:
    """The error that was thrown in where a request is awaited; another one if it is a refusal."""
    # Theirs are of these very classes; the text of another class may be code of its own.
    if type(error) not in (RuntimeError, TypeError) or not str(error).startswith(_REFUSALS):
        return error
    explained = RuntimeError(
        f"{_name(request)} was awaited under asyncio or trio, and needs a Scheduler that runs "
        f"the coroutine: scheduler.run(...), or under trio schedule(...) and "
        f"`await scheduler.run_tick()`"
    )
    explained.__cause__ = error
    return explained


def awaited_twice() -> Never:
    """A call is resumed without a reply: another Task awaits it."""
    raise RuntimeError(AWAITED[0])


def _name(request: Any) -> str:
    """What was called to make a request."""
    if isinstance(request, tuple):
        return f"{request[0].name}()"
    return f"{request.name}()" if hasattr(request, "name") else f"a {type(request).__name__}"


class _Checkpoint:
    name = "checkpoint"

    def apply(self, stepper: Stepper, task: Task) -> None:
        stepper.resume_next_tick(task)

    def abandon(self, stepper: Stepper, task: Task) -> bool:
        # False where it has resumed since, and waits for a call: that is not noted on the Task.
        return stepper.take_back(task)


class _Sleep:
    def __init__(self, deadline: float | None, seconds: float) -> None:
        self.name = "sleep" if deadline is None else "sleep_until"
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
            due_ns = round(deadline * 1e9)
            self._timer = stepper.timers.add(due_ns, lambda: stepper.resume_now(task, None))

    def abandon(self, stepper: Stepper, task: Task) -> bool:
        if self._timer is not None:
            stepper.timers.remove(self._timer)
            return True
        return stepper.take_back(task) or self._for_ever


class TrioRequest:
    """A trio function that a Task waits for."""

    name = "run_in_trio"

    def __init__(self, function: Callable[..., Awaitable[Any]], args: tuple[Any, ...]) -> None:
        self.function = function
        self.args = args
        self.task: Task | None = None

    def apply(self, stepper: Stepper, task: Task) -> None:
        if not stepper.trio_drives:
            raise RuntimeError(
                "run_in_trio() needs a tick that trio drives: `await scheduler.run_tick()`"
            )
        self.task = task
        stepper.trio_requests[self] = False

    def abandon(self, stepper: Stepper, task: Task) -> bool:
        self.task = None
        stepper.trio_requests.pop(self, None)
        return True

    def answer(self, stepper: Stepper, value: Any, error: BaseException | None) -> None:
        stepper.trio_requests.pop(self, None)
        if self.task is not None:
            if error is None:
                stepper.resume_now(self.task, value)
            else:
                stepper.resume_with_error(self.task, error)


class _CurrentScheduler:
    name = "current_scheduler"

    def apply(self, stepper: Stepper, task: Task) -> None:
        stepper.resume_now(task, stepper.scheduler)


_CHECKPOINT = _Checkpoint()
CURRENT_SCHEDULER = _CurrentScheduler()


async def checkpoint() -> None:
    """Let the tick go on without this Task, which continues in the next one."""
    await trap(_CHECKPOINT)


async def sleep(seconds: float) -> None:
    """Continue in the first tick that begins after so many seconds; 0 is a checkpoint.

    Raises ValueError for a negative duration.
    """
    check_seconds("sleep(seconds)", seconds)
    await trap(_Sleep(None, seconds))


async def sleep_until(deadline: float) -> None:
    """Continue in the first tick that begins after a moment of the scheduler's clock."""
    check_seconds("sleep_until(deadline)", deadline, -math.inf)
    await trap(_Sleep(deadline, 0.0))


async def run_in_trio(function: Callable[..., Awaitable[T]], *args: Any) -> T:
    """The result of a trio function, run beside the tick by the trio task that drives it.

    For a tick that trio drives: ``await scheduler.run_tick()``. The tick waits for it as for an
    AsyncTask; cancelling the Task cancels it. Raises RuntimeError under a tick that blocks.
    """
    check_function("run_in_trio", function)
    return cast("T", await trap(TrioRequest(function, args)))


def run_nested(coroutine: Coroutine[Any, Any, Any]) -> Any:
    """Run the coroutine of an ``async def`` AsyncTask to its end, here and now.

    The AsyncTasks that it awaits are called in this process as well, without another hop.
    Raises TypeError where it awaits what only a Scheduler can give.
    """
    advance: Any = coroutine.send
    value: Any = None
    while True:
        try:
            request = advance(value)
        except StopIteration as stop:
            return stop.value
        advance, value = coroutine.send, None
        try:
            if isinstance(request, tuple):
                function, *arguments = request
                result = function.run(*arguments)
                value = NONE if result is None else result
            elif hasattr(request, "call_inline"):
                value = request.call_inline()
            else:
                raise TypeError(
                    f"an AsyncTask runs without a Scheduler and may await other AsyncTasks, got "
                    f"{_name(request)}; await that in the Task that awaits this AsyncTask"
                )
        except BaseException as error:
            advance, value = coroutine.throw, error
