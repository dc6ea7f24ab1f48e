"""A Task: one coroutine being run, the region where it can be cancelled, what it can await.

Each Task owns a runner, a generator that awaits one coroutine after another. A finished coroutine
makes the runner yield IDLE instead of raising StopIteration through ``send``, which saves an
exception a Task (396 chains started and resumed: 263 us with runners, 368 us with a Task object
and ``except StopIteration``, 274 us for a bare loop of ``send``; CPython 3.11), and a finished
Task is used again.
"""

from __future__ import annotations

import inspect
import sys
import traceback
import types
from collections import Counter
from collections.abc import Callable, Coroutine, Generator, Iterable, Iterator
from typing import Any, Final, Protocol, cast

IDLE: Final = object()  # what a runner yields when its coroutine has ended
NONE: Final = ...  # resumes a call whose result is None: None comes from a second await
DROPPED: Final = object()  # what advancing a cancelled waiter answers


class Join(Protocol):
    """Takes the outcome of Tasks: a nursery, a gather, or the scheduler itself."""

    def child_done(self, index: int, value: Any, error: BaseException | None) -> None:
        """The Task that was started as number ``index`` has ended."""


class Region:
    """A node in the tree of what can be cancelled: one Task from here on, and its children.

    The innermost region of a Task is ``task.region``. As trio's CancelStatus.
    """

    def __init__(self) -> None:
        self.cancelled = False
        self.shield = False
        self.task: Task | None = None  # while it is entered
        self.parent: Region | None = None
        self.children: Any = None  # a nursery's or a gather, whose Tasks have this one outermost
        self._inside: dict[Region, None] = {}  # the regions entered inside, in order

    def enter(self, task: Task) -> None:
        self.task = task
        self.parent = task.region
        if self.parent is not None:
            self.parent._inside[self] = None
        task.region = self

    def leave(self) -> None:
        """Give the Task back to the region around this one."""
        task = self.task
        assert task is not None
        if task.region is not self and not task.closing:
            raise RuntimeError(
                "a CancelScope was left before one that was entered inside it; "
                "leave them in the order of their with blocks"
            )
        task.region = self.parent
        if self.parent is not None:
            del self.parent._inside[self]
        self.task = self.children = None

    def is_cancelled(self) -> bool:
        """Whether this region, or one around it that no shield hides, was cancelled."""
        region: Region | None = self
        while region is not None:
            if region.cancelled:
                return True
            region = None if region.shield else region.parent
        return False

    def tasks(self) -> Iterator[Task]:
        regions = [self]
        while regions:
            region = regions.pop()
            if region.task is not None:
                yield region.task
            if region.children is not None:
                yield from region.children.live_tasks()
            regions.extend(reversed(region._inside))


class Task:
    """A runner with a coroutine in it, or waiting for the next one.

    ``send(coroutine)`` starts, ``send(value)`` or ``throw(error)`` resume it. Each answers a trap,
    or IDLE when ``value`` and ``error`` hold the outcome.
    """

    __slots__ = (
        "_runner",
        "closing",
        "index",
        "join",
        "name",
        "parked",
        "region",
        "send",
        "stepper",
        "throw",
    )

    send: Callable[[Any], Any]
    throw: Callable[[BaseException], Any]

    def __init__(self, stepper: Any) -> None:
        self.stepper = stepper  # a Stepper, whose module imports this one
        self.join: Join | None = None  # None: no other Task awaits it
        self.index = 0
        self.region: Region | None = None
        self.parked: Any = None  # the Trap that it waits for, unless that is an AsyncTask call
        self.closing = False
        self.name = ""  # the qualified name of its coroutine, where instruments watch steps
        self._runner = _runner(self)
        self._runner.send(None)
        self.send = self._runner.send
        self.throw = self._runner.throw

    @property
    def awaited(self) -> Any:
        """The coroutine that it runs, where it is suspended; None where there is none."""
        return getattr(self._runner, "gi_yieldfrom", None)

    def is_cancelled(self) -> bool:
        return self.region is not None and self.region.is_cancelled()

    def fail(self, error: BaseException) -> None:
        """Hand an error to the Task that awaits this one, or else to the Scheduler."""
        add_remedy(error)
        join, self.join, self.region = self.join, None, None
        if join is not None:
            join.child_done(self.index, None, error)
        else:
            self.stepper.failures.append(error)

    def close(self) -> None:
        """End the coroutine where it is parked: its ``finally`` blocks run, nothing is awaited."""
        self.closing = True
        self._runner.close()


def _run_coroutines(task: Task) -> Generator[Any, Any, None]:
    while True:
        work = yield IDLE
        try:
            if work.cr_suspended:  # `await` would see that another Task waits in it
                raise RuntimeError(AWAITED[0])
            work = yield from work
        except BaseException as error:
            if task.closing or isinstance(error, GeneratorExit):
                raise  # it is being closed, or was dropped with its scheduler
            task.fail(error)
        else:
            if task.join is not None:
                done, task.join, task.region = task.join.child_done, None, None
                done(task.index, work, None)
                del done
            elif task.region is not None:
                task.region = None
        work = None  # an idle Task keeps nothing alive


