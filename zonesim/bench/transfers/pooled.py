"""Step 2.2 of the plan: handles are pooled, and buffers are used again.

What a call needs at home stands in a place that is taken from a stack and put back. Messages are
written into and read from memory that is there already. A function goes by its number; its name
goes along the first time.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Iterable, Sequence
from typing import Any

import corororo as cr
from corororo.abc import Completion

from .answers import Sent, answer
from .buffers import FrameBuffer
from .crew import End
from .frames import LENGTH, write_all
from .line import PipeLine
from .lines import Lines
from .places import Numbers, Places
from .rung import Rung

HEAD = struct.Struct(
    "!QHH"
)  # | handle u64 | function u16 | length of the name u16 | name | request
FRAMED_HEAD = struct.Struct("!iQHH")  # the same behind the length of all of it
FRAMED_HANDLE = struct.Struct("!iQ")  # | length i32 | handle u64 | reply
HANDLE = struct.Struct("!Q")


class Pooled(Rung):
    """As Direct, with nothing made anew for each call that can be used again."""

    name = "pooled"

    def open_lines(self) -> Lines:
        """One line for each worker."""
        return Lines(lambda: PooledLine(self.name), self.workers)


class PooledLine(PipeLine):
    """Messages under pooled handles, made and read in place."""

    def __init__(self, name: str) -> None:
        super().__init__(name, 1, serve)
        self._places = Places(self.messages_out)
        self._numbers = Numbers()
        self._replies_read = FrameBuffer(self.replies_fd)

    def send(
        self,
        function: cr.AsyncTaskFunction[..., Any],
        ticket: object,
        start: int,
        calls: Sequence[tuple[Any, ...]],
    ) -> None:
        """The handle, the number, the arguments."""
        numbers = self._numbers
        codec, number, name = numbers.encode(function, calls, FRAMED_HEAD.size)
        handle = self._places.occupy(codec, ticket, start, len(calls)).handle
        message = numbers.buffer
        length = len(message) - LENGTH.size
        FRAMED_HEAD.pack_into(message, 0, length, handle, number, len(name))
        self.writer.write_nowait(message)
        if name:
            numbers.learned(function, codec, number)

    def take(self, ready: list[Completion]) -> None:
        """Answers find their calls by the handle."""
        for message in self._replies_read.read():
            (handle,) = HANDLE.unpack_from(message)
            self.done(self._places.vacate(handle), message[HANDLE.size :], ready)

    def all_out(self) -> Iterable[Sent]:
        """What stands in places."""
        return self._places.occupied()


# -- in a worker


def serve(calls: End, replies: End) -> None:
    """Answer all that one look finds."""
    buffer = FrameBuffer(calls.fileno())
    names: dict[int, str] = {}
    head = bytearray(FRAMED_HANDLE.size)
    while True:
        for message in buffer.read():
            handle, number, length = HEAD.unpack_from(message)
            request = HEAD.size + length
            if length:
                names[number] = str(message[HEAD.size : request], "utf-8")
            reply = answer(names[number], message[request:])
            FRAMED_HANDLE.pack_into(head, 0, HANDLE.size + len(reply), handle)
            _write_both(replies.fileno(), head, reply)


def _write_both(fd: int, head: bytearray, reply: bytes) -> None:
    written = os.writev(fd, [head, reply])
    if written < len(head) + len(reply):
        write_all(fd, (head + reply)[written:])
