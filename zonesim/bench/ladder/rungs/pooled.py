"""Phase 2.2: handles and buffers are pooled, and functions travel as numbers."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import ClassVar

from corororo.abc import Completion

from .rung import ENCODER, End, Function, PipeRung, Sent, Types, types_of

# | place u16 | function u16 | length of the name u16 | name, the first time | request |
HEAD = struct.Struct("<HHH")
PLACE = struct.Struct("<H")  # | place u16 | reply |


class Places:
    """Calls that are out, in places that are used again and again."""

    def __init__(self, count: int) -> None:
        self._sent: list[Sent | None] = [None] * count
        self._free = list(range(count))

    def occupy(self, sent: Sent) -> int:
        """Put calls into a free place, and return its number."""
        place = self._free.pop()
        self._sent[place] = sent
        return place

    def completion(self, place: int, reply: bytes | memoryview) -> Completion:
        """The completion for a reply; the place is free again."""
        sent = self._sent[place]
        assert sent is not None
        self._free.append(place)
        return sent.completion(types_of(sent.function.name).decode_results(reply))


class Numbers:
    """Numbers of functions; a worker gets the name with the first call of each."""

    def __init__(self) -> None:
        self._numbers: dict[Function, int] = {}

    def of(self, function: Function) -> tuple[int, bytes]:
        """The number, and the name if the worker does not know it yet."""
        number = self._numbers.get(function)
        if number is not None:
            return number, b""
        number = self._numbers[function] = len(self._numbers)
        return number, function.name.encode()


def serve(calls: End, replies: End) -> None:
    """Answer one message after another."""
    known: dict[int, Types] = {}
    while True:
        message = calls.recv_bytes()
        place, number, length = HEAD.unpack_from(message)
        request = HEAD.size + length
        if length:
            known[number] = types_of(message[HEAD.size : request].decode())
        reply = known[number].answer(memoryview(message)[request:])
        replies.send_bytes(PLACE.pack(place) + reply)


class Pooled(PipeRung):
    """Pooled places, and one buffer for all messages."""

    serve: ClassVar = staticmethod(serve)

    def start(self) -> None:
        """Also make the pools."""
        count = self.messages_out * self.workers
        self._places = Places(count)
        self._numbers = [Numbers() for _ in range(self.workers)]
        self._buffer = bytearray()
        super().start()

    def send(self, sent: Sent) -> None:
        """Fill the buffer and send it."""
        worker = self.next_place()
        number, name = self._numbers[worker].of(sent.function)
        head = HEAD.pack(self._places.occupy(sent), number, len(name))
        self._buffer[: len(head)] = head
        self._buffer[len(head) : len(head) + len(name)] = name
        ENCODER.encode_into(sent.calls, self._buffer, len(head) + len(name))
        self._calls[worker].send_bytes(self._buffer)

    def receive(self, timeout_s: float | None) -> Iterator[Completion]:
        """Replies find their calls by the place."""
        for _, message in self.messages(timeout_s):
            (place,) = PLACE.unpack_from(message)
            yield self._places.completion(place, memoryview(message)[PLACE.size :])
