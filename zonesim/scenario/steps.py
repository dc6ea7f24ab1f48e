"""The steps that a line of text stands for: ``1,5,10..100:+10 every 15s``. Knows no scenario."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import NamedTuple

ZONES_MAX = 1000
STEPS_MAX = 1000
EVERY_MAX_S = 604_800.0
EXAMPLES = ("1,2,5,10", "1..100:+10 every 15s")
_UNITS_S = {"ms": 0.001, "s": 1.0, "min": 60.0}
_RAMP = re.compile(
    r"(?P<first>\d+)\.\.(?P<last>\d+):(?P<by>[+-]\d+)"
    r"(?:\s+every\s+(?P<every>\d+(?:\.\d+)?)\s*(?P<unit>ms|s|min))?",
    re.ASCII,
)
_NUMBER = re.compile(r"\d+", re.ASCII)


class RampError(ValueError):
    """A text that is no list of steps; the message is one line."""

    inside = ".zones"  # the key of a scenario that held it


class Step(NamedTuple):
    """One step of a run."""

    zones: int
    duration_s: float | None  # None where the text does not say


def parse_steps(text: str) -> tuple[Step, ...]:
    """The steps of a list of numbers and ramps, in order.

    ``1..100:+10 every 15s`` is 1, 11, 21 … 91 and 100 zones, for 15 s each: the last number is
    always reached. Without ``every`` the scenario says how long. Raises RampError.
    """
    steps = [step for part in text.split(",") for step in _parse(part.strip())]
    if len(steps) > STEPS_MAX:
        raise RampError(f"expected at most {STEPS_MAX} steps, found {len(steps)} in {_shown(text)}")
    return tuple(steps)


def says_how_long(text: str) -> bool:
    """Whether a ramp in a text sets the duration of its steps; False where it cannot be read."""
    try:
        return any(step.duration_s is not None for step in parse_steps(text))
    except RampError:
        return False


def _parse(part: str) -> list[Step]:
    if _NUMBER.fullmatch(part):
        return [Step(_zones(part, part), None)]
    ramp = _RAMP.fullmatch(part)
    if ramp is None:
        raise RampError(
            f"expected a number of zones or a ramp such as {EXAMPLES[-1]}, found {_shown(part)}"
        )
    every_s = _every_s(ramp, part)
    first, last = _zones(ramp["first"], part), _zones(ramp["last"], part)
    return [Step(zones, every_s) for zones in _climb(first, last, _by(ramp, first, last, part))]


def _climb(first: int, last: int, by: int) -> Iterator[int]:
    yield from range(first, last, by)
    yield last


def _by(ramp: re.Match[str], first: int, last: int, part: str) -> int:
    by = _integer(ramp["by"], part)
    if not by or (last - first) * by < 0:
        sign, way = ("-", "down") if last < first else ("+", "up")
        raise RampError(
            f"expected :{sign}N to go {way} from {first} to {last}, found :{ramp['by']} "
            f"in {_shown(part)}"
        )
    return by


def _zones(digits: str, part: str) -> int:
    zones = _integer(digits, part)
    if not 1 <= zones <= ZONES_MAX:
        raise RampError(f"expected from 1 to {ZONES_MAX} zones, found {zones} in {_shown(part)}")
    return zones


def _integer(digits: str, part: str) -> int:
    if len(digits) > 9:  # Python refuses to read numbers of very many digits
        raise RampError(f"expected a number of at most 9 digits, found {_shown(part)}")
    return int(digits)


def _every_s(ramp: re.Match[str], part: str) -> float | None:
    if ramp["every"] is None:
        return None
    every_s = float(ramp["every"]) * _UNITS_S[ramp["unit"]]
    if not 0 < every_s <= EVERY_MAX_S:
        raise RampError(
            f"expected every step to last above 0 and at most {EVERY_MAX_S:.0f} s, found "
            f"{_shown(part)}"
        )
    return every_s


def _shown(part: str) -> str:
    text = json.dumps(part, ensure_ascii=False)
    return text if len(text) <= 60 else f"{text[:60]}…"
