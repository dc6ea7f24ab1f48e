"""One tick's calls into batches: how many go together, and what a batch is. Knows no bytes."""

from __future__ import annotations

from typing import Any

from corororo._handles import Handle

from ._functions import AsyncTaskFunction

UNPLACED = -1
NO_HANDLE = Handle(0, 0)


class Batch:
    """Some calls of one function that travel in one record."""

    __slots__ = (
        "arguments",
        "attempt",
        "deaths",
        "expired",
        "function",
        "handle",
        "offset",
        "reply_offset",
        "request",
        "sent",
        "start",
        "ticket",
    )

    def __init__(
        self,
        function: AsyncTaskFunction[..., Any],
        ticket: Any,
        start: int,
        arguments: list[tuple[Any, ...]],
        deaths: int = 0,
    ) -> None:
        self.function = function
        self.ticket = ticket
        self.start = start  # the place of the first call among those sent under the ticket
        self.arguments = arguments
        self.deaths = deaths  # workers that died while they had this call alone
        self.request: bytes | None = None  # encoded, once
        self.offset = UNPLACED  # of its record in the ring
        self.reply_offset = 0  # of the reply extent in the ring
        self.handle = NO_HANDLE
        self.attempt = 1
        self.sent = False
        self.expired: int | None = None  # the call that has run longer than its timeout

    @property
    def sequence(self) -> int:
        """Its handle, as a record and its descriptors carry it."""
        return self.handle.pack()

    def parts(self, size: int) -> list[Batch]:
        """The same calls in batches of at most ``size``."""
        return [self.part(i, i + size) for i in range(0, len(self.arguments), size)]

    def part(self, begin: int, end: int) -> Batch:
        """Some of the calls, as a batch of their own."""
        arguments = self.arguments[begin:end]
        return Batch(self.function, self.ticket, self.start + begin, arguments, self.deaths)

    def halves(self) -> list[Batch]:
        """The same calls in two batches: what kills its worker is found by halving."""
        return self.parts((len(self.arguments) + 1) // 2)


def batch_size(calls: int, workers: int, max_batch: int) -> int:
    """How many of ``calls`` go into a batch: as few as keep every worker busy, with a bound."""
    return max(1, min(max_batch, -(-calls // workers)))
