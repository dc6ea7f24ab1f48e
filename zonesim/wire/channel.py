"""How messages travel between controller and zone processes, and which are refused.

Knows neither of the two ends. Both check who sits at the other: only this user's processes talk.
A message is framed by its head, and refused by it before any more is read::

    | version u8 | kind u8 | length u32 | the message in msgpack ... |
"""

from __future__ import annotations

import os
import struct
import types
import typing
from types import TracebackType
from typing import Final, Self, TypeAlias

import msgspec
import trio

from zonesim.system.operating_system import peer_of
from zonesim.wire.messages import BYTES_MAX

VERSION: Final = 4
HEAD: Final = struct.Struct("<BBI")
RECEIVE_BYTES: Final = 1 << 16
SHOWN_CHARACTERS: Final = 200

Expected: TypeAlias = type[msgspec.Struct] | types.UnionType  # one kind of message, or several

_KINDS: Final = list(BYTES_MAX)  # a kind's number is its place
_DECODERS: Final = {kind: msgspec.msgpack.Decoder(kind) for kind in _KINDS}
_ENCODER: Final = msgspec.msgpack.Encoder()


class ControlError(Exception):
    """The other end is gone, is somebody else, or speaks another language; one line."""


class CutOff(ControlError):
    """The other end went in the middle of a message."""


class MessageTooLong(Exception):
    """A message of this end that the other one would not take; one line."""


class Channel:
    """One end of the wire; ``expected`` are the kinds of messages that may arrive here."""

    def __init__(self, stream: trio.SocketStream, expected: Expected) -> None:
        check_peer(stream.socket)
        self._stream = stream
        self._buffer = bytearray()
        self._sending = trio.Lock()
        self.expect(expected)

    def expect(self, expected: Expected) -> None:
        """From now on other messages may arrive. Never is more read than the largest has."""
        kinds = typing.get_args(expected) or (expected,)
        self._expected = {_KINDS.index(kind): kind for kind in kinds}
        largest = max(BYTES_MAX[kind] for kind in kinds)
        self._receive_bytes = min(RECEIVE_BYTES, HEAD.size + largest)

    async def send(self, message: msgspec.Struct) -> None:
        """Raises ControlError when the other end is gone, MessageTooLong where that is so."""
        data = frame(message)
        async with self._sending:
            try:
                await self._stream.send_all(data)
            except (trio.BrokenResourceError, trio.ClosedResourceError):
                raise ControlError("the other end of the control channel is gone") from None

    async def receive(self) -> msgspec.Struct | None:
        """The next message; None when the other end has closed.

        Raises ControlError for anything that is no message, CutOff for half a one; nothing that
        comes behind it is worth reading.
        """
        head = await self._read(HEAD.size)
        if not head:
            return None
        kind, length = self._kind_of(head)
        data = await self._read(length)
        try:
            return _DECODERS[kind].decode(data)
        # Text that is no UTF-8 and lists inside lists are errors of their own.
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise ControlError(f"{length} bytes are no {kind.__name__}: {_shown(error)}") from None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self._stream.aclose()

    def _kind_of(self, head: bytes) -> tuple[type[msgspec.Struct], int]:
        version, number, length = HEAD.unpack(head)
        if version != VERSION:
            raise ControlError(f"expected a message of version {VERSION}, found {version}")
        kind = self._expected.get(number)
        if kind is None:
            names = " or ".join(kind.__name__ for kind in self._expected.values())
            raise ControlError(f"expected {names}, found a message of kind {number}")
        if length > BYTES_MAX[kind]:
            raise ControlError(_too_long(kind, length))
        return kind, length

    async def _read(self, length: int) -> bytes:
        """So many bytes, or none at the end between two messages."""
        buffer = self._buffer
        while len(buffer) < length:
            try:
                data = await self._stream.receive_some(self._receive_bytes)
            except trio.BrokenResourceError:
                data = b""
            if not data:
                if not buffer and length == HEAD.size:
                    return b""
                raise CutOff(f"it ended after {len(buffer)} of {length} bytes")
            buffer += data
        read = bytes(buffer[:length])
        del buffer[:length]
        return read


def frame(message: msgspec.Struct) -> bytes:
    """A message as it travels; raises MessageTooLong."""
    kind = type(message)
    data = _ENCODER.encode(message)
    if len(data) > BYTES_MAX[kind]:
        raise MessageTooLong(_too_long(kind, len(data)))
    return HEAD.pack(VERSION, _KINDS.index(kind), len(data)) + data


def check_peer(connection: trio.socket.SocketType) -> None:
    """Raise ControlError unless a process of this user sits at the other end."""
    uid = peer_of(connection).uid
    if uid != os.getuid():
        raise ControlError(f"expected a process of user {os.getuid()}, found one of user {uid}")


def _too_long(kind: type[msgspec.Struct], length: int) -> str:
    return f"expected at most {BYTES_MAX[kind]} bytes of {kind.__name__}, found {length}"


def _shown(error: Exception) -> str:
    """What is wrong with a message, in one line: some of it may be the stranger's own words."""
    return str(error)[:SHOWN_CHARACTERS].encode("unicode_escape").decode()
