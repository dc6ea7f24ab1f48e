"""What a zone sends: calls that wait, cut into batches, encoded, placed, told to the workers.

All in order: what has no room yet keeps what comes later waiting. What stands in the ring waits
for its turn, which keeps one zone from filling the queue of all. Knows no replies.
"""

from __future__ import annotations

import heapq
import math
from collections import deque
from collections.abc import Callable, Iterable
from typing import Any

from corororo._exceptions import FifoFull, RequestTooLarge
from corororo._ring import LEAST_CAPACITY, FifoWriter

from ._arguments import argument_error
from ._batching import Batch, Pile
from ._config import PoolConfig
from ._functions import AsyncTaskFunction
from ._lanes import FIRST_EARLY, Lane
from ._records import Records
from ._window import AHEAD_NS, LEAST_BATCHES, Window
from ._worth import Worth

MAX_BATCHES_OUT = LEAST_CAPACITY * 3 // 4  # of one zone: a FIFO has room for others, too


class Outgoing:
    """For one transfer. ``fail`` is told of calls that cannot be sent at all."""

    def __init__(
        self,
        records: Records,
        calls: FifoWriter,
        config: PoolConfig,
        workers: int,
        now_ns: Callable[[], int],
        fail: Callable[[Batch, int, BaseException], None],
    ) -> None:
        self._records = records
        self._calls = calls
        self._config = config
        self._now_ns = now_ns
        self._fail = fail
        self._piles = 0  # so far
        self._waiting: deque[Batch | Pile] = deque()
        self._placed: list[tuple[tuple[int, int], Batch]] = []  # a heap: by turn, not sent yet
        self.window = Window(workers, now_ns)
        self.worth = Worth()
        self.lanes: dict[str, Lane] = {}  # by name: functions with other options share one
        self.fifo_is_full = False
        self.batches_sent = 0

    def __len__(self) -> int:
        """Batches that are not with the workers, and piles that have not been cut yet."""
        return len(self._waiting) + len(self._placed)

    def lane(self, function: AsyncTaskFunction[..., Any]) -> Lane:
        """The lane of a function; raises whatever typing or msgspec has against its types."""
        lane = self.lanes.get(function.name)
        if lane is None:
            lane = self.lanes[function.name] = Lane(function, self.worth)
        return lane

    def worth_sending(self, function: AsyncTaskFunction[..., Any]) -> int:
        """How many of its calls are worth a batch."""
        lane = self.lanes.get(function.name)
        least = FIRST_EARLY if lane is None else lane.worth_sending
        return min(least, self._config.max_batch)

    def likely_ns(self) -> float:
        """From what calls have taken before, with all workers at all of them; or infinite."""
        if self._waiting or self.fifo_is_full:
            return math.inf
        work_ns = sum(
            len(batch.arguments) * self.lane(batch.function).service_ns for batch in self._records
        )
        return work_ns / self.window.workers

    def add(self, pile: Pile) -> None:
        """Calls to be sent behind all others: now, or as they are now."""
        self._piles += 1
        pile.number = self._piles
        self._waiting.append(pile)
        self.send()
        for waiting in reversed(self._waiting):  # the latest stands last
            if waiting.kept:
                return
            waiting.keep(self.lane(waiting.function).codec.as_they_are)

    def put_first(self, batches: Iterable[Batch]) -> None:
        """Batches that have to be placed, before all others and in this order."""
        self._waiting.extendleft(reversed(list(batches)))

    def put_back(self, batch: Batch) -> None:
        """One that stands in the ring, and has to be sent when it is its turn."""
        heapq.heappush(self._placed, (batch.turn, batch))

    def go_on(self) -> None:
        """Send more, after a look for replies."""
        self.window.look(self._records.out)
        self.send()

    def send(self) -> None:
        """Place what there is room for, and send what may be with the workers now."""
        self._place()
        self._send_placed()
        self.window.sent()

    def _place(self) -> None:
        waiting = self._waiting
        while waiting and len(self._records) < MAX_BATCHES_OUT:
            batch = waiting[0]
            lane = self.lane(batch.function)
            if not lane.service_ns and self._has_enough():
                return  # the first reply tells how many calls should go together
            if isinstance(batch, Pile):
                batch = self._cut(batch, lane)
            if batch.request is None and not self._encode(batch, lane):
                continue  # smaller ones stand in its place, or it was refused
            if not self._records.place(batch, lane):
                return  # the ring is full
            waiting.popleft()
            self.put_back(batch)

    def _has_enough(self) -> bool:
        """Whether each worker has something to do and something to go on with."""
        return len(self._records) >= LEAST_BATCHES * self.window.workers

    def _send_placed(self) -> None:
        self.fifo_is_full = False
        records, placed = self._records, self._placed
        while placed and self.window.has_room(records.out, records.out_ns):
            batch = placed[0][1]
            # Before it goes out: its worker may have begun by the time that we come back here.
            sent_ns = self._now_ns()
            try:
                self._calls.write_nowait(records.descriptor(batch))
            except FifoFull:
                self.fifo_is_full = True
                return
            heapq.heappop(placed)
            service_ns = self.lane(batch.function).service_ns
            batch.expected_ns = len(batch.arguments) * service_ns or AHEAD_NS
            records.went_out(batch, sent_ns)
            self.batches_sent += 1

    def _cut(self, pile: Pile, lane: Lane) -> Batch:
        """Put the next batch of a pile before it, or in its place."""
        size = lane.next_size(len(pile), pile.total, self.window.workers, self._config.max_batch)
        batch = pile.cut(size)
        if len(pile):
            self._waiting.appendleft(batch)
        else:
            self._waiting[0] = batch
        return batch

    def _encode(self, batch: Batch, lane: Lane) -> bool:
        """Encode the first waiting batch; False where it does not wait any more as it is."""
        several = len(batch.arguments) > 1
        try:
            batch.request = lane.codec.encode_request(batch.arguments)
        except Exception as error:  # whatever the encoder raises, it is the caller's to hear
            if several:
                self._halve(batch)
            else:
                self._refuse(batch, argument_error(batch.function, batch.arguments[0], error))
            return False
        if several and self._records.is_too_large(batch, lane):
            self._halve(batch)
            return False
        least_bytes = self._records.least_bytes(batch, lane)
        if least_bytes > self._config.ring_bytes:
            self._refuse(batch, _request_too_large(batch, least_bytes, self._config))
            return False
        return True

    def _halve(self, batch: Batch) -> None:
        self._waiting.popleft()
        self.put_first(batch.halves())

    def _refuse(self, batch: Batch, error: BaseException) -> None:
        self._waiting.popleft()
        self._fail(batch, 0, error)


def _request_too_large(batch: Batch, least_bytes: int, config: PoolConfig) -> RequestTooLarge:
    assert batch.request is not None
    return RequestTooLarge(
        f"the arguments of {batch.function.name} take {len(batch.request)} bytes, {least_bytes} "
        f"with a record's head and room for a reply, and the ring holds {config.ring_bytes}; "
        f"pass less, or raise WorkerPool(ring_bytes=...)"
    )
