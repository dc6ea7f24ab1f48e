"""Runs AsyncTasks where the Tasks run: no worker, no batch, one fixed order.

This is what a Scheduler without a pool uses: for tests, and for programs too small for workers.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Coroutine, Sequence
from typing import Any

from corororo.abc import AsyncFunction, Completion, WorkerUse

from ._columns import Columns

MAX_PENDING = 100_000


class Inline:
    """A transfer that goes nowhere: a call runs when its outcome is asked for."""

    def __init__(self) -> None:
        self._sent: list[tuple[AsyncFunction, Any, Sequence[Any]]] = []
        self.in_flight = 0
        self.batches_sent = 0
        self.calls_retried = 0
        self.max_pending = MAX_PENDING

    def begin_tick(self) -> None:
        """Nothing was lent to anybody."""

    def lend(self, function: AsyncFunction, values: Sequence[Any]) -> None:
        """They are given for good."""

    def worth_sending(self, function: AsyncFunction) -> int:
        """Nobody begins any earlier."""
        return sys.maxsize

    def send_nowait(self, function: AsyncFunction, ticket: Any, arguments: Sequence[Any]) -> None:
        """Keep the calls until they are taken."""
        self._sent.append((function, ticket, arguments))
        self.in_flight += len(arguments)
        self.batches_sent += 1

    def take_nowait(self) -> list[Completion]:
        """Run all that was sent, in the order in which it was sent."""
        sent, self._sent = self._sent, []
        self.in_flight = 0
        return [
            Completion(ticket, 0, *run_calls(function.run, arguments))
            for function, ticket, arguments in sent
        ]

    def wait(self, timeout_s: float | None) -> None:
        """Nothing is ever waited for."""

    def fileno(self) -> int:
        """There is nothing to wait on."""
        return -1

    def longest_wait_s(self) -> float | None:
        """What was sent is there as soon as it is asked for."""
        return 0.0 if self._sent else None

    def likely_wait_s(self) -> float:
        """Nothing is ever waited for."""
        return 0.0

    def worker_use(self) -> list[WorkerUse]:
        """There are no workers."""
        return []

    def close(self) -> None:
        """Forget what was sent."""
        self._sent.clear()
        self.in_flight = 0


def run_calls(
    function: Any,
    arguments: Sequence[tuple[Any, ...]],
    before_call: Callable[[int], None] | None = None,
) -> tuple[list[Any], dict[int, BaseException] | None]:
    """Call ``function`` with each tuple; ``None`` stands where a call failed, see the second.

    ``before_call`` is told of each call by its place.
    """
    calls = len(arguments)
    values: list[Any] = []
    failures: dict[int, BaseException] | None = None
    while len(values) < calls:
        try:
            if before_call is None and not values:
                _run_all(function, arguments, values.append)
            else:
                # By their places: a signal may bring an error between two calls as well.
                for place in range(len(values), calls):
                    if before_call is not None:
                        before_call(place)
                    values.append(function(*arguments[place]))
        except BaseException as error:
            place = min(len(values), calls - 1)
            failures = failures or {}
            failures[place] = error
            values[place:] = [None]
    return values, failures


def _run_all(
    function: Any, arguments: Sequence[tuple[Any, ...]], add: Callable[[Any], None]
) -> None:
    if isinstance(arguments, Columns) and len(arguments.columns) == 1:
        for argument in arguments.columns[0]:
            add(function(argument))
    else:
        for given in arguments:
            add(function(*given))


def run_nested(coroutine: Coroutine[Any, Any, Any]) -> Any:
    """Run the coroutine of an ``async def`` AsyncTask to its end, here and now.

    The AsyncTasks that it awaits are called in this process as well, without another hop.
    Raises TypeError where it awaits what only a Scheduler can give.
    """
    advance: Any = coroutine.send
    value: Any = None
    while True:
        try:
            trap = advance(value)
        except StopIteration as stop:
            return stop.value
        advance, value = coroutine.send, None
        try:
            value = _answer(trap)
        except BaseException as error:
            advance, value = coroutine.throw, error


def _answer(trap: Any) -> Any:
    if isinstance(trap, tuple):
        function, arguments = trap
        return function.run(*arguments)
    call_inline = getattr(trap, "call_inline", None)
    if call_inline is None:
        raise TypeError(
            f"an AsyncTask runs in a worker, without a scheduler: it may await other AsyncTasks, "
            f"got {type(trap).__name__}; do this in the Task that awaits it"
        )
    return call_inline()
