"""CancelScope: a region that can be cancelled, from outside or by its deadline. Knows no timers.

The semantics are trio's: a cancelled scope raises Cancelled in everything inside it that waits, or
comes to wait, until the scope is left, which swallows it. Scopes form a tree; a shield hides what
is outside of it.
"""

from __future__ import annotations

import math
import types
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Protocol, Self

from corororo._exceptions import TooSlowError

from ._task import Task, running_task

if TYPE_CHECKING:
    from ._timers import Timer


class Cancelled(BaseException):
    """Raised where a Task waits inside a CancelScope that was cancelled.

    Let it pass: the scope that it belongs to catches it. Derives from BaseException, so that
    ``except Exception`` does not stop it, as trio's.
    """


class Children(Protocol):
    """Who knows the Tasks that began their life inside a scope."""

    def live_tasks(self) -> list[Task]:
        """Those that have not ended."""
        ...


class CancelScope:
    """A region of one Task, with the children that it starts, that can be cancelled.

    ``deadline`` is in seconds on the scheduler's clock; ``cancelled_caught`` tells afterwards
    whether the region was ended by its cancellation. As trio's, but for one thing: a deadline is
    noticed when it is set, at the start of a tick and while a tick waits, not between two steps.
    """

    def __init__(self, *, deadline: float = math.inf, shield: bool = False) -> None:
        self.cancel_called = False
        self.cancelled_caught = False
        self._deadline = _checked(deadline)
        self._shield = shield
        self._task: Task | None = None
        self._parent: CancelScope | None = None
        self._inside: dict[CancelScope, None] = {}  # the scopes entered inside, in order
        self.children: Children | None = None  # the Tasks whose outermost scope this is
        self._timer: Timer | None = None
        self._used = False

    @property
    def deadline(self) -> float:
        """Seconds on the scheduler's clock; infinite where there is none. May be moved."""
        return self._deadline

    @deadline.setter
    def deadline(self, deadline: float) -> None:
        self._deadline = _checked(deadline)
        self._set_timer()
        if self._task is not None:
            self._task.stepper.wake()

    @property
    def shield(self) -> bool:
        """Whether cancellation from outside is kept out. May be changed."""
        return self._shield

    @shield.setter
    def shield(self, shield: bool) -> None:
        self._shield = shield
        if not shield and self._task is not None and self.is_cancelled():
            self._task.stepper.interrupt_all(self.tasks())

    def cancel(self) -> None:
        """Cancel what is inside; idempotent, and harmless once the scope has been left."""
        if self.cancel_called:
            return
        self.cancel_called = True
        if self._task is not None:
            self._task.stepper.scope_cancelled()
            self._task.stepper.interrupt_all(self.tasks())

    def is_cancelled(self) -> bool:
        """Whether this scope, or one around it that no shield hides, was cancelled."""
        scope: CancelScope | None = self
        while scope is not None:
            if scope.cancel_called:
                return True
            scope = None if scope._shield else scope._parent
        return False

    def tasks(self) -> Iterator[Task]:
        """All Tasks that are inside, to any depth."""
        scopes = [self]
        while scopes:
            scope = scopes.pop()
            if scope._task is not None:
                yield scope._task
            if scope.children is not None:
                yield from scope.children.live_tasks()
            scopes.extend(reversed(scope._inside))

    def enter(self, task: Task) -> None:
        """Begin; ``with`` does it for the Task that runs."""
        if self._used:
            raise RuntimeError("a CancelScope is for one use; make another one")
        self._used = True
        self._task = task
        self._parent = task.scope
        if self._parent is not None:
            self._parent._inside[self] = None
        task.scope = self
        if self.cancel_called:
            task.stepper.scope_cancelled()
        self._set_timer()

    def leave(self, error: BaseException | None) -> BaseException | None:
        """End; returns what is left of ``error`` without what this scope's cancellation raised."""
        task = self._task
        assert task is not None
        if task.scope is not self and not task.closing:
            raise RuntimeError(
                "a CancelScope was left before one that was entered inside it; "
                "leave them in the order of their with blocks"
            )
        task.scope = self._parent
        if self._parent is not None:
            del self._parent._inside[self]
        if self._timer is not None:
            task.stepper.remove_deadline(self._timer)
            self._timer = None
        self._task = None
        if not self.cancel_called:
            return error
        task.stepper.cancelled_scope_left()
        outer = None if self._shield else self._parent
        if error is None or (outer is not None and outer.is_cancelled()):
            return error  # the outer scope will catch all of it
        rest = without_cancelled(error)
        self.cancelled_caught = rest is not error
        return rest

    def __enter__(self) -> Self:
        self.enter(running_task("a CancelScope"))
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: types.TracebackType | None,
    ) -> bool:
        rest = self.leave(error)
        if rest is None:
            return True
        if rest is error:
            return False
        raise rest

    def _set_timer(self) -> None:
        if self._task is None:
            return
        if self._timer is not None:
            self._task.stepper.remove_deadline(self._timer)
            self._timer = None
        if self._deadline <= self._task.stepper.clock.now():
            self.cancel()
        elif self._deadline != math.inf:
            self._timer = self._task.stepper.add_deadline(self._deadline, self.cancel)


def _checked(deadline: float) -> float:
    if math.isnan(deadline):
        raise ValueError("deadline must be a time of the scheduler's clock, got nan")
    return deadline


def without_cancelled(error: BaseException) -> BaseException | None:
    """What is left of an exception, or a group of them, when every Cancelled is taken out."""
    if isinstance(error, Cancelled):
        return None
    if isinstance(error, BaseExceptionGroup):
        matched, rest = error.split(Cancelled)
        return error if matched is None else rest
    return error


def move_on_after(seconds: float, *, shield: bool = False) -> CancelScope:
    """A CancelScope that ends what is inside after some seconds, and goes on behind it."""
    return move_on_at(_moment(seconds), shield=shield)


def move_on_at(deadline: float, *, shield: bool = False) -> CancelScope:
    """The same at a moment of the scheduler's clock."""
    return CancelScope(deadline=deadline, shield=shield)


@contextmanager
def fail_after(seconds: float, *, shield: bool = False) -> Iterator[CancelScope]:
    """As ``move_on_after``, but raises TooSlowError where the time was not enough."""
    with move_on_after(seconds, shield=shield) as scope:
        yield scope
    if scope.cancelled_caught:
        raise TooSlowError(f"what stood inside fail_after({seconds}) took longer")


def _moment(seconds: float) -> float:
    if not seconds >= 0:
        raise ValueError(f"seconds must be 0 or more, got {seconds}")
    if seconds == math.inf:
        return math.inf
    return running_task("move_on_after()").stepper.clock.now() + seconds
