"""The time between the ticks of a process, and what is done in it. Knows no schedule, no wire."""

from __future__ import annotations

import time

import corororo as cr


class Slack:
    """Shared by all zones of a process: nothing is done in it while any of them is in a tick."""

    def __init__(self, garbage: cr.SlackCollector) -> None:
        self._garbage = garbage
        self._in_ticks = 0  # zones that are inside a tick now
        self._due_ns: dict[int, int] = {}  # when the next tick of each zone is due

    def tick_begins(self) -> None:
        """One more zone is inside a tick."""
        self._in_ticks += 1

    def tick_ended(self) -> None:
        """One zone less."""
        self._in_ticks -= 1

    def expect(self, zone: int, due_ns: int) -> None:
        """The next tick of a zone is due then."""
        self._due_ns[zone] = due_ns

    def forget(self, zone: int) -> None:
        """No tick of this zone is due any more."""
        self._due_ns.pop(zone, None)

    def use(self) -> None:
        """Collect garbage in the time until the next tick of any zone here."""
        if self._in_ticks:
            return
        left_ns = min(self._due_ns.values(), default=0) - time.monotonic_ns()
        self._garbage.collect(max(0.0, left_ns / 1e9))
