"""The Stepper drives Tasks: it starts, steps, resumes and cancels them."""

from __future__ import annotations

import types
from collections.abc import Callable, Iterable, Sequence
from operator import call, itemgetter
from typing import Any, Protocol

from corororo.abc import Clock, Completion, Instrument, Transfer

from ._calls import Calls, Ticket, all_hooks, do_nothing
from ._queue import Advance, Queue
from ._task import (
    DROPPED,
    IDLE,
    NONE,
    Join,
    Region,
    Task,
    as_coroutine,
    refuse_foreign_trap,
    task_on_the_stack,
)
from ._timers import Timers

# A Task that catches Cancelled and waits again is cancelled this often in one pass.
CANCELS_IN_A_PASS = 10_000
_first = itemgetter(0)


class Cancelled(BaseException):
    """Raised where a Task waits inside a CancelScope that was cancelled.

    Let it pass: the scope that it belongs to catches it. Derives from BaseException, so that
    ``except Exception`` does not stop it, as trio's.
    """


class Trap(Protocol):
    """A request to the Stepper other than an AsyncTask call.

    One that can be cancelled also has ``abandon(stepper, task) -> bool``, which forgets the Task,
    and answers False where that does not wait for it any more.
    """

    name: str  # of the function that asks for it

    def apply(self, stepper: Stepper, task: Task) -> None:
        """Do what is asked; the Task stays parked until something resumes it."""


