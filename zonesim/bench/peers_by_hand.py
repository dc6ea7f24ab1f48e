"""Peers made by hand: processes at the ends of pipes, with and without msgspec. Measures nothing.

Every message is read whole before it is answered, and a worker has one message at a time, so
nobody waits for room in a pipe while the other end does so as well.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import types
from collections.abc import Callable, Sequence
from multiprocessing.connection import Connection
from typing import Any, Generic, Self, TypeAlias, TypeVar

import msgspec

R = TypeVar("R")
End: TypeAlias = "Connection[Any, Any]"

FORKSERVER = multiprocessing.get_context("forkserver")
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
        child_reader, self._writer = FORKSERVER.Pipe(duplex=False)
        self._reader, child_writer = FORKSERVER.Pipe(duplex=False)
        self._process = FORKSERVER.Process(
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


class HandPool(Generic[R]):
    """One function in some processes: batches go to all of them before any answer is read."""

    def __init__(self, workers: int, function: Callable[[int], R], result: object) -> None:
        self._encode = msgspec.msgpack.Encoder().encode
        self._decode: Callable[[memoryview], list[R]] = msgspec.msgpack.Decoder(
            types.GenericAlias(list, (result,))
        ).decode
        self._processes: list[PipeProcess] = []
        try:
            for _ in range(workers):
                self._processes.append(PipeProcess(serve, function))
        except BaseException:
            self.close()
            raise
        self._ends = [PipeEnd(p.reader, p.writer) for p in self._processes]

    def call(self, argument: int) -> R:
        """One call, in the first process."""
        return self.map([argument], 1)[0]

    def map(self, arguments: Sequence[int], chunk: int) -> list[R]:
        """All results, in order, a chunk for every process at a time."""
        results: list[R] = []
        for begin in range(0, len(arguments), chunk * len(self._ends)):
            asked = []
            for place, end in enumerate(self._ends):
                batch = arguments[begin + place * chunk : begin + (place + 1) * chunk]
                if batch:
                    end.send(self._encode(batch))
                    asked.append(end)
            for end in asked:
                results += self._decode(end.receive())
        return results

    def close(self) -> None:
        """End the processes."""
        for process in self._processes:
            process.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()


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
