"""What all rungs share: calls wait in order, go out as there is room, and come back."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, closing
from functools import cache
from importlib import import_module
from multiprocessing.connection import Connection
from selectors import EVENT_READ, DefaultSelector
from types import GenericAlias
from typing import Any, ClassVar, NamedTuple, Self, TypeAlias

import msgspec

import corororo as cr
from corororo.abc import Completion, WorkerUse
from zonesim.bench.children import Child, server

End: TypeAlias = "Connection[Any, Any]"
Function: TypeAlias = cr.AsyncTaskFunction[..., Any]


class Sent(NamedTuple):
    """Calls of one function that travel in one message."""

    function: Function
    ticket: object
    start: int
    calls: Sequence[tuple[Any, ...]]

    def completion(self, values: Sequence[Any]) -> Completion:
        """Their results."""
        return Completion(self.ticket, self.start, values, None)


class Rung:
    """Workers, and the Transfer to them for one Scheduler; a context manager."""

    calls_together: ClassVar[int] = 1  # in one message
    messages_out: ClassVar[int] = 64  # for each worker, so that pipes never fill up

    def __init__(self, workers: int = 2) -> None:
        self.workers = workers
        self.in_flight = self.batches_sent = self.calls_retried = 0
        self.max_pending = 100_000
        self._out = 0  # messages
        self._waiting: deque[Sent] = deque()
        self._ready: list[Completion] = []
        self._parts = ExitStack()
        self._selector = DefaultSelector()
        self.own(self._selector)

    # -- what a rung has of its own

    def start(self) -> None:
        """Start the workers; ``own`` and ``start_worker`` see to their end."""
        raise NotImplementedError

    def send(self, sent: Sent) -> None:
        """Send one message."""
        raise NotImplementedError

    def receive(self, timeout_s: float | None) -> Iterator[Completion]:
        """What comes back within that time, perhaps nothing."""
        raise NotImplementedError

    def own(self, part: Any) -> None:  # noqa: ANN401 - anything with a close method
        """Close it with the rung."""
        self._parts.enter_context(closing(part))

    def watch(self, end: End, place: int = 0) -> None:
        """Have ``messages`` read from the end of a pipe, and close it with the rung."""
        self.own(end)
        self._selector.register(end, EVENT_READ, place)

    def messages(self, timeout_s: float | None) -> Iterator[tuple[int, bytes]]:
        """Messages that have come back, each with the place of its pipe."""
        while ready := self._selector.select(timeout_s):
            for key, _ in ready:
                end: Any = key.fileobj
                yield key.data, end.recv_bytes()
            timeout_s = 0

    def start_worker(self, target: Callable[..., None], *arguments: object) -> None:
        """Start a worker process."""
        self.own(Child(target, *arguments))

    # -- the pool

    def open_transfer(self) -> Self:
        """The rung itself: it serves one Scheduler."""
        return self

    def __enter__(self) -> Self:
        with ExitStack() as undo:
            undo.callback(self._parts.close)
            self.start()
            undo.pop_all()
        return self

    def __exit__(self, *exception: object) -> None:
        self._parts.close()

    # -- the transfer

    def send_nowait(self, function: Any, ticket: object, arguments: Sequence[Any]) -> None:  # noqa: ANN401 - an AsyncFunction
        """Send what there is room for; the rest waits in its order."""
        self.in_flight += len(arguments)
        size = min(self.calls_together, -(-len(arguments) // self.workers))
        for start in range(0, len(arguments), size):
            self._waiting.append(
                Sent(function, ticket, start, list(arguments[start : start + size]))
            )
        self._send_waiting()

    def take_nowait(self) -> list[Completion]:
        """What has come back; sends what there is room for now."""
        self._receive(0)
        self._send_waiting()
        ready, self._ready = self._ready, []
        self.in_flight -= sum(len(completion.values) for completion in ready)
        return ready

    def wait(self, timeout_s: float | None) -> None:
        """Block until a message has come back, or the time is over."""
        if not self._ready:
            self._receive(timeout_s)

    def begin_tick(self) -> None:
        """Results are never lent."""

    def lend(self, function: Any, values: Sequence[Any]) -> None:  # noqa: ANN401 - as send_nowait
        """Results are never lent."""

    def worth_sending(self, function: Any) -> int:  # noqa: ANN401 - as send_nowait
        """A full message."""
        return self.calls_together

    def fileno(self) -> int:
        """None: these rungs are not used under trio."""
        return -1

    def longest_wait_s(self) -> float | None:
        """No limit."""
        return None

    def likely_wait_s(self) -> float:
        """Unknown."""
        return math.inf

    def worker_use(self) -> list[WorkerUse]:
        """Not recorded."""
        return []

    def close(self) -> None:
        """The rung ends with its ``with`` block."""

    def _send_waiting(self) -> None:
        window = self.messages_out * self.workers
        while self._waiting and self._out < window:
            self._out += 1
            self.batches_sent += 1
            self.send(self._waiting.popleft())

    def _receive(self, timeout_s: float | None) -> None:
        for completion in self.receive(timeout_s):
            self._out -= 1
            self._ready.append(completion)


class PipeRung(Rung):
    """A rung with a pair of pipes for each worker, which take turns."""

    serve: ClassVar[Callable[..., None]]  # runs in the worker; has its ends of both pipes

    def start(self) -> None:
        """Open the pipes, and start a worker on each pair."""
        self._calls: list[End] = []
        self._turn = 0
        self._out_at = [0] * self.workers  # messages, by worker
        for place in range(self.workers):
            calls, ours = server().Pipe(duplex=False)
            replies, theirs = server().Pipe(duplex=False)
            self.own(ours)
            self.watch(replies, place)
            self._calls.append(ours)
            with calls, theirs:
                self.start_worker(type(self).serve, calls, theirs, *self.worker_arguments(place))

    def worker_arguments(self, place: int) -> tuple[object, ...]:
        """What else a worker is started with."""
        return ()

    def next_place(self) -> int:
        """The worker whose turn it is, of those with room for a message."""
        while True:
            self._turn = (self._turn + 1) % self.workers
            if self._out_at[self._turn] < self.messages_out:
                self._out_at[self._turn] += 1
                return self._turn

    def messages(self, timeout_s: float | None) -> Iterator[tuple[int, bytes]]:
        """As Rung, and the workers have room again."""
        for place, message in super().messages(timeout_s):
            self._out_at[place] -= 1
            yield place, message


# -- calls and results as bytes, on both sides

ENCODER = msgspec.msgpack.Encoder()


class Types(NamedTuple):
    """A function, and decoders of what travels for it."""

    run: Callable[..., Any]
    decode_calls: Callable[[bytes | memoryview], list[tuple[Any, ...]]]
    decode_results: Callable[[bytes | memoryview], list[Any]]

    def answer(self, request: bytes | memoryview) -> bytes:
        """Run the calls of a request, and encode their results."""
        return ENCODER.encode([self.run(*call) for call in self.decode_calls(request)])


@cache
def types_of(name: str) -> Types:
    """The types of a function, by its ``module:qualified name``."""
    module, _, qualified = name.partition(":")
    function: Function = getattr(import_module(module), qualified)
    return Types(
        function.run,
        _decoder_of_lists(function.argument_types()),
        _decoder_of_lists(function.result_type()),
    )


def _decoder_of_lists(kind: object) -> Callable[[bytes | memoryview], list[Any]]:
    return msgspec.msgpack.Decoder(GenericAlias(list, (kind,))).decode