class Stepper:
    """Runs the Tasks of one Scheduler, one step at a time."""

    def __init__(
        self, scheduler: object, transfer: Transfer, clock: Clock, instruments: Sequence[Instrument]
    ) -> None:
        self.scheduler = scheduler  # what current_scheduler() answers
        self.clock = clock
        self.calls = Calls(transfer, instruments)
        self.timers = Timers()  # run when a pass begins
        self.deadlines = Timers()  # run while a pass waits, too
        self.scheduled: list[Any] = []  # coroutines that start in the next pass
        self.run_queue = Queue()  # for the next pass
        self.pass_queue = Queue()  # for the pass that goes on
        self.in_pass = False
        self.broken = False  # interrupted in a step, whose Task is lost
        self.all_tasks: list[Task] = []
        self.idle_tasks: list[Task] = []
        self.failures: list[BaseException] = []  # of Tasks that no other Task awaits
        self.cancelled_regions = 0  # entered and not yet left
        self._cancels = 0  # in this pass
        self.trio_requests: dict[Any, bool] = {}  # TrioRequest, and whether it has begun
        self.trio_drives = False
        self.others_cpu_ns = 0  # CPU time of trio's other tasks while this pass waited
        self.wake: Callable[[], None] = do_nothing  # ends the wait of a pass that trio drives
        self.steps = self.finished = 0
        self._before_step = all_hooks(instruments, "before_task_step")
        self._after_step = all_hooks(instruments, "after_task_step")
        if (self._before_step, self._after_step) != (do_nothing, do_nothing):
            self._advance = self._advance_watched  # type: ignore[method-assign]

    # -- a pass

    def begin_pass(self) -> None:
        self.in_pass = True
        self._cancels = 0
        self.pass_queue, self.run_queue = self.run_queue, Queue()
        self.pass_queue.start(self._take_idle(len(self.scheduled)), self.scheduled)
        self.scheduled.clear()

    def must_be_between_passes(self, call: str) -> None:
        """Raise a RuntimeError that says who ticks meanwhile."""
        if self.in_pass and task_on_the_stack(self):
            raise RuntimeError(
                f"a Task cannot call {call}() of the Scheduler that runs it; await in the Task, or "
                f"call {call}() outside of it"
            )
        if self.in_pass:
            raise RuntimeError(
                f"{call}() was called while another thread, or another task of trio, ticks this "
                f"Scheduler; give each a Scheduler of its own: they may share a pool"
            )

    def end_pass(self) -> None:
        """Leave to the next pass what is still in the queue, as where a wait was broken off."""
        self.run_queue.put_first(self.pass_queue)
        self.pass_queue = Queue()
        self.in_pass = False

    # -- starting and resuming

    def start(
        self,
        join: Join | None,
        region: Region | None,
        works: Sequence[Any],
        call: str = "schedule",
    ) -> list[Task]:
        """Start Tasks in this pass; each reports its end to ``join`` under its place."""
        coroutines = [
            work if work.__class__ is types.CoroutineType else as_coroutine(work, call)
            for work in works
        ]
        tasks = self._take_idle(len(coroutines))
        for index, task in enumerate(tasks):
            task.join, task.index, task.region = join, index, region
        self._queue().start(tasks, coroutines)
        return tasks

    def _take_idle(self, count: int) -> list[Task]:
        """Tasks without a coroutine; those that have ended are used again."""
        missing = count - len(self.idle_tasks)
        if missing > 0:
            more = [Task(self) for _ in range(missing)]
            self.all_tasks += more
            self.idle_tasks += more
        begin = len(self.idle_tasks) - count
        tasks = self.idle_tasks[begin:]
        del self.idle_tasks[begin:]
        return tasks

    def resume_now(self, task: Task, value: Any) -> None:
        """Resume a parked Task in this pass, or in the next one between two passes."""
        task.parked = None
        self._queue().add(task, task.send, value)

    def resume_with_error(self, task: Task, error: BaseException) -> None:
        task.parked = None
        self._queue().add(task, task.throw, error)

    def resume_next_tick(self, task: Task) -> None:
        self.run_queue.add(task, task.send, None)

    def take_back(self, task: Task) -> bool:
        """Undo ``resume_next_tick``; False where the Task does not wait for the next pass."""
        return self.run_queue.remove(task)

    def unstarted(self) -> list[Any]:
        """The coroutines of Tasks that have not begun."""
        works = [*self.scheduled, *self.run_queue.values]
        return [work for work in works if isinstance(work, types.CoroutineType)]

    def has_runnable(self) -> bool:
        """Whether the next pass has a Task to step."""
        return bool(self.run_queue.tasks or self.scheduled)

    def _queue(self) -> Queue:
        return self.pass_queue if self.in_pass else self.run_queue

    # -- stepping

    def step(self, queue: Queue, begin: int, end: int) -> None:
        """Advance Tasks to their next trap; their calls are grouped, and not sent yet."""
        places = slice(begin, end)
        self._advance(queue.tasks[places], queue.advances[places], queue.values[places])

    def _advance(
        self, tasks: Sequence[Task], advances: Iterable[Advance], values: Iterable[Any]
    ) -> None:
        # Without a loop in Python where all Tasks do the same: half of what a step cost otherwise.
        traps = list(map(call, advances, values))
        if traps[0] is IDLE and traps.count(IDLE) == len(traps):
            self.finished += len(traps)
            self.idle_tasks += tasks
        elif traps[0].__class__ is tuple and (function := _only_function(traps)) is not None:
            waiting, calls = self.calls.group(function)
            waiting += tasks
            calls += traps
        else:
            self._settle(tasks, traps)

    def _settle(self, tasks: Sequence[Task], traps: Sequence[Any]) -> None:
        current: Any = None
        group: Any = None
        finished = 0
        add_idle = self.idle_tasks.append
        for task, trap in zip(tasks, traps, strict=True):
            if trap is IDLE:
                finished += 1
                add_idle(task)
            elif trap.__class__ is tuple:
                function = trap[0]
                if function is not current:
                    current, group = function, self.calls.group(function)
                group[0].append(task)
                group[1].append(trap)
            else:
                self._apply(trap, task)
        self.finished += finished

    def _advance_watched(
        self, tasks: Sequence[Task], advances: Iterable[Advance], values: Iterable[Any]
    ) -> None:
        """``_advance`` with the instruments called around each step."""

        def watched(advance: Advance, task: Task) -> Advance:
            def step(value: Any) -> Any:
                task.name = getattr(task.awaited or value, "__qualname__", "")
                self.broken = True  # what a hook raises ends the tick, and this step is lost
                self._before_step(task)
                trap = advance(value)
                self._after_step(task)
                self.broken = False
                return trap

            return step

        Stepper._advance(self, tasks, map(watched, advances, tasks), values)

    def _apply(self, trap: Any, task: Task) -> None:
        if trap is DROPPED:
            self.calls.drop(1)
            return
        if not hasattr(trap, "apply"):
            self.resume_with_error(task, refuse_foreign_trap(trap))
            return
        if self.cancelled_regions and hasattr(trap, "abandon") and task.is_cancelled():
            self._cancel(task)
            return
        task.parked = trap
        try:
            trap.apply(self, task)
        except Exception as error:  # the Task asked for what cannot be done: raise it there
            self.resume_with_error(task, error)

    def resume_answered(self, completions: list[Completion]) -> None:
        """Resume the Tasks whose calls are back; empties the list, so that values are freed."""
        calls = self.calls
        completions.reverse()
        while completions:
            ticket, start, values, failures, may_hold_none = completions.pop()
            calls.count_replies(len(values), len(failures or ()))
            if ticket.__class__ is not Ticket:
                ticket.calls_done(self, start, values, failures)
                continue
            self.steps += len(values)
            calls.transfer.lend(ticket.function, values)
            tasks = calls.tasks_answered(ticket, start, len(values))
            if may_hold_none:
                values = [NONE if value is None else value for value in values]
            if failures is None:
                self._advance(tasks, [task.send for task in tasks], values)
            else:
                advances = [
                    task.throw if i in failures else task.send for i, task in enumerate(tasks)
                ]
                outcomes = [failures.get(i, value) for i, value in enumerate(values)]
                self._advance(tasks, advances, outcomes)

    # -- cancelling

    def cancel_tasks(self, tasks: Iterable[Task]) -> None:
        """Raise Cancelled in those that are parked inside a cancelled region.

        A Task that is about to run does so until it comes to wait.
        """
        waiting: dict[Task, None] = {}
        for task in tasks:
            if not task.is_cancelled():
                continue
            if hasattr(task.parked, "abandon") and task.parked.abandon(self, task):
                self._cancel(task)
            else:
                waiting[task] = None
        if waiting:
            calls = self.calls
            for task in calls.take_unsent(waiting.__contains__) + calls.take_sent(waiting):
                self._cancel(task)
        self.wake()

    def cancel_unsent_calls(self) -> None:
        """Raise Cancelled in the Tasks of cancelled regions whose calls are about to be sent."""
        if self.cancelled_regions:
            for task in self.calls.take_unsent(Task.is_cancelled):
                self._cancel(task)

    def _cancel(self, task: Task) -> None:
        """Raise Cancelled where a Task waits; in the next pass if it has ignored that too often."""
        self._cancels += 1
        task.parked = None
        queue = self._queue() if self._cancels <= CANCELS_IN_A_PASS else self.run_queue
        queue.add(task, task.throw, Cancelled("inside a cancelled CancelScope"))


def _only_function(traps: list[Any]) -> Any:
    """The function that all traps call; None where they differ, or are something else."""
    try:
        functions = set(map(_first, traps))
    except TypeError:  # some trap has no items
        return None
    function = functions.pop()
    return None if functions or function.__class__ is not types.FunctionType else function
