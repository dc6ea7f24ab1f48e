"""Messages in a pipe, each behind its length. Knows no calls.

The length is four bytes as multiprocessing writes them, so that its queues can be read here, too.
"""

from __future__ import annotations

import os
import struct

LENGTH = struct.Struct("!i")
PIPE_BYTES = 1 << 16  # what a pipe holds


class FrameWriter:
    """A zone's end of a pipe: never blocks, and keeps what the pipe does not take at once."""

    def __init__(self, fd: int) -> None:
        os.set_blocking(fd, False)
        self.fd = fd
        self._kept = bytearray()

    @property
    def is_full(self) -> bool:
        """Whether something waits for room in the pipe."""
        return bool(self._kept)

    def write_nowait(self, data: bytes | bytearray) -> None:
        """Write it, or have the rest of it wait for ``flush``."""
        if self._kept:
            self._kept += data
            return
        written = self._write(data)
        if written < len(data):
            self._kept += data[written:]

    def flush(self) -> None:
        """Write as much of what waits as there is room for."""
        del self._kept[: self._write(self._kept)]

    def _write(self, data: bytes | bytearray) -> int:
        try:
            return os.write(self.fd, data)
        except BlockingIOError:
            return 0
        except BrokenPipeError:  # nobody reads any more: whoever waits for replies hears of it
            return len(data)


class FrameReader:
    """Reads whole messages; waits, or raises BlockingIOError, as its descriptor has it."""

    def __init__(self, fd: int) -> None:
        self._fd = fd
        self._rest = bytearray()
        self._wanted = 0  # bytes that the first message of the rest takes

    def read(self) -> list[bytes]:
        """What one look finds, perhaps nothing whole. Raises EOFError where no more can come."""
        data = os.read(self._fd, PIPE_BYTES)
        if not data:
            raise EOFError("the other end of the pipe is closed")
        if self._rest:
            self._rest += data
            if len(self._rest) < self._wanted:
                return []
            data = bytes(self._rest)
        messages, end = _split(data)
        self._rest = bytearray(data[end:])
        self._wanted = LENGTH.size
        if len(self._rest) >= LENGTH.size:
            self._wanted += LENGTH.unpack_from(self._rest)[0]
        return messages


def framed(message: bytes) -> bytes:
    """The message behind its length."""
    return LENGTH.pack(len(message)) + message


# -- a worker's ends, which wait


def read_frame(fd: int) -> bytes:
    """Wait for one message, and leave what comes behind it. Raises EOFError as FrameReader."""
    (length,) = LENGTH.unpack(_read_exactly(fd, LENGTH.size))
    return _read_exactly(fd, length)


def write_all(fd: int, data: bytes | bytearray) -> None:
    """Write all of it."""
    left = memoryview(data)
    while left:
        left = left[os.write(fd, left) :]


def _read_exactly(fd: int, size: int) -> bytes:
    parts = []
    while size:
        part = os.read(fd, min(size, PIPE_BYTES))
        if not part:
            raise EOFError("the other end of the pipe is closed")
        parts.append(part)
        size -= len(part)
    return b"".join(parts)


def _split(data: bytes) -> tuple[list[bytes], int]:
    """The whole messages, and where they end."""
    messages = []
    begin = 0
    while len(data) - begin >= LENGTH.size:
        (length,) = LENGTH.unpack_from(data, begin)
        end = begin + LENGTH.size + length
        if end > len(data):
            break
        messages.append(data[begin + LENGTH.size : end])
        begin = end
    return messages, begin
