"""Guests who come to a zone for a while: how many there are at a tick. Knows no world, no clock."""

from __future__ import annotations

from collections.abc import Iterable
from math import ceil

import msgspec

_ROUNDING = 1e-6  # of a tick: three times 0.1 is 0.3, whatever binary fractions say


class Surge(msgspec.Struct, frozen=True):
    """So many guests from one tick on, once or again and again; counted in ticks of the zone."""

    first_tick: int
    ticks: int  # how long they stay
    players: int
    # From one beginning to the next. It may hold a fraction, which the whole ticks at which guests
    # come make up for in turn: rounded, each of very many would come further off its time.
    every_ticks: float | None = None
    until_tick: int | None = None  # none begins at this tick or later

    def guests(self, tick: int) -> int:
        """How many of its guests there are while a tick runs."""
        begun = self._latest_beginning(tick)
        return self.players if begun is not None and tick < begun + self.ticks else 0

    def _latest_beginning(self, tick: int) -> int | None:
        """The tick of the latest beginning up to a tick; None before the first."""
        last = tick if self.until_tick is None else min(tick, self.until_tick - 1)
        if last < self.first_tick:
            return None
        if self.every_ticks is None:
            return self.first_tick
        number = int((last - self.first_tick + _ROUNDING) / self.every_ticks)
        return self.first_tick + ceil(number * self.every_ticks - _ROUNDING)


def guests_at(surges: Iterable[Surge], tick: int) -> int:
    """How many guests there are while a tick runs; those of several surges add up."""
    return sum(surge.guests(tick) for surge in surges)
