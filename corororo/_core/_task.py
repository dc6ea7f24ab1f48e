"""A Task: one coroutine being run. Knows how to advance it, and nothing of when.

Each Task owns a runner, a generator that awaits one coroutine after another. A finished coroutine
makes the runner yield IDLE instead of raising StopIteration through ``send``, which saves an
exception a Task (396 chains started and resumed: 263 us with runners, 368 us with a Task object
and ``except StopIteration``, 274 us for a bare loop of ``send``; CPython 3.11), and a finished
Task is used again.
"""

from __future__ import annotations

import types
from collections.abc import Callable, Coroutine, Generator
from typing import Any, Final, Protocol, cast

IDLE: Final = object()  # what a runner yields when its coroutine has ended


class Join(Protocol):
    """Who waits for a Task, or minds its end."""

    def child_done(self, index: int, value: Any, error: BaseException | None) -> None:
        """The Task that was started as number ``index`` has ended."""
        ...


class Task:
    """A runner with a coroutine in it, or waiting for the next one.

    To start: set ``join`` and ``index``, then ``send(coroutine)``. To go on: ``send(value)`` or
    ``throw(error)``. Each answers a trap, or IDLE when ``value`` and ``error`` tell the outcome.
    """

    __slots__ = ("_runner", "closing", "error", "index", "join", "send", "throw", "value")

    send: Callable[[Any], Any]
    throw: Callable[[BaseException], Any]

    def __init__(self) -> None:
        self.value: Any = None
        self.error: BaseException | None = None
        self.join: Join | None = None
        self.index = 0
        self.closing = False
        self._runner = _runner(self)
        self._runner.send(None)
        self.send = self._runner.send
        self.throw = self._runner.throw

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
            if task.closing:
                raise
            task.error = error
        coroutine = None  # an idle runner keeps nothing alive


# The decorator's flag is what lets a generator ``yield from`` a coroutine.
_runner = cast("Callable[[Task], Generator[Any, Any, None]]", types.coroutine(_run_coroutines))


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
        return _call(work)
    raise TypeError(
        f"expected a coroutine, an AsyncTask or a callable, got {type(work).__name__}: "
        f"schedule(f()), schedule(f) and schedule(lambda: f(x)) are right"
    )


async def _await(awaitable: Any) -> Any:
    return await awaitable


async def _call(function: Callable[[], Any]) -> Any:
    result = function()
    if isinstance(result, types.CoroutineType | types.GeneratorType) or hasattr(
        result, "__await__"
    ):
        return await result
    return result
