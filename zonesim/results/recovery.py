"""How zones came back after their deaths, from their tick rows. Knows no processes, no clock."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import accumulate, groupby, pairwise
from typing import NamedTuple

import msgspec

from zonesim.wire.ticks import TickRow

NS_PER_MS = 1_000_000


class Recovery(msgspec.Struct, frozen=True):
    """The worst of all deaths of zones in a run; all zero where none died."""

    zones_unhealthy: int = 0  # not alive at the end of the run
    recovery_ms_max: float = 0.0  # from a death to the end of the first tick after it
    redone_ticks_max: int = 0  # ticks that had been run before one death, and again after it


class _Return(NamedTuple):
    """One death that a zone came back from."""

    recovery_ns: int
    redone: int


def recovery_of(
    rows: Iterable[TickRow],
    deaths_ns: Mapping[int, Sequence[int]] | None = None,
    zones_unhealthy: int = 0,
) -> Recovery:
    """Compute the recovery of a run from all its rows, in any order.

    With ``deaths_ns``, the moments at which each zone died on the clock of the rows, these are
    the deaths that count, and recovery runs from there. Without, a tick number that does not
    follow the one before it gives a death away, and recovery runs from the end of the tick
    before: an upper bound of the truth. A zone that goes on with the very next tick, as from a
    checkpoint of the latest one, looks as if it had never died then. A death that nothing comes
    after counts in ``zones_unhealthy``, if anywhere.
    """
    ordered = sorted(rows, key=lambda row: (row.zone, row.started_ns))
    returns: list[_Return] = []
    for zone, of in groupby(ordered, key=lambda row: row.zone):
        if deaths_ns is None:
            returns += _returns_by_gaps(list(of))
        else:
            returns += _returns_by_deaths(list(of), deaths_ns.get(zone, ()))
    return Recovery(
        zones_unhealthy=zones_unhealthy,
        recovery_ms_max=max((each.recovery_ns for each in returns), default=0) / NS_PER_MS,
        redone_ticks_max=max((each.redone for each in returns), default=0),
    )


def _returns_by_gaps(rows: Sequence[TickRow]) -> Iterator[_Return]:
    for highest, (before, after) in zip(_highest(rows), pairwise(rows), strict=False):
        if after.tick != before.tick + 1:
            recovery_ns = after.finished_ns - before.finished_ns
            yield _Return(recovery_ns, max(0, highest + 1 - after.tick))


def _returns_by_deaths(rows: Sequence[TickRow], deaths_ns: Sequence[int]) -> Iterator[_Return]:
    finished_ns = [row.finished_ns for row in rows]
    highest = _highest(rows)
    for death_ns in deaths_ns:
        first = bisect_right(finished_ns, death_ns)
        if first < len(rows):
            ran = highest[first - 1] + 1 if first else 0  # as many numbers as had been run
            redone = max(0, ran - rows[first].tick)
            yield _Return(finished_ns[first] - death_ns, redone)


def _highest(rows: Sequence[TickRow]) -> list[int]:
    """The highest tick number up to each row."""
    return list(accumulate((row.tick for row in rows), max))
