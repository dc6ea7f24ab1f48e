"""A transfer that answers every call at once: no worker, no encoding. Knows no measurement."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Any

from corororo.abc import AsyncFunction, Completion, WorkerUse


class InstantTransfer:
    """Answers each call with its own arguments, which costs nothing."""

    def __init__(self) -> None:
        self.in_flight = self.batches_sent = self.calls_retried = 0
        self.max_pending = sys.maxsize
        self._answers: list[Completion] = []

    def begin_tick(self) -> None:
        """Nothing was lent to anybody."""

    def lend(self, function: AsyncFunction, values: Sequence[Any]) -> None:
        """They are given for good."""

    def worth_sending(self, function: AsyncFunction) -> int:
        """Nobody begins any earlier."""
        return sys.maxsize

    def send_nowait(
        self, function: AsyncFunction, ticket: object, arguments: Sequence[Any]
    ) -> None:
        """Have the answers ready."""
        self._answers.append(Completion(ticket, 0, arguments, None))
        self.in_flight += len(arguments)
        self.batches_sent += 1

    def take_nowait(self) -> list[Completion]:
        """All that was sent."""
        answers, self._answers = self._answers, []
        self.in_flight = 0
        return answers

    def wait(self, timeout_s: float | None) -> None:
        """Nothing is ever waited for."""

    def fileno(self) -> int:
        """There is nothing to wait on."""
        return -1

    def longest_wait_s(self) -> float | None:
        """Nothing is ever waited for."""
        return 0.0

    def likely_wait_s(self) -> float:
        """Nothing is ever waited for."""
        return 0.0

    def worker_use(self) -> list[WorkerUse]:
        """There are no workers."""
        return []

    def close(self) -> None:
        """There is nothing to give back."""


class InstantSource:
    """Stands where a Scheduler expects a pool."""

    def open_transfer(self) -> InstantTransfer:
        """A transfer that needs nobody."""
        return InstantTransfer()
