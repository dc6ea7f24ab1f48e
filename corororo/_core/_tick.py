"""One pass over what is runnable, its bound, and its report.

A pass is bounded: Tasks at a checkpoint, and those scheduled meanwhile, wait for the next one; so
do all Tasks while too many calls are in flight.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Generator, Sequence
from contextlib import closing
from operator import add, sub
from typing import Any, Literal

import msgspec

from corororo._garbage import SlackCollector, begin_pass, end_pass
from corororo._platform import thread_cpu_ns
from corororo.abc import Instrument, WorkerUse

from ._calls import all_hooks
from ._queue import Queue
from ._stepper import Stepper
from ._timers import check_seconds

Late = Literal["wait", "carry"]
Garbage = SlackCollector | Literal["python"] | None

SLICE = 100  # Tasks stepped before calls are sent: workers begin while more Tasks are stepped
STEP, ENCODE, WAIT, RESUME = range(4)  # what the time of a pass is spent on


class TickReport(msgspec.Struct, frozen=True, gc=False):
    """One pass of a Scheduler. Times are nanoseconds on its clock.

    ``step_ns + encode_ns + wait_ns + resume_ns + gc_ns`` is the whole tick but for bookkeeping
    of some microseconds.
    """

    started_ns: int
    finished_ns: int
    step_ns: int  # running coroutines from where they were to their next trap
    encode_ns: int  # turning calls into batches and sending them
    wait_ns: int  # nothing to do but wait for replies
    resume_ns: int  # taking replies, and running the Tasks that waited for them
    gc_ns: int  # garbage collection, where a SlackCollector counts it
    cpu_ns: int  # CPU time of this thread; under trio without that of other tasks meanwhile
    steps: int  # times a Task was advanced
    tasks_started: int
    tasks_finished: int
    async_tasks_sent: int
    async_tasks_taken: int  # answered, the failed ones included
    async_tasks_failed: int
    async_tasks_retried: int  # run again because their worker died
    batches: int
    async_tasks_carried: int  # still out when the tick ended, whether a Task waits or not
    late: bool  # the tick ended after its deadline
    worker_use: list[WorkerUse]  # what each worker did, by the replies taken


class SchedulerStatistics(msgspec.Struct, frozen=True):
    """A scheduler since it was made."""

    ticks: int
    tasks_started: int
    tasks_finished: int
    tasks_runnable: int  # waiting for the next tick
    timers: int  # sleeping Tasks, delayed ones and intervals
    async_tasks_sent: int
    async_tasks_taken: int
    async_tasks_failed: int
    async_tasks_dropped: int  # answered when their Task had been cancelled
    async_tasks_in_flight: int
    async_tasks_retried: int
    batches: int
    worker_use: list[WorkerUse]  # what each worker did; empty where calls run inline


def _check_bound(deadline_s: float | None, late: Late) -> None:
    if late not in ("wait", "carry"):
        raise ValueError(f'late must be "wait" or "carry", got {late!r}')
    if deadline_s is not None:
        check_seconds("tick(deadline)", deadline_s)
    if late == "carry" and deadline_s is None:
        raise ValueError('late="carry" needs a deadline: tick(deadline=0.4, late="carry")')


class Passes:
    """Runs the passes of a Stepper, and counts what they did."""

    def __init__(
        self, stepper: Stepper, garbage: Garbage, instruments: Sequence[Instrument]
    ) -> None:
        self._before_tick = all_hooks(instruments, "before_tick")
        self._after_tick = all_hooks(instruments, "after_tick")
        self._stepper = stepper
        self._calls = stepper.calls
        self._transfer = stepper.calls.transfer
        self._garbage = garbage if isinstance(garbage, SlackCollector) else None
        # The clock, less the collector's pauses.
        self._work_ns = stepper.clock.now_ns if self._garbage is None else self._unpaused_ns
        self._puts_off_collection = garbage != "python"
        self._ticks = 0
        self._worker_use: dict[int, WorkerUse] = {}
        self._reported = self._totals()  # so that what begins between two ticks is in the later
        self.last_report: TickReport | None = None

    def drive(
        self,
        deadline_s: float | None = None,
        late: Late = "wait",
        ended: Callable[[], bool] | None = None,
    ) -> None:
        with closing(self.run(deadline_s, late, ended)) as waits:
            for timeout_s in waits:
                self._transfer.wait(timeout_s)

    def run(
        self, deadline_s: float | None, late: Late, ended: Callable[[], bool] | None = None
    ) -> Generator[float | None, None, None]:
        """One pass; yields where it has to wait for replies, with the longest time to do so.

        Where ``ended`` is given, its answer ends the pass earlier, and so does a due timer.
        """
        _check_bound(deadline_s, late)
        stepper, transfer, now_ns = self._stepper, self._transfer, self._stepper.clock.now_ns
        self._before_tick()
        started_ns = now_ns()
        self._paused_before_ns = self._paused_ns()
        self._last_ns = self._work_ns()
        self._laps_ns = [0, 0, 0, 0]
        self._cpu_from_ns = thread_cpu_ns()
        stepper.others_cpu_ns = 0
        deadline_ns = math.inf if deadline_s is None else started_ns + deadline_s * 1e9
        carry_ns = deadline_ns if late == "carry" else math.inf  # the pass waits until then
        if self._puts_off_collection:
            begin_pass()
        try:
            stepper.begin_pass()
            transfer.begin_tick()
            stepper.deadlines.run_due(started_ns)
            stepper.timers.run_due(started_ns)
            stepper.resume_answered(transfer.take_nowait())
            self._note(RESUME)
            self._step_queue(STEP)
            while (stepper.pass_queue or self.waits_for_replies()) and not (
                ended is not None and ended()
            ):
                stepper.deadlines.run_due(now_ns())
                completions = transfer.take_nowait()
                nothing_came = not completions
                if completions or stepper.pass_queue:
                    stepper.resume_answered(completions)
                    self._note(RESUME)
                    self._step_queue(RESUME)
                moment_ns = now_ns()
                if moment_ns >= carry_ns:
                    break
                if nothing_came and (self.waits_for_replies() or self._calls.reach_the_limit()):
                    self._note(RESUME)
                    yield self._timeout_s(ended is not None, carry_ns, moment_ns)
                    self._note(WAIT)
        except (KeyboardInterrupt, SystemExit):
            stepper.broken = True  # it may have come between two Tasks, and one of them is lost
            raise
        finally:
            stepper.end_pass()
            if self._puts_off_collection:
                end_pass()
            self.last_report = self._report(started_ns, deadline_ns)
            self._after_tick(self.last_report)

    def _step_queue(self, what: int) -> None:
        """Step the Tasks in the queue and send their calls, until they come to make too many."""
        stepper, calls = self._stepper, self._calls
        while True:
            while stepper.pass_queue and not calls.reach_the_limit():
                self._step_slices(what)
            if calls.unsent:
                stepper.cancel_unsent_calls()
                calls.send_all()
                self._note(ENCODE)
            if not stepper.pass_queue or calls.reach_the_limit():
                return

    def _step_slices(self, what: int) -> None:
        stepper, calls = self._stepper, self._calls
        queue, stepper.pass_queue = stepper.pass_queue, Queue()
        stepped, total = 0, len(queue)
        try:
            while stepped < total and not calls.reach_the_limit():
                begin, stepped = stepped, min(stepped + SLICE, total)
                stepper.step(queue, begin, stepped)
                self._note(what)
                if calls.unsent:
                    stepper.cancel_unsent_calls()
                    calls.send_early()
                    self._note(ENCODE)
        finally:
            stepper.steps += stepped
            if stepped < total:  # too many calls, or the pass was broken off
                stepper.pass_queue.put_first(queue, stepped)

    def _note(self, what: int) -> None:
        """Count the time since the last note as spent on this."""
        last_ns, self._last_ns = self._last_ns, self._work_ns()
        self._laps_ns[what] += self._last_ns - last_ns

    def _unpaused_ns(self) -> int:
        return self._stepper.clock.now_ns() - self._paused_ns()

    def _paused_ns(self) -> int:
        return 0 if self._garbage is None else self._garbage.paused_ns

    def waits_for_replies(self) -> bool:
        """Whether a Task waits for a call in flight, or for a function that trio runs."""
        stepper = self._stepper
        return self._calls.waited_for() > 0 or bool(stepper.trio_drives and stepper.trio_requests)

    def next_timer_ns(self) -> int | None:
        due_ns = [t.next_due_ns() for t in (self._stepper.timers, self._stepper.deadlines)]
        return min((due for due in due_ns if due is not None), default=None)

    def _timeout_s(self, until_timer: bool, carry_ns: float, now_ns: int) -> float | None:
        """How long to wait for a reply at most; None for as long as it takes."""
        deadlines = self._stepper.deadlines
        due_ns = self.next_timer_ns() if until_timer else deadlines.next_due_ns()
        longest_s = self._transfer.longest_wait_s()
        timeout_s = min(
            math.inf if longest_s is None else longest_s,
            math.inf if due_ns is None else max(0, due_ns - now_ns) / 1e9,
            (carry_ns - now_ns) / 1e9,
        )
        return None if timeout_s == math.inf else max(0.0, timeout_s)

    def _totals(self) -> tuple[int, ...]:
        """In the order of the fields of a TickReport."""
        stepper, calls = self._stepper, self._calls
        return (
            stepper.steps,
            # Derived, which spares each start of a Task a count.
            stepper.finished + len(stepper.all_tasks) - len(stepper.idle_tasks),
            stepper.finished,
            calls.sent,
            calls.taken,
            calls.failed,
            self._transfer.calls_retried,
            self._transfer.batches_sent,
        )

    def _report(self, started_ns: int, deadline_ns: float) -> TickReport:
        self._ticks += 1
        finished_ns = self._stepper.clock.now_ns()
        before, self._reported = self._reported, self._totals()
        figures: tuple[Any, ...] = (
            started_ns,
            finished_ns,
            *self._laps_ns,
            self._paused_ns() - self._paused_before_ns,
            thread_cpu_ns() - self._cpu_from_ns - self._stepper.others_cpu_ns,
            *map(sub, self._reported, before),
            self._transfer.in_flight,
            finished_ns > deadline_ns,
            self._note_worker_use(),
        )
        return TickReport(*figures)

    def _note_worker_use(self) -> list[WorkerUse]:
        """Add what workers did in this tick to the totals: only those who did cost anything."""
        use, totals = self._transfer.worker_use(), self._worker_use
        for each in use:
            before = totals.get(each.worker, WorkerUse(0, 0, 0, 0))
            totals[each.worker] = WorkerUse(each.worker, *map(add, before[1:], each[1:]))
        return use

    def statistics(self) -> SchedulerStatistics:
        stepper = self._stepper
        _, started, finished, sent, taken, failed, retried, batches = self._totals()
        return SchedulerStatistics(
            ticks=self._ticks,
            tasks_started=started,
            tasks_finished=finished,
            tasks_runnable=len(stepper.run_queue) + len(stepper.scheduled),
            timers=len(self._stepper.timers),
            async_tasks_sent=sent,
            async_tasks_taken=taken,
            async_tasks_failed=failed,
            async_tasks_dropped=self._calls.dropped,
            async_tasks_in_flight=self._transfer.in_flight,
            async_tasks_retried=retried,
            batches=batches,
            worker_use=list(self._worker_use.values()),
        )
