"""Step 2.3 of the plan: arguments and results stand in slots of shared memory.

What is handed over is the number of a slot, through a pipe: it wakes who sleeps, and it orders the
memory of both sides, which a poll of shared memory from Python does not. A slot belongs to the
zone until its number has gone out, and to the worker until it has come back.
"""

from __future__ import annotations

import os
import struct
import tempfile
from collections.abc import Iterable, Sequence
from contextlib import ExitStack
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import corororo as cr
from corororo._ring import RingMemory
from corororo.abc import Completion
from corororo.processes import candidate_bases, free_bytes

from .answers import Sent, answer, failure_of_all
from .crew import End
from .frames import write_all
from .line import PipeLine
from .lines import Lines
from .places import Numbers, Places
from .rung import Rung

SLOT_BYTES = 1 << 16
# | handle u64 | length of the request u32 | function u16 | length of the name u16 | name | request
HEAD = struct.Struct("<QIHH")
REPLY_HEAD = struct.Struct("<QI")  # | handle u64, as it stands there | length u32 | reply


class Slots(Rung):
    """A worker's slots hold a call each; only numbers of slots travel."""

    name = "slots"

    def open_lines(self) -> Lines:
        """One line for each worker."""
        return Lines(lambda: SlotLine(self.name), self.workers)


class SlotLine(PipeLine):
    """The slots of one worker, and the numbers that go to and fro."""

    def __init__(self, name: str) -> None:
        self._memory, passed = _make_memory(self.messages_out * SLOT_BYTES)
        with ExitStack() as undo:
            undo.callback(self._memory.close)
            with passed:
                super().__init__(name, 1, serve, passed)
            self._parts.push(undo.pop_all())
        self._places = Places(self.messages_out)
        self._numbers = Numbers()

    def send(
        self,
        function: cr.AsyncTaskFunction[..., Any],
        ticket: object,
        start: int,
        calls: Sequence[tuple[Any, ...]],
    ) -> None:
        """Fill a slot, then send its number: who reads that sees the whole slot."""
        numbers = self._numbers
        codec, number, name = numbers.encode(function, calls, HEAD.size)
        content = numbers.buffer
        length = len(content) - HEAD.size - len(name)
        if len(content) > SLOT_BYTES:
            raise cr.RequestTooLarge(
                f"the arguments of {function.name} take {length} bytes, {len(content)} with their "
                f"head, and a slot holds {SLOT_BYTES}; pass less, or use WorkerPool"
            )
        place = self._places.occupy(codec, ticket, start, len(calls))
        HEAD.pack_into(content, 0, place.handle, length, number, len(name))
        self._memory.write(place.index * SLOT_BYTES, content)
        self.writer.write_nowait(bytes((place.index,)))
        if name:
            numbers.learned(function, codec, number)

    def take(self, ready: list[Completion]) -> None:
        """The numbers that come back say which slots hold a reply."""
        slots = os.read(self.replies_fd, self.messages_out)
        if not slots:
            raise EOFError("the worker has closed its pipe")
        for slot in slots:
            begin = slot * SLOT_BYTES
            handle, length = REPLY_HEAD.unpack(self._memory.read(begin, REPLY_HEAD.size))
            begin += REPLY_HEAD.size
            with self._memory.view(begin, begin + length) as reply:
                self.done(self._places.vacate(handle), reply, ready)

    def all_out(self) -> Iterable[Sent]:
        """What stands in slots."""
        return self._places.occupied()


def _make_memory(size_bytes: int) -> tuple[RingMemory, Connection]:
    """Memory that has no name any more, and a second descriptor of it for the worker.

    A Connection is what multiprocessing passes descriptors in.
    """
    bases = [base for base in candidate_bases() if free_bytes(base) > size_bytes]
    with tempfile.TemporaryDirectory(dir=bases[0] if bases else None) as directory:
        path = Path(directory, "slots")
        memory = RingMemory.create(path, size_bytes)
        return memory, Connection(os.open(path, os.O_RDWR | os.O_CLOEXEC))


# -- in a worker


def serve(calls: End, replies: End, passed: End) -> None:
    """Answer the slots that one look finds, each in its place."""
    memory = RingMemory(os.dup(passed.fileno()), os.fstat(passed.fileno()).st_size)
    names: dict[int, str] = {}
    while slots := os.read(calls.fileno(), SLOT_BYTES):
        for slot in slots:
            begin = slot * SLOT_BYTES
            handle, length, number, name_length = HEAD.unpack(memory.read(begin, HEAD.size))
            request = begin + HEAD.size + name_length
            if name_length:
                names[number] = memory.read(begin + HEAD.size, name_length).decode()
            with memory.view(request, request + length) as view:
                reply = _answer(names[number], view)
            memory.write(begin, REPLY_HEAD.pack(handle, len(reply)) + reply)
            write_all(replies.fileno(), bytes((slot,)))


def _answer(name: str, request: memoryview) -> bytes:
    reply = answer(name, request)
    if len(reply) <= SLOT_BYTES - REPLY_HEAD.size:
        return reply
    error = cr.ReplyTooLarge(
        f"the answer of {name} takes {len(reply)} bytes, and a slot holds {SLOT_BYTES}; return "
        f"less, or use WorkerPool"
    )
    return failure_of_all(request, error)
