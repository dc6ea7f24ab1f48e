"""Sends the controller what happens in a zone process: ticks, events, failures, heartbeats."""

from __future__ import annotations

import math
import traceback
from collections.abc import Awaitable, Callable, Iterable

import msgspec
import trio

import corororo as cr
from zonesim.scenario.supervision import beat_s
from zonesim.system.errors import error_line, leaves_of, user_text
from zonesim.wire.channel import Channel, ControlError
from zonesim.wire.messages import (
    Beat,
    TickRow,
    Ticks,
    WorkerTotals,
    ZoneEvent,
    add_by_worker,
    failed,
)

ROWS_IN_A_MESSAGE = 5000  # far below the size limit of a message


class Reporter:
    """The only sender of a process."""

    def __init__(self, channel: Channel) -> None:
        self._channel = channel
        self._quiet = trio.CancelScope()  # ends after a silence of one beat
        self._beat_s = 0.0
        self._add_event, self._events = trio.open_memory_channel[ZoneEvent](math.inf)
        self._rows: list[TickRow] = []
        self._flushing = trio.Lock()
        self._work: dict[int, WorkerTotals] = {}  # by worker, in the queued rows

    async def send(self, message: msgspec.Struct) -> None:
        """Raise ControlError when the controller is gone."""
        await self._channel.send(message)
        self._quiet.deadline = trio.current_time() + self._beat_s

    def add_event(self, event: ZoneEvent) -> None:
        """Queue an event for ``send_events``."""
        self._add_event.send_nowait(event)

    async def send_events(self) -> None:
        """Send queued events, for ever."""
        async for event in self._events:
            await self.send(event)

    def add_row(self, row: TickRow, work: Iterable[WorkerTotals]) -> None:
        """Queue a row, and what workers did in its tick, for ``flush_rows``."""
        self._rows.append(row)
        add_by_worker(self._work, work)

    async def flush_rows(self) -> None:
        """Return when all queued rows are sent, also those that another task is sending."""
        async with self._flushing:
            rows, self._rows = self._rows, []
            work, self._work = list(self._work.values()), {}
            for i in range(0, len(rows), ROWS_IN_A_MESSAGE):
                await self.send(Ticks(rows[i : i + ROWS_IN_A_MESSAGE], [] if i else work))

    async def beat(self, period_s: float) -> None:
        """Send a heartbeat after each silence, for ever.

        Every message postpones it, so ticks on time are the only heartbeat: in a hundred processes
        a timer that fires costs as much as a small tick.
        """
        self._beat_s = beat_s(period_s)
        while True:
            with trio.CancelScope(deadline=trio.current_time() + self._beat_s) as self._quiet:
                await trio.sleep_forever()
            await self.send(Beat())

    async def reporting_failures(
        self, work: Callable[..., Awaitable[object]], *args: object
    ) -> None:
        """Run ``work``; send what it raises to the controller, which decides what follows."""
        try:
            await work(*args)
        except* ControlError:
            raise
        except* Exception as group:
            error = next(leaves_of(group))
            known = isinstance(error, cr.CorororoError)
            reason = user_text(error, of_run=True) if known else error_line(error)
            detail = "" if known else "".join(traceback.format_exception(error))
            await self.send(failed(reason, detail))
