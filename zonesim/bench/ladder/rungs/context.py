"""Before the plan: a whole execution context travels with each call, pickled, there and back."""

from __future__ import annotations

import pickle
import queue
from collections.abc import Iterator
from itertools import count
from multiprocessing import current_process
from multiprocessing.queues import Queue
from typing import Any

import msgspec

from corororo.abc import Completion
from zonesim.bench.children import server

from .rung import Rung, Sent, types_of

VARIABLES = {"affinity": "main thread", "parent": "the scheduler", "priority": 0, "trace": None}


class ExecutionContext(msgspec.Struct):
    """Who waits for a call, and how it is to be run."""

    ticket: int
    caller: str
    variables: dict[str, object]
    deadline_s: float | None = None


class Context(Rung):
    """One queue to all workers and one back, each with its feeder thread."""

    def start(self) -> None:
        """Open both queues and start the workers."""
        self._calls: Queue[bytes] = server().Queue()
        self._replies: Queue[bytes] = server().Queue()
        self._tickets = count()
        self._sent: dict[int, Sent] = {}
        for pipe in (self._calls, self._replies):
            self._parts.callback(pipe.join_thread)
            self.own(pipe)
        for _ in range(self.workers):
            self.start_worker(serve, self._calls, self._replies)

    def send(self, sent: Sent) -> None:
        """Pickle all that belongs to the call."""
        frame = ExecutionContext(next(self._tickets), current_process().name, dict(VARIABLES))
        self._sent[frame.ticket] = sent
        self._calls.put(pickle.dumps((frame, sent.function.name, sent.calls)))

    def receive(self, timeout_s: float | None) -> Iterator[Completion]:
        """Contexts come back with their results."""
        while (message := self._next(timeout_s)) is not None:
            frame, values = pickle.loads(message)
            yield self._sent.pop(frame.ticket).completion(values)
            timeout_s = 0

    def _next(self, timeout_s: float | None) -> bytes | None:
        try:
            return self._replies.get(timeout_s != 0, timeout_s)
        except queue.Empty:
            return None


def serve(calls: Queue[bytes], replies: Queue[bytes]) -> None:
    """Run one call after another."""
    while True:
        frame, name, arguments = pickle.loads(calls.get())
        values: list[Any] = [types_of(name).run(*call) for call in arguments]
        replies.put(pickle.dumps((frame, values)))
