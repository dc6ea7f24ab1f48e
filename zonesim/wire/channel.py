"""Typed messages over the Unix socket between the controller and a zone process.

Each message is its length as a u32, then a tagged msgspec struct in msgpack. Both ends check that
the other one belongs to the same user.
"""

from __future__ import annotations

import os
import struct
import types
from types import TracebackType
from typing import Final, Self, TypeAlias

import msgspec
import trio

from zonesim.system.operating_system import peer_of

LENGTH: Final = struct.Struct("<I")
MESSAGE_BYTES_MAX: Final = 16 << 20
RECEIVE_BYTES: Final = 1 << 16
ERROR_CHARACTERS: Final = 200

Expected: TypeAlias = type[msgspec.Struct] | types.UnionType  # the messages that may arrive

_ENCODER: Final = msgspec.msgpack.Encoder()


class ControlError(Exception):
    """The other end is gone, belongs to another user, or sent something invalid."""


class CutOff(ControlError):
    """The connection ended inside a message."""


class MessageTooLong(Exception):
    """A message is larger than the other end accepts."""


class Channel:
    """One end of a control connection; ``expected`` are the messages that may arrive here."""

    def __init__(self, stream: trio.SocketStream, expected: Expected) -> None:
        check_peer(stream.socket)
        self._stream = stream
        self._decoder: msgspec.msgpack.Decoder[msgspec.Struct] = msgspec.msgpack.Decoder(expected)
        self._buffer = bytearray()
        self._sending = trio.Lock()

    async def send(self, message: msgspec.Struct) -> None:
        """Send a message; raise ControlError if the other end is gone, or MessageTooLong."""
        data = frame(message)
        async with self._sending:
            try:
                await self._stream.send_all(data)
            except (trio.BrokenResourceError, trio.ClosedResourceError):
                raise ControlError("the other end of the control channel is gone") from None

    async def receive(self) -> msgspec.Struct | None:
        """Return the next message; None when the other end has closed.

        Raises ControlError for an invalid message, and CutOff for an incomplete one. Close the
        channel then: the start of the next message is not known.
        """
        head = await self._read(LENGTH.size)
        if not head:
            return None
        (length,) = LENGTH.unpack(head)
        if length > MESSAGE_BYTES_MAX:
            raise ControlError(_too_long(length))
        data = await self._read(length)
        try:
            return self._decoder.decode(data)
        # Invalid UTF-8 and deeply nested lists raise errors of their own.
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise ControlError(f"invalid message of {length} bytes: {_one_line(error)}") from None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self._stream.aclose()

    async def _read(self, length: int) -> bytes:
        """Read so many bytes; none where the connection ended between two messages."""
        buffer = self._buffer
        while len(buffer) < length:
            try:
                data = await self._stream.receive_some(RECEIVE_BYTES)
            except trio.BrokenResourceError:
                data = b""
            if not data:
                if not buffer and length == LENGTH.size:
                    return b""
                raise CutOff(f"the connection ended after {len(buffer)} of {length} bytes")
            buffer += data
        read = bytes(buffer[:length])
        del buffer[:length]
        return read


def frame(message: msgspec.Struct) -> bytes:
    """Encode a message as it travels; raises MessageTooLong."""
    data = _ENCODER.encode(message)
    if len(data) > MESSAGE_BYTES_MAX:
        raise MessageTooLong(f"{type(message).__name__}: {_too_long(len(data))}")
    return LENGTH.pack(len(data)) + data


def check_peer(connection: trio.socket.SocketType) -> None:
    """Raise ControlError unless the other end belongs to this user."""
    uid = peer_of(connection).uid
    if uid != os.getuid():
        raise ControlError(f"expected a process of user {os.getuid()}, found one of user {uid}")


def _too_long(length: int) -> str:
    return f"a message must be at most {MESSAGE_BYTES_MAX} bytes, got {length}"


def _one_line(error: Exception) -> str:
    """The error may quote what was received: keep it short and printable."""
    return str(error)[:ERROR_CHARACTERS].encode("unicode_escape").decode()
