"""The Scheduler: what programs use to start Tasks, to run them in ticks, and to look at them."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from contextlib import closing
from types import CoroutineType
from typing import Any, Literal, Self, cast

from corororo._exceptions import PoolClosed
from corororo._inline import Inline
from corororo._platform import SystemClock
from corororo.abc import Clock, Instrument, TransferSource

from ._join import one_error
from ._stepper import Stepper
from ._task import as_coroutine, format_stacks
from ._tick import Garbage, Late, Passes, SchedulerStatistics, TickReport
from ._timers import CancellationToken, Interval, Missed, Timer, check_seconds
from ._traps import CURRENT_SCHEDULER, trap

SHORTEST_PERIOD_S = 1e-6


class Scheduler:
    """Runs coroutines as Tasks on this thread, and their AsyncTasks wherever ``pool`` takes them.

    Without a pool, or with one of 0 workers, AsyncTasks run inline: with copies of the arguments
    that are checked against the annotations, as in a worker, or, with ``inline="direct"``, as
    plain calls, which is faster. ``clock`` is for tests; ``instruments`` are called at every step.
    Use it as a context manager, or ``close`` it.

    Garbage is collected between passes, and inside of one only after it has allocated 100,000
    objects more than it freed. ``garbage="python"`` leaves that to Python; a SlackCollector decides
    itself, and its pauses are counted apart in reports.
    """

    def __init__(
        self,
        pool: TransferSource | None = None,
        *,
        inline: Literal["validate", "direct"] = "validate",
        clock: Clock | None = None,
        garbage: Garbage = None,
        instruments: Iterable[Instrument] = (),
    ) -> None:
        if inline not in ("validate", "direct"):
            raise ValueError(f'inline must be "validate" or "direct", got {inline!r}')
        instruments = tuple(instruments)
        _check_parts(pool, clock, garbage, instruments)
        self.clock = clock or SystemClock()
        self._transfer = Inline() if pool is None else pool.open_transfer()
        if isinstance(self._transfer, Inline):
            self._transfer.direct = inline == "direct"
        self._stepper = Stepper(self, self._transfer, self.clock, instruments)
        self._passes = Passes(self._stepper, garbage, instruments)
        self._delayed: dict[Timer, Any] = {}  # the coroutines that timers will start
        # Bound here, and again by ``close``: programs call it for each of their Tasks.
        self._start_at_next_tick: Callable[[Any], None] = self._stepper.scheduled.append
        self._closed = False

    # -- starting Tasks

    def schedule(self, work: Any) -> None:
        """Start ``work`` as a Task of its own at the next tick.

        Takes a coroutine, an AsyncTask, a callable that gives either, or a plain callable. What
        it raises is raised from that tick, after the other Tasks of the tick have run.
        """
        if work.__class__ is not CoroutineType:
            self._must_be_open()
            work = as_coroutine(work)
        self._start_at_next_tick(work)

    def schedule_interval(
        self, period: float, factory: Callable[[], Any], *, missed: Missed = "burst"
    ) -> CancellationToken:
        """Start ``factory()`` at the next tick and then every ``period`` seconds.

        It never runs twice at once. ``missed`` says what happens to runs that were due meanwhile:
        "burst" catches up one after another, "delay" counts from the start of the last run, "skip"
        waits for the next multiple of the period. An exception does not end the interval.
        """
        self._must_be_open()
        check_seconds("schedule_interval(period)", period, SHORTEST_PERIOD_S, finite=True)
        if missed not in ("burst", "delay", "skip"):
            raise ValueError(f'missed must be "burst", "delay" or "skip", got {missed!r}')
        if not callable(factory):
            raise TypeError(
                f"an interval needs a callable that gives a new coroutine for each run, got "
                f"{type(factory).__name__}: schedule_interval(0.4, zone_tick), not zone_tick()"
            )
        return Interval(self._stepper, round(period * 1e9), factory, missed).token

    def schedule_delayed(self, delay: float, work: Any) -> CancellationToken:
        """Start ``work`` in the first tick that begins ``delay`` seconds from now, or later."""
        self._must_be_open()
        check_seconds("schedule_delayed(delay)", delay, finite=True)
        coroutine = as_coroutine(work, "schedule_delayed")
        return self.schedule_at(self.clock.now() + delay, coroutine)

    def schedule_at(self, moment: float, work: Any) -> CancellationToken:
        """Start ``work`` in the first tick that begins at a moment of the clock, or later."""
        self._must_be_open()
        check_seconds("schedule_at(moment)", moment, -math.inf, finite=True)

        def start() -> None:
            coroutine = self._delayed.pop(timer)
            token.cancel()  # nothing is left to cancel
            self._stepper.start(None, None, [coroutine])

        def cancel() -> None:
            self._stepper.timers.remove(timer)
            if timer in self._delayed:
                self._delayed.pop(timer).close()  # else Python warns that it was never awaited

        timer = self._stepper.timers.add(round(moment * 1e9), start)
        self._delayed[timer] = as_coroutine(work, "schedule_at")
        token = CancellationToken(cancel)
        return token

    # -- running them

    def tick(self, deadline: float | None = None, late: Late = "wait") -> TickReport:
        """Run one pass: due timers, runnable Tasks, their AsyncTasks, and what those set going.

        ``deadline`` is in seconds from now. AsyncTasks that are not back by then are waited for
        (``late="wait"``) or resume in a later tick (``late="carry"``).
        """
        self._must_be_outside("tick")
        self._passes.drive(deadline, late)
        return self._report_or_raise()

    async def run_tick(self, deadline: float | None = None, late: Late = "wait") -> TickReport:
        """``tick`` under trio: other trio tasks go on while this one waits for workers.

        Here a Task may ``await corororo.run_in_trio(async_function, *args)``. It is a checkpoint.
        """
        # Importing trio takes longer than all of ours; each program and worker would pay for it.
        from ._trio_driver import TrioDriver

        self._must_be_outside("run_tick")
        with closing(self._passes.run(deadline, late)) as waits:
            await TrioDriver(self._stepper).drive(waits)
        return self._report_or_raise()

    def run(self, work: Any) -> Any:
        """Run one Task to its end, and others meanwhile; returns what it returns or raises.

        Timers run as they come due. Raises RuntimeError when the Task waits for something that
        nothing here can bring about.
        """
        self._must_be_outside("run")
        main = _Main()
        self._stepper.start(main, None, [work], "run")
        while not main.done:
            self._wait_for_a_timer()
            # A Task that can go on does not wait for what others have in flight.
            self._passes.drive(ended=lambda: main.done or self._has_more_to_do())
        self._raise_failures("run", main.error)
        return main.value

    def run_expired_tasks(self) -> float:
        """Tick until nothing is runnable and nothing is in flight; returns the seconds it took.

        The name is Coro-Roro's, whose loop does the same. Timers that come due meanwhile run too.
        """
        self._must_be_outside("run_expired_tasks")
        began = self.clock.now()
        self.tick()
        while self._stepper.has_runnable() or self._passes.waits_for_replies():
            self.tick()
        return self.clock.now() - began

    # -- looking at it

    def statistics(self) -> SchedulerStatistics:
        """A frozen snapshot of the figures so far."""
        return self._passes.statistics()

    def format_stacks(self) -> str:
        """The stack of each Task that has begun and not ended, as text; "" where there is none.

        A block for all Tasks that wait at the same place: how many they are, then a line and its
        source for each coroutine; the last line is what is awaited. Takes some 10 us a Task.
        """
        return format_stacks(self._stepper.all_tasks)

    # -- ending it

    def close(self) -> None:
        """End every Task at its current await and close the transfer; idempotent.

        ``finally`` blocks of the Tasks run, and what they raise is raised from here.
        """
        if self._closed:
            return
        self._stepper.must_be_between_passes("close")
        self._closed = True
        self._start_at_next_tick = lambda work: self._must_be_open()
        errors: list[BaseException] = []
        # What never began is closed as well: else Python warns that it was never awaited.
        for work in (*self._delayed.values(), *self._stepper.unstarted()):
            work.close()
        for task in self._stepper.all_tasks:
            try:
                task.close()
            except BaseException as error:
                errors.append(error)
        self._transfer.close()
        if errors:
            raise one_error(errors, "closed Scheduler")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    def _report_or_raise(self) -> TickReport:
        self._raise_failures("tick")
        assert self._passes.last_report is not None
        return self._passes.last_report

    def _raise_failures(self, what: str, first: BaseException | None = None) -> None:
        errors = [error for error in (first, *self._stepper.failures) if error is not None]
        self._stepper.failures.clear()
        if errors:
            raise one_error(errors, what)

    def _has_more_to_do(self) -> bool:
        """Whether the next pass would find a runnable Task, or a timer that is due."""
        due_ns = self._stepper.timers.next_due_ns()
        return self._stepper.has_runnable() or (
            due_ns is not None and due_ns <= self.clock.now_ns()
        )

    def _wait_for_a_timer(self) -> None:
        """Let time pass where nothing else can resume a Task."""
        if self._stepper.has_runnable() or self._passes.waits_for_replies():
            return
        due_ns = self._passes.next_timer_ns()
        if due_ns is None:
            raise RuntimeError("the Task is parked, and nothing is left that could resume it")
        self.clock.wait(max(0, due_ns - self.clock.now_ns()) / 1e9)

    def _must_be_outside(self, call: str) -> None:
        self._must_be_open()
        self._stepper.must_be_between_passes(call)
        if self._stepper.broken:
            raise RuntimeError(
                "the scheduler cannot be used after an interrupted tick; close it, and make "
                "another one"
            )

    def _must_be_open(self) -> None:
        if self._closed:
            raise PoolClosed("this Scheduler is closed; make another one")


class _Main:
    """The outcome of the one Task that ``run`` waits for."""

    done = False
    value: Any = None
    error: BaseException | None = None

    def child_done(self, index: int, value: Any, error: BaseException | None) -> None:
        self.done, self.value, self.error = True, value, error


def _check_parts(pool: Any, clock: Any, garbage: Any, instruments: Sequence[Any]) -> None:
    """Raise a TypeError for a class in place of an object, or an object of another kind."""
    for name, part, attribute, right in (
        ("pool", pool, "open_transfer", "WorkerPool(2), as `with WorkerPool(2) as pool:`"),
        ("clock", clock, "now_ns", "SystemClock()"),
        ("garbage", None if garbage == "python" else garbage, "paused_ns", "SlackCollector()"),
        *(("instruments", each, "after_tick", "[MyInstrument()]") for each in instruments),
    ):
        if part is not None and (isinstance(part, type) or not hasattr(part, attribute)):
            raise TypeError(f"Scheduler({name}=...) takes what {right} gives, got {part!r}")


async def current_scheduler() -> Scheduler:
    """The Scheduler that drives this Task, whatever the depth of the await.

    It answers this itself: no global, thread-local or context variable is involved.
    """
    return cast("Scheduler", await trap(CURRENT_SCHEDULER))
