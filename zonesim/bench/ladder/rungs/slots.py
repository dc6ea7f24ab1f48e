"""Phase 2.3: arguments and results stand in slots of shared memory; slot numbers travel.

The number goes through a pipe: it wakes the sleeper, and it orders the memory of both sides, which
polling shared memory from Python does not.
"""

from __future__ import annotations

import mmap
import struct
import tempfile
from collections.abc import Iterator
from typing import ClassVar

import corororo as cr
from corororo.abc import Completion
from corororo.processes import candidate_bases
from zonesim.system.sessions import trial_prefix

from .pooled import Numbers, Places
from .rung import ENCODER, End, PipeRung, Sent, Types, types_of

SLOT_BYTES = 1 << 12
# | length of the request u32 | function u16 | length of the name u16 | name | request |
HEAD = struct.Struct("<IHH")
LENGTH = struct.Struct("<I")  # | length of the reply u32 | reply |


def serve(calls: End, replies: End, path: str) -> None:
    """Answer one slot after another, each in its place."""
    memory = _map(path)
    known: dict[int, Types] = {}
    while True:
        slot = calls.recv_bytes()
        begin = slot[0] * SLOT_BYTES
        length, number, name_length = HEAD.unpack_from(memory, begin)
        begin_name = begin + HEAD.size
        request = begin_name + name_length
        if name_length:
            known[number] = types_of(bytes(memory[begin_name:request]).decode())
        reply = known[number].answer(memory[request : request + length])
        _put(memory, begin, LENGTH.pack(len(reply)) + reply)
        replies.send_bytes(slot)


class Slots(PipeRung):
    """Slots for each worker; one call in each."""

    serve: ClassVar = staticmethod(serve)

    def start(self) -> None:
        """Also make a file of slots for each worker."""
        directory = tempfile.TemporaryDirectory("", trial_prefix(), candidate_bases()[0])
        folder = self._parts.enter_context(directory)
        self._paths = [f"{folder}/{place}" for place in range(self.workers)]
        for path in self._paths:
            with open(path, "wb") as file:
                file.truncate(self.messages_out * SLOT_BYTES)
        self._memory = [_map(path) for path in self._paths]
        self._places = [Places(self.messages_out) for _ in self._paths]
        self._numbers = [Numbers() for _ in self._paths]
        super().start()

    def worker_arguments(self, place: int) -> tuple[object, ...]:
        """The file of its slots."""
        return (self._paths[place],)

    def send(self, sent: Sent) -> None:
        """Fill a slot, then send its number: the reader finds the whole slot."""
        worker = self.next_place()
        number, name = self._numbers[worker].of(sent.function)
        request = ENCODER.encode(sent.calls)
        slot = self._places[worker].occupy(sent)
        content = HEAD.pack(len(request), number, len(name)) + name + request
        _put(self._memory[worker], slot * SLOT_BYTES, content)
        self._calls[worker].send_bytes(bytes((slot,)))

    def receive(self, timeout_s: float | None) -> Iterator[Completion]:
        """The numbers that come back tell which slots hold a reply."""
        for worker, slot in self.messages(timeout_s):
            memory, begin = self._memory[worker], slot[0] * SLOT_BYTES
            (length,) = LENGTH.unpack_from(memory, begin)
            begin += LENGTH.size
            yield self._places[worker].completion(slot[0], memory[begin : begin + length])


def _map(path: str) -> memoryview:
    with open(path, "r+b") as file:
        return memoryview(mmap.mmap(file.fileno(), 0))


def _put(memory: memoryview, begin: int, content: bytes) -> None:
    if len(content) > SLOT_BYTES:
        raise cr.RequestTooLarge(f"a slot holds {SLOT_BYTES} bytes, got {len(content)}")
    memory[begin : begin + len(content)] = content
