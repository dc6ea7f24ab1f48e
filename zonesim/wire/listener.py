"""The controller's door: lets the zone processes of a run in, and shows everybody else out.

Knows who is expected, and nothing of what is said once somebody is in. A connection that is
refused hears nothing, and costs the run nothing but a line that tells of it.
"""

from __future__ import annotations

import errno
import os
import socket
from collections.abc import Awaitable, Callable
from pathlib import Path

import msgspec
import trio

from zonesim.system.operating_system import Peer, peer_of
from zonesim.wire.channel import Channel, ControlError, CutOff
from zonesim.wire.messages import FromZones, Hello

HELLO_S = 5.0  # what a stranger gets to say who it is
KNOWN_S = 0.01  # between two looks whether it is known by now
UNKNOWN_MAX = 32  # strangers that have not said it yet
PAUSE_S = 0.1  # until the next try, where the system has no room for a connection
NO_ROOM = (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM)

OnRefused = Callable[[str, str], None]  # whose connection, and why


class Door:
    """Listens at ``path``; ``expects`` says of a process id whether it may come in now.

    ``hear`` is called with the process id and the channel of each that does, and has the channel
    until it returns. ``more_to_come``: some of those that may come in are not known yet.
    """

    def __init__(
        self,
        path: Path,
        expects: Callable[[int], bool],
        hear: Callable[[int, Channel], Awaitable[None]],
        on_refused: OnRefused,
        more_to_come: Callable[[], bool] = lambda: False,
    ) -> None:
        self._path = path
        self._expects = expects
        self._hear = hear
        self._on_refused = on_refused
        self._more_to_come = more_to_come
        self._unknown = 0

    async def serve(self, task_status: trio.TaskStatus[None]) -> None:
        """Meet whoever comes, until cancelled; what ``hear`` raises is raised here."""
        with trio.socket.socket(socket.AF_UNIX) as listening:
            await listening.bind(str(self._path))
            os.chmod(self._path, 0o600)  # before anybody can connect
            listening.listen(socket.SOMAXCONN)
            async with trio.open_nursery() as nursery:
                task_status.started()
                while True:
                    stream = await self._accept(listening)
                    nursery.start_soon(self._meet, stream)

    async def _accept(self, listening: trio.socket.SocketType) -> trio.SocketStream:
        while True:
            try:
                connection, _ = await listening.accept()
                return trio.SocketStream(connection)
            except OSError as error:
                if error.errno not in NO_ROOM:
                    raise
                self._on_refused("whoever connects", f"no room for it: {error.strerror}")
                await trio.sleep(PAUSE_S)

    async def _meet(self, stream: trio.SocketStream) -> None:
        peer = peer_of(stream.socket)
        async with stream:
            try:
                channel = await self._identify(stream, peer)
            except ControlError as error:
                # One of ours that has gone is told of by whoever watches over it.
                if not (isinstance(error, CutOff) and self._expects(peer.pid)):
                    self._on_refused(f"process {peer.pid} of user {peer.uid}", str(error))
                return
            channel.expect(FromZones)
            await self._hear(peer.pid, channel)

    async def _identify(self, stream: trio.SocketStream, peer: Peer) -> Channel:
        """The channel of an expected process; raises ControlError for anybody else."""
        channel = Channel(stream, Hello)
        # Ours come however many strangers stand in the way, and may take their time.
        if self._expects(peer.pid):
            hello = await channel.receive()
        else:
            hello = await self._hear_stranger(channel)
        if hello is None:
            raise CutOff("it ended without a word")
        assert isinstance(hello, Hello)
        if hello.pid != peer.pid:
            raise ControlError(f"it says that it is process {hello.pid}")
        await self._until_known(peer.pid)
        if not self._expects(peer.pid):
            raise ControlError("no zone process of this run that is waited for")
        return channel

    async def _until_known(self, pid: int) -> None:
        """One that is being started may be here before anybody has been told its process id."""
        with trio.move_on_after(HELLO_S):
            while self._more_to_come() and not self._expects(pid):  # noqa: ASYNC110 - rare, brief
                await trio.sleep(KNOWN_S)

    async def _hear_stranger(self, channel: Channel) -> msgspec.Struct | None:
        """What somebody says that may be one of ours in a moment."""
        if self._unknown >= UNKNOWN_MAX:
            raise ControlError(f"{UNKNOWN_MAX} others have not said who they are")
        self._unknown += 1
        try:
            with trio.fail_after(HELLO_S):
                return await channel.receive()
        except trio.TooSlowError:
            raise ControlError(f"it did not say who it is within {HELLO_S:.0f} s") from None
        finally:
            self._unknown -= 1
