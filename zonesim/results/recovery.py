"""How zones recovered from their deaths, by the events and tick rows of a run."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import accumulate, groupby
from typing import NamedTuple

import msgspec

from zonesim.wire.messages import TickRow

NS_PER_MS = 1_000_000
RUN_FAILED = "run-failed"
_DIED = "zone-died"
_ENDS = frozenset({_DIED, "zone-quarantined"})
_RETURNS = frozenset({"zone-restarted", "zone-drained"})


class Event(msgspec.Struct, frozen=True):
    """Something that happened to a process: a start, a death, a restart."""

    step: int
    at_ns: int  # on the monotonic clock of the ticks
    kind: str
    detail: str
    zone: int | None = None
    worker: int | None = None  # its place in the pool, counted from 1
    pid: int | None = None


class Recovery(msgspec.Struct, frozen=True):
    """The worst of all deaths of zones in a run; all zero when none died."""

    zones_unhealthy: int = 0  # dead at the end of the run
    recovery_ms_max: float = 0.0  # from a death to the end of the first tick after it
    redone_ticks_max: int = 0  # ticks run before one death and again after it


class _Return(NamedTuple):
    """One death that a zone recovered from."""

    recovery_ns: int
    redone: int


def deaths_of(events: Iterable[Event]) -> dict[int, list[int]]:
    """Return the moments at which each zone died, in order."""
    found: dict[int, list[int]] = {}
    for event in events:
        if event.kind == _DIED and event.zone is not None:
            found.setdefault(event.zone, []).append(event.at_ns)
    return found


def unhealthy_of(events: Iterable[Event]) -> list[int]:
    """Return the zones that died, did not come back, and are still wanted."""
    dead: set[int] = set()
    for event in events:
        if event.zone is not None and event.kind in _ENDS:
            dead.add(event.zone)
        elif event.zone is not None and event.kind in _RETURNS:
            dead.discard(event.zone)
    return sorted(dead)


def failure_of(events: Iterable[Event]) -> str | None:
    """Return why the run ended early, in one line; None if it did not."""
    return next((event.detail for event in events if event.kind == RUN_FAILED), None)


def recovery_of(
    rows: Iterable[TickRow], deaths_ns: Mapping[int, Sequence[int]], zones_unhealthy: int = 0
) -> Recovery:
    """Compute the recovery of a run from all its rows, in any order.

    ``deaths_ns`` holds the moments at which each zone died, on the clock of the rows. A zone that
    never ticked after its death counts only in ``zones_unhealthy``.
    """
    ordered = sorted(rows, key=lambda row: (row.zone, row.started_ns))
    returns: list[_Return] = []
    for zone, of in groupby(ordered, key=lambda row: row.zone):
        returns += _returns(list(of), deaths_ns.get(zone, ()))
    return Recovery(
        zones_unhealthy=zones_unhealthy,
        recovery_ms_max=max((each.recovery_ns for each in returns), default=0) / NS_PER_MS,
        redone_ticks_max=max((each.redone for each in returns), default=0),
    )


def _returns(rows: Sequence[TickRow], deaths_ns: Sequence[int]) -> Iterator[_Return]:
    finished_ns = [row.finished_ns for row in rows]
    highest = list(accumulate((row.tick for row in rows), max))  # tick number up to each row
    for death_ns in deaths_ns:
        first = bisect_right(finished_ns, death_ns)
        if first < len(rows):
            next_tick = highest[first - 1] + 1 if first else 0
            redone = max(0, next_tick - rows[first].tick)
            yield _Return(finished_ns[first] - death_ns, redone)
