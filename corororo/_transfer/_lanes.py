"""What a transfer knows of one function: how long its calls take and how long its replies are.

From that come the sizes of batches and of reply extents. Knows no records.

The sizes follow guided self-scheduling (Polychronopoulos and Kuck, 1987): each batch takes a part
of what is left, so that the workers begin early and end together; a batch is worth its trip, and
no batch keeps a worker for long.
"""

from __future__ import annotations

from typing import Any

from ._codec import Codec, Reply
from ._functions import AsyncTaskFunction
from ._worth import WORTH_NS, Worth

LONGEST_NS = 16 * WORTH_NS  # a batch of many calls keeps a worker no longer
FIRST_EARLY = 64  # calls that are worth sending early, until the function has replied once
FIRST_CALLS = 4  # in a batch, until then: each may take long, and others wait behind
FIRST_REPLY_BYTES = 32.0  # a call's share of the extent, until then
REPLY_HEAD_BYTES = 512  # of a reply without any values; one short failure fits, too
LEARNING = 0.25  # the weight of the latest reply
SURPRISE = 4.0  # how many times the usual one reply may count at most: it may have been preempted


class Lane:
    """One function's way through one transfer."""

    __slots__ = (
        "_surprised",
        "_worth",
        "codec",
        "least",
        "most",
        "name",
        "reply_bytes",
        "service_ns",
        "worth_sending",
    )

    def __init__(self, function: AsyncTaskFunction[..., Any], worth: Worth) -> None:
        self._worth = worth
        self.codec = Codec(function)
        self.name = function.name.encode()
        self.reply_bytes = FIRST_REPLY_BYTES
        self.worth_sending = FIRST_EARLY
        self.service_ns = 0.0  # of a call; 0 until the function has replied once
        self.least = self.most = 0
        self._surprised = False  # by the latest reply, which took far longer than usual

    def next_size(self, calls: int, of: int, workers: int, max_batch: int) -> int:
        """How many of the ``calls`` that are left ``of`` a pile go into the next batch."""
        if not self.service_ns:
            return min(-(-of // workers), calls, max_batch, FIRST_CALLS)
        most = min(self.most, max_batch)
        size = min(max(-(-calls // (2 * workers)), self.least), most)
        if calls - size < self.least and calls <= most:
            return calls  # what would be left is not worth a batch
        return min(size, calls)

    def reply_room(self, calls: int) -> int:
        """Bytes for the reply of so many calls."""
        return REPLY_HEAD_BYTES + int(self.reply_bytes * calls)

    def note_reply(self, length: int, reply: Reply) -> None:
        """Learn from a reply of ``length`` bytes."""
        calls = len(reply.values)
        if reply.failures is None:  # a traceback says nothing of the size of results
            self.reply_bytes = max(0.95 * self.reply_bytes, 1.25 * length / calls)
        if not reply.busy_ns:
            return  # none of its calls was run
        took_ns = max(reply.busy_ns / calls, 1.0)
        if self.service_ns:
            most_ns = SURPRISE * self.service_ns
            surprised, self._surprised = self._surprised, took_ns > most_ns
            if not surprised:  # the second in a row is believed: the work has become heavier
                took_ns = min(took_ns, most_ns)
            took_ns = self.service_ns + LEARNING * (took_ns - self.service_ns)
        self._serves_in(took_ns)

    def _serves_in(self, service_ns: float) -> None:
        self.service_ns = service_ns
        self.least = max(1, int(self._worth.worth_ns / service_ns))  # calls that are worth a batch
        self.worth_sending = self.least
        self.most = max(1, int(LONGEST_NS / service_ns))
