"""Messages read into memory that is used again and again. Knows no calls."""

from __future__ import annotations

import os
from collections.abc import Iterator

from .frames import LENGTH, PIPE_BYTES


class FrameBuffer:
    """As FrameReader, without a copy: a message is good until the next one is asked for."""

    def __init__(self, fd: int) -> None:
        self._fd = fd
        self._memory = bytearray(PIPE_BYTES)
        self._view = memoryview(self._memory)
        self._filled = 0  # bytes from the front

    def read(self) -> Iterator[memoryview]:
        """What one look finds, perhaps nothing whole. Raises EOFError where no more can come.

        Take all of it before the next look.
        """
        found = os.readv(self._fd, [self._view[self._filled :]])
        if not found:
            raise EOFError("the other end of the pipe is closed")
        self._filled += found
        return self._messages()

    def _messages(self) -> Iterator[memoryview]:
        begin = 0
        wanted = LENGTH.size
        while self._filled - begin >= LENGTH.size:
            (length,) = LENGTH.unpack_from(self._memory, begin)
            end = begin + LENGTH.size + length
            if end > self._filled:
                wanted += length
                break
            yield self._view[begin + LENGTH.size : end]
            begin = end
        self._make_room(begin, wanted)

    def _make_room(self, begin: int, wanted: int) -> None:
        """Put the rest to the front, and see that its first message has room."""
        rest = self._view[begin : self._filled]
        if wanted > len(self._memory):
            memory = bytearray(2 * wanted)
            memory[: len(rest)] = rest
            self._memory = memory
            self._view = memoryview(memory)
        elif begin:
            self._view[: len(rest)] = rest
        self._filled = len(rest)
