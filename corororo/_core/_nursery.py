"""Nursery: children that never outlive the block that started them. Knows no processes."""

from __future__ import annotations

import functools
import types
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from . import _traps
from ._cancel import CancelScope
from ._task import Task, as_coroutine, running_task

if TYPE_CHECKING:
    from ._stepper import Stepper


class Nursery:
    """Starts Tasks, and is left when the last of them has ended. From ``open_nursery()``."""

    def __init__(self, stepper: Stepper) -> None:
        self.cancel_scope = CancelScope()
        self._stepper = stepper
        self._children: dict[int, Task] = {}
        self._started = 0
        self._errors: list[BaseException] = []
        self._waiting: Task | None = None
        self._closed = False

    def start_soon(self, function: Callable[..., Any], *args: Any) -> None:
        """Start ``function(*args)`` as a child, in this tick.

        Raises RuntimeError once the nursery has been left.
        """
        if self._closed:
            raise RuntimeError("this nursery has been left; open another one")
        _must_be_callable(function)
        work = as_coroutine(functools.partial(function, *args))
        child = self._stepper.start_child(self, self._started, self.cancel_scope, work)
        self._children[self._started] = child
        self._started += 1
        self._stepper.wake()

    def live_tasks(self) -> list[Task]:
        """The children that have not ended."""
        return list(self._children.values())

    def child_done(self, index: int, value: Any, error: BaseException | None) -> None:
        """Forget a child; one that fails cancels the others."""
        del self._children[index]
        if error is not None:
            self.fail(error)
        if self._waiting is not None and not self._children:
            waiting, self._waiting = self._waiting, None
            self._stepper.resume_now(waiting, None)

    def fail(self, error: BaseException) -> None:
        """Note an error, and cancel all that goes on inside."""
        self._errors.append(error)
        self.cancel_scope.cancel()

    # As a trap: wait for the last child.

    uncancellable = True  # the wait is: the children are cancelled, and then end it

    def apply(self, stepper: Stepper, task: Task) -> None:
        """Park the Task that opened the nursery."""
        self._waiting = task

    def abandon(self, stepper: Stepper, task: Task) -> bool:
        """The children are cancelled with it, and bring their Cancelled when they end."""
        return False

    async def finish(self, error: BaseException | None) -> BaseException | None:
        """Wait for the children; what all of this raised, less what its own scope caught."""
        if isinstance(error, GeneratorExit):
            return self._abort(error)
        if error is not None:
            self.fail(error)
        while self._children:
            await _traps.trap(self)
        failure = None
        if self._errors:
            failure = BaseExceptionGroup(
                f"a nursery ended with {len(self._errors)} exceptions", self._errors
            )
        try:
            return self._leave(failure)
        finally:
            del failure, error  # an exception knows this frame: no cycle, no work for the collector

    def _leave(self, error: BaseException | None) -> BaseException | None:
        self._closed = True
        self._errors = []
        self.cancel_scope.children = None
        return self.cancel_scope.leave(error)

    def _abort(self, error: GeneratorExit) -> BaseException | None:
        """The scheduler is being closed: nothing can be waited for, children end where they are."""
        for child in self.live_tasks():
            child.close()
        self._children.clear()
        return self._leave(error)


def _must_be_callable(function: Any) -> None:
    if callable(function):
        return
    if hasattr(function, "close"):
        function.close()  # a coroutine that nobody will await now
    raise TypeError(
        f"start_soon takes the function and its arguments, got {type(function).__name__}: "
        f"start_soon(f, x), not start_soon(f(x))"
    )


class NurseryManager:
    """``async with open_nursery() as nursery``."""

    async def __aenter__(self) -> Nursery:
        task = running_task("open_nursery()")
        self._nursery = Nursery(task.stepper)
        self._nursery.cancel_scope.enter(task)
        self._nursery.cancel_scope.children = self._nursery
        return self._nursery

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: types.TracebackType | None,
    ) -> bool:
        rest = await self._nursery.finish(error)
        try:
            if rest is None:
                return True
            if rest is error:
                return False
            # A group that holds nothing but the block's own error is new all the same, as trio's.
            raise rest
        finally:
            del rest, error, self._nursery


def open_nursery() -> NurseryManager:
    """A block whose children have ended when it is left, whatever happens in it.

    The first failure, of a child or of the block itself, cancels the rest; all failures are
    raised as one ExceptionGroup, also when there is only one, as trio does.
    """
    return NurseryManager()
