"""The wire between controller and zone processes: typed messages with their length in front.

Knows neither of the two ends. Both check who sits at the other: only this user's processes talk.
"""

from __future__ import annotations

import os
import struct
import types
from types import TracebackType
from typing import Self

import msgspec
import trio

from zonesim.system import peer_uid
from zonesim.ticks import TickRow
from zonesim.workloads.base import ZoneSpec

LENGTH = struct.Struct("<I")
MESSAGE_BYTES_MAX = 16 << 20
RECEIVE_BYTES = 1 << 16
VERSION = 1


class ControlError(Exception):
    """The other end is gone, is somebody else, or speaks another language; one line."""


class Hello(msgspec.Struct, frozen=True, tag=True):
    """A zone process has come up."""

    version: int
    host: int
    pid: int


class Assign(msgspec.Struct, frozen=True, tag=True):
    """Make these zones."""

    zones: list[ZoneSpec]


class Ready(msgspec.Struct, frozen=True, tag=True):
    """The zones assigned last are made."""

    zones: int


class Leg(msgspec.Struct, frozen=True, tag=True):
    """Tick all zones for a while: until ``ticks`` have run, or until ``end_ns``."""

    step: int
    start_ns: int  # monotonic; zone ``i`` begins at ``start_ns + phases_ns[i]``
    period_ns: int
    phases_ns: dict[int, int]
    ticks: int | None
    end_ns: int | None
    realtime: bool


class WorkerTotals(msgspec.Struct, frozen=True, array_like=True):
    """What one worker has done."""

    worker: int  # its number in the pool
    batches: int
    calls: int
    busy_ns: int


class Ticks(msgspec.Struct, frozen=True, tag=True):
    """Ticks that have run; a zone process sends them at once, and they are its heartbeat."""

    rows: list[TickRow]
    workers: list[WorkerTotals]  # those that did anything since the last message, and what


class LegDone(msgspec.Struct, frozen=True, tag=True):
    """All zones have run their leg."""

    step: int


class Halt(msgspec.Struct, frozen=True, tag=True):
    """End the leg after the ticks that run now."""


class Stop(msgspec.Struct, frozen=True, tag=True):
    """End the process."""


class Failed(msgspec.Struct, frozen=True, tag=True):
    """The process cannot go on."""

    reason: str  # one line
    detail: str  # a traceback, or nothing where the reason says it all


FromZones = Hello | Ready | Ticks | LegDone | Failed
FromController = Assign | Leg | Halt | Stop


class Channel:
    """One end of the wire; ``expected`` is the union of messages that may arrive here."""

    def __init__(self, stream: trio.SocketStream, expected: types.UnionType) -> None:
        check_peer(stream.socket)
        self._stream = stream
        self._decoder: msgspec.msgpack.Decoder[msgspec.Struct] = msgspec.msgpack.Decoder(expected)
        self._encoder = msgspec.msgpack.Encoder()
        self._buffer = bytearray()
        self._sending = trio.Lock()

    async def send(self, message: msgspec.Struct) -> None:
        """Raises ControlError when the other end is gone."""
        data = self._encoder.encode(message)
        async with self._sending:
            try:
                await self._stream.send_all(LENGTH.pack(len(data)) + data)
            except trio.BrokenResourceError:
                raise ControlError("the other end of the control channel is gone") from None

    async def receive(self) -> msgspec.Struct | None:
        """The next message; None when the other end has closed. Raises ControlError."""
        head = await self._read(LENGTH.size)
        if head is None:
            return None
        (length,) = LENGTH.unpack(head)
        if length > MESSAGE_BYTES_MAX:
            raise ControlError(
                f"a message has at most {MESSAGE_BYTES_MAX} bytes, one announced {length}"
            )
        data = await self._read(length)
        if data is None:
            return None
        try:
            message = self._decoder.decode(data)
        except msgspec.DecodeError as error:
            raise ControlError(
                f"a message of {length} bytes is none that is known: {error}"
            ) from None
        return message

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self._stream.aclose()

    async def _read(self, length: int) -> bytes | None:
        buffer = self._buffer
        while len(buffer) < length:
            try:
                data = await self._stream.receive_some(RECEIVE_BYTES)
            except trio.BrokenResourceError:
                return None
            if not data:
                return None
            buffer += data
        read = bytes(buffer[:length])
        del buffer[:length]
        return read


def check_peer(connection: trio.socket.SocketType) -> None:
    """Raise ControlError unless a process of this user sits at the other end."""
    uid = peer_uid(connection)
    if uid != os.getuid():
        raise ControlError(f"only user {os.getuid()} may connect here, user {uid} did")
