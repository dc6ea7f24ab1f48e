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
    done_since,
    failed,
)

ROWS_IN_A_MESSAGE = 5000  # far below the size limit of a message


class Reporter:
    """The only sender of a process. ``worker_totals`` gives the totals of each zone there is."""

    def __init__(
        self, channel: Channel, worker_totals: Callable[[], Iterable[list[WorkerTotals]]]
    ) -> None:
        self._channel = channel
        self._worker_totals = worker_totals
        self._quiet = trio.CancelScope()  # ends after a silence of one beat
        self._beat_s = 0.0
        self._add_event, self._events = trio.open_memory_channel[ZoneEvent](math.inf)
        self._rows: list[TickRow] = []
        self._flushing = trio.Lock()
        self._work: dict[int, WorkerTotals] = {}  # as reported so far
        self._work_of_ended: dict[int, WorkerTotals] = {}  # of zones that no longer exist

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

    def add_row(self, row: TickRow) -> None:
        """Queue a row for ``flush_rows``."""
        self._rows.append(row)

    def keep_work_of(self, totals: list[WorkerTotals]) -> None:
        """Keep counting the work of a zone that ends."""
        add_by_worker(self._work_of_ended, totals)

    async def flush_rows(self) -> None:
        """Return when all queued rows are sent, also those that another task is sending."""
        async with self._flushing:
            rows, self._rows = self._rows, []
            for i in range(0, len(rows), ROWS_IN_A_MESSAGE):
                await self.send(Ticks(rows[i : i + ROWS_IN_A_MESSAGE], self._new_work()))

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

    def _new_work(self) -> list[WorkerTotals]:
        """The work of all workers since the previous call."""
        before, self._work = self._work, dict(self._work_of_ended)
        for totals in self._worker_totals():
            add_by_worker(self._work, totals)
        return done_since(before, self._work)