# The decorator's flag, which it sets in the code, lets a generator ``yield from`` a coroutine.
_runner = cast("Callable[[Task], Generator[Any, Any, None]]", types.coroutine(_run_coroutines))
_RUNNER_CODE = _run_coroutines.__code__


def task_on_the_stack(stepper: object = None) -> Task | None:
    """The innermost Task that this is called in, or the innermost of a Stepper's."""
    frame: types.FrameType | None = sys._getframe(1)
    while frame is not None:
        if frame.f_code is _RUNNER_CODE:
            task: Task = frame.f_locals["task"]
            if stepper is None or task.stepper is stepper:
                return task
        frame = frame.f_back
    return None


def running_task(what: str) -> Task:
    """The Task that this is called in; RuntimeError outside of any."""
    task = task_on_the_stack()
    if task is None:
        raise RuntimeError(
            f"{what} works inside a Task of a Scheduler only; run the coroutine with "
            f"scheduler.run() or schedule()"
        )
    return task


class _CancelledWaiter:
    """Stands in for a cancelled Task where the reply of its call is expected."""

    def send(self, value: Any) -> Any:
        return DROPPED

    def throw(self, error: BaseException) -> Any:
        return DROPPED


CANCELLED_WAITER = cast("Task", _CancelledWaiter())


def as_coroutine(work: Any, call: str = "schedule") -> Coroutine[Any, Any, Any]:
    """What ``schedule`` accepts, as something that a Task can run; TypeError for the rest."""
    if isinstance(work, types.CoroutineType):
        return work
    if inspect.isawaitable(work):
        return _call(lambda: work)
    if callable(work):
        return named_after(work, _call(work))
    raise TypeError(
        f"{call} takes a coroutine, an AsyncTask or a callable, got {type(work).__name__}: "
        f"f(x), f and lambda: f(x) are right, and gather(*calls) for several"
    )


def check_function(call: str, function: Any) -> None:
    """Raise a TypeError for a coroutine in place of the function that makes it."""
    if not callable(function):
        raise TypeError(
            f"{call} takes the function and its arguments, got {type(function).__name__}: "
            f"{call}(f, x), not {call}(f(x))"
        )


def named_after(function: Any, coroutine: Any) -> Coroutine[Any, Any, Any]:
    """The coroutine, under the name of the function that it calls."""
    function = getattr(function, "func", function)  # of a partial
    coroutine.__qualname__ = getattr(function, "__qualname__", type(function).__qualname__)
    return cast("Coroutine[Any, Any, Any]", coroutine)


async def _call(function: Callable[[], Any]) -> Any:
    result = function()
    if isinstance(result, types.GeneratorType) or hasattr(result, "__await__"):
        return await result
    return result


# What Python raises where a coroutine is awaited twice.
AWAITED = ("coroutine is being awaited already", "cannot reuse already awaited coroutine")

# What asyncio and trio raise inside a coroutine of ours that awaits something of theirs.
_FOREIGN_ERRORS = ("no running event loop", "must be called from async context")
_REMEDY = (
    "for trio, use `await corororo.run_in_trio(async_function, *args)`, which needs a tick driven "
    "by `await scheduler.run_tick()`"
)


def refuse_foreign_trap(request: object) -> TypeError:
    """The error of a Task that awaits something made for another event loop.

    A primitive of trio has noted the trio task that drives the tick as the one that waits; its
    abort function removes the note, as for a wait that was cancelled.
    """
    abort = getattr(request, "abort_func", None)
    if callable(abort):
        abort(lambda: None)  # in place of raising trio's Cancelled
    made_by = request if isinstance(request, type) else type(request)
    kind = f"{made_by.__module__}.{made_by.__qualname__}"
    if request is None:
        kind = "a bare yield, as asyncio.sleep(0) does it"
    return TypeError(
        f"a Task can await coroutines, AsyncTasks and what corororo offers, got {kind}; {_REMEDY}"
    )


def add_remedy(error: BaseException) -> None:
    """Note what to do on errors of Python, trio and asyncio that do not say it."""
    if type(error) is not RuntimeError:
        return
    if str(error) in _FOREIGN_ERRORS:
        error.add_note(f"A Task of corororo awaited something of trio or asyncio; {_REMEDY}.")
    elif str(error) in AWAITED:
        error.add_note("A call can be awaited once; call the function again for another result.")


def format_stacks(tasks: Iterable[Task]) -> str:
    """The stacks of suspended Tasks, those that most share first; innermost frame last."""
    suspended = [task.awaited for task in tasks if task.awaited is not None]
    counts = Counter(tuple(_lines(coroutine)) for coroutine in suspended)
    return "\n\n".join(
        "\n".join([f"{count} {'Task' if count == 1 else 'Tasks'} at", *lines])
        for lines, count in counts.most_common()
    )


def _lines(coroutine: Any) -> Iterator[str]:
    while coroutine is not None:
        frame = _first_of(coroutine, "cr_frame", "gi_frame", "ag_frame")
        if frame is not None:
            code = frame.f_code
            place = (code.co_filename, frame.f_lineno, code.co_qualname, None)
            yield traceback.format_list([place])[0].rstrip()
        coroutine = _first_of(coroutine, "cr_await", "gi_yieldfrom", "ag_await")


def _first_of(coroutine: Any, *names: str) -> Any:
    return next((getattr(coroutine, name) for name in names if hasattr(coroutine, name)), None)
