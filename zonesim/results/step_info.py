"""A step as it was ordered, and the ticks that were due in it and never ran."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import groupby
from types import MappingProxyType

import msgspec

from zonesim.wire.ticks import TickRow
from zonesim.zone.phases import DueTimes, due_times

NS_PER_MS = 1_000_000


class StepInfo(msgspec.Struct, frozen=True):
    """What a step set out to do, and how long it took. Moments are of the monotonic clock."""

    step: int
    zones: int
    zone_processes: int
    workers: float  # mean over time
    period_ms: float
    pace: str  # "realtime", or "max": ticks back to back, without a schedule
    duration_s: float = 0.0  # measured; 0 until the step has ended
    origin_ns: int = 0  # with the phase of each zone, the origin of its schedule
    begin_ns: int = 0  # nothing is due before
    end_ns: int = 0  # nothing is due from here on; 0 if only the number of ticks bounds the step
    ticks: int = 0  # for each zone to run; 0 if only time bounds the step


def count_missed(
    rows: Sequence[TickRow], step: StepInfo, until: Mapping[int, int] = MappingProxyType({})
) -> int:
    """Count the missed ticks of all zones of a step, from its rows, sorted by zone.

    Each zone of the step is compared with its schedule, including the time that it was dead. A
    tick counts in the step in which it was due. If ticks bound the step, ``until`` gives for zones
    of earlier steps the number of the tick that they stop before.
    """
    if not step.begin_ns:
        return sum(row.missed for row in rows)
    by_zone = {zone: list(of) for zone, of in groupby(rows, key=lambda row: row.zone)}
    missed = 0
    for zone in range(step.zones):
        ran = by_zone.get(zone, [])
        last_ns = max((row.scheduled_ns for row in ran), default=0)
        next_tick = max((row.tick + 1 for row in ran), default=0)
        left = None  # unknown if the step was broken off
        if step.duration_s:
            left = ticks_left(step, until.get(zone, step.ticks), next_tick)
        missed += count_missed_by(due_in(step, zone), len(ran), last_ns, left, step.end_ns)
    return missed


def count_missed_by(
    due: DueTimes, ran: int, last_ns: int, left: int | None = None, end_ns: int = 0
) -> int:
    """Count the ticks of a step that a zone was due for and never ran.

    It ran ``ran`` ticks, the latest of which was due at ``last_ns``, and did not run the ``left``
    ticks that follow, as far as they are due before ``end_ns``. None and 0 stand for no bound;
    without any, nothing is due after the latest tick.
    """
    so_far = due.before(last_ns + 1) if ran else 0
    bounds = [] if left is None else [left]
    if end_ns:
        bounds.append(max(0, due.before(end_ns) - so_far))
    return max(0, so_far - ran) + min(bounds, default=0)


def due_in(step: StepInfo, zone: int) -> DueTimes:
    """Return when a zone is due from the beginning of a step on."""
    return due_times(step.origin_ns, zone, round(step.period_ms * NS_PER_MS), step.begin_ns)


def ticks_left(step: StepInfo, until: int, next_tick: int) -> int | None:
    """Return how many ticks of a step a zone has still to run; None if no number bounds them.

    Ticks of earlier steps that the zone ran again after a restart do not count.
    """
    return min(max(0, until - next_tick), step.ticks) if step.ticks else None
