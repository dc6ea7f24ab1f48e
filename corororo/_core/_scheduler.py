"""The Scheduler: runs Tasks in bounded passes. Knows coroutines and no processes.

A pass takes what is runnable when it begins, and everything that this sets going: children, and
Tasks whose AsyncTasks come back. What gives way with ``checkpoint()``, or is scheduled meanwhile,
waits for the next pass, so a pass ends.
"""

from __future__ import annotations

import math
import types
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import closing
from itertools import islice
from operator import attrgetter
from typing import Any, Self

import trio

from corororo._clock import SystemClock
from corororo._exceptions import PoolClosed
from corororo.abc import AsyncFunction, Clock, Completion, TransferSource, WorkerUse

from ._garbage import SlackCollector
from ._inline import Inline
from ._join import one_error
from ._pass import Bound, Counters, Late, Stopwatch
from ._report import SchedulerStatistics, TickReport
from ._task import IDLE, Join, Task, as_coroutine
from ._traps import foreign_trap_error

Advance = tuple[Callable[[Any], Any], Any, Task]

SLICE = 128  # Tasks stepped before calls are sent: the workers begin while we go on
EARLY_BATCH = 64  # calls that are worth sending before the pass is through
_send_of = attrgetter("send")


class Scheduler:
    """Runs coroutines as Tasks on this thread, and their AsyncTasks wherever ``pool`` takes them.

    Without a pool, AsyncTasks run inline. ``clock`` is for tests; ``garbage`` is a SlackCollector
    whose pauses are to be told apart in the reports. Use it as a context manager, or ``close`` it.
    """

    def __init__(
        self,
        pool: TransferSource | None = None,
        *,
        clock: Clock | None = None,
        garbage: SlackCollector | None = None,
    ) -> None:
        self.clock: Clock = clock or SystemClock()
        self._garbage = garbage
        self._transfer = Inline() if pool is None else pool.open_transfer()
        self._run_queue: list[Advance] = []  # for the next pass
        self._pass_queue: list[Advance] = []  # for the pass that goes on
        self._calls: dict[AsyncFunction, tuple[list[Task], list[Any]]] = {}
        self._all_tasks: list[Task] = []
        self._idle_tasks: list[Task] = []
        self._roots = _Roots()
        self._in_pass = False
        self._closed = False
        self._count = Counters()
        self._last_report: TickReport | None = None

    # -- what users call

    def schedule(self, work: Any) -> None:
        """Start ``work`` as a Task of its own at the next tick.

        Takes a coroutine, an AsyncTask, a callable that gives either, or a plain callable. What
        it raises is raised from that tick, after the other Tasks of the tick have run.
        """
        self._must_be_open()
        self._run_queue.append(self._started(as_coroutine(work), self._roots, 0))

    def tick(self, deadline: float | None = None, late: Late = "wait") -> TickReport:
        """Run one pass: runnable Tasks, their AsyncTasks, and what those set going.

        ``deadline`` is in seconds from now. AsyncTasks that are not back by then are waited for
        (``late="wait"``) or resume in a later tick (``late="carry"``).
        """
        return self._drive(self._passes(Bound(deadline, late, _never)))

    async def run_tick(self, deadline: float | None = None, late: Late = "wait") -> TickReport:
        """``tick`` under trio: other trio tasks go on while this one waits for workers."""
        with closing(self._passes(Bound(deadline, late, _never))) as passes:
            waited = False
            for timeout_s in passes:
                waited = True
                with trio.move_on_after(math.inf if timeout_s is None else timeout_s):
                    await trio.lowlevel.wait_readable(self._transfer.fileno())
            if not waited:  # a tick lets others run in any case
                await trio.lowlevel.checkpoint()
        return self._raise_failures()

    def run(self, work: Any) -> Any:
        """Run one Task to its end, and others meanwhile; returns what it returns or raises.

        Raises RuntimeError when it waits for something that nothing here can bring about.
        """
        self._must_be_outside()
        main = _Main()
        self._run_queue.append(self._started(as_coroutine(work), main, 0))
        while not main.done:
            if not (self._run_queue or self._transfer.in_flight):
                raise RuntimeError("the Task is parked, and nothing is left that could resume it")
            self._drive_pass(self._passes(Bound(None, "wait", main.has_ended)))
        failures = self._roots.take()
        if main.error is not None:
            raise one_error([main.error, *failures], "run")
        if failures:
            raise one_error(failures, "run")
        return main.value

    def run_expired_tasks(self) -> float:
        """Tick until nothing is runnable and nothing is in flight; returns the seconds it took.

        The name is Coro-Roro's, whose loop does the same.
        """
        began = self.clock.now()
        self.tick()
        while self._run_queue or self._transfer.in_flight:
            self.tick()
        return self.clock.now() - began

    def statistics(self) -> SchedulerStatistics:
        """A frozen snapshot of the figures so far."""
        count = self._count
        return SchedulerStatistics(
            ticks=count.ticks,
            tasks_started=count.started,
            tasks_finished=count.finished,
            tasks_runnable=len(self._run_queue),
            async_tasks_sent=count.sent,
            async_tasks_taken=count.taken,
            async_tasks_failed=count.failed,
            async_tasks_in_flight=self._transfer.in_flight,
            async_tasks_retried=self._transfer.calls_retried,
            batches=self._transfer.batches_sent,
        )

    def worker_use(self) -> list[WorkerUse]:
        """What each worker has done for this scheduler so far; empty where calls run inline."""
        return self._transfer.worker_use()

    @property
    def last_report(self) -> TickReport | None:
        """The report of the latest pass, also where the tick raised; None before the first."""
        return self._last_report

    @property
    def transfer(self) -> Any:
        """The transfer in use, for its own statistics."""
        return self._transfer

    def close(self) -> None:
        """End every Task where it stands and give the transfer back; idempotent.

        ``finally`` blocks of the Tasks run, and what they raise is raised from here.
        """
        if self._closed:
            return
        self._closed = True
        errors: list[BaseException] = []
        for _, work, _ in self._run_queue:
            if hasattr(work, "close"):
                work.close()  # never begun: without this Python warns that nobody awaited it
        for task in self._all_tasks:
            try:
                task.close()
            except BaseException as error:
                errors.append(error)
        self._transfer.close()
        if errors:
            raise one_error(errors, "closed Scheduler")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: types.TracebackType | None,
    ) -> None:
        self.close()

    # -- what traps call

    def resume_now(self, task: Task, value: Any) -> None:
        """Go on with a parked Task in this pass."""
        self._pass_queue.append((task.send, value, task))

    def resume_with_error(self, task: Task, error: BaseException) -> None:
        """Raise ``error`` where a parked Task waits, in this pass."""
        self._pass_queue.append((task.throw, error, task))

    def resume_next_tick(self, task: Task) -> None:
        """Go on with a Task in the next pass."""
        self._run_queue.append((task.send, None, task))

    def start_children(self, join: Join, works: Sequence[Any]) -> None:
        """Start Tasks in this pass; each reports its end to ``join`` under its place."""
        coroutines: list[Any] = []
        try:
            coroutines.extend(as_coroutine(work) for work in works)
        except TypeError:
            for coroutine in coroutines:
                coroutine.close()
            raise
        self._pass_queue.extend(
            self._started(coroutine, join, index) for index, coroutine in enumerate(coroutines)
        )

    def send_calls(self, function: AsyncFunction, ticket: Any, arguments: list[Any]) -> None:
        """Hand calls to the transfer now."""
        self._count.sent += len(arguments)
        self._transfer.send_nowait(function, ticket, arguments)

    # -- the pass

    def _drive(self, passes: Generator[float | None, None, None]) -> TickReport:
        self._drive_pass(passes)
        return self._raise_failures()

    def _drive_pass(self, passes: Generator[float | None, None, None]) -> None:
        with closing(passes):
            for timeout_s in passes:
                self._transfer.wait(timeout_s)

    def _raise_failures(self) -> TickReport:
        failures = self._roots.take()
        if failures:
            raise one_error(failures, "tick")
        assert self._last_report is not None
        return self._last_report

    def _passes(self, bound: Bound) -> Generator[float | None, None, None]:
        """One pass; yields where it has to wait for replies, with the longest time to do so."""
        self._must_be_outside()
        self._in_pass = True
        watch = Stopwatch(self.clock, self._garbage, self._count, self._transfer)
        bound.begin(watch.started_ns)
        try:
            self._pass_queue, self._run_queue = self._run_queue, []
            self._resume_all(self._transfer.take_nowait())
            watch.resumed()
            self._step_pass_queue(watch)
            while self._transfer.in_flight and not bound.ended():
                completions = self._transfer.take_nowait()
                if completions:
                    self._resume_all(completions)
                    watch.resumed()
                    self._step_pass_queue(watch, resuming=True)
                if bound.carries(self.clock.now_ns()):
                    break
                if not completions:
                    watch.resumed()
                    yield bound.timeout_s(self.clock.now_ns(), self._transfer.longest_wait_s())
                    watch.waited()
        finally:
            # Nothing is lost when a wait is broken off: what was runnable runs in the next pass.
            self._run_queue[:0] = self._pass_queue
            self._pass_queue = []
            self._in_pass = False
            self._last_report = watch.report(bound)

    def _step_pass_queue(self, watch: Stopwatch, resuming: bool = False) -> None:
        note_steps = watch.resumed if resuming else watch.stepped
        while self._pass_queue:
            queue, self._pass_queue = self._pass_queue, []
            self._count.steps += len(queue)
            remaining = iter(queue)
            try:
                for _ in range(0, len(queue), SLICE):
                    self._step(islice(remaining, SLICE))
                    note_steps()
                    self._send_groups(EARLY_BATCH)
                    watch.encoded()
            finally:
                self._pass_queue[:0] = remaining  # none, unless the pass was broken off
        self._send_groups(1)
        watch.encoded()

    def _step(self, advances: Iterable[tuple[Callable[[Any], Any], Any, Task]]) -> None:
        # The hot loop. Grouping calls by the function seen last saves a dict lookup a call.
        current: Any = None
        add_task: Any = None
        add_arguments: Any = None
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
                join, index, result, error = task.join, task.index, task.value, task.error
                task.value = task.error = task.join = None  # an idle Task keeps nothing alive
                self._idle_tasks.append(task)
                self._count.finished += 1
                join.child_done(index, result, error)  # type: ignore[union-attr]
            else:
                self._apply(trap, task)

    def _group(self, function: AsyncFunction) -> tuple[Callable[[Task], None], Callable[..., None]]:
        group = self._calls.get(function)
        if group is None:
            group = self._calls[function] = ([], [])
        return group[0].append, group[1].append

    def _apply(self, trap: Any, task: Task) -> None:
        apply = getattr(trap, "apply", None)
        if apply is None:
            self.resume_with_error(task, foreign_trap_error(trap))
            return
        try:
            apply(self, task)
        except Exception as error:  # the Task asked for something that cannot be: tell it there
            self.resume_with_error(task, error)

    def _send_groups(self, least: int) -> None:
        ready = [f for f, (tasks, _) in self._calls.items() if len(tasks) >= least]
        for function in ready:
            tasks, arguments = self._calls.pop(function)
            self.send_calls(function, tasks, arguments)

    def _resume_all(self, completions: Iterable[Completion]) -> None:
        for ticket, start, values, failures in completions:
            count = self._count
            count.taken += len(values)
            count.failed += len(failures or ())
            if ticket.__class__ is not list:
                ticket.calls_done(self, start, values, failures)
                continue
            count.steps += len(values)
            tasks = ticket[start : start + len(values)]
            if failures is None:
                self._step(zip(map(_send_of, tasks), values, tasks, strict=True))
            else:
                self._step(_with_failures(tasks, values, failures))

    def _started(self, coroutine: Any, join: Join, index: int) -> Advance:
        idle = self._idle_tasks
        if idle:
            task = idle.pop()
        else:
            task = Task()
            self._all_tasks.append(task)
        task.join = join
        task.index = index
        self._count.started += 1
        return task.send, coroutine, task

    def _must_be_outside(self) -> None:
        self._must_be_open()
        if self._in_pass:
            raise RuntimeError("a Task cannot tick the scheduler that runs it; await instead")

    def _must_be_open(self) -> None:
        if self._closed:
            raise PoolClosed("this Scheduler is closed; make another one")


class _Roots:
    """Minds the Tasks that nobody awaits: keeps what they raised until their tick has ended."""

    def __init__(self) -> None:
        self._failures: list[BaseException] = []

    def child_done(self, index: int, value: Any, error: BaseException | None) -> None:
        if error is not None:
            self._failures.append(error)

    def take(self) -> list[BaseException]:
        failures, self._failures = self._failures, []
        return failures


class _Main:
    """The outcome of the one Task that ``run`` waits for."""

    def __init__(self) -> None:
        self.done = False
        self.value: Any = None
        self.error: BaseException | None = None

    def child_done(self, index: int, value: Any, error: BaseException | None) -> None:
        self.done, self.value, self.error = True, value, error

    def has_ended(self) -> bool:
        return self.done


def _never() -> bool:
    return False


def _with_failures(
    tasks: list[Task], values: Sequence[Any], failures: dict[int, BaseException]
) -> Iterator[Advance]:
    for i, task in enumerate(tasks):
        if i in failures:
            yield task.throw, failures[i], task
        else:
            yield task.send, values[i], task
