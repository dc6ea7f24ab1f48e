"""Phase 1 of the plan: only a handle travels, with a name and the arguments as data.

Whatever else belongs to a call stays at home, in a table that the handle opens. One queue takes
the calls to all workers, and one brings the answers back: pipes whose ends are used in turn, under
a lock, as multiprocessing.SimpleQueue does. Its own end at home would block where a pipe is full,
and both sides could wait for each other for ever.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Sequence
from contextlib import AbstractContextManager
from typing import Any

import corororo as cr
from corororo.abc import Completion

from .answers import Sent, answer, codec_of
from .crew import End, context
from .frames import FrameReader, framed, read_frame, write_all
from .line import PipeLine
from .lines import Lines
from .rung import Rung

HEAD = struct.Struct("<QH")  # | handle u64 | length of the name u16 | name | request |
HANDLE = struct.Struct("<Q")  # | handle u64 | reply |


class Handles(Rung):
    """One queue to all workers, one message for each call."""

    name = "handles"

    def open_lines(self) -> Lines:
        """All workers on one line: where one of them has died with a lock, all are lost."""
        return Lines(lambda: QueueLine(self.name, self.workers), 1)


class NamedLine(PipeLine):
    """Calls under handles, with the name of their function."""

    def __init__(self, name: str, workers: int, target: Any, *shared: object) -> None:  # noqa: ANN401 - as PipeLine
        super().__init__(name, workers, target, *shared)
        self._table: cr.HandlePool[Sent] = cr.HandlePool()
        self._reader = FrameReader(self.replies_fd)

    def send(
        self,
        function: cr.AsyncTaskFunction[..., Any],
        ticket: object,
        start: int,
        calls: Sequence[tuple[Any, ...]],
    ) -> None:
        """The handle, the name, the arguments."""
        codec = codec_of(function)
        request = codec.encode_request(calls)
        name = function.name.encode()
        handle = self._table.acquire(Sent(codec, ticket, start, len(calls)))
        self.writer.write_nowait(framed(HEAD.pack(handle.pack(), len(name)) + name + request))

    def take(self, ready: list[Completion]) -> None:
        """Answers find their calls by the handle."""
        for message in self._reader.read():
            (packed,) = HANDLE.unpack_from(message)
            sent = self._table.release(cr.Handle.unpack(packed))
            self.done(sent, message[HANDLE.size :], ready)

    def all_out(self) -> Iterable[Sent]:
        """What the table holds."""
        return self._table


class QueueLine(NamedLine):
    """All workers take from one pipe, and answer into one."""

    def __init__(self, name: str, workers: int) -> None:
        # Kept here: a lock has a name that workers find it by, which goes with its first owner.
        self._locks = context().Lock(), context().Lock()
        super().__init__(name, workers, serve_in_turn, *self._locks)
        self.sentinels = [worker.sentinel for worker in self.workers]


# -- in a worker


def serve_in_turn(
    calls: End,
    replies: End,
    reading: AbstractContextManager[bool],
    writing: AbstractContextManager[bool],
) -> None:
    """Answer one call after another, each whoever is next at the pipe."""
    while True:
        with reading:
            message = read_frame(calls.fileno())
        reply = framed(answered(message))
        with writing:
            write_all(replies.fileno(), reply)


def answered(message: bytes) -> bytes:
    """The answer to one call, under its handle."""
    handle, length = HEAD.unpack_from(message)
    end = HEAD.size + length
    return HANDLE.pack(handle) + answer(message[HEAD.size : end].decode(), message[end:])
