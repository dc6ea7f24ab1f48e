"""Structured concurrency: the CancelScope, time limits, and the Nursery.

The semantics are trio's: a cancelled scope raises Cancelled in everything inside it that waits, or
comes to wait, until the scope is left, which swallows it. Scopes form a tree; a shield hides what
is outside of it.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Self

from corororo._exceptions import TooSlowError

from ._stepper import Cancelled, Stepper
from ._task import Region, Task, check_function, running_task
from ._timers import Timer, check_seconds
from ._traps import trap


class CancelScope:
    """A region of one Task, with the children that it starts, that can be cancelled.

    ``deadline`` is in seconds on the scheduler's clock; ``cancelled_caught`` tells afterwards
    whether the region was ended by its cancellation. As trio's, but for one thing: a deadline is
    noticed when it is set, at the start of a tick and while a tick waits, not between two steps.
    """

    def __init__(self, *, deadline: float = math.inf, shield: bool = False) -> None:
        check_seconds("CancelScope(deadline=...)", deadline, -math.inf)
        self.cancelled_caught = False
        self._deadline = deadline
        self._region = Region()
        self._region.shield = shield
        self._stepper: Stepper | None = None  # from the first with on
        self._timer: Timer | None = None
        self._made_by = "a CancelScope"

    @property
    def deadline(self) -> float:
        """Seconds on the scheduler's clock; infinite where there is none. May be moved."""
        return self._deadline

    @deadline.setter
    def deadline(self, deadline: float) -> None:
        check_seconds("CancelScope.deadline", deadline, -math.inf)
        self._deadline = deadline
        if self._stepper is not None and self._region.task is not None:
            self._set_timer(self._stepper)
            self._stepper.wake()

    @property
    def shield(self) -> bool:
        """Whether cancellation from outside is kept out. May be changed."""
        return self._region.shield

    @shield.setter
    def shield(self, shield: bool) -> None:
        self._region.shield = shield
        if not shield and self._stepper is not None and self._region.is_cancelled():
            self._stepper.cancel_tasks(self._region.tasks())

    def cancel(self) -> None:
        """Cancel what is inside; idempotent, and harmless once the scope has been left."""
        region = self._region
        if not region.cancelled:
            region.cancelled = True
            if self._stepper is not None and region.task is not None:
                self._stepper.cancelled_regions += 1
                self._stepper.cancel_tasks(region.tasks())

    def __enter__(self) -> Self:
        if self._stepper is not None:
            raise RuntimeError("a CancelScope is for one use; make another one")
        task = running_task(self._made_by)
        self._stepper = stepper = task.stepper
        self._region.enter(task)
        stepper.cancelled_regions += self._region.cancelled
        self._set_timer(stepper)
        return self

    def __exit__(self, kind: object, error: BaseException | None, traceback: object) -> bool:
        rest = self._leave(error)
        try:
            if rest is None or rest is error:
                return rest is None
            raise rest
        finally:
            del rest, error  # an exception knows this frame: no cycle, no work for the collector

    def _leave(self, error: BaseException | None) -> BaseException | None:
        """The rest of ``error``, without what this scope's own cancellation raised."""
        region, stepper = self._region, self._stepper
        assert stepper is not None
        region.leave()
        if self._timer is not None:
            stepper.deadlines.remove(self._timer)
        if not region.cancelled:
            return error
        stepper.cancelled_regions -= 1
        outer = None if region.shield else region.parent
        if error is None or (outer is not None and outer.is_cancelled()):
            return error  # the outer scope will catch all of it
        rest = _without_cancelled(error)
        self.cancelled_caught = rest is not error
        return rest

    def _set_timer(self, stepper: Stepper) -> None:
        if self._timer is not None:
            stepper.deadlines.remove(self._timer)
            self._timer = None
        if self._deadline <= stepper.clock.now():
            self.cancel()
        elif self._deadline != math.inf:
            self._timer = stepper.deadlines.add(round(self._deadline * 1e9), self.cancel)


def _without_cancelled(error: BaseException) -> BaseException | None:
    if isinstance(error, Cancelled):
        return None
    if isinstance(error, BaseExceptionGroup):
        matched, rest = error.split(Cancelled)
        return error if matched is None else rest
    return error


def move_on_after(seconds: float, *, shield: bool = False) -> CancelScope:
    """A CancelScope that ends what is inside after some seconds, and continues behind it."""
    return _scope_after("move_on_after", seconds, shield)


