"""Waiting for several things at once: Tasks with gather, calls of one function with map."""

from __future__ import annotations

from collections import deque
from collections.abc import AsyncIterator, Awaitable, Iterator, Sequence
from itertools import islice
from typing import Any

from corororo.abc import AsyncFunction

from ._stepper import Cancelled, Stepper
from ._task import Region, Task, as_coroutine
from ._traps import run_nested, trap


async def gather(*awaitables: Awaitable[Any]) -> list[Any]:
    """Run coroutines and AsyncTasks as concurrent Tasks; their results in order.

    Ends when all of them have ended, also where one fails. One failure is raised as it is, several
    as an ExceptionGroup. Takes what ``Scheduler.schedule`` takes.
    """
    if not awaitables:
        return []
    values: list[Any] = await trap(_Gather(awaitables))
    return values


async def map_calls(function: AsyncFunction, arguments: Sequence[tuple[Any, ...]]) -> list[Any]:
    if not arguments:
        return []
    values: list[Any] = await trap(_Map(function, arguments))
    return values


def one_error(errors: Sequence[BaseException], what: str) -> BaseException:
    """A single error as it is, several as a group."""
    if len(errors) == 1:
        return errors[0]
    return BaseExceptionGroup(f"{len(errors)} Tasks of a {what} failed", errors)


class _Gather:
    """Starts children, and resumes the Task when the last of them has ended.

    The wait cannot be cancelled: the children are, and end it.
    """

    name = "gather"

    def __init__(self, awaitables: Sequence[Any]) -> None:
        self._awaitables = awaitables
        self._values: list[Any] = [None] * len(awaitables)
        self._errors: dict[int, BaseException] = {}
        self._remaining = len(awaitables)
        self._region = Region()
        self._children: list[Task] = []

    def apply(self, stepper: Stepper, task: Task) -> None:
        self._stepper = stepper
        self._task = task
        self._children = stepper.start(self, self._region, self._awaitables, "gather")
        self._awaitables = ()
        self._region.enter(task)
        self._region.children = self

    def call_inline(self) -> list[Any]:
        return [run_nested(as_coroutine(work, "gather")) for work in self._awaitables]

    def live_tasks(self) -> list[Task]:
        return [child for child in self._children if child.join is self]

    def child_done(self, index: int, value: Any, error: BaseException | None) -> None:
        if error is None:
            self._values[index] = value
        else:
            self._errors[index] = error
        self._remaining -= 1
        if self._remaining:
            return
        self._region.leave()
        self._children = []
        if not self._errors:
            self._stepper.resume_now(self._task, self._values)
            return
        errors = [self._errors[index] for index in sorted(self._errors)]
        self._errors.clear()
        if all(isinstance(error, Cancelled) for error in errors):
            errors = errors[:1]
        self._stepper.resume_with_error(self._task, one_error(errors, "gather"))


class _Map:
    """Many calls of one function for one Task: it is resumed once, with all values in order."""

    name = "map"

    def __init__(self, function: AsyncFunction, arguments: Sequence[tuple[Any, ...]]) -> None:
        self._function = function
        self._arguments = arguments
        self._values: list[Any] = [None] * len(arguments)
        self._failures: dict[int, BaseException] = {}
        self._remaining = len(arguments)
        self._task: Task | None = None

    def apply(self, stepper: Stepper, task: Task) -> None:
        self._task = task
        stepper.calls.send(self._function, self, self._arguments)
        self._arguments = ()

    def abandon(self, stepper: Stepper, task: Task) -> bool:
        """The calls that are still out have become unwanted."""
        self._task = None
        stepper.calls.unwanted += self._remaining
        return True

    def call_inline(self) -> list[Any]:
        """Inside a worker: one after another."""
        return [self._function.run(*arguments) for arguments in self._arguments]

    def calls_done(
        self,
        stepper: Stepper,
        start: int,
        values: Sequence[Any],
        failures: dict[int, BaseException] | None,
    ) -> None:
        if self._task is None:
            stepper.calls.drop(len(values))
            return
        self._values[start : start + len(values)] = values
        self._remaining -= len(values)
        if failures:
            self._failures.update((start + i, error) for i, error in failures.items())
        if self._remaining:
            return
        if self._failures:  # as the builtin map: the first in order is raised
            stepper.resume_with_error(self._task, self._failures[min(self._failures)])
        else:
            stepper.calls.transfer.lend(self._function, self._values)
            stepper.resume_now(self._task, self._values)


class UnorderedMap:
    """An async iterator over the values of many calls, in the order in which they come back.

    The arguments are read as the calls are made, and those are at most ``max_pending`` ahead of
    the values taken. A tick waits for them only while a Task waits for the next value. A Task that
    is cancelled while it waits ends the iteration.
    """

    name = "map_unordered"

    def __init__(self, function: AsyncFunction, arguments: Iterator[tuple[Any, ...]]) -> None:
        self._function = function
        self._arguments = arguments
        self._out = 0  # calls sent and not yet back; wanted while a Task waits
        self._ended = False
        self._outcomes: deque[tuple[Any, BaseException | None]] = deque()
        self._task: Task | None = None

    def __aiter__(self) -> AsyncIterator[Any]:
        return self

    async def __anext__(self) -> Any:
        if not self._outcomes and not self._ended:
            await trap(self)
        if not self._outcomes:
            raise StopAsyncIteration
        value, error = self._outcomes.popleft()
        if isinstance(error, StopAsyncIteration):  # it would end the iteration without a word
            raise RuntimeError(f"{self._function.name} raised StopAsyncIteration") from error
        if error is not None:
            raise error
        self._stepper.calls.transfer.lend(self._function, [value])
        return value

    def apply(self, stepper: Stepper, task: Task) -> None:
        """Send as many calls as there may be, then wait for any of them."""
        if self._task is not None:
            raise RuntimeError("another Task waits for the next value of this iterator already")
        self._stepper = stepper
        self._send_more(stepper)
        if self._outcomes or not self._out:  # what the arguments raised, or the end of them
            self._ended = not self._out and not self._outcomes
            stepper.resume_now(task, None)
            return
        stepper.calls.unwanted -= self._out
        self._task = task

    def abandon(self, stepper: Stepper, task: Task) -> bool:
        """The iteration ends here: what comes later is dropped."""
        self._task = None
        self._ended = True
        stepper.calls.unwanted += self._out
        return True

    def calls_done(
        self,
        stepper: Stepper,
        start: int,
        values: Sequence[Any],
        failures: dict[int, BaseException] | None,
    ) -> None:
        self._out -= len(values)
        if self._ended:
            stepper.calls.drop(len(values))
            return
        failures = failures or {}
        self._outcomes.extend((value, failures.get(i)) for i, value in enumerate(values))
        if self._task is None:
            stepper.calls.unwanted -= len(values)
        else:
            task, self._task = self._task, None
            stepper.calls.unwanted += self._out
            stepper.resume_now(task, None)

    def _send_more(self, stepper: Stepper) -> None:
        arguments: list[tuple[Any, ...]] = []
        try:
            room = stepper.calls.transfer.max_pending - self._out
            arguments.extend(islice(self._arguments, room))
        except Exception as error:  # of the iterable of arguments: raised in its turn
            self._outcomes.append((None, error))
        if arguments:
            stepper.calls.send(self._function, self, arguments)
            self._out += len(arguments)
            stepper.calls.unwanted += len(arguments)
