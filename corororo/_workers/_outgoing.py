"""What a zone sends: calls that wait, cut into batches, encoded, placed, told to the workers.

All in order: what has no room yet keeps what comes later waiting. Knows no replies.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable
from typing import Any

from corororo._exceptions import FifoFull, RequestTooLarge

from ._arguments import argument_error
from ._batching import Batch, Pile
from ._config import PoolConfig
from ._functions import AsyncTaskFunction
from ._lanes import FIRST_EARLY, Lane
from ._placement import Outbox
from ._records import Records

MAX_BATCHES_OUT = 192  # the smallest FIFO that Linux makes holds 256 descriptors


class Outgoing:
    """For one transfer. ``fail`` is told of calls that cannot be sent at all."""

    def __init__(
        self,
        records: Records,
        outbox: Outbox,
        config: PoolConfig,
        now_ns: Callable[[], int],
        fail: Callable[[Batch, int, BaseException], None],
    ) -> None:
        self._records = records
        self._outbox = outbox
        self._config = config
        self._now_ns = now_ns
        self._fail = fail
        self._waiting: deque[Batch | Pile] = deque()
        self.lanes: dict[str, Lane] = {}  # by name: functions with other options share one
        self.fifo_is_full = False
        self.batches_sent = 0

    def __len__(self) -> int:
        """Batches that wait for room, and piles that have not been cut yet."""
        return len(self._waiting)

    def lane(self, function: AsyncTaskFunction[..., Any]) -> Lane:
        """The lane of a function; raises whatever typing or msgspec has against its types."""
        lane = self.lanes.get(function.name)
        if lane is None:
            lane = self.lanes[function.name] = Lane(function)
        return lane

    def worth_sending(self, function: AsyncTaskFunction[..., Any]) -> int:
        """How many of its calls are worth a batch."""
        lane = self.lanes.get(function.name)
        least = FIRST_EARLY if lane is None else lane.worth_sending
        return min(least, self._config.max_batch)

    def work_ns(self) -> float:
        """How long one worker would take for all that is out."""
        return sum(
            len(batch.arguments) * self.lane(batch.function).service_ns for batch in self._records
        )

    def add(self, pile: Pile) -> None:
        """Calls to be sent behind all others: now, or as they are now."""
        self._waiting.append(pile)
        self.send()
        for waiting in reversed(self._waiting):  # the latest stands last
            if waiting.kept:
                return
            waiting.keep(self.lane(waiting.function).codec.as_they_are)

    def put_first(self, batches: Iterable[Batch]) -> None:
        """Batches to be sent again, before all others and in this order."""
        self._waiting.extendleft(reversed(list(batches)))

    def send(self) -> None:
        """Send what there is room for."""
        waiting = self._waiting
        self.fifo_is_full = False
        while waiting:
            batch = waiting[0]
            if isinstance(batch, Pile) or not batch.is_placed:
                if len(self._records) >= MAX_BATCHES_OUT:
                    return
                lane = self.lane(batch.function)
                if isinstance(batch, Pile):
                    batch = self._cut(batch, lane)
                if batch.request is None and not self._encode(batch, lane):
                    continue  # smaller ones stand in its place, or it was refused
                if not self._records.place(batch, lane):
                    return  # the ring is full
            # Before it goes out: its worker may have begun by the time that we come back here.
            sent_ns = self._now_ns()
            try:
                self._outbox.send_nowait(self._records.descriptor(batch), len(self._records) - 1)
            except FifoFull:
                self.fifo_is_full = True
                return
            waiting.popleft()
            batch.sent = True
            batch.sent_ns = sent_ns
            self.batches_sent += 1

    def _cut(self, pile: Pile, lane: Lane) -> Batch:
        """Put the next batch of a pile before it, or in its place."""
        config = self._config
        size = lane.next_size(len(pile), pile.total, config.workers, config.max_batch)
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
