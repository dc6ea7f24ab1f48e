"""How zones recovered from their deaths, by the events and tick rows of a run."""

from __future__ import annotations

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from itertools import accumulate, groupby

import msgspec

from zonesim.wire.messages import TickRow

from .step_info import NS_PER_MS

RUN_FAILED, RUN_INTERRUPTED, UNWRITABLE = "run-failed", "run-interrupted", "results-unwritable"
# Events after which the figures of a step are not those of a whole one, and why.
CUT_SHORT = {
    RUN_FAILED: "the run failed",
    RUN_INTERRUPTED: "interrupted",
    UNWRITABLE: "figures are not saved",
}


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

    zones_unhealthy: int = 0  # died, did not come back, and are still wanted
    recovery_ms_max: float = 0.0  # from a death to the end of the first tick after it
    redone_ticks_max: int = 0  # ticks run before one death and again after it


def recovery_of(rows: Iterable[TickRow], events: Iterable[Event]) -> Recovery:
    """Compute the recovery of a run from all its rows, in any order.

    A zone that never ticked after its death counts only in ``zones_unhealthy``.
    """
    deaths_ns: dict[int, list[int]] = defaultdict(list)
    unhealthy: set[int] = set()
    for event in events:
        if event.zone is None:
            continue
        if event.kind == "zone-died":
            deaths_ns[event.zone].append(event.at_ns)
        if event.kind in ("zone-died", "zone-quarantined"):
            unhealthy.add(event.zone)
        elif event.kind in ("zone-restarted", "zone-drained"):
            unhealthy.discard(event.zone)
    returns: list[tuple[int, int]] = []
    of_dead = (row for row in rows if row.zone in deaths_ns)
    ordered = sorted(of_dead, key=lambda row: (row.zone, row.started_ns))
    for zone, of in groupby(ordered, key=lambda row: row.zone):
        returns += _returns(list(of), deaths_ns[zone])
    return Recovery(
        zones_unhealthy=len(unhealthy),
        recovery_ms_max=max((recovery_ns for recovery_ns, _ in returns), default=0) / NS_PER_MS,
        redone_ticks_max=max((redone for _, redone in returns), default=0),
    )


def _returns(rows: Sequence[TickRow], deaths_ns: Sequence[int]) -> Iterator[tuple[int, int]]:
    """Give the recovery time and the redone ticks of each death that a zone recovered from."""
    finished_ns = [row.finished_ns for row in rows]
    highest = list(accumulate((row.tick for row in rows), max))  # tick number up to each row
    for death_ns in deaths_ns:
        first = bisect_right(finished_ns, death_ns)
        if first < len(rows):
            next_tick = highest[first - 1] + 1 if first else 0
            yield finished_ns[first] - death_ns, max(0, next_tick - rows[first].tick)
