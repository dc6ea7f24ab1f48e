"""What measures in turns, measured alone: nobody else has the pauses."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TypeVar

from zonesim.bench.figures import Row
from zonesim.bench.launches import Pause, Turns
from zonesim.bench.suite import Measuring

T = TypeVar("T")


def parts_of(measuring: Measuring) -> Iterator[Row | str]:
    """All that a group tells."""
    return (part for part in measuring if not isinstance(part, Pause))


def outcome_of(turns: Turns[T]) -> T:
    """What they come to."""
    while True:
        try:
            next(turns)
        except StopIteration as ended:
            outcome: T = ended.value
            return outcome
