"""A transfer whose replies come when a test says so, and the AsyncTasks that tests call."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import corororo as cr
from corororo.abc import AsyncFunction, Completion, Transfer, WorkerUse


@cr.async_task
def double(x: int) -> int:
    return 2 * x


@cr.async_task
def fail_odd(x: int) -> int:
    if x % 2:
        raise ValueError(x)
    return x


def step(scheduler: cr.Scheduler) -> cr.TickReport:
    """A tick that waits for nothing."""
    return scheduler.tick(deadline=0, late="carry")


class Batch:
    """Calls sent at once, and which of them are not answered yet."""

    def __init__(self, function: AsyncFunction, ticket: Any, arguments: Sequence[Any]) -> None:
        self.function = function
        self.ticket = ticket
        self.arguments = list(arguments)
        self.open = list(range(len(arguments)))


class HandTransfer(Transfer):
    """Keeps the calls that are sent, until a test answers them."""

    in_flight = batches_sent = calls_retried = 0
    max_pending = 1_000_000

    def __init__(self) -> None:
        self.batches: list[Batch] = []
        self.ticks = 0
        self.worth = 64
        self.lent: list[Any] = []
        self.use: list[WorkerUse] = []
        self.on_wait: Callable[[float | None], object] = self._never_comes_back
        self._ready: list[Completion] = []

    def open_transfer(self) -> Transfer:
        return self

    def begin_tick(self) -> None:
        self.ticks += 1

    def lend(self, function: AsyncFunction, values: Sequence[Any]) -> None:
        self.lent += values

    def worker_use(self) -> list[WorkerUse]:
        return self.use

    def worth_sending(self, function: AsyncFunction) -> int:
        return self.worth

    def send_nowait(self, function: AsyncFunction, ticket: Any, arguments: Sequence[Any]) -> None:
        self.batches.append(Batch(function, ticket, arguments))
        self.in_flight += len(arguments)
        self.batches_sent += 1

    def answer(self, batch: int, value: Any) -> None:
        """Answer the first open call of a batch with a value of its own."""
        sent = self.batches[batch]
        start = sent.open.pop(0)
        self._ready.append(Completion(sent.ticket, start, [value], None))

    def answer_part(self, batch: int, calls: int) -> int:
        """Answer the next calls of a batch, by running them; returns how many."""
        sent = self.batches[batch]
        places, sent.open = sent.open[:calls], sent.open[calls:]
        if places:
            values = [sent.function.run(*sent.arguments[i]) for i in places]
            self._ready.append(Completion(sent.ticket, places[0], values, None))
        return len(places)

    def answer_all(self, in_parts_of: int = 1_000_000) -> None:
        """Answer everything, the batch sent last first."""
        for batch in reversed(range(len(self.batches))):
            while self.answer_part(batch, in_parts_of):
                pass

    def take_nowait(self) -> list[Completion]:
        ready, self._ready = self._ready, []
        self.in_flight -= sum(len(completion.values) for completion in ready)
        return ready

    def wait(self, timeout_s: float | None) -> None:
        self.on_wait(timeout_s)

    def close(self) -> None:
        self.in_flight = 0

    def _never_comes_back(self, timeout_s: float | None) -> None:
        raise AssertionError(f"the tick waits for a reply that will not come ({timeout_s} s)")
