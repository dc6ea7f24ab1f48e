"""What a user may replace: the clock, and the way AsyncTasks travel. Knows no implementation."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple, Protocol, runtime_checkable


@runtime_checkable
class Clock(Protocol):
    """A source of time that only moves forward."""

    def now(self) -> float:
        """Seconds since a fixed but unknown moment."""
        ...

    def now_ns(self) -> int:
        """The same in nanoseconds."""
        ...

    def wait(self, seconds: float, /) -> None:
        """Let so much time pass, with nothing else to do."""
        ...


class AsyncFunction(Protocol):
    """What a transfer needs to know of a function under ``@async_task``."""

    @property
    def name(self) -> str:
        """``module:qualified name``, by which a worker finds it."""
        ...

    @property
    def run(self) -> Any:
        """The function itself; takes the complete arguments of one call by position."""
        ...


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


class WorkerUse(NamedTuple):
    """What one worker has done for one Scheduler so far."""

    worker: int  # its number in the pool
    batches: int
    calls: int
    busy_ns: int


class Transfer(Protocol):
    """Takes calls to where they run, and brings their results back. Owned by one Scheduler."""

    @property
    def in_flight(self) -> int:
        """Calls sent and not yet taken back."""
        ...

    @property
    def batches_sent(self) -> int:
        """Batches handed to workers so far."""
        ...

    @property
    def calls_retried(self) -> int:
        """Calls that were sent again because their worker died, so far."""
        ...

    @property
    def max_pending(self) -> int:
        """Calls that may be in flight before Tasks have to wait for their turn to make more."""
        ...

    def begin_tick(self) -> None:
        """A pass begins: what replies lent to Tasks during the last one may be taken back."""
        ...

    def lend(self, function: AsyncFunction, values: Sequence[Any]) -> None:
        """Results of a function are given to Tasks now: until the next tick, if they are lent."""
        ...

    def worth_sending(self, function: AsyncFunction) -> int:
        """How many calls of a function are worth sending before all of the pass are there."""
        ...

    def send_nowait(self, function: AsyncFunction, ticket: Any, arguments: Sequence[Any]) -> None:
        """Accept calls of one function; each of ``arguments`` is the tuple of one call.

        ``ticket`` comes back untouched with each Completion that answers a part of the calls.
        """
        ...

    def take_nowait(self) -> list[Completion]:
        """Whatever has come back since the last time; may be empty."""
        ...

    def wait(self, timeout_s: float | None) -> None:
        """Block until ``take_nowait`` is likely to have something, or the time is over."""
        ...

    def fileno(self) -> int:
        """A descriptor that turns readable when something comes back; -1 if there is none."""
        ...

    def longest_wait_s(self) -> float | None:
        """How long a wait may last before ``take_nowait`` wants to be called all the same."""
        ...

    def likely_wait_s(self) -> float:
        """How long all that is in flight is likely to take; infinite where nobody knows."""
        ...

    def worker_use(self) -> list[WorkerUse]:
        """What each worker has done for this transfer so far."""
        ...

    def close(self) -> None:
        """Give everything back; idempotent."""
        ...


class TransferSource(Protocol):
    """A pool, as far as a Scheduler knows: it opens transfers."""

    def open_transfer(self) -> Transfer:
        """A transfer for one Scheduler."""
        ...


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
        """The Task has come to wait, or has ended."""

    def async_task_sent(self, name: str, calls: int) -> None:
        """So many calls of the function ``module:name`` were handed to the transfer."""

    def async_task_done(self, calls: int, failures: int) -> None:
        """So many calls were answered, ``failures`` of them with an exception."""


class IdleStrategy(Protocol):
    """What a worker does while there is no work. After Agrona's strategies of that name."""

    def idle(self, work_count: int) -> bool:
        """Called after each look for work, with the calls that were found and run.

        True: look again at once. False: park, that is, sleep in the kernel until work comes.
        """
        ...
