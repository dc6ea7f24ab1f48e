"""How large batches are, and how much of one zone's work is out at a time."""

from __future__ import annotations

from collections.abc import Callable

from corororo.abc import AsyncFunction

from ._codec import Codec, Reply

# A trip costs about 50 us in all processes together. Twice that measured better than four times.
WORTH_NS = 100_000
MAX_BATCH_NS = 16 * WORTH_NS  # of work in a batch of several calls
FIRST_EARLY = 64  # calls worth sending before the end of the pass, until the first reply
FIRST_CALLS = 4  # in a batch until the first reply: each may take long, and others wait behind it
FIRST_REPLY_BYTES = 32.0  # in the extent for each call, until the first reply
REPLY_HEAD_BYTES = 1024  # of a reply without values; a short failure fits, too
LEARNING = 0.25  # weight of the latest service time
SURPRISE = 4.0  # a single reply counts at most so many times the usual: it may be a preemption

MAX_WORTH_NS = 8 * WORTH_NS
WORTH_PER_DELAY = 0.5  # work in a batch for each nanosecond that batches wait for a worker
DOWN, UP = 1 / 2, 1 / 64  # weight of the latest delay, if it is shorter or longer

LEAST_BATCHES = 2  # for each worker: one that runs, and one to go on with
AHEAD_NS = 4_000_000  # of work for each worker
MAX_AHEAD_NS = 250_000_000
HOLD_NS = 1_000_000_000  # how long a wider window stays after a late look


class FunctionState:
    """What one transfer keeps for one function: its codec, service time and reply size.

    Batch sizes follow guided self-scheduling (Polychronopoulos and Kuck, 1987): each batch takes a
    part of what is left, so that the workers begin early and end together.
    """

    def __init__(self, function: AsyncFunction) -> None:
        self.codec: Codec = function.codec()
        self.name = function.name.encode()
        self.request_bytes = 0.0  # of a call, in the latest request
        self.reply_bytes = FIRST_REPLY_BYTES
        self.service_ns = 0.0  # of a call; 0 until the first reply
        self.worth_sending = FIRST_EARLY  # calls
        self._least = self._most = 0  # calls in a batch
        self._surprised = False  # whether the latest reply took far longer than usual

    def next_size(self, calls: int, of: int, workers: int, max_batch: int) -> int:
        """Size of the next batch, with ``calls`` left ``of`` a pile."""
        if not self.service_ns:
            return min(-(-of // workers), calls, max_batch, FIRST_CALLS)
        most = min(self._most, max_batch)
        size = min(max(-(-calls // (2 * workers)), self._least), most)
        if calls - size < self._least and calls <= most:
            return calls  # the rest would not be worth a batch
        return min(size, calls)

    def reply_room(self, calls: int) -> int:
        """Bytes to reserve for the reply to so many calls."""
        return REPLY_HEAD_BYTES + int(self.reply_bytes * calls)

    def note_reply(self, length: int, reply: Reply, worth_ns: float = WORTH_NS) -> None:
        """Learn from a reply of ``length`` bytes; batches are to hold ``worth_ns`` of work."""
        calls = len(reply.values)
        if reply.failures is None:  # tracebacks say nothing about the size of results
            self.reply_bytes = max(0.95 * self.reply_bytes, 1.25 * length / calls)
        if not reply.busy_ns:
            return  # no call was run
        took_ns = max(reply.busy_ns / calls, 1.0)
        if self.service_ns:
            most_ns = SURPRISE * self.service_ns
            surprised, self._surprised = self._surprised, took_ns > most_ns
            if not surprised:  # the second in a row is believed: the work has become heavier
                took_ns = min(took_ns, most_ns)
            took_ns = self.service_ns + LEARNING * (took_ns - self.service_ns)
        self.service_ns = took_ns
        self._least = self.worth_sending = max(1, int(worth_ns / took_ns))
        self._most = max(1, int(MAX_BATCH_NS / took_ns))


class BatchWorth:
    """How much work a batch must hold, learnt from how long batches wait for a worker.

    On free cores the delay is the time of a wake-up. Where 300 zones share two cores it is
    milliseconds, and small batches only cost more turns with cold caches: with larger ones 300
    zones made nine times as many ticks. A single long delay says little, so short ones count more.
    """

    def __init__(self) -> None:
        self._delay_ns = 0.0
        self.worth_ns = float(WORTH_NS)

    def note_delay(self, delay_ns: float) -> None:
        """Learn from one batch that waited so long after it was sent."""
        weight = DOWN if delay_ns < self._delay_ns else UP
        self._delay_ns += weight * (delay_ns - self._delay_ns)
        self.worth_ns = min(max(WORTH_NS, WORTH_PER_DELAY * self._delay_ns), MAX_WORTH_NS)


class SendWindow:
    """How much of one zone's work may be with the workers at a time.

    All zones of a pool share one queue. A zone that sent all it has would make the others wait, so
    the rest stays in its own ring until replies come back. What is out covers the time until the
    zone looks for replies again, which is short unless the zone looks seldom.
    """

    def __init__(self, workers: int, now_ns: Callable[[], int]) -> None:
        self.workers = workers
        self._now_ns = now_ns
        self._ahead_ns = AHEAD_NS
        self._until_ns = 0  # the window does not shrink before
        self._sent_ns = now_ns()

    def has_room(self, batches: int, work_ns: float) -> bool:
        """Whether another batch may go out beside so many with so much work."""
        return batches < LEAST_BATCHES * self.workers or work_ns < self._ahead_ns * self.workers

    def note_sent(self) -> None:
        """All that fits has gone out."""
        self._sent_ns = self._now_ns()

    def note_look(self, batches_out: int) -> None:
        """Learn from a look for replies."""
        now_ns = self._now_ns()
        gap_ns = now_ns - self._sent_ns
        if not batches_out and gap_ns > self._ahead_ns:  # the workers ran out of work
            self._ahead_ns = min(gap_ns, MAX_AHEAD_NS)
        elif now_ns < self._until_ns or self._ahead_ns == AHEAD_NS:
            return
        elif 2 * gap_ns < self._ahead_ns:
            self._ahead_ns = max(AHEAD_NS, self._ahead_ns // 2)
        self._until_ns = now_ns + HOLD_NS
