"""The plan's "before": everything that belongs to a call travels, there and back.

The function, its arguments and an execution context are pickled into one queue of multiprocessing,
the context and the result into another; a thread of each queue writes them. They are pickled here,
since those threads only print what they cannot pickle.
"""

from __future__ import annotations

import copyreg
import os
import pickle
import struct
from collections.abc import Iterable, Sequence
from contextlib import ExitStack
from itertools import count
from multiprocessing import current_process
from multiprocessing.queues import Queue
from typing import Any, TypeAlias

import msgspec

import corororo as cr
from corororo.abc import Completion

from .answers import (
    Sent,
    codec_of,
    describe_failure,
    failed,
    rebuild_failure,
    resolve,
    run_calls,
)
from .crew import Worker, context
from .frames import FrameReader
from .line import Line
from .lines import Lines
from .rung import Rung

TICKET = struct.Struct("<Q")  # | ticket u64 | what was pickled |
VARIABLES = {  # what a context holds beside its call
    "affinity": "main thread",
    "parent": "the scheduler",
    "priority": 0,
    "trace": None,
}
BytesQueue: TypeAlias = "Queue[bytes]"


class ExecutionContext(msgspec.Struct):
    """Who waits for a call, and how it is to be run."""

    ticket: int
    caller: str
    variables: dict[str, object]
    deadline_s: float | None


class Context(Rung):
    """One queue to all workers and one back, a message for each call, pickled whole."""

    name = "context"

    def open_lines(self) -> Lines:
        """All workers on one line, as on the queue of handles."""
        return Lines(lambda: ContextLine(self.name, self.workers), 1)


class ContextLine(Line):
    """Two queues of multiprocessing, and all workers at them."""

    def __init__(self, name: str, workers: int) -> None:
        super().__init__()
        with ExitStack() as undo:
            self._calls = _open_queue(undo)
            replies = _open_queue(undo)
            self.workers: list[Worker] = []
            for _ in range(workers):
                self.workers.append(Worker(name, serve, self._calls, replies))
                undo.callback(self.workers[-1].end)
            self._parts = undo.pop_all()
        self.sentinels = [worker.sentinel for worker in self.workers]
        self._window = self.messages_out * workers
        self._tickets = count(1)
        self._out: dict[int, Sent] = {}
        self._replies_fd = _reading_end(replies)
        os.set_blocking(self._replies_fd, False)
        self._reader = FrameReader(
            self._replies_fd
        )  # its own get() waits for the rest of a message

    @property
    def replies_fd(self) -> int:
        """The end of the other queue that we read from."""
        return self._replies_fd

    @property
    def has_room(self) -> bool:
        """Not where the workers have enough to do: the queue itself takes any number."""
        return self.out < self._window

    def send(
        self,
        function: cr.AsyncTaskFunction[..., Any],
        ticket: object,
        start: int,
        calls: Sequence[tuple[Any, ...]],
    ) -> None:
        """All that belongs to one call."""
        sent = Sent(codec_of(function), ticket, start, len(calls))
        number = next(self._tickets)
        frame = ExecutionContext(number, current_process().name, dict(VARIABLES), None)
        self._calls.put(TICKET.pack(number) + pickle.dumps((function, calls[0], frame)))
        self._out[number] = sent

    def take(self, ready: list[Completion]) -> None:
        """Outcomes find their calls by the ticket."""
        for message in self._reader.read():
            outcome = pickle.loads(message)
            sent = self._out.pop(*TICKET.unpack_from(outcome))
            self.out -= 1
            if not sent.forgotten:
                ready.append(_completion(sent, outcome[TICKET.size :]))

    def all_out(self) -> Iterable[Sent]:
        """What has a ticket."""
        return self._out.values()

    def close(self) -> None:
        """End the workers, then the queues and their threads."""
        self._parts.close()


def _completion(sent: Sent, pickled: bytes) -> Completion:
    try:
        _, value, failure = pickle.loads(pickled)
    except Exception as error:  # the result's class may raise anything
        return failed(sent.ticket, sent.start, error)
    if failure is None:
        return Completion(sent.ticket, sent.start, [value], None)
    told = rebuild_failure(failure, sent.codec.function.name)
    return failed(sent.ticket, sent.start, told)


def _open_queue(parts: ExitStack) -> BytesQueue:
    queue: Any = context().Queue()
    queue._ignore_epipe = True  # its thread ends with its readers, and says nothing
    parts.callback(_close_queue, queue)
    opened: BytesQueue = queue
    return opened


def _close_queue(queue: Any) -> None:  # noqa: ANN401 - of its own privacy
    """The workers have ended: with our reading end the last one closes, and nobody waits on."""
    queue._reader.close()
    queue.close()
    queue.join_thread()
    queue._writer.close()


def _reading_end(queue: Any) -> int:  # noqa: ANN401 - of its own privacy
    fd: int = queue._reader.fileno()
    return fd


# -- in a worker


def serve(calls: BytesQueue, replies: BytesQueue) -> None:
    """Run one call after another."""
    while True:
        message = calls.get()
        replies.put(message[: TICKET.size] + _outcome(message[TICKET.size :]))


def _outcome(pickled: bytes) -> bytes:
    try:
        function, arguments, frame = pickle.loads(pickled)
        [value], failures = run_calls(function.run, [arguments])
        failure = None if failures is None else describe_failure(failures[0])
        return pickle.dumps((frame, value, failure))
    except Exception as error:  # of pickle, or of the classes that it makes or takes apart
        return pickle.dumps((None, None, describe_failure(error)))


def _by_name(function: cr.AsyncTaskFunction[..., Any]) -> tuple[Any, tuple[str]]:
    return resolve, (function.name,)


copyreg.pickle(cr.AsyncTaskFunction, _by_name)  # as Python pickles functions: by their name
