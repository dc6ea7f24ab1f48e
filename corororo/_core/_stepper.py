"""The Stepper: advances Tasks, groups their calls, resumes and interrupts them.

The lower half of a Scheduler. Knows when a Task may go on, and nothing of ticks or deadlines.
"""

from __future__ import annotations

import types
from collections.abc import Callable, Iterable, Iterator, Sequence
from operator import attrgetter
from typing import TYPE_CHECKING, Any

from corororo.abc import AsyncFunction, Clock, Completion, Transfer

from ._cancel import Cancelled, CancelScope
from ._instruments import Instruments
from ._pass import Counters
from ._task import DROPPED, IDLE, Join, Task, as_coroutine
from ._timers import Timer, Timers
from ._traps import explain_foreign_error, foreign_trap_error, withdraw_from_trio
from ._waiting import Roots, Ticket

if TYPE_CHECKING:
    from ._traps import TrioRequest

Advance = tuple[Callable[[Any], Any], Any, Task]

# A Task that goes on asking, inside a cancelled scope, is refused this often in one pass.
REFUSALS_IN_A_PASS = 10_000
_send_of = attrgetter("send")


class Stepper:
    """Runs Tasks one step at a time."""

    def __init__(self, transfer: Transfer, clock: Clock, instruments: Instruments) -> None:
        self.clock = clock
        self._transfer = transfer
        self._instruments = instruments
        self._run_queue: list[Advance] = []  # for the next pass
        self._pass_queue: list[Advance] = []  # for the pass that goes on
        self._calls: dict[AsyncFunction, tuple[list[Task], list[Any]]] = {}  # not sent yet
        self._tickets: set[Ticket] = set()
        self._unwanted = 0  # calls in flight that nobody waits for any more
        self._all_tasks: list[Task] = []
        self._idle_tasks: list[Task] = []
        self._timers = Timers()
        self._deadlines = Timers()
        self._cancelled_scopes = 0  # entered and not yet left
        self._refusals = 0  # in this pass
        self._for_trio: dict[TrioRequest, bool] = {}  # and whether it has begun
        self._trio_drives = False
        self._roots = Roots()
        self._in_pass = False
        self._broken = False  # interrupted where a Task was lost
        self.wake = do_nothing  # ends the wait of whoever drives the pass
        self._count = Counters()
        if instruments.steps:
            self._step = self._step_watched  # type: ignore[method-assign]

    # -- what traps and scopes call

    def resume_now(self, task: Task, value: Any) -> None:
        """Go on with a parked Task in this pass, or in the next one where none goes on."""
        task.parked = None
        self._queue().append((task.send, value, task))

    def resume_with_error(self, task: Task, error: BaseException) -> None:
        """Raise ``error`` where a parked Task waits."""
        task.parked = None
        self._queue().append((task.throw, error, task))

    def resume_next_tick(self, task: Task) -> None:
        """Go on with a Task in the next pass."""
        self._run_queue.append((task.send, None, task))

    def take_back(self, task: Task) -> bool:
        """Undo ``resume_next_tick``; False where the Task does not wait for the next pass."""
        for i, (_, _, waiting) in enumerate(self._run_queue):
            if waiting is task:
                del self._run_queue[i]
                return True
        return False

    def start_children(self, join: Join, scope: CancelScope, works: Sequence[Any]) -> list[Task]:
        """Start Tasks in this pass; each reports its end to ``join`` under its place."""
        coroutines: list[Any] = []
        try:
            coroutines.extend(
                work if work.__class__ is types.CoroutineType else as_coroutine(work)
                for work in works
            )
        except TypeError:
            for coroutine in coroutines:
                coroutine.close()
            raise
        # As start_child() for each; a gather of hundreds is the usual tick.
        tasks = [self._take_task() for _ in coroutines]
        add = self._queue().append
        for index, (task, coroutine) in enumerate(zip(tasks, coroutines, strict=True)):
            task.join = join
            task.index = index
            task.scope = scope
            add((task.send, coroutine, task))
        return tasks

    def start_child(self, join: Join, index: int, scope: CancelScope, coroutine: Any) -> Task:
        """Start a Task inside a scope."""
        advance = self._started(coroutine, join, index)
        advance[2].scope = scope
        self._queue().append(advance)
        return advance[2]

    def send_calls(self, function: AsyncFunction, ticket: Any, arguments: Sequence[Any]) -> None:
        """Hand calls to the transfer now."""
        self._count.sent += len(arguments)
        self._transfer.send_nowait(function, ticket, arguments)
        self._instruments.async_task_sent(function.name, len(arguments))

    @property
    def max_pending(self) -> int:
        """Calls that may be in flight at most, unless a Task asks for more at once."""
        return self._transfer.max_pending

    def lend(self, function: AsyncFunction, values: Sequence[Any]) -> None:
        """Results come to a Task now, that arrived now or earlier."""
        self._transfer.lend(function, values)

    def forget_calls(self, calls: int) -> None:
        """Nobody waits for these any more, though they are still in flight."""
        self._unwanted += calls

    def drop_replies(self, calls: int) -> None:
        """Replies have come that nobody waited for."""
        self._unwanted -= calls
        self._count.dropped += calls

    def add_timer(self, deadline: float, action: Callable[[], None]) -> Timer:
        """Have something done at the start of the first pass after a moment."""
        return self._timers.add(round(deadline * 1e9), action)

    def remove_timer(self, timer: Timer) -> None:
        """Give it up."""
        self._timers.remove(timer)

    def add_deadline(self, deadline: float, action: Callable[[], None]) -> Timer:
        """The same, but noticed while a pass waits as well."""
        return self._deadlines.add(round(deadline * 1e9), action)

    def remove_deadline(self, timer: Timer) -> None:
        """Give it up."""
        self._deadlines.remove(timer)

    def scope_cancelled(self) -> None:
        """One more scope that is entered and cancelled."""
        self._cancelled_scopes += 1

    def cancelled_scope_left(self) -> None:
        """One less."""
        self._cancelled_scopes -= 1

    def interrupt_all(self, tasks: Iterable[Task]) -> None:
        """Raise Cancelled in those that are parked inside a cancelled scope.

        Who is about to run goes on until it comes to wait.
        """
        waiting: dict[Task, None] = {}
        for task in tasks:
            if not _is_cancelled(task):
                continue
            if task.parked is not None and task.parked.abandon(self, task):
                self._cancel(task)
            else:
                waiting[task] = None
        for task in self._take_calls_back(waiting):
            self._cancel(task)
        self.wake()

    def ask_trio(self, request: TrioRequest) -> None:
        """Have a trio function run by whoever drives this tick."""
        if not self._trio_drives:
            raise RuntimeError(
                "run_in_trio() needs a tick that trio drives: `await scheduler.run_tick()`"
            )
        self._for_trio[request] = False

    def withdraw_from_trio(self, request: TrioRequest) -> None:
        """It has been answered, or the Task that asked does not wait any more."""
        self._for_trio.pop(request, None)

    # -- stepping

    def _step(self, advances: Iterable[tuple[Callable[[Any], Any], Any, Task]]) -> None:
        # The hot loop. Grouping calls by the function seen last saves a dict lookup a call.
        # Tasks that nobody awaits and that end well are put away on the spot, without a call.
        current: Any = None
        add_task: Any = None
        add_arguments: Any = None
        add_idle = self._idle_tasks.append
        roots = self._roots
        finished = 0
        try:
            for advance, value, task in advances:
                trap = advance(value)
                if trap.__class__ is tuple:
                    function, arguments = trap
                    if function is not current:
                        current = function
                        add_task, add_arguments = self._group(function)
                    add_task(task)
                    add_arguments(arguments)
                elif trap is IDLE:
                    finished += 1
                    join, error = task.join, task.error
                    if join is roots and error is None:
                        # An idle Task keeps nothing alive, and is inside of nothing.
                        task.value = task.join = task.scope = None
                        add_idle(task)
                        continue
                    if error is not None:
                        explain_foreign_error(error)
                    index, result = task.index, task.value
                    task.value = task.error = task.join = task.scope = None
                    add_idle(task)
                    join.child_done(index, result, error)  # type: ignore[union-attr]
                else:
                    self._apply(trap, task)
        finally:
            self._count.finished += finished

    def _step_watched(self, advances: Iterable[tuple[Callable[[Any], Any], Any, Task]]) -> None:
        """``_step`` with the instruments told of every step."""

        def watched(advance: Callable[[Any], Any], task: Task) -> Callable[[Any], Any]:
            def step(value: Any) -> Any:
                task.name_by(value)
                self._broken = True  # what a hook raises ends the tick, and this step is lost
                self._instruments.before_task_step(task)
                trap = advance(value)
                self._instruments.after_task_step(task)
                self._broken = False
                return trap

            return step

        Stepper._step(self, ((watched(a, task), value, task) for a, value, task in advances))

    def _group(self, function: AsyncFunction) -> tuple[Callable[[Task], None], Callable[..., None]]:
        group = self._calls.get(function)
        if group is None:
            group = self._calls[function] = ([], [])
        return group[0].append, group[1].append

    def _apply(self, trap: Any, task: Task) -> None:
        if trap is DROPPED:
            self.drop_replies(1)
            return
        apply = getattr(trap, "apply", None)
        if apply is None:
            withdraw_from_trio(trap)
            self.resume_with_error(task, foreign_trap_error(trap))
            return
        uncancellable = getattr(trap, "uncancellable", False)
        if self._cancelled_scopes and _is_cancelled(task) and not uncancellable:
            self._cancel(task)
            return
        task.parked = trap
        try:
            apply(self, task)
        except Exception as error:  # the Task asked for something that cannot be: tell it there
            self.resume_with_error(task, error)

    def _send_early(self) -> None:
        """Send what is worth it already: the workers begin while we go on."""
        worth = self._transfer.worth_sending
        ready = [f for f, (tasks, _) in self._calls.items() if len(tasks) >= worth(f)]
        if ready:
            self._send_groups(ready)

    def _send_groups(self, functions: Iterable[AsyncFunction]) -> None:
        """Send the calls of these functions."""
        for function in functions:
            tasks, arguments = self._calls.pop(function)
            if self._cancelled_scopes:
                tasks, arguments = self._refuse_cancelled(tasks, arguments)
            if not tasks:  # nobody wants them any more
                continue
            ticket = Ticket(function, tasks)
            self._tickets.add(ticket)
            self.send_calls(function, ticket, arguments)

    def _refuse_cancelled(
        self, tasks: list[Task], arguments: list[Any]
    ) -> tuple[list[Task], list[Any]]:
        kept_tasks, kept_arguments = [], []
        for task, given in zip(tasks, arguments, strict=True):
            if _is_cancelled(task):
                self._cancel(task)
            else:
                kept_tasks.append(task)
                kept_arguments.append(given)
        return kept_tasks, kept_arguments

    def _resume_all(self, completions: Iterable[Completion]) -> None:
        for ticket, start, values, failures in completions:
            count = self._count
            count.taken += len(values)
            count.failed += len(failures or ())
            self._instruments.async_task_done(len(values), len(failures or ()))
            if ticket.__class__ is not Ticket:
                ticket.calls_done(self, start, values, failures)
                continue
            count.steps += len(values)
            ticket.remaining -= len(values)
            if ticket.remaining:
                ticket.answered.append(range(start, start + len(values)))
            else:
                self._tickets.discard(ticket)
            self._transfer.lend(ticket.function, values)
            tasks = ticket.tasks[start : start + len(values)]
            if failures is None:
                self._step(zip(map(_send_of, tasks), values, tasks, strict=True))
            else:
                self._step(_with_failures(tasks, values, failures))

    # -- cancelling

    def _cancel(self, task: Task) -> None:
        """Raise Cancelled where the Task waits; in the next pass where it will not listen."""
        self._refusals += 1
        task.parked = None
        within = self._refusals <= REFUSALS_IN_A_PASS
        queue = self._queue() if within else self._run_queue
        queue.append((task.throw, Cancelled("inside a cancelled CancelScope"), task))

    def _take_calls_back(self, waiting: dict[Task, None]) -> list[Task]:
        """Those of the Tasks that wait for a call, which they wait for no longer."""
        if not waiting:
            return []
        taken: list[Task] = []
        for tasks, arguments in self._calls.values():
            places = [i for i, task in enumerate(tasks) if task in waiting]
            taken += [tasks[i] for i in places]
            for i in reversed(places):
                del tasks[i], arguments[i]
        for ticket in self._tickets:
            found = ticket.take_out(waiting)
            taken += found
            self.forget_calls(len(found))
        return taken

    def _queue(self) -> list[Advance]:
        return self._pass_queue if self._in_pass else self._run_queue

    def _started(self, coroutine: Any, join: Join, index: int) -> Advance:
        task = self._take_task()
        task.join = join
        task.index = index
        return task.send, coroutine, task

    def _count_started(self) -> None:
        # Reckoned from what is there, which spares each start a count.
        alive = len(self._all_tasks) - len(self._idle_tasks)
        self._count.started = self._count.finished + alive

    def _take_task(self) -> Task:
        if self._idle_tasks:
            task = self._idle_tasks.pop()
            task.parked = None
            return task
        task = Task(self)
        self._all_tasks.append(task)
        return task


def do_nothing() -> None:
    """Where nobody waits, there is nobody to wake."""


def _is_cancelled(task: Task) -> bool:
    return task.scope is not None and task.scope.is_cancelled()


def _with_failures(
    tasks: list[Task], values: Sequence[Any], failures: dict[int, BaseException]
) -> Iterator[Advance]:
    for i, task in enumerate(tasks):
        if i in failures:
            yield task.throw, failures[i], task
        else:
            yield task.send, values[i], task
