"""Calls wait in order, go out as there is room, and come back: what all rungs do alike.

Knows no bytes and no processes.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Sequence
from typing import Any

import corororo as cr
from corororo.abc import AsyncFunction, Completion, WorkerUse

from .answers import failed, refusal
from .lines import Lines

MAX_PENDING = 100_000  # as WorkerPool has it


class Pile:
    """Calls of one function that were sent together; cut from the front."""

    def __init__(
        self,
        function: cr.AsyncTaskFunction[..., Any],
        ticket: object,
        arguments: Sequence[tuple[Any, ...]],
        size: int,
    ) -> None:
        self.function = function
        self.ticket = ticket
        self._arguments = arguments
        self._size = size  # of a cut
        self._start = self._next = 0

    @classmethod
    def of_singles(cls, pile: Pile, start: int, calls: Sequence[tuple[Any, ...]]) -> Pile:
        """A part of a pile, whose calls are to travel one by one."""
        singles = cls(pile.function, pile.ticket, calls, 1)
        singles._start = start
        return singles

    def __len__(self) -> int:
        return len(self._arguments) - self._next

    def cut(self) -> tuple[int, Sequence[tuple[Any, ...]]]:
        """The next calls, and the place of the first of them."""
        start, self._next = self._next, min(self._next + self._size, len(self._arguments))
        return self._start + start, self._arguments[start : self._next]


class RungTransfer:
    """What all rungs do alike: calls wait in order, go out as there is room, and come back.

    Arguments are encoded when they go out. What a worker cannot be sent fails at once.
    """

    def __init__(self, lines: Lines) -> None:
        self._lines = lines
        self._waiting: deque[Pile] = deque()
        self._ready: list[Completion] = []
        self.closed = False
        self.in_flight = 0
        self.batches_sent = 0
        self.calls_retried = 0
        self.max_pending = MAX_PENDING

    def begin_tick(self) -> None:
        """Nothing was lent to anybody; raises PoolClosed after ``close``."""
        self._must_be_open()

    def lend(self, function: AsyncFunction, values: Sequence[Any]) -> None:
        """They are given for good."""

    def worth_sending(self, function: AsyncFunction) -> int:
        """A full message."""
        return self._lines.calls_together

    def send_nowait(self, function: Any, ticket: object, arguments: Sequence[Any]) -> None:  # noqa: ANN401 - as SharedRing
        """Send what there is room for; the rest waits in its order."""
        self._must_be_open()
        self.in_flight += len(arguments)
        share = -(-len(arguments) // len(self._lines))
        size = min(share, self._lines.calls_together)
        self._waiting.append(Pile(function, ticket, arguments, size))
        self._send()

    def take_nowait(self) -> list[Completion]:
        """What has come back; sends what there is room for now."""
        self._must_be_open()
        self._ready += self._lines.take()
        self._send()
        ready, self._ready = self._ready, []
        self.in_flight -= sum(len(completion.values) for completion in ready)
        return ready

    def wait(self, timeout_s: float | None) -> None:
        """Block until something has come back, or the time is over."""
        if not self._ready:
            self._lines.wait(timeout_s)

    def fileno(self) -> int:
        """One descriptor for all pipes."""
        return self._lines.fileno()

    def longest_wait_s(self) -> float | None:
        """What could not be sent is there at once."""
        return 0.0 if self._ready else None

    def likely_wait_s(self) -> float:
        """Nobody knows."""
        return math.inf

    def worker_use(self) -> list[WorkerUse]:
        """Not noted."""
        return []

    def close(self) -> None:
        """Forget what is in flight; the workers stay. Idempotent."""
        if not self.closed:
            self.closed = True
            self.in_flight = 0
            self._waiting.clear()
            self._ready.clear()
            self._lines.forget()

    def _must_be_open(self) -> None:
        if self.closed:
            raise cr.PoolClosed("the transfer is closed; open another one")

    def _send(self) -> None:
        lines, waiting = self._lines, self._waiting
        while waiting and (line := lines.next_with_room()) is not None:
            pile = waiting[0]
            start, calls = pile.cut()
            if not pile:
                waiting.popleft()
            try:
                lines.send(line, pile.function, pile.ticket, start, calls)
            except Exception as error:  # of the encoder, or of the annotations
                self._refuse(pile, start, calls, error)
            else:
                self.batches_sent += 1

    def _refuse(
        self, pile: Pile, start: int, calls: Sequence[tuple[Any, ...]], error: Exception
    ) -> None:
        if len(calls) > 1:  # which of them it was shows when they go one by one
            self._waiting.appendleft(Pile.of_singles(pile, start, calls))
            return
        told = refusal(pile.function, calls[0], error)
        self._ready.append(failed(pile.ticket, start, told))
