"""What a zone process says to its controller, and that it is well where it has nothing to say.

Knows the wire, and not the zones.
"""

from __future__ import annotations

import os
import traceback
from collections import deque
from collections.abc import Awaitable, Callable
from typing import TypeVarTuple

import msgspec
import trio

import corororo as cr
from zonesim.scenario.supervision import beat_s
from zonesim.wire.channel import Channel, ControlError
from zonesim.wire.messages import Beat, Hello, Told, failed

Args = TypeVarTuple("Args")

SMALLER_RINGS = "(--set ring_mb=0.25 makes them smaller)"  # what a user of a run can do


class Mouthpiece:
    """The one place from which a process speaks."""

    def __init__(self, channel: Channel) -> None:
        self._channel = channel
        self._quiet = trio.CancelScope()  # ends where nothing was said for a beat
        self._beat_s = 0.0
        self._told: deque[Told] = deque()
        self._something_told = trio.Event()

    async def say(self, message: msgspec.Struct) -> None:
        """Raises ControlError when the controller is gone."""
        await self._channel.send(message)
        self._quiet.deadline = trio.current_time() + self._beat_s

    async def say_hello(self, host: int) -> None:
        """Tell who has come up."""
        await self.say(Hello(host, os.getpid()))

    def tell(self, message: Told) -> None:
        """Have it said soon, by ``say_what_is_told``."""
        self._told.append(message)
        self._something_told.set()

    async def say_what_is_told(self) -> None:
        """For ever."""
        while True:
            while self._told:
                await self.say(self._told.popleft())
            self._something_told = trio.Event()
            await self._something_told.wait()

    async def beat(self, period_s: float) -> None:
        """For ever, say after a silence that the process is well.

        Every message puts the next one off, so that ticks in time are the only heartbeat there
        is: a timer that fires costs a hundred processes as much as a small tick.
        """
        self._beat_s = beat_s(period_s)
        while True:
            with trio.CancelScope(deadline=trio.current_time() + self._beat_s) as self._quiet:
                await trio.sleep_forever()
            await self.say(Beat())

    async def telling_failures(
        self, work: Callable[[*Args], Awaitable[None]], *args: *Args
    ) -> None:
        """Follow an order; what goes wrong is told to the controller, which judges it."""
        try:
            await work(*args)
        except* ControlError:
            raise
        except* Exception as group:
            error = _first(group)
            known = isinstance(error, cr.CorororoError)
            if isinstance(error, cr.SessionError):
                error = cr.SessionError(f"{error} {SMALLER_RINGS}")
            reason = " ".join(f"{'' if known else f'{type(error).__name__}: '}{error}".split())
            detail = "" if known else "".join(traceback.format_exception(error))
            await self.say(failed(reason, detail))


def _first(group: BaseException) -> BaseException:
    while isinstance(group, BaseExceptionGroup):
        group = group.exceptions[0]
    return group
