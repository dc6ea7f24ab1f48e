"""The idea of the library without the library: batches in shared memory, descriptors by FIFO.

No scheduler, no checks and no recovery: the least that a ring can cost.
"""

from __future__ import annotations

import gc
import mmap
import os
import struct
import tempfile
from collections.abc import Callable, Coroutine
from contextlib import ExitStack, closing
from pathlib import Path as FilePath
from typing import Any

import msgspec

from corororo.processes import candidate_bases
from zonesim.bench.children import Child
from zonesim.bench.program import CHAINS, Call, Path, first, plain_path
from zonesim.system.sessions import trial_prefix

from .by_hand import ask_driver

BATCH = 128
REPLY_BYTES = 128  # room for each reply, behind its request
ZONE_BYTES = 1 << 17  # room for the calls and replies of one tick of a zone
DESCRIPTOR = struct.Struct("<II")  # | offset u32 | length u32 |
READ_BYTES = 512 * DESCRIPTOR.size
Resume = Callable[[Path], object]


class Prototype:
    """Zones that share one memory and some workers."""

    def __init__(self, workers: int, zones: int = 1) -> None:
        self._encode = msgspec.msgpack.Encoder().encode
        self._decode = msgspec.msgpack.Decoder(tuple[list[int], list[Path]]).decode
        self._zones, self._head = zones, 0
        with ExitStack() as undo:
            place = tempfile.TemporaryDirectory("", trial_prefix(), candidate_bases()[0])
            folder = undo.enter_context(place)
            self._memory, fd = _map_memory(folder, zones * ZONE_BYTES)
            undo.callback(os.close, fd)
            for name in ("calls", "replies"):
                os.mkfifo(f"{folder}/{name}")
            self._calls = _open_fifo(undo, folder, "calls")
            self._replies = _open_fifo(undo, folder, "replies")
            for _ in range(workers):
                undo.push(closing(Child(_serve, folder)))
            self._parts = undo.pop_all()

    def tick(self) -> None:
        """Run the chains of every zone to their end, with the garbage collector off."""
        gc.disable()
        try:
            self._tick()
        finally:
            gc.enable()

    def close(self) -> None:
        """End the workers and remove the files."""
        self._parts.close()

    def _tick(self) -> None:
        resume: list[Resume] = []
        self._head = 0
        batches = sum(self._start_zone(resume) for _ in range(self._zones))
        while batches:
            for offset, length in DESCRIPTOR.iter_unpack(os.read(self._replies, READ_BYTES)):
                self._take(resume, offset, length)
                batches -= 1

    def _start_zone(self, resume: list[Resume]) -> int:
        """Run every chain up to its call; the number of batches sent."""
        handles: list[int] = []
        calls: list[Call] = []
        batches = 0
        for entity in range(CHAINS):
            chain: Coroutine[Any, Any, object] = first(ask_driver, entity)
            calls.append(chain.send(None))
            handles.append(len(resume))
            resume.append(chain.send)
            if len(calls) == BATCH:
                self._send(handles, calls)
                handles, calls, batches = [], [], batches + 1
        if calls:
            self._send(handles, calls)
        return batches + bool(calls)

    def _send(self, handles: list[int], calls: list[Call]) -> None:
        data = self._encode((handles, calls))
        start, end = self._head, self._head + len(data)
        self._memory[start:end] = data
        self._head = end + len(calls) * REPLY_BYTES
        # The descriptor is written last, so a worker always finds a complete request.
        os.write(self._calls, DESCRIPTOR.pack(start, len(data)))

    def _take(self, resume: list[Resume], offset: int, length: int) -> None:
        handles, paths = self._decode(self._memory[offset : offset + length])
        for handle, path in zip(handles, paths, strict=True):
            try:
                resume[handle](path)
            except StopIteration:
                continue


def _map_memory(folder: str, size: int) -> tuple[memoryview, int]:
    fd = os.open(FilePath(folder, "memory"), os.O_CREAT | os.O_RDWR, 0o600)
    if os.fstat(fd).st_size < size:
        os.ftruncate(fd, size)
    return memoryview(mmap.mmap(fd, 0)), fd


def _open_fifo(undo: ExitStack, folder: str, name: str) -> int:
    fd = os.open(f"{folder}/{name}", os.O_RDWR)
    undo.callback(os.close, fd)
    return fd


# -- in a worker


def _serve(folder: str) -> None:
    gc.disable()
    memory, _ = _map_memory(folder, 0)
    calls = os.open(f"{folder}/calls", os.O_RDONLY)
    replies = os.open(f"{folder}/replies", os.O_WRONLY)
    encode = msgspec.msgpack.Encoder().encode
    decode = msgspec.msgpack.Decoder(tuple[list[int], list[Call]]).decode
    while descriptor := os.read(calls, DESCRIPTOR.size):
        offset, length = DESCRIPTOR.unpack(descriptor)
        handles, arguments = decode(memory[offset : offset + length])
        reply = encode((handles, [plain_path(*call) for call in arguments]))
        start = offset + length
        memory[start : start + len(reply)] = reply
        os.write(replies, DESCRIPTOR.pack(start, len(reply)))
