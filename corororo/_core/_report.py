"""What a tick did, and what a scheduler has done: frozen figures. Knows no behaviour."""

from __future__ import annotations

import msgspec


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
    steps: int  # times a Task was advanced
    tasks_started: int
    tasks_finished: int
    async_tasks_sent: int
    async_tasks_taken: int  # answered, the failed ones included
    async_tasks_failed: int
    async_tasks_retried: int  # run again because their worker died
    async_tasks_carried: int  # still out when the tick ended, whether anybody waits or not
    batches: int
    late: bool  # the tick ended after its deadline


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
