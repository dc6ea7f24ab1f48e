"""Shape of the load over a run: steps of zones, and surges of players.

Steps are written as a list of numbers and ramps: ``1,5,10..100:+10 every 15s``. Surges are counted
in ticks of a zone.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from math import ceil
from typing import NamedTuple

import msgspec

ZONES_MAX = 1000
STEPS_MAX = 1000
EXAMPLES = ("1,2,5,10", "1..100:+10 every 15s")
_RAMP = (
    r"(?P<first>\d{1,9})\.\.(?P<last>\d{1,9}):(?P<by>[+-]\d{1,9})"
    r"(?:\s+every\s+(?P<every>\d.*))?"
)
_ROUNDING = 1e-6  # of a tick: three times 0.1 is 0.3, whatever binary fractions say


class RampError(ValueError):
    """A text that is no list of steps; the message is one line."""

    inside = ".zones"  # the key of a scenario that held it


class Step(NamedTuple):
    """One step of a run."""

    zones: int
    duration_s: float | None  # None where the text does not say


class Surge(msgspec.Struct, frozen=True):
    """Extra players, here called guests, from one tick on: once, or at regular intervals."""

    first_tick: int
    ticks: int  # how long they stay
    players: int
    # From one start to the next. A fraction is kept: rounding would add up over many starts.
    every_ticks: float | None = None

    def guests(self, tick: int) -> int:
        """How many of its guests are there during a tick."""
        start = self._latest_start(tick)
        return self.players if start is not None and tick < start + self.ticks else 0

    def _latest_start(self, tick: int) -> int | None:
        if tick < self.first_tick:
            return None
        if self.every_ticks is None:
            return self.first_tick
        number = int((tick - self.first_tick + _ROUNDING) / self.every_ticks)
        return self.first_tick + ceil(number * self.every_ticks - _ROUNDING)


def guests_at(surges: Iterable[Surge], tick: int) -> int:
    """How many guests are in the zone during a tick; surges add up."""
    return sum(surge.guests(tick) for surge in surges)


def parse_steps(text: str) -> tuple[Step, ...]:
    """The steps of a list of numbers and ramps, in order.

    ``1..100:+10 every 15s`` is 1, 11, 21 … 91 and 100 zones, for 15 s each: the last number is
    always reached. Without ``every`` the scenario sets the duration. Raises RampError.
    """
    steps = [step for part in text.split(",") for step in _parse(part.strip())]
    if len(steps) > STEPS_MAX:
        raise RampError(f'expected at most {STEPS_MAX} steps, found {len(steps)} in "{text[:60]}"')
    return tuple(steps)


def _parse(part: str) -> list[Step]:
    found = f'found "{part[:60]}"'
    if re.fullmatch(r"\d{1,9}", part, re.ASCII):
        return [Step(_zones(part, found), None)]
    ramp = re.fullmatch(_RAMP, part, re.ASCII)
    if ramp is None:
        raise RampError(f"expected a number of zones or a ramp such as {EXAMPLES[-1]}, {found}")
    every_s = None if ramp["every"] is None else _every_s(ramp["every"], found)
    first, last = _zones(ramp["first"], found), _zones(ramp["last"], found)
    by = int(ramp["by"])
    if not by or (last - first) * by < 0:
        sign, way = ("-", "down") if last < first else ("+", "up")
        raise RampError(f"expected :{sign}N to go {way} from {first} to {last}, {found}")
    return [Step(zones, every_s) for zones in (*range(first, last, by), last)]


def _every_s(text: str, found: str) -> float:
    # Imported here: zone processes import this module for its surges.
    from .durations import LONGEST_S, parse_duration

    every_s = parse_duration(text, "s")
    if every_s is None or not 0 < every_s <= LONGEST_S:
        raise RampError(f"expected a time such as 15s or 1m30s after every, {found}")
    return every_s


def _zones(digits: str, found: str) -> int:
    zones = int(digits)
    if not 1 <= zones <= ZONES_MAX:
        raise RampError(f"expected from 1 to {ZONES_MAX} zones, {found}")
    return zones
