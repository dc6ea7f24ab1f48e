"""Pipes made by hand: what carries a message, and the processes at their ends. Measures nothing.

Every message is read whole before it is answered, and a worker has one message at a time, so
nobody waits for room in a pipe while the other end does so as well.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from multiprocessing.connection import Connection
from typing import Any, Self, TypeAlias

import msgspec

from .peer import server

End: TypeAlias = "Connection[Any, Any]"

ANY_SIZE = 1 << 16  # what a pipe holds
LENGTH_BYTES = 4


class PipeEnd:
    """Sends and receives messages, each behind its length: two system calls for most of them."""

    def __init__(self, reader: int, writer: int) -> None:
        self._reader = reader
        self._writer = writer

    def send(self, message: bytes) -> None:
        """Write all of it."""
        data = memoryview(len(message).to_bytes(LENGTH_BYTES, "little") + message)
        while data:
            data = data[os.write(self._writer, data) :]

    def receive(self) -> memoryview:
        """Read one message; raises EOFError where the other end is gone."""
        data = self._read()
        end = LENGTH_BYTES + int.from_bytes(data[:LENGTH_BYTES], "little")
        if len(data) < end:
            parts = bytearray(data)
            while len(parts) < end:
                parts += self._read()
            data = bytes(parts)
        return memoryview(data)[LENGTH_BYTES:]

    def _read(self) -> bytes:
        data = os.read(self._reader, ANY_SIZE)
        if not data:
            raise EOFError("the other end is gone")
        return data


class PipeProcess:
    """A child process between two pipes; it ends with them, or with ``close``."""

    def __init__(self, target: Callable[..., None], *args: object) -> None:
        context = server()
        child_reader, self._writer = context.Pipe(duplex=False)
        self._reader, child_writer = context.Pipe(duplex=False)
        self._process = context.Process(
            target=target, args=(child_reader, child_writer, *args), daemon=True
        )
        self._process.start()
        child_reader.close()
        child_writer.close()
        self.reader = self._reader.fileno()
        self.writer = self._writer.fileno()

    def close(self) -> None:
        """End it, and wait for its end."""
        self._process.kill()
        self._process.join()
        self._reader.close()
        self._writer.close()


class Echo:
    """A process that sends back what it gets, unread: the least that a way there and back takes."""

    MESSAGE = bytes(32)  # as long as a descriptor

    def __init__(self) -> None:
        self._process = PipeProcess(echo)

    def call(self) -> bytes:
        """There and back."""
        os.write(self._process.writer, self.MESSAGE)
        return os.read(self._process.reader, ANY_SIZE)

    def close(self) -> None:
        """End the process."""
        self._process.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()


# -- in the child


def serve(reader: End, writer: End, function: Callable[[int], object]) -> None:
    """Answer batches until the other end is gone."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # whoever started us says when to end
    encode = msgspec.msgpack.Encoder().encode
    decode = msgspec.msgpack.Decoder(list[int]).decode
    end = PipeEnd(reader.fileno(), writer.fileno())
    while True:
        try:
            batch = end.receive()
        except EOFError:
            return
        end.send(encode([function(argument) for argument in decode(batch)]))


def echo(reader: End, writer: End) -> None:
    """Send everything back until the other end is gone."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    source, drain = reader.fileno(), writer.fileno()
    while data := os.read(source, ANY_SIZE):
        os.write(drain, data)
