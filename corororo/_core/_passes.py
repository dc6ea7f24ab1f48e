"""One pass: whoever may run is stepped, what they call is sent, what comes back resumes them.

A pass is bounded: what gives way, or is scheduled meanwhile, waits for the next one; so do Tasks
while too many calls are in flight. Knows no intervals, and not who drives it.
"""

from __future__ import annotations

from collections.abc import Generator
from itertools import islice

from corororo._exceptions import PoolClosed
from corororo.abc import Clock, Transfer

from ._garbage import SlackCollector
from ._instruments import Instruments
from ._pass import ENCODE, RESUME, STEP, WAIT, Bound, Stopwatch
from ._report import TickReport
from ._stepper import Stepper

SLICE = 100  # Tasks stepped before calls are sent: the workers begin while we go on


class Passes(Stepper):
    """Runs passes; the half of a Scheduler between its Tasks and its users."""

    def __init__(
        self,
        transfer: Transfer,
        clock: Clock,
        instruments: Instruments,
        garbage: SlackCollector | None,
    ) -> None:
        super().__init__(transfer, clock, instruments)
        self._garbage = garbage
        self._closed = False
        self._reported = self._count.figures()  # what the reports so far have told
        self._last_report: TickReport | None = None

    def _drive(self, bound: Bound) -> None:
        passes = self._passes(bound)
        try:
            for timeout_s in passes:
                self._transfer.wait(timeout_s)
        finally:
            passes.close()

    def _passes(self, bound: Bound) -> Generator[float | None, None, None]:
        """One pass; yields where it has to wait for replies, with the longest time to do so."""
        self._must_be_outside()
        self._instruments.before_tick()
        self._in_pass = True
        self._refusals = 0
        watch = Stopwatch(self.clock, self._garbage, self._count, self._reported, self._transfer)
        bound.begin(watch.started_ns)
        try:
            self._pass_queue, self._run_queue = self._run_queue, []
            self._transfer.begin_tick()
            self._deadlines.run_due(watch.started_ns)
            self._timers.run_due(watch.started_ns)
            self._resume_all(self._transfer.take_nowait())
            watch.note(RESUME)
            self._step_pass_queue(watch, STEP)
            while (self._pass_queue or self._wanted()) and not bound.ended():
                self._deadlines.run_due(self.clock.now_ns())
                completions = self._transfer.take_nowait()
                if completions or self._pass_queue:
                    self._resume_all(completions)
                    watch.note(RESUME)
                    self._step_pass_queue(watch, RESUME)
                now_ns = self.clock.now_ns()
                if bound.carries(now_ns):
                    break
                if not completions and (self._wanted() or self._has_too_many_calls()):
                    watch.note(RESUME)
                    yield self._timeout_s(bound, now_ns)
                    watch.note(WAIT)
        except (KeyboardInterrupt, SystemExit):
            # Between two Tasks, as likely as not: which of them was being resumed is lost.
            self._broken = True
            raise
        finally:
            # Nothing is lost when a wait is broken off: what was runnable runs in the next pass.
            self._run_queue[:0] = self._pass_queue
            self._pass_queue = []
            self._in_pass = False
            self._count_started()
            self._last_report = watch.report(bound)
            self._reported = self._count.figures()
            self._instruments.after_tick(self._last_report)

    def _step_pass_queue(self, watch: Stopwatch, what: int) -> None:
        """Step all that are in the queue, unless they come to make too many calls."""
        while True:
            while self._pass_queue and not self._has_too_many_calls():
                queue, self._pass_queue = self._pass_queue, []
                remaining = iter(queue)
                try:
                    for begin in range(0, len(queue), SLICE):
                        self._step(islice(remaining, SLICE))
                        self._count.steps += min(SLICE, len(queue) - begin)
                        watch.note(what)
                        if self._calls:
                            self._send_early()
                            watch.note(ENCODE)
                        if self._has_too_many_calls():
                            break
                finally:
                    self._pass_queue[:0] = remaining  # none, unless the pass was broken off
            if self._calls:
                self._send_groups(list(self._calls))
                watch.note(ENCODE)
            # Where calls of cancelled Tasks were refused, there are some to step again.
            if not self._pass_queue or self._has_too_many_calls():
                return

    def _has_too_many_calls(self) -> bool:
        return self._transfer.in_flight >= self._transfer.max_pending

    def _wanted(self) -> int:
        """What is out and somebody waits for: calls in flight, and functions that trio runs."""
        calls = self._transfer.in_flight - self._unwanted
        return calls + len(self._for_trio) if self._trio_drives else calls

    def _timeout_s(self, bound: Bound, now_ns: int) -> float | None:
        longest_s = self._transfer.longest_wait_s()
        due_ns = self._next_timer_ns() if bound.heeds_timers else self._deadlines.next_due_ns()
        if due_ns is not None:
            left_s = max(0, due_ns - now_ns) / 1e9
            longest_s = left_s if longest_s is None else min(longest_s, left_s)
        return bound.timeout_s(now_ns, longest_s)

    def _next_timer_ns(self) -> int | None:
        due_ns = [t.next_due_ns() for t in (self._timers, self._deadlines)]
        return min((due for due in due_ns if due is not None), default=None)

    def _has_more_to_do(self) -> bool:
        """Whether the next pass would find something: a runnable Task, or a timer that is due."""
        due_ns = self._timers.next_due_ns()
        return bool(self._run_queue) or (due_ns is not None and due_ns <= self.clock.now_ns())

    def _wait_for_something(self) -> None:
        """Let time pass where only a timer can go on."""
        if self._run_queue or self._wanted():
            return
        due_ns = self._next_timer_ns()
        if due_ns is None:
            raise RuntimeError("the Task is parked, and nothing is left that could resume it")
        self.clock.wait(max(0, due_ns - self.clock.now_ns()) / 1e9)

    def _must_be_outside(self) -> None:
        self._must_be_open()
        if self._in_pass:
            raise RuntimeError("a Task cannot tick the scheduler that runs it; await instead")
        if self._broken:
            raise RuntimeError(
                "a tick of this Scheduler was interrupted between two Tasks, and cannot be "
                "gone on with; close() it and make another one"
            )

    def _must_be_open(self) -> None:
        if self._closed:
            raise PoolClosed("this Scheduler is closed; make another one")
