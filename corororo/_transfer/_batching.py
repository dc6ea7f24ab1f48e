"""Calls that travel together: a pile of one function's calls, and the batches cut from it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from corororo._handles import Handle

from ._functions import AsyncTaskFunction

NO_HANDLE = Handle(0, 0)

Calls = Sequence[tuple[Any, ...]]  # the arguments of each
Snapshot = Callable[[Calls], Calls]  # copies calls, so that Tasks may change what they passed


class Pile:
    """Calls sent under one ticket that wait to be cut into batches, from the front."""

    def __init__(
        self, function: AsyncTaskFunction[..., Any], ticket: Any, arguments: Calls
    ) -> None:
        self.number = 0  # counts the piles of a zone
        self.function = function
        self.ticket = ticket
        self.total = len(arguments)
        self.frozen = False
        self._arguments = arguments
        self._cut = 0  # calls taken out so far

    def __len__(self) -> int:
        return self.total - self._cut

    def cut(self, size: int) -> Batch:
        """Take the next ``size`` calls out."""
        arguments = self._arguments
        if size < len(arguments):
            begin = len(arguments) - len(self)
            arguments = arguments[begin : begin + size]
        batch = Batch(self.function, self.ticket, self._cut, arguments)
        batch.pile = self.number
        batch.frozen = self.frozen
        self._cut += size
        return batch

    def freeze(self, snapshot: Snapshot) -> None:
        """Keep the arguments as they are now, whatever Tasks do with what they passed."""
        self.frozen = True
        self._arguments = snapshot(self._arguments[len(self._arguments) - len(self) :])


class Batch:
    """Some calls of one function that travel in one record."""

    def __init__(
        self,
        function: AsyncTaskFunction[..., Any],
        ticket: Any,
        start: int,
        arguments: Calls,
        deaths: int = 0,
    ) -> None:
        self.function = function
        self.ticket = ticket
        self.start = start  # index of the first call among those sent under the ticket
        self.arguments = arguments
        self.deaths = deaths  # workers that died while they had this call alone
        self.pile = 0  # number of the pile that it was cut from
        self.frozen = False  # whether Tasks can no longer change the arguments
        self.request: bytes | None = None  # the arguments encoded; kept until the reply is taken
        # In the ring:
        self.offset = 0
        self.reply_offset = 0
        self.reply_room = 0
        self.handle = NO_HANDLE
        self.sequence = 0  # the handle, packed: identifies the record in descriptors
        self.attempt = 0
        # While it is out:
        self.sent = False
        self.sent_ns = 0
        self.expected_ns = 0.0  # likely service time
        self.ahead = 0  # batches of this zone that were out when it was sent
        self.copies = 0  # of its descriptor, sent because the first one may be lost
        self.seen = 0  # the holder that was found without a lock at the last look
        self.overdue: tuple[int, int] | None = None  # holder and progress that exceeded a limit

    @property
    def turn(self) -> tuple[int, int]:
        """Sorts batches in the order in which their calls were made."""
        return self.pile, self.start

    def part(self, begin: int, end: int) -> Batch:
        """Some of the calls as a batch of their own."""
        arguments = self.arguments[begin:end]
        part = Batch(self.function, self.ticket, self.start + begin, arguments, self.deaths)
        part.pile = self.pile
        part.frozen = self.frozen
        return part

    def halves(self) -> list[Batch]:
        """The same calls in two batches."""
        middle = (len(self.arguments) + 1) // 2
        return [self.part(0, middle), self.part(middle, len(self.arguments))]

    def freeze(self, snapshot: Snapshot) -> None:
        """Keep the arguments as they are now, whatever Tasks do with what they passed."""
        self.frozen = True
        if self.request is None:
            self.arguments = snapshot(self.arguments)
