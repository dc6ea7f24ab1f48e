"""Ticks that were due in a step and never ran. Knows schedules and rows, no clock."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import groupby
from types import MappingProxyType

from zonesim.results.step_info import StepInfo
from zonesim.wire.ticks import TickRow
from zonesim.zone.phases import DueTimes, due_times

NS_PER_MS = 1_000_000


def count_missed(
    rows: Sequence[TickRow], step: StepInfo, until: Mapping[int, int] = MappingProxyType({})
) -> int:
    """Ticks of all zones of a step, from its rows, zone by zone.

    Each zone of the step is held against its schedule, also for the time that it was dead, and
    also where it never came back. What a tick at the end of a step made miss after it counts in
    the step in which that was due. Zones that the step leaves out owe it nothing. Where ticks
    bound the step, ``until`` says of zones that were in earlier ones which tick is the first that
    they run no more.
    """
    if not step.begin_ns:
        return sum(row.missed for row in rows)
    by_zone = {zone: list(of) for zone, of in groupby(rows, key=lambda row: row.zone)}
    missed = 0
    for zone in range(step.zones):
        ran = by_zone.get(zone, [])
        last_ns = max((row.scheduled_ns for row in ran), default=0)
        next_tick = max((row.tick + 1 for row in ran), default=0)
        left = None  # in a step that was broken off, nobody knows what would have been missed
        if step.duration_s:
            left = ticks_left(step, until.get(zone, step.ticks), next_tick)
        missed += count_missed_by(due_in(step, zone), len(ran), last_ns, left, step.end_ns)
    return missed


def count_missed_by(
    due: DueTimes, ran: int, last_ns: int, left: int | None = None, end_ns: int = 0
) -> int:
    """Ticks that a zone was due for in a step, and never ran.

    It has run ``ran`` of them, the latest of which was due at ``last_ns``, and is not to run those
    that are ``left``, as far as they are due before ``end_ns``. Either of the two may be the only
    bound: ``left`` is None then, or ``end_ns`` 0. Without any, nothing is due behind the latest.
    """
    so_far = due.before(last_ns + 1) if ran else 0
    bounds = [] if left is None else [left]
    if end_ns:
        bounds.append(max(0, due.before(end_ns) - so_far))
    return max(0, so_far - ran) + min(bounds, default=0)


def due_in(step: StepInfo, zone: int) -> DueTimes:
    """When a zone is due from the beginning of a step on."""
    return due_times(step.origin_ns, zone, round(step.period_ms * NS_PER_MS), step.begin_ns)


def ticks_left(step: StepInfo, until: int, next_tick: int) -> int | None:
    """What a zone has to run yet that stands before a tick; None where no number bounds it.

    ``until`` is the first tick that it runs no more. Where it has run again what it ran in an
    earlier step, that is no tick of this one.
    """
    return min(max(0, until - next_tick), step.ticks) if step.ticks else None
