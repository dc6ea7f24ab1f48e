"""Protocols of what a user may replace: clock, transfer, idle strategy; and the Instrument."""

from __future__ import annotations

import math
import sys
from collections.abc import Sequence
from typing import Any, NamedTuple, Protocol


class Clock(Protocol):
    """A source of time that only moves forward."""

    def now(self) -> float:
        """Seconds since a fixed but unknown moment."""

    def now_ns(self) -> int:
        """The same in nanoseconds."""

    def wait(self, seconds: float, /) -> None:
        """Sleep for so many seconds."""


class AsyncFunction(Protocol):
    """A function under ``@async_task``, as a transfer uses it."""

    @property
    def name(self) -> str:
        """``module:qualified name``; a worker resolves it."""

    @property
    def run(self) -> Any:
        """The function itself; takes the complete arguments of one call by position."""

    @property
    def parameter_names(self) -> Sequence[str]:
        """In the order of the arguments."""

    def argument_types(self) -> Any:
        """The tuple type of the complete arguments of one call."""

    def result_type(self) -> Any:
        """The type of a result."""

    def codec(self) -> Any:
        """Encodes and decodes its calls and results by their annotations.

        Raises TypeError where those cannot be used.
        """


class Completion(NamedTuple):
    """The outcome of some calls that were sent together.

    ``values[i]`` belongs to call ``start + i`` of what was sent under ``ticket``. Calls that
    failed have ``None`` there and their exception in ``failures``, by ``i``; ``failures`` is
    ``None`` where all went well.
    """

    ticket: Any
    start: int
    values: Sequence[Any]
    failures: dict[int, BaseException] | None
    may_hold_none: bool = True  # False: no result is None, which spares a look at each


class WorkerUse(NamedTuple):
    """The work of one worker for one Scheduler: in a tick, or so far."""

    worker: int  # its number in the pool
    batches: int
    calls: int
    busy_ns: int


class Transfer(Protocol):
    """Takes calls to where they run, and brings their results back. Owned by one Scheduler.

    What a class that derives from it does not define is as where calls run inline.
    """

    @property
    def in_flight(self) -> int:
        """Calls sent and not yet taken back."""

    @property
    def batches_sent(self) -> int:
        """Batches handed to workers so far."""

    @property
    def calls_retried(self) -> int:
        """Calls that were sent again because their worker died, so far."""
        return 0

    @property
    def max_pending(self) -> int:
        """Calls that may be in flight before Tasks have to wait for their turn to make more."""

    def begin_tick(self) -> None:
        """A pass begins: memory lent to Tasks during the last one may be reused."""
        return

    def lend(self, function: AsyncFunction, values: Sequence[Any]) -> None:
        """Results are passed to Tasks now; views into a reply are valid until the next tick."""
        return

    def worth_sending(self, function: AsyncFunction) -> int:
        """How many calls of a function make it worth sending them before the pass has ended."""
        return sys.maxsize

    def send_nowait(self, function: AsyncFunction, ticket: Any, arguments: Sequence[Any]) -> None:
        """Accept calls of one function; each of ``arguments`` is the tuple of one call.

        ``ticket`` comes back untouched with each Completion that answers a part of the calls.
        """

    def take_nowait(self) -> list[Completion]:
        """The replies since the last time; may be empty."""

    def wait(self, timeout_s: float | None) -> None:
        """Block until ``take_nowait`` is likely to have a reply, or the timeout is over."""
        return

    def fileno(self) -> int:
        """A descriptor that turns readable when a reply comes; -1 if there is none."""
        return -1

    def longest_wait_s(self) -> float | None:
        """After how long ``take_nowait`` has to be called even without a reply; None: never."""
        return None

    def likely_wait_s(self) -> float:
        """How long the calls in flight are likely to take; infinite where that is unknown."""
        return math.inf

    def worker_use(self) -> list[WorkerUse]:
        """The work of each worker since ``begin_tick``, as far as replies tell."""
        return []

    def close(self) -> None:
        """Free all resources; idempotent."""


class TransferSource(Protocol):
    """A pool, as a Scheduler uses it."""

    def open_transfer(self) -> Transfer:
        """A transfer for one Scheduler."""


class Instrument:
    """Derive from this to watch a Scheduler: ``Scheduler(instruments=[...])``.

    Methods that are not overridden cost nothing. They are called on the scheduler's thread, and
    what they raise ends the tick.
    """

    def before_tick(self) -> None:
        """A pass begins."""

    def after_tick(self, report: Any) -> None:
        """A pass has ended; ``report`` is its TickReport."""

    def before_task_step(self, task: Any) -> None:
        """A Task is about to be advanced; ``task.name`` is its coroutine's qualified name."""

    def after_task_step(self, task: Any) -> None:
        """The Task waits, or has ended."""

    def async_task_sent(self, name: str, calls: int) -> None:
        """Calls of the function ``module:name`` were handed to the transfer."""

    def async_task_done(self, calls: int, failures: int) -> None:
        """Calls were answered, ``failures`` of them with an exception."""


class IdleStrategy(Protocol):
    """What a worker does while there is no work. After Agrona's strategies of that name."""

    def idle(self, work_count: int) -> bool:
        """Called after each look for work, with the calls that were found and run.

        True: look again at once. False: park, that is, sleep in the kernel until work comes.
        """
