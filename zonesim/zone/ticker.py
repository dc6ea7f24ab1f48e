"""One zone, ticked on its schedule until a bound. Knows no wire, and of other zones only slack."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable

import trio

from zonesim.wire.messages import Leg
from zonesim.wire.ticks import TickRow
from zonesim.zone.phases import first_due_ns
from zonesim.zone.schedule import Schedule
from zonesim.zone.slack import Slack
from zonesim.zone.zone import Zone

OnRow = Callable[[TickRow], Awaitable[None]]
Between = Callable[[Zone], None]


class Ticker:
    """Ticks a zone as legs say: at its own phase, or without a schedule back to back.

    ``between`` is called after each tick, once its row is told.
    """

    def __init__(self, zone: Zone, leg: Leg, slack: Slack, on_row: OnRow, between: Between) -> None:
        self._zone = zone
        self._slack = slack
        self._on_row = on_row
        self._between = between
        self._until = leg.until[zone.spec.zone]
        self._start_ns, self._end_ns = leg.start_ns, leg.end_ns
        self._schedule = self._make_schedule(leg) if leg.realtime else None
        self._halted = False
        self._sleep = trio.CancelScope()

    def follow(self, leg: Leg) -> None:
        """Go on until the end of a later leg, or end where that begins if it is not of it."""
        is_of_it = self._zone.spec.zone in leg.until
        self._end_ns = leg.end_ns if is_of_it else leg.start_ns
        self._until = leg.until.get(self._zone.spec.zone, self._until)
        if self._schedule is not None:
            self._schedule.end_at(self._end_ns)
            self._schedule.end_after(self._ticks_left())
        self._sleep.cancel()

    def halt(self) -> None:
        """Run no tick after the one that runs now."""
        self._halted = True
        self._sleep.cancel()

    async def run(self) -> None:
        """Tick until a bound is reached."""
        zone = self._zone.spec.zone
        self._slack.expect(zone, self._due_ns())
        while await self._becomes_due():
            self._slack.tick_begins()
            row = await self._zone.tick(self._schedule)
            self._slack.tick_ended()
            self._slack.expect(zone, self._due_ns())
            await self._on_row(row)
            self._between(self._zone)
            self._slack.use()
        self._slack.forget(zone)

    async def _becomes_due(self) -> bool:
        """Wait for a tick; False where none is to run any more."""
        while not self._is_over():
            with trio.CancelScope() as self._sleep:
                await sleep_until_ns(self._due_ns())
            if not self._sleep.cancel_called:  # else bounds have changed
                return True
        return False

    def _due_ns(self) -> int:
        """When the next tick is due: at once, where nothing says so."""
        if self._schedule is None:
            return max(self._start_ns, time.monotonic_ns())
        return self._schedule.due_ns

    def _is_over(self) -> bool:
        if self._halted or self._zone.next_tick == self._until:
            return True
        if self._schedule is not None:
            return self._schedule.is_over
        return self._end_ns is not None and time.monotonic_ns() >= self._end_ns

    def _make_schedule(self, leg: Leg) -> Schedule:
        spec = self._zone.spec
        first_ns = first_due_ns(leg.origin_ns, spec.zone, leg.period_ns, leg.start_ns)
        return Schedule(
            first_ns, leg.period_ns, spec.missed, end_ns=leg.end_ns, ticks=self._ticks_left()
        )

    def _ticks_left(self) -> int | None:
        """How many ticks are to run yet; None where nothing but time bounds them.

        A tick that runs now is not one of them, and is not yet taken off the schedule either.
        """
        if self._until is None:
            return None
        return max(0, self._until - self._zone.next_tick) + self._zone.ticking


async def sleep_until_ns(moment_ns: int) -> None:
    """Sleep until a moment of the monotonic clock; a checkpoint where it has passed."""
    left_s = (moment_ns - time.monotonic_ns()) / 1e9
    await trio.sleep(left_s if left_s > 0 else 0)
