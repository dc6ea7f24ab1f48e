"""The control socket: typed messages between the controller and its zone processes.

Each message is its length as a u32, then a tagged msgspec struct in msgpack. Both ends check that
the other one belongs to the same user.
"""

from __future__ import annotations

import os
import socket
import struct
import types
from collections.abc import Awaitable, Callable, Iterator
from contextlib import chdir, contextmanager
from pathlib import Path
from typing import Final, Self

import msgspec
import trio

from zonesim.system.operating_system import peer_of
from zonesim.wire.messages import FromZones

LENGTH: Final = struct.Struct("<I")
MESSAGE_BYTES_MAX: Final = 16 << 20
RECEIVE_BYTES: Final = 1 << 16
ERROR_CHARACTERS: Final = 200
SOCKET_PATH_MAX: Final = 103  # bytes, on macOS; Linux has room for 107
POLL_S: Final = 0.01

_ENCODER: Final = msgspec.msgpack.Encoder()


class ControlError(Exception):
    """The other end is gone, belongs to another user, or sent something invalid."""


class MessageTooLong(Exception):
    """A message is larger than the other end accepts."""


class Channel:
    """One end of a control connection; ``expected`` are the messages that may arrive here."""

    def __init__(self, stream: trio.SocketStream, expected: types.UnionType) -> None:
        uid, expected_uid = peer_of(stream.socket).uid, os.getuid()
        if uid != expected_uid:
            raise ControlError(
                f"expected a process of user {expected_uid}, found one of user {uid}"
            )
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
        """Return the next message; None when the other end is gone, also inside a message.

        Raises ControlError for an invalid message. Close the channel then: the start of the next
        message is not known.
        """
        if (head := await self._read(LENGTH.size)) is None:
            return None
        (length,) = LENGTH.unpack(head)
        if length > MESSAGE_BYTES_MAX:
            raise ControlError(_too_long(length))
        if (data := await self._read(length)) is None:
            return None
        try:
            return self._decoder.decode(data)
        # Invalid UTF-8 and deeply nested lists raise errors of their own.
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            # It may quote what was received: keep it short and printable.
            reason = str(error)[:ERROR_CHARACTERS].encode("unicode_escape").decode()
            raise ControlError(f"invalid message of {length} bytes: {reason}") from None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        await self._stream.aclose()

    async def _read(self, length: int) -> bytes | None:
        """Read so many bytes; None if the connection ends before."""
        buffer = self._buffer
        while len(buffer) < length:
            try:
                data = await self._stream.receive_some(RECEIVE_BYTES)
            except trio.BrokenResourceError:
                data = b""
            if not data:
                return None
            buffer += data
        read = bytes(buffer[:length])
        del buffer[:length]
        return read


class Listener:
    """The controller's end of the control socket: accepts the zone processes of its run.

    It listens at ``path``. ``expects`` says whether a process id belongs to a process of the run;
    any other process is refused, with one event. ``serve_process`` gets the process id and the
    channel of each accepted process. ``is_starting`` says whether a process is being started whose
    id is not known yet.
    """

    def __init__(
        self,
        path: Path,
        expects: Callable[[int], bool],
        serve_process: Callable[[int, Channel], Awaitable[None]],
        on_refused: Callable[[str, str], None],  # the process, and why it was refused
        is_starting: Callable[[], bool],
    ) -> None:
        self._path = path
        self._expects = expects
        self._serve_process = serve_process
        self._on_refused = on_refused
        self._is_starting = is_starting

    async def serve(self, task_status: trio.TaskStatus[object]) -> None:
        """Accept connections until cancelled; raise what ``serve_process`` raises."""
        bound = socket.socket(socket.AF_UNIX)
        with trio.socket.from_stdlib_socket(bound) as listening:
            with socket_name(self._path) as name:
                bound.bind(name)
            os.chmod(self._path, 0o600)  # before anyone can connect
            listening.listen(socket.SOMAXCONN)
            listeners = [trio.SocketListener(listening)]
            await trio.serve_listeners(self._accept, listeners, task_status=task_status)

    async def _accept(self, stream: trio.SocketStream) -> None:
        peer = peer_of(stream.socket)
        try:
            channel = Channel(stream, FromZones)
            # A new process may connect before the call that started it has returned its id.
            while self._is_starting() and not self._expects(peer.pid):  # noqa: ASYNC110 - rare
                await trio.sleep(POLL_S)
            if not self._expects(peer.pid):
                raise ControlError("not a zone process that this run waits for")
        except ControlError as error:
            self._on_refused(f"process {peer.pid} of user {peer.uid}", str(error))
        else:
            await self._serve_process(peer.pid, channel)


@contextmanager
def socket_name(path: Path) -> Iterator[str]:
    """The name by which to bind or connect a socket; within the folder of one that is too long."""
    if len(os.fsencode(path)) <= SOCKET_PATH_MAX:
        yield str(path)
    else:
        with chdir(path.parent):
            yield path.name


def frame(message: msgspec.Struct) -> bytes:
    """Encode a message as it travels; raises MessageTooLong."""
    data = _ENCODER.encode(message)
    if len(data) > MESSAGE_BYTES_MAX:
        raise MessageTooLong(f"{type(message).__name__}: {_too_long(len(data))}")
    return LENGTH.pack(len(data)) + data


def _too_long(length: int) -> str:
    return f"a message must be at most {MESSAGE_BYTES_MAX} bytes, got {length}"
