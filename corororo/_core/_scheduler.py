"""The Scheduler: runs Tasks in bounded passes. Knows coroutines and no processes.

A pass takes what is runnable when it begins, and everything that this sets going: children, and
Tasks whose AsyncTasks come back. What gives way with ``checkpoint()``, or is scheduled meanwhile,
waits for the next pass, so a pass ends.
"""

from __future__ import annotations

import math
import types
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing, contextmanager
from functools import cache
from typing import TYPE_CHECKING, Any, Self

from corororo._clock import SystemClock
from corororo.abc import Clock, Instrument, Transfer, TransferSource, WorkerUse

from ._garbage import SlackCollector
from ._inline import Inline
from ._instruments import Instruments
from ._intervals import Delayed, Interval, Missed
from ._join import one_error
from ._pass import Bound, Late
from ._passes import Passes
from ._report import SchedulerStatistics, TickReport
from ._stepper import do_nothing
from ._task import Join, as_coroutine
from ._task_stacks import format_stacks
from ._timers import CancellationToken, Timer

if TYPE_CHECKING:
    from ._trio_driver import TrioDriver

SHORTEST_PERIOD_S = 1e-6


class Scheduler(Passes):
    """Runs coroutines as Tasks on this thread, and their AsyncTasks wherever ``pool`` takes them.

    Without a pool, AsyncTasks run inline. ``clock`` is for tests; ``garbage`` is a SlackCollector
    whose pauses are to be told apart in the reports; ``instruments`` are told what goes on. Use
    it as a context manager, or ``close`` it.
    """

    def __init__(
        self,
        pool: TransferSource | None = None,
        *,
        clock: Clock | None = None,
        garbage: SlackCollector | None = None,
        instruments: Iterable[Instrument] = (),
    ) -> None:
        transfer = Inline() if pool is None else pool.open_transfer()
        super().__init__(transfer, clock or SystemClock(), Instruments(instruments), garbage)
        self._later: dict[Delayed | Interval, None] = {}  # what timers will start

    # -- starting Tasks

    def schedule(self, work: Any) -> None:
        """Start ``work`` as a Task of its own at the next tick.

        Takes a coroutine, an AsyncTask, a callable that gives either, or a plain callable. What
        it raises is raised from that tick, after the other Tasks of the tick have run.
        """
        if work.__class__ is types.CoroutineType and self._idle_tasks and not self._closed:
            # The usual case, in one place: a third of what starting a Task cost otherwise.
            task = self._idle_tasks.pop()
            task.join = self._roots
            task.parked = None
            self._run_queue.append((task.send, work, task))
            return
        with _discarding(work):
            self._must_be_open()
            self._run_queue.append(self._started(as_coroutine(work), self._roots, 0))

    def schedule_interval(
        self, period: float, factory: Callable[[], Any], *, missed: Missed = "burst"
    ) -> CancellationToken:
        """Start ``factory()`` at the next tick and then every ``period`` seconds.

        It never runs twice at once: a run that suspends over several ticks puts the next off.
        ``missed`` says what becomes of runs that were due meanwhile: "burst" catches up one after
        another, "delay" counts from the start of the last run, "skip" waits for the next multiple
        of the period (the names are tokio's). What a run raises is raised from its tick, and the
        interval goes on.
        """
        self._must_be_open()
        if not SHORTEST_PERIOD_S <= period < math.inf:
            raise ValueError(f"period must be {SHORTEST_PERIOD_S} seconds or more, got {period}")
        if missed not in ("burst", "delay", "skip"):
            raise ValueError(f'missed must be "burst", "delay" or "skip", got {missed!r}')
        with _discarding(factory):
            _check_factory(factory)
        return self._keep(Interval(self, round(period * 1e9), factory, missed))

    def schedule_delayed(self, delay: float, work: Any) -> CancellationToken:
        """Start ``work`` in the first tick that begins ``delay`` seconds from now, or later."""
        if not 0 <= delay < math.inf:
            with _discarding(work):
                raise ValueError(f"delay must be a finite number of seconds from 0, got {delay}")
        return self.schedule_at(self.clock.now() + delay, work)

    def schedule_at(self, moment: float, work: Any) -> CancellationToken:
        """Start ``work`` in the first tick that begins at a moment of the clock, or later."""
        with _discarding(work):
            self._must_be_open()
            if not math.isfinite(moment):
                raise ValueError(f"moment must be a time of the scheduler's clock, got {moment}")
        return self._keep(Delayed(self, round(moment * 1e9), work))

    # -- running them

    def tick(self, deadline: float | None = None, late: Late = "wait") -> TickReport:
        """Run one pass: due timers, runnable Tasks, their AsyncTasks, and what those set going.

        ``deadline`` is in seconds from now. AsyncTasks that are not back by then are waited for
        (``late="wait"``) or resume in a later tick (``late="carry"``).
        """
        self._drive(Bound(deadline, late, _never))
        return self._raise_failures()

    async def run_tick(self, deadline: float | None = None, late: Late = "wait") -> TickReport:
        """``tick`` under trio: other trio tasks go on while this one waits for workers.

        Here a Task may ``await corororo.run_in_trio(async_function, *args)``. It is a checkpoint.
        """
        self._must_be_outside()
        self._trio_drives = True
        try:
            with closing(self._passes(Bound(deadline, late, _never))) as passes:
                await _trio_driver()(self, self._transfer, self._for_trio).drive(passes)
        finally:
            self._trio_drives = False
            self.wake = do_nothing
        return self._raise_failures()

    def run(self, work: Any) -> Any:
        """Run one Task to its end, and others meanwhile; returns what it returns or raises.

        Timers run as they come due. Raises RuntimeError when the Task waits for something that
        nothing here can bring about.
        """
        with _discarding(work):
            self._must_be_outside()
        main = _Main()
        self._run_queue.append(self._started(as_coroutine(work), main, 0))
        while not main.done:
            self._wait_for_something()
            # Who can go on does not wait for what others have in flight.
            bound = Bound(None, "wait", lambda: main.done or self._has_more_to_do())
            bound.heeds_timers = True
            self._drive(bound)
        failures = self._roots.take()
        if main.error is not None:
            raise one_error([main.error, *failures], "run")
        if failures:
            raise one_error(failures, "run")
        return main.value

    def run_expired_tasks(self) -> float:
        """Tick until nothing is runnable and nothing is in flight; returns the seconds it took.

        The name is Coro-Roro's, whose loop does the same. Timers that come due meanwhile run too.
        """
        began = self.clock.now()
        self.tick()
        while self._run_queue or self._wanted():
            self.tick()
        return self.clock.now() - began

    # -- looking at it

    def statistics(self) -> SchedulerStatistics:
        """A frozen snapshot of the figures so far."""
        self._count_started()
        count = self._count
        return SchedulerStatistics(
            ticks=count.ticks,
            tasks_started=count.started,
            tasks_finished=count.finished,
            tasks_runnable=len(self._run_queue),
            timers=len(self._timers),
            async_tasks_sent=count.sent,
            async_tasks_taken=count.taken,
            async_tasks_failed=count.failed,
            async_tasks_dropped=count.dropped,
            async_tasks_in_flight=self._transfer.in_flight,
            async_tasks_retried=self._transfer.calls_retried,
            batches=self._transfer.batches_sent,
        )

    def format_stacks(self) -> str:
        """Where each Task stands that has begun and not ended, as text; "" where there is none.

        A block for all Tasks that wait at the same place: how many they are, then a line and its
        source for each coroutine, the innermost last. For a tick that does not come to its end:
        the last line is what is awaited. Takes some 10 us a Task.
        """
        return format_stacks(task.awaited for task in self._all_tasks if task.awaited is not None)

    def worker_use(self) -> list[WorkerUse]:
        """What each worker has done for this scheduler so far; empty where calls run inline."""
        return self._transfer.worker_use()

    @property
    def last_report(self) -> TickReport | None:
        """The report of the latest pass, also where the tick raised; None before the first."""
        return self._last_report

    @property
    def transfer(self) -> Transfer:
        """The transfer in use, for its own statistics."""
        return self._transfer

    # -- ending it

    def close(self) -> None:
        """End every Task where it stands and give the transfer back; idempotent.

        ``finally`` blocks of the Tasks run, and what they raise is raised from here.
        """
        if self._closed:
            return
        if self._in_pass:
            raise RuntimeError(
                "a Task cannot close the scheduler that runs it; let it end, and close it outside"
            )
        self._closed = True
        errors: list[BaseException] = []
        for later in list(self._later):
            later.close()
        for _, work, _ in (*self._run_queue, *self._pass_queue):
            if isinstance(work, types.CoroutineType | types.GeneratorType):
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

    # -- what timers call

    def add_timer_ns(self, due_ns: int, action: Callable[[], None]) -> Timer:
        """``add_timer`` for those who reckon in nanoseconds."""
        return self._timers.add(due_ns, action)

    def start_root(self, coroutine: Any, join: Join | None = None) -> None:
        """Start a Task that nobody awaits, in this pass."""
        self._queue().append(self._started(coroutine, join or self._roots, 0))

    def root_failed(self, error: BaseException) -> None:
        """Have an error raised from the tick that goes on."""
        self._roots.child_done(0, None, error)

    def forget_later(self, later: Delayed | Interval) -> None:
        """No timer will start it any more."""
        self._later.pop(later, None)

    def _keep(self, later: Delayed | Interval) -> CancellationToken:
        self._later[later] = None
        return later.token

    def _raise_failures(self) -> TickReport:
        failures = self._roots.take()
        if failures:
            raise one_error(failures, "tick")
        assert self._last_report is not None
        return self._last_report


class _Main:
    """The outcome of the one Task that ``run`` waits for."""

    def __init__(self) -> None:
        self.done = False
        self.value: Any = None
        self.error: BaseException | None = None

    def child_done(self, index: int, value: Any, error: BaseException | None) -> None:
        self.done, self.value, self.error = True, value, error


def _check_factory(factory: object) -> None:
    if not callable(factory):
        raise TypeError(
            f"an interval needs a callable that gives a new coroutine for each run, got "
            f"{type(factory).__name__}: schedule_interval(0.4, zone_tick), not zone_tick()"
        )


@contextmanager
def _discarding(work: Any) -> Iterator[None]:
    """Close a coroutine that is refused here: nobody will await it, and Python would say so."""
    try:
        yield
    except BaseException:
        if isinstance(work, types.CoroutineType | types.GeneratorType):
            work.close()
        raise


def _never() -> bool:
    return False


@cache
def _trio_driver() -> type[TrioDriver]:
    """Imported only where trio runs already: that takes longer than the import of all of ours.

    Each program, fork server and worker would pay for it.
    """
    from ._trio_driver import TrioDriver

    return TrioDriver
