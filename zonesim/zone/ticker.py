"""Ticks a zone on its schedule, uses the slack between ticks, and detects ticks that hang."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Iterable

import trio

import corororo as cr
from zonesim.wire.messages import Leg, TickRow
from zonesim.zone.schedule import Schedule, due_times
from zonesim.zone.zone import Zone

CHECKS_BEFORE_HUNG = 4  # so a process that was stopped for a while has not hung
INSIDE_TICK = 0


class Ticker:
    """Ticks a zone at its phase in the period, or back to back where the leg is not realtime.

    ``between`` is called after each tick, once ``on_row`` has taken its row.
    """

    def __init__(
        self,
        zone: Zone,
        leg: Leg,
        slack: Slack,
        on_row: Callable[[TickRow], Awaitable[None]],
        between: Callable[[Zone], None],
    ) -> None:
        self._zone = zone
        self._slack = slack
        self._on_row = on_row
        self._between = between
        self._until = leg.until[zone.spec.zone]
        self._start_ns, self._end_ns = leg.start_ns, leg.end_ns
        self._period_ns = leg.period_ns
        self._schedule: Schedule | None = None
        if leg.realtime:
            due = due_times(leg.origin_ns, zone.spec.zone, leg.period_ns, leg.start_ns)
            self._schedule = Schedule(due.first_ns, leg.period_ns, zone.spec.missed)
            self._schedule.set_bounds(leg.end_ns, self._ticks_left())
        self._halted = False
        self._sleep = trio.CancelScope()

    def update(self, leg: Leg) -> None:
        """Continue to the end of a later leg; stop at its start if it does not name the zone."""
        zone = self._zone.spec.zone
        self._end_ns = leg.end_ns if zone in leg.until else leg.start_ns
        self._until = leg.until.get(zone, self._until)
        if self._schedule is not None:
            self._schedule.set_bounds(self._end_ns, self._ticks_left())
        self._sleep.cancel()

    def halt(self) -> None:
        """Stop after the tick that runs now."""
        self._halted = True
        self._sleep.cancel()

    async def run(self) -> None:
        """Rehearse until the first tick is due, then tick until a bound is reached."""
        if self._schedule is not None:
            await self._rehearse(self._schedule.due_ns)
        self._zone.end_rehearsals()
        zone, due_ns = self._zone.spec.zone, self._slack.due_ns
        due_ns[zone] = self._due_ns()
        while await self._wait_until(self._due_ns()):
            due_ns[zone] = INSIDE_TICK
            row = await self._zone.tick(self._schedule)
            due_ns[zone] = self._due_ns()
            await self._on_row(row)
            self._between(self._zone)
            self._slack.use()
        del due_ns[zone]

    async def _rehearse(self, first_ns: int) -> None:
        """Rehearse when ticks would be due before the first one.

        All zones of a step do, so that it begins with cores and workers as busy as they will be.
        """
        period_ns = self._period_ns
        for left in range((first_ns - time.monotonic_ns()) // period_ns, 0, -1):
            if not await self._wait_until(first_ns - left * period_ns):
                return
            left_ns = first_ns - time.monotonic_ns()
            if left_ns > (left - 1) * period_ns:  # else the one before has taken longer
                # Cut off, it would leave replies behind: it may make the first tick late instead.
                await self._zone.rehearse(trio.current_time() + (left_ns + period_ns) / 1e9)

    async def _wait_until(self, moment_ns: int) -> bool:
        """Wait for a moment; False when no tick is due any more."""
        while not self._is_over():
            with trio.CancelScope() as self._sleep:
                await sleep_until_ns(moment_ns)
            if not self._sleep.cancel_called:  # otherwise the bounds have changed
                return True
        return False

    def _due_ns(self) -> int:
        """When the next tick is due; without a schedule, now."""
        if self._schedule is None:
            return max(self._start_ns, time.monotonic_ns())
        return self._schedule.due_ns

    def _is_over(self) -> bool:
        if self._halted or self._zone.next_tick == self._until:
            return True
        if self._schedule is not None:
            return self._schedule.is_over
        return self._end_ns is not None and time.monotonic_ns() >= self._end_ns

    def _ticks_left(self) -> int | None:
        """Ticks left to run, with the one that runs now; None if only time bounds them."""
        if self._until is None:
            return None
        return max(0, self._until - self._zone.next_tick) + self._zone.ticking


class Slack:
    """Collects garbage between ticks: while no zone of the process is inside one."""

    def __init__(self, garbage: cr.SlackCollector) -> None:
        self._garbage = garbage
        self.due_ns: dict[int, int] = {}  # of zones that tick; INSIDE_TICK, or the next tick

    def use(self) -> None:
        """Collect garbage in the time until the next tick of any zone."""
        due_ns = min(self.due_ns.values())
        if due_ns == INSIDE_TICK:
            return
        left_ns = due_ns - time.monotonic_ns()
        self._garbage.collect(max(0.0, left_ns / 1e9))


class HangDetector:
    """Finds zones whose tick makes no progress; ``check`` is called every ``interval_s``.

    A process whose Tasks await something that never comes still sends heartbeats. Time alone proves
    nothing on a crowded machine: a tick hangs when no reply arrives and no Task ends.
    """

    def __init__(self, tick_hang_s: float) -> None:
        self.interval_s = tick_hang_s / CHECKS_BEFORE_HUNG
        self._seen: dict[Zone, tuple[tuple[int, ...], int]] = {}  # progress, checks without any

    def check(self, zones: Iterable[Zone]) -> list[Zone]:
        """Return the zones that hang."""
        before, self._seen = self._seen, {}
        for zone in zones:
            if zone.ticking:
                seen, checks = before.get(zone, ((), 0))
                progress = zone.progress
                self._seen[zone] = (progress, checks + 1 if seen == progress else 0)
        return [zone for zone, (_, checks) in self._seen.items() if checks >= CHECKS_BEFORE_HUNG]


async def sleep_until_ns(moment_ns: int) -> None:
    """Sleep until a moment of the monotonic clock; a checkpoint if it has passed."""
    left_s = (moment_ns - time.monotonic_ns()) / 1e9
    await trio.sleep(left_s if left_s > 0 else 0)
