"""A Task: one coroutine being run. Knows how to advance it, and nothing of when.

Each Task owns a runner, a generator that awaits one coroutine after another. A finished coroutine
makes the runner yield IDLE instead of raising StopIteration through ``send``, which saves an
exception a Task (396 chains started and resumed: 263 us with runners, 368 us with a Task object
and ``except StopIteration``, 274 us for a bare loop of ``send``; CPython 3.11), and a finished
Task is used again.
"""

from __future__ import annotations

import sys
import types
from collections.abc import Callable, Coroutine, Generator
from typing import TYPE_CHECKING, Any, Final, Protocol, cast

if TYPE_CHECKING:
    from ._cancel import CancelScope
    from ._stepper import Stepper
    from ._traps import Trap

IDLE: Final = object()  # what a runner yields when its coroutine has ended
DROPPED: Final = object()  # what advancing a Task answers that was not waiting any more


class Join(Protocol):
    """Who waits for a Task, or minds its end."""

    def child_done(self, index: int, value: Any, error: BaseException | None) -> None:
        """The Task that was started as number ``index`` has ended."""
        ...


class Task:
    """A runner with a coroutine in it, or waiting for the next one.

    To start: set ``join``, ``index`` and ``scope``, then ``send(coroutine)``. To go on:
    ``send(value)`` or ``throw(error)``. Each answers a trap, or IDLE when ``value`` and
    ``error`` tell the outcome.
    """

    __slots__ = (
        "_runner",
        "closing",
        "error",
        "index",
        "join",
        "label",
        "parked",
        "scope",
        "send",
        "stepper",
        "throw",
        "value",
    )

    send: Callable[[Any], Any]
    throw: Callable[[BaseException], Any]

    def __init__(self, stepper: Stepper) -> None:
        self.stepper = stepper
        self.value: Any = None
        self.error: BaseException | None = None
        self.join: Join | None = None
        self.index = 0
        self.scope: CancelScope | None = None  # the innermost one
        self.parked: Trap | None = None  # on what, if not on an AsyncTask call
        self.closing = False
        self.label = ""  # the name of its coroutine, while instruments watch
        self._runner = _runner(self)
        self._runner.send(None)
        self.send = self._runner.send
        self.throw = self._runner.throw

    @property
    def name(self) -> str:
        """The qualified name of the coroutine that it runs, or ran last."""
        return getattr(self.awaited, "__qualname__", self.label)

    @property
    def awaited(self) -> Any:
        """The coroutine that it runs, where it is suspended; None where there is none."""
        return getattr(self._runner, "gi_yieldfrom", None)

    def name_by(self, value: Any) -> None:
        """Keep the name for later; ``value`` is what the next step is given."""
        self.label = getattr(self.awaited or value, "__qualname__", "")

    def close(self) -> None:
        """End the coroutine where it is parked: its ``finally`` blocks run, nothing is awaited."""
        self.closing = True
        self._runner.close()


def _run_coroutines(task: Task) -> Generator[Any, Any, None]:
    while True:
        coroutine = yield IDLE
        try:
            task.value = yield from coroutine
        except BaseException as error:
            if task.closing or isinstance(error, GeneratorExit):
                raise  # it is being closed, or was dropped with its scheduler
            task.error = error
        coroutine = None  # an idle runner keeps nothing alive


# The decorator's flag, which it sets in the code, lets a generator ``yield from`` a coroutine.
_runner = cast("Callable[[Task], Generator[Any, Any, None]]", types.coroutine(_run_coroutines))
_RUNNER_CODE = _run_coroutines.__code__


def running_task(what: str) -> Task:
    """The Task from inside which this is called; raises RuntimeError outside of any.

    The answer stands on the call stack, where the runner drives the coroutines that led here: no
    global, thread-local or context variable says who runs, so nothing can say it wrongly.
    """
    frame: types.FrameType | None = sys._getframe(1)
    while frame is not None:
        if frame.f_code is _RUNNER_CODE:
            return cast("Task", frame.f_locals["task"])
        frame = frame.f_back
    raise RuntimeError(
        f"{what} works inside a Task only; run the coroutine with Scheduler.run() or schedule()"
    )


class _Husk:
    """Stands where a Task waited for a reply that it does not want any more."""

    def send(self, value: Any) -> Any:
        return DROPPED

    def throw(self, error: BaseException) -> Any:
        return DROPPED


HUSK = cast("Task", _Husk())


def as_coroutine(work: Any) -> Coroutine[Any, Any, Any]:
    """What ``schedule`` accepts, as something that a Task can run.

    That is a coroutine or an AsyncTask, a callable that gives either, or a plain callable, which
    is called when the Task runs. Raises TypeError for anything else.
    """
    if isinstance(work, types.CoroutineType):
        return work
    if isinstance(work, types.GeneratorType) and work.gi_code.co_flags & 0x100:
        return work  # type: ignore[return-value]  # inspect.CO_ITERABLE_COROUTINE: an AsyncTask
    if hasattr(work, "__await__"):
        return _await(work)
    if callable(work):
        coroutine: Any = _call(work)
        coroutine.__qualname__ = _name_of(work)
        return cast("Coroutine[Any, Any, Any]", coroutine)
    raise TypeError(
        f"expected a coroutine, an AsyncTask or a callable, got {type(work).__name__}: "
        f"schedule(f()), schedule(f) and schedule(lambda: f(x)) are right"
    )


def _name_of(function: Any) -> str:
    function = getattr(function, "func", function)  # of a partial
    name: str = getattr(function, "__qualname__", type(function).__qualname__)
    return name


async def _await(awaitable: Any) -> Any:
    return await awaitable


async def _call(function: Callable[[], Any]) -> Any:
    result = function()
    if isinstance(result, types.CoroutineType | types.GeneratorType) or hasattr(
        result, "__await__"
    ):
        return await result
    return result
