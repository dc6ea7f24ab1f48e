"""Durations as people write them: ``90``, ``90s``, ``5m``, ``1h``, ``1m30s``, ``500ms``."""

from __future__ import annotations

import re
from typing import Any

LONGEST_S = 604_800  # a week
EXAMPLES = ("90s", "1m30s", "500ms")
PATTERN = r"^(\d+(\.\d+)?|(\d+(\.\d+)?(h|ms|m|s))+)$"
_UNITS_MS = {"h": 3_600_000, "m": 60_000, "s": 1_000, "ms": 1}
_PART = re.compile(r"(\d+(?:\.\d+)?)\s*(h|ms|m|s)")


def parse_duration(text: str, unit: str) -> float | None:
    """A duration in a unit, ``s`` or ``ms``; that is also the unit of a number alone.

    None if the text is not a duration.
    """
    parts = _PART.findall(text)
    if parts and not _PART.sub("", text).strip():
        return sum(float(number) * _UNITS_MS[of] for number, of in parts) / _UNITS_MS[unit]
    try:
        return float(text)
    except ValueError:
        return None


def unit_of(key: str) -> str | None:
    """The unit of a key that holds a duration, as its name says: ``duration_s``, ``period_ms``."""
    name, _, unit = key.rpartition("_")
    return unit if name and unit in ("s", "ms") else None


def with_durations(value: Any) -> Any:  # noqa: ANN401 - whatever TOML holds
    """A document in which the durations that are written as text are numbers."""
    if isinstance(value, list):
        return [with_durations(item) for item in value]
    if isinstance(value, dict):
        return {key: _number(key, inner) for key, inner in value.items()}
    return value


def _number(key: str, value: Any) -> Any:  # noqa: ANN401 - whatever TOML holds
    unit = unit_of(key)
    if unit is None or not isinstance(value, str):
        return with_durations(value)
    number = parse_duration(value, unit)
    return value if number is None else number
