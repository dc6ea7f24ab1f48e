"""Sends a zone's calls: cuts them into batches, encodes, places and announces them, in order.

Calls without room in the ring wait as piles. Batches in the ring wait for room in the send
window, so that one zone does not fill the queue that all zones share.
"""

from __future__ import annotations

import heapq
import math
from collections import deque
from collections.abc import Callable, Iterable
from typing import Any

from corororo._exceptions import FifoFull, RequestTooLarge
from corororo._main_module import main_module_problem
from corororo._ring import LEAST_CAPACITY, FifoWriter, PoolConfig

from ._arrays import Message
from ._errors import argument_error
from ._functions import AsyncTaskFunction
from ._records import Batch, Pile, Records
from ._sizing import AHEAD_NS, FIRST_EARLY, LEAST_BATCHES, BatchWorth, FunctionState, SendWindow

MAX_BATCHES_OUT = LEAST_CAPACITY * 3 // 4  # of one zone: the FIFO has room for others, too
FEW_BYTES = 1024  # of the arguments of a call: any batch of them fits


class Sender:
    """The way from one zone to the workers. ``fail`` gets calls that cannot be sent at all."""

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
        self.calls = calls
        self._config = config
        self.now_ns = now_ns
        self._fail = fail
        self._piles = 0
        self._waiting: deque[Batch | Pile] = deque()  # for room in the ring
        self._placed: list[tuple[tuple[int, int], Batch]] = []  # a heap by turn: not sent yet
        self._states: dict[Any, FunctionState] = {}  # functions with other options share one
        self.window = SendWindow(workers, now_ns)
        self.worth = BatchWorth()
        self.fifo_is_full = False
        self.batches_sent = 0

    def __len__(self) -> int:
        """Batches and piles that are not with the workers."""
        return len(self._waiting) + len(self._placed)

    def state(self, function: AsyncTaskFunction[..., Any]) -> FunctionState:
        """The state of a function; TypeError for one that workers would not find or understand."""
        state = self._states.get(function.original)
        if state is None:
            problem = main_module_problem(function.original, self._config.main)
            if problem is not None:
                raise TypeError(problem)
            state = self._states[function.original] = FunctionState(function)
        return state

    def worth_sending(self, function: AsyncTaskFunction[..., Any]) -> int:
        """How many calls of a function are worth a batch."""
        state = self._states.get(function.original)
        least = FIRST_EARLY if state is None else state.worth_sending
        return min(least, self._config.max_batch)

    def likely_ns(self) -> float:
        """Likely time for all calls that are out, with all workers; infinite if some wait."""
        if self._waiting or self.fifo_is_full:
            return math.inf
        work_ns = sum(batch.calls * batch.state.service_ns for batch in self._records)
        return work_ns / self.window.workers

    def add(self, pile: Pile) -> None:
        """Send calls after all earlier ones; those that have to wait are frozen as they are now."""
        self._piles += 1
        pile.number = self._piles
        self._waiting.append(pile)
        self.send()
        for waiting in reversed(self._waiting):
            if waiting.frozen:
                return
            waiting.freeze(waiting.state.codec.snapshot)

    def note_back(self, batch: Batch) -> None:
        """Learn how long a batch waited for a worker, unless behind others of this zone."""
        if batch.ahead < self.window.workers:
            delay_ns = self._records.delay_ns(batch, self.now_ns())
            if delay_ns is not None:
                self.worth.note_delay(delay_ns)

    def put_first(self, batches: Iterable[Batch]) -> None:
        """Place these batches before all others, in this order."""
        self._waiting.extendleft(reversed(list(batches)))

    def send_again(self, batch: Batch) -> None:
        """Send the descriptor of a record that got a new attempt."""
        self._records.note_back(batch)
        heapq.heappush(self._placed, (batch.turn, batch))

    def send_copy(self, batch: Batch) -> bool:
        """Write a copy of a descriptor; False if the FIFO is half full: new calls go first."""
        if 2 * self.calls.queued() >= self.calls.capacity():
            return False
        try:
            self.calls.write_nowait(self._records.descriptor(batch))
        except FifoFull:
            return False
        return True

    def send_more(self) -> None:
        """Send what fits after a look for replies."""
        self.window.note_look(self._records.out)
        self.send()

    def send(self) -> None:
        """Place what fits into the ring, and send what fits into the window."""
        self._place()
        self._send_placed()
        self.window.note_sent()

    def _place(self) -> None:
        waiting = self._waiting
        enough = LEAST_BATCHES * self.window.workers
        while waiting and len(self._records) < MAX_BATCHES_OUT:
            batch = waiting[0]
            if not batch.state.service_ns and len(self._records) >= enough:
                return  # the first reply will tell how many calls should go together
            if isinstance(batch, Pile):
                batch = self._cut(batch)
            request = batch.request or self._encode(batch)
            if request is None:
                continue  # its halves stand in its place, or it was refused
            if batch.is_large and len(self._records) >= enough:
                return  # more would only take memory
            try:
                if not self._records.place(batch, request):
                    return
            except RequestTooLarge as error:
                self._refuse(batch, error)
                continue
            waiting.popleft()
            heapq.heappush(self._placed, (batch.turn, batch))

    def _send_placed(self) -> None:
        self.fifo_is_full = False
        records, placed = self._records, self._placed
        while placed and self.window.has_room(records.out, records.out_ns):
            batch = placed[0][1]
            # Read before the write: a worker may begin before this process runs again.
            sent_ns = self.now_ns()
            try:
                self.calls.write_nowait(records.descriptor(batch))
            except FifoFull:
                self.fifo_is_full = True
                return
            heapq.heappop(placed)
            batch.expected_ns = batch.calls * batch.state.service_ns or AHEAD_NS
            records.note_sent(batch, sent_ns)
            self.batches_sent += 1

    def _cut(self, pile: Pile) -> Batch:
        """Put the next batch of a pile before the rest of it."""
        state = pile.state
        size = state.next_size(len(pile), pile.total, self.window.workers, self._config.max_batch)
        if state.request_bytes > FEW_BYTES:
            call_bytes = state.request_bytes + state.reply_bytes
            size = max(1, min(size, int(self._records.largest / call_bytes)))
        batch = pile.cut(size)
        if len(pile):
            self._waiting.appendleft(batch)
        else:
            self._waiting[0] = batch
        return batch

    def _encode(self, batch: Batch) -> Message | None:
        """Encode the first waiting batch; None if it was halved or refused instead."""
        several = batch.calls > 1
        try:
            request = batch.state.codec.request_parts(batch.arguments)
        except Exception as error:  # the encoder may raise anything
            if several:
                self._halve(batch)
            else:
                self._refuse(batch, argument_error(batch.function, batch.arguments[0], error))
            return None
        self._records.measure(batch, request)
        size, limit = batch.request_bytes, self._config.max_message_bytes
        batch.state.request_bytes = size / batch.calls
        if several and (batch.is_large or size > limit):
            self._halve(batch)
            return None
        if size > limit:
            too_large = RequestTooLarge(
                f"the arguments of {batch.function.name} take {size} bytes, the limit is "
                f"{limit}; pass less, or raise WorkerPool(max_message_bytes=...)"
            )
            self._refuse(batch, too_large)
            return None
        batch.request = request
        return request

    def _halve(self, batch: Batch) -> None:
        self._waiting.popleft()
        self.put_first(batch.halves())

    def _refuse(self, batch: Batch, error: BaseException) -> None:
        self._waiting.popleft()
        self._fail(batch, 0, error)
