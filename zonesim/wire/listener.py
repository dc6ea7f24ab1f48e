"""The controller's end of the control socket: accepts the zone processes of its run.

The kernel says which process connects. Any other process is refused, with one event.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Awaitable, Callable
from pathlib import Path

import trio

from zonesim.system.operating_system import peer_of
from zonesim.wire.channel import Channel, ControlError
from zonesim.wire.messages import FromZones

POLL_S = 0.01

OnRefused = Callable[[str, str], None]  # the process, and why it was refused


class Listener:
    """Listens at ``path``; ``expects`` says whether a process id belongs to a process of the run.

    ``serve_process`` gets the process id and the channel of each accepted process. ``is_starting``
    says whether a process is being started whose id is not known yet.
    """

    def __init__(
        self,
        path: Path,
        expects: Callable[[int], bool],
        serve_process: Callable[[int, Channel], Awaitable[None]],
        on_refused: OnRefused,
        is_starting: Callable[[], bool] = lambda: False,
    ) -> None:
        self._path = path
        self._expects = expects
        self._serve_process = serve_process
        self._on_refused = on_refused
        self._is_starting = is_starting

    async def serve(self, task_status: trio.TaskStatus[object]) -> None:
        """Accept connections until cancelled; raise what ``serve_process`` raises."""
        with trio.socket.socket(socket.AF_UNIX) as listening:
            await listening.bind(str(self._path))
            os.chmod(self._path, 0o600)  # before anyone can connect
            listening.listen(socket.SOMAXCONN)
            listeners = [trio.SocketListener(listening)]
            await trio.serve_listeners(self._accept, listeners, task_status=task_status)

    async def _accept(self, stream: trio.SocketStream) -> None:
        peer = peer_of(stream.socket)
        try:
            channel = Channel(stream, FromZones)
            await self._check_expected(peer.pid)
        except ControlError as error:
            self._on_refused(f"process {peer.pid} of user {peer.uid}", str(error))
        else:
            await self._serve_process(peer.pid, channel)

    async def _check_expected(self, pid: int) -> None:
        # A new process may connect before the call that started it has returned its id.
        while self._is_starting() and not self._expects(pid):  # noqa: ASYNC110 - rare and short
            await trio.sleep(POLL_S)
        if not self._expects(pid):
            raise ControlError("not a zone process that this run waits for")
