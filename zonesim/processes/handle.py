"""One zone process as the controller sees it: started, waited for, ended. Sends no orders."""

from __future__ import annotations

import contextlib
import os
import signal
from pathlib import Path

import trio

from corororo.processes import DEAD, forkserver, is_dead, process_state
from zonesim.processes.preload import PRELOAD
from zonesim.system.stacks import stack_path
from zonesim.zone.process import zone_process_main

POLL_S = 0.05
LOOK_S = 1.0  # between two looks whether somebody has ended of whom nobody tells
FORK_SERVER_LOST = 255  # the exit code that multiprocessing reports when it cannot know
STOP_S = 2.0  # what a zone process gets to end by itself


class ZoneProcessHandle:
    """One zone process; raises OSError or EOFError where none can be started now."""

    def __init__(self, host: int, title: str, socket_path: Path, pool_address: str) -> None:
        self.stack_path = stack_path(pool_address, host)
        self.stack_path.unlink(missing_ok=True)  # what its predecessor said
        self._process = forkserver(PRELOAD).Process(
            target=zone_process_main,
            args=(str(socket_path), pool_address, host, title, str(self.stack_path)),
            daemon=True,
        )
        self._process.start()

    @property
    def pid(self) -> int:
        """Its process id."""
        assert self._process.pid is not None
        return self._process.pid

    def told(self) -> str:
        """How it has ended, in words."""
        code = self._process.exitcode
        if code is None or code == FORK_SERVER_LOST:
            return "in a way that nobody could tell"  # as where the fork server went before it
        return f"by signal {-code}" if code < 0 else f"with exit code {code}"

    async def wait_until_ended(self) -> None:
        """Return once it has ended."""
        while self._process.exitcode is None:
            with trio.move_on_after(LOOK_S):
                await trio.lowlevel.wait_readable(self._process.sentinel)
                break
            if process_state(self.pid) in DEAD:
                return  # its parent hangs, and does not tell of it
        await self._poll_until_ended()

    def kill(self) -> None:
        """SIGKILL; nothing happens where it has ended already."""
        if not self.has_ended():
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, signal.SIGKILL)

    async def stop(self) -> None:
        """Give it time to end, then kill it."""
        # Looked at again and again: somebody else may wait on the sentinel, and only one can.
        with trio.CancelScope(shield=True):
            with trio.move_on_after(STOP_S):
                await self._poll_until_ended()
                return
            self.kill()
            with trio.move_on_after(STOP_S):
                await self._poll_until_ended()

    async def _poll_until_ended(self) -> None:
        while not self.has_ended():  # noqa: ASYNC110 - a process sets no trio.Event
            await trio.sleep(POLL_S)

    def has_ended(self) -> bool:
        """Whether it is known to have ended."""
        code = self._process.exitcode
        if code != FORK_SERVER_LOST:
            return code is not None
        # Its parent is gone. Without an init, as in some containers, an orphan stays a zombie.
        return is_dead(self.pid)
