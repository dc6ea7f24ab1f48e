"""Waiting for other Tasks, and for many calls of one function. Knows no processes."""

from __future__ import annotations

from collections.abc import Awaitable, Sequence
from typing import TYPE_CHECKING, Any

from . import _traps
from ._inline import run_nested
from ._task import as_coroutine

if TYPE_CHECKING:
    from corororo.abc import AsyncFunction

    from ._scheduler import Scheduler
    from ._task import Task


class GatherTrap:
    """Start children, and resume the Task when the last of them has ended."""

    def __init__(self, awaitables: Sequence[Any]) -> None:
        self._awaitables = awaitables
        self._values: list[Any] = [None] * len(awaitables)
        self._errors: list[tuple[int, BaseException]] = []
        self._remaining = len(awaitables)

    def apply(self, scheduler: Scheduler, task: Task) -> None:
        """Start them all in this pass, in order."""
        self._scheduler = scheduler
        self._task = task
        scheduler.start_children(self, self._awaitables)
        self._awaitables = ()

    def call_inline(self) -> list[Any]:
        """Inside a worker: one after another."""
        return [run_nested(as_coroutine(work)) for work in self._awaitables]

    def child_done(self, index: int, value: Any, error: BaseException | None) -> None:
        """Note one outcome; the last one resumes the Task."""
        if error is None:
            self._values[index] = value
        else:
            self._errors.append((index, error))
        self._remaining -= 1
        if self._remaining == 0:
            self._finish()

    def _finish(self) -> None:
        if self._errors:
            self._errors.sort(key=lambda pair: pair[0])
            errors = [error for _, error in self._errors]
            self._scheduler.resume_with_error(self._task, one_error(errors, "gather"))
        else:
            self._scheduler.resume_now(self._task, self._values)


class MapTrap:
    """Many calls of one function for one Task: it is resumed once, with all values in order."""

    def __init__(self, function: AsyncFunction, arguments: list[Any]) -> None:
        self._function = function
        self._arguments = arguments
        self._values: list[Any] = [None] * len(arguments)
        self._failures: dict[int, BaseException] = {}
        self._remaining = len(arguments)

    def apply(self, scheduler: Scheduler, task: Task) -> None:
        """Send them all at once."""
        self._task = task
        scheduler.send_calls(self._function, self, self._arguments)
        self._arguments = []

    def call_inline(self) -> list[Any]:
        """Inside a worker: one after another."""
        return [self._function.call_inline(*arguments) for arguments in self._arguments]

    def calls_done(
        self,
        scheduler: Scheduler,
        start: int,
        values: Sequence[Any],
        failures: dict[int, BaseException] | None,
    ) -> None:
        """Note the outcome of some calls; the last ones resume the Task."""
        self._values[start : start + len(values)] = values
        self._remaining -= len(values)
        if failures:
            self._failures.update((start + i, error) for i, error in failures.items())
        if self._remaining:
            return
        if self._failures:  # as the builtin map: the first in order is raised
            scheduler.resume_with_error(self._task, self._failures[min(self._failures)])
        else:
            scheduler.resume_now(self._task, self._values)


async def gather(*awaitables: Awaitable[Any]) -> list[Any]:
    """Run coroutines and AsyncTasks as concurrent Tasks; their results in order.

    Ends when all of them have ended. One failure is raised as it is, several as an
    ExceptionGroup. Takes what ``Scheduler.schedule`` takes.
    """
    if not awaitables:
        return []
    values: list[Any] = await _traps.trap(GatherTrap(awaitables))
    return values


async def map_calls(function: AsyncFunction, arguments: list[Any]) -> list[Any]:
    """The results of ``function`` for each tuple of arguments, in order."""
    if not arguments:
        return []
    values: list[Any] = await _traps.trap(MapTrap(function, arguments))
    return values


def one_error(errors: Sequence[BaseException], what: str) -> BaseException:
    """A single error as it is, several as a group."""
    if len(errors) == 1:
        return errors[0]
    return BaseExceptionGroup(f"{len(errors)} Tasks of a {what} failed", errors)
