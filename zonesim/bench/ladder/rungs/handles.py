"""Phase 1: only a handle travels, with the function's name and the arguments as data.

One pipe takes the calls to all workers, and one brings the results back; workers use them in turn,
under locks.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from contextlib import AbstractContextManager

import corororo as cr
from corororo.abc import Completion
from zonesim.bench.children import server

from .rung import ENCODER, End, Rung, Sent, types_of

HEAD = struct.Struct("<QH")  # | handle u64 | length of the name u16 | name | request |
HANDLE = struct.Struct("<Q")  # | handle u64 | reply |


class HandleTable:
    """Calls that are out, by their handles."""

    def __init__(self) -> None:
        self._pool: cr.HandlePool[Sent] = cr.HandlePool()

    def message(self, sent: Sent) -> bytes:
        """A message for calls, under a new handle."""
        name = sent.function.name.encode()
        head = HEAD.pack(self._pool.acquire(sent).pack(), len(name))
        return head + name + ENCODER.encode(sent.calls)

    def completion(self, message: bytes) -> Completion:
        """The completion for a reply."""
        (handle,) = HANDLE.unpack_from(message)
        sent = self._pool.release(cr.Handle.unpack(handle))
        results = types_of(sent.function.name).decode_results(message[HANDLE.size :])
        return sent.completion(results)


class Handles(Rung):
    """One queue to all workers, and one message for each call."""

    def start(self) -> None:
        """Open both pipes and start the workers."""
        context = server()
        calls, self._calls = context.Pipe(duplex=False)
        ours, replies = context.Pipe(duplex=False)
        self._locks = context.Lock(), context.Lock()  # their names live as long as they do
        self._table = HandleTable()
        self.own(self._calls)
        self.watch(ours)
        with calls, replies:
            for _ in range(self.workers):
                self.start_worker(serve, calls, replies, *self._locks)

    def send(self, sent: Sent) -> None:
        """The handle, the name and the arguments."""
        self._calls.send_bytes(self._table.message(sent))

    def receive(self, timeout_s: float | None) -> Iterator[Completion]:
        """Replies find their calls by the handle."""
        for _, message in self.messages(timeout_s):
            yield self._table.completion(message)


def serve(
    calls: End,
    replies: End,
    reading: AbstractContextManager[bool],
    writing: AbstractContextManager[bool],
) -> None:
    """Answer one call after another."""
    while True:
        with reading:
            message = calls.recv_bytes()
        reply = answer(message)
        with writing:
            replies.send_bytes(reply)


def answer(message: bytes) -> bytes:
    """The reply to one message, under its handle."""
    handle, length = HEAD.unpack_from(message)
    end = HEAD.size + length
    return HANDLE.pack(handle) + types_of(message[HEAD.size : end].decode()).answer(message[end:])