def move_on_at(deadline: float, *, shield: bool = False) -> CancelScope:
    """The same at a moment of the scheduler's clock."""
    check_seconds("move_on_at(deadline)", deadline, -math.inf)
    scope = CancelScope(deadline=deadline, shield=shield)
    scope._made_by = "move_on_at()"
    return scope


@contextmanager
def fail_after(seconds: float, *, shield: bool = False) -> Iterator[CancelScope]:
    """As ``move_on_after``, but raises TooSlowError where the time was not enough."""
    with _scope_after("fail_after", seconds, shield) as scope:
        yield scope
    if scope.cancelled_caught:
        raise TooSlowError(f"what stood inside fail_after({seconds}) took longer")


def _scope_after(call: str, seconds: float, shield: bool) -> CancelScope:
    check_seconds(f"{call}(seconds)", seconds)
    now: float = running_task(f"{call}()").stepper.clock.now()
    return CancelScope(deadline=now + seconds, shield=shield)


class Nursery:
    """Starts Tasks, and is left when the last of them has ended. From ``open_nursery()``."""

    def __init__(self) -> None:
        self.cancel_scope = CancelScope()
        self._children: _Children | None = None  # once it is entered

    def start_soon(self, function: Callable[..., Any], *args: Any) -> None:
        """Start ``function(*args)`` as a child, in this tick.

        Raises RuntimeError once the nursery has been left.
        """
        check_function("start_soon", function)
        if self._children is None:
            raise RuntimeError(
                "this nursery has not been entered; `async with open_nursery() as nursery:` does so"
            )
        self._children.start(functools.partial(function, *args))

    async def __aenter__(self) -> Self:
        if self._children is not None:
            raise RuntimeError("a nursery is for one use; call open_nursery() again")
        task = running_task("open_nursery()")
        self.cancel_scope.__enter__()
        self._children = _Children(self.cancel_scope, task)
        return self

    async def __aexit__(self, kind: object, error: BaseException | None, traceback: object) -> bool:
        children, scope = self._children, self.cancel_scope
        assert children is not None
        if isinstance(error, GeneratorExit):
            for child in children.live_tasks():  # nothing can be waited for
                child.close()
            return scope.__exit__(kind, error, traceback)
        if error is not None:
            children.fail(error)
        failure = await children.wait()
        try:
            if scope.__exit__(type(failure), failure, None) or failure is None:
                return True
            raise failure
        finally:
            del failure, error  # no cycle here either


def open_nursery() -> Nursery:
    """A block whose children have ended when it is left, whatever happens in it.

    The first failure, of a child or of the block itself, cancels the rest; all failures are
    raised as one ExceptionGroup, also when there is only one, as trio does.
    """
    return Nursery()


class _Children:
    """The Tasks of one nursery; as a trap, the wait for the last of them.

    The wait cannot be cancelled: the children are, and end it.
    """

    name = "open_nursery"

    def __init__(self, scope: CancelScope, task: Task) -> None:
        self._scope = scope
        self._stepper: Stepper = task.stepper
        assert task.region is not None
        self._region = task.region  # that of the scope, which the Task has just entered
        self._region.children = self
        self._tasks: dict[int, Task] = {}
        self._started = 0
        self._errors: list[BaseException] = []
        self._waiting: Task | None = None

    def start(self, function: Callable[[], Any]) -> None:
        if self._region.task is None:
            raise RuntimeError("this nursery has been left; open another one")
        [child] = self._stepper.start(self, self._region, [function])
        child.index = self._started
        self._tasks[self._started] = child
        self._started += 1
        self._stepper.wake()

    def live_tasks(self) -> list[Task]:
        return list(self._tasks.values())

    def child_done(self, index: int, value: Any, error: BaseException | None) -> None:
        del self._tasks[index]
        if error is not None:
            self.fail(error)
        if self._waiting is not None and not self._tasks:
            waiting, self._waiting = self._waiting, None
            self._stepper.resume_now(waiting, None)

    def fail(self, error: BaseException) -> None:
        self._errors.append(error)
        self._scope.cancel()

    def apply(self, stepper: Stepper, task: Task) -> None:
        if self._tasks:
            self._waiting = task
        else:  # the last one has ended in the same step
            stepper.resume_now(task, None)

    async def wait(self) -> BaseException | None:
        """Wait for the last child; all that was raised inside, as a group."""
        while self._tasks:
            await trap(self)
        if not self._errors:
            return None
        errors, self._errors = self._errors, []  # no cycle here either
        return BaseExceptionGroup(f"a nursery ended with {len(errors)} exceptions", errors)
