"""Calls that travel together: a pile of one function's calls, and the batches cut from it.

Knows no bytes.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from corororo._handles import Handle

from ._functions import AsyncTaskFunction

NO_HANDLE = Handle(0, 0)

Calls = Sequence[tuple[Any, ...]]  # the arguments of each


class Pile:
    """Calls that were sent under one ticket and wait for a batch; cut from the front."""

    __slots__ = ("_arguments", "_first", "_next", "function", "kept", "number", "ticket")

    def __init__(
        self, function: AsyncTaskFunction[..., Any], ticket: Any, arguments: Calls
    ) -> None:
        self.number = 0  # which pile of its zone it is
        self.function = function
        self.ticket = ticket
        self._arguments = arguments
        self._first = 0  # the place of the first one that is still here
        self._next = 0
        self.kept = False

    def __len__(self) -> int:
        return self.total - self._next

    @property
    def total(self) -> int:
        """How many there were."""
        return self._first + len(self._arguments)

    def cut(self, size: int) -> Batch:
        """The next so many calls, as a batch."""
        start = self._next
        self._next = end = start + size
        arguments = self._arguments
        if size < len(arguments):
            arguments = arguments[start - self._first : end - self._first]
        batch = Batch(self.function, self.ticket, start, arguments)
        batch.pile = self.number
        batch.kept = self.kept
        return batch

    def keep(self, as_they_are: Callable[[Calls], Calls]) -> None:
        """From now on it does not matter what Tasks do with what they have passed."""
        self.kept = True
        self._arguments = as_they_are(self._arguments[self._next - self._first :])
        self._first = self._next


class Batch:
    """Some calls of one function that travel in one record."""

    __slots__ = (
        "ahead",
        "arguments",
        "attempt",
        "checksum",
        "deaths",
        "expected_ns",
        "expired",
        "function",
        "handle",
        "hung",
        "kept",
        "offset",
        "pile",
        "reminders",
        "reply_offset",
        "reply_room",
        "request",
        "seen",
        "sendings",
        "sent",
        "sent_ns",
        "sequence",
        "start",
        "ticket",
    )

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
        self.start = start  # the place of the first call among those sent under the ticket
        self.arguments = arguments  # tuples; once they have been sent, as they were encoded
        self.deaths = deaths  # workers that failed while they had this call alone
        self.pile = 0  # the number of the one that it was cut from
        self.expected_ns = 0.0  # how long a worker is likely to take for it; while it is sent
        self.kept = False  # the arguments, from what Tasks may do with them
        self.request: bytes | None = None  # encoded, once, until it stands in the ring
        self.offset = 0  # of its record in the ring
        self.reply_offset = 0  # of the reply extent in the ring
        self.reply_room = 0
        self.checksum = 0  # of the record
        self.handle = NO_HANDLE
        self.sequence = 0  # its handle, as a record and its descriptors carry it; 0: no record
        self.attempt = 0
        self.sent = False
        self.sent_ns = 0  # when the last time
        self.ahead = 0  # batches of the same zone that were out then
        self.reminders = 0  # copies of its descriptor that went after it
        self.sendings = 0  # because the one before seems to be lost
        self.seen: Any = None  # what the last look at its record found
        self.expired: int | None = None  # the call that has run longer than its timeout
        self.hung = 0  # the holder that it hangs, as its record has it

    @property
    def turn(self) -> tuple[int, int]:
        """Smaller than that of a batch whose calls were made later; no two have the same."""
        return self.pile, self.start

    @property
    def is_placed(self) -> bool:
        """Whether it has a record."""
        return self.sequence != 0

    def leave_ring(self) -> None:
        """Its record has been given back; it is to be encoded and placed anew."""
        self.sequence = 0

    def parts(self, size: int) -> list[Batch]:
        """The same calls in batches of at most ``size``."""
        return [self.part(i, i + size) for i in range(0, len(self.arguments), size)]

    def part(self, begin: int, end: int) -> Batch:
        """Some of the calls, as a batch of their own."""
        arguments = self.arguments[begin:end]
        part = Batch(self.function, self.ticket, self.start + begin, arguments, self.deaths)
        part.pile = self.pile
        part.kept = self.kept
        return part

    def keep(self, as_they_are: Callable[[Calls], Calls]) -> None:
        """From now on it does not matter what Tasks do with what they have passed."""
        self.kept = True
        if self.request is None and not self.is_placed:
            self.arguments = as_they_are(self.arguments)

    def halves(self) -> list[Batch]:
        """The same calls in two batches: what kills its worker is found by halving."""
        return self.parts((len(self.arguments) + 1) // 2)
