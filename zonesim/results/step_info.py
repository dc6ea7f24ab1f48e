"""A step as it was ordered, and the ticks that were due in it and never ran."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import groupby

import msgspec

from zonesim.wire.messages import TickRow
from zonesim.zone.schedule import due_times

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
    cores_left: float | None = None  # share of the CPU time that nobody used; None if unknown
    cores_stolen: float | None = None  # share that the host of a virtual machine took


def count_missed(rows: Sequence[TickRow], step: StepInfo, until: Mapping[int, int]) -> int:
    """Count the missed ticks of all zones of a step, from its rows, sorted by zone.

    A tick counts in the step in which it was due, whether its zone lived or not. If ticks bound the
    step, ``until`` gives for zones of earlier steps the number of the tick that they stop before.
    """
    if not step.begin_ns:
        return sum(row.missed for row in rows)
    ran = {zone: list(of) for zone, of in groupby(rows, key=lambda row: row.zone)}
    return sum(
        _missed_by(zone, ran.get(zone, []), step, until.get(zone, step.ticks))
        for zone in range(step.zones)
    )


def _missed_by(zone: int, ran: Sequence[TickRow], step: StepInfo, until: int) -> int:
    due = due_times(step.origin_ns, zone, round(step.period_ms * NS_PER_MS), step.begin_ns)
    so_far = due.before(max(row.scheduled_ns for row in ran) + 1) if ran else 0
    bounds = []
    if step.ticks and step.duration_s:  # unknown if the step was interrupted
        next_tick = max((row.tick + 1 for row in ran), default=0)
        # Ticks of earlier steps that ran again after a restart do not count.
        bounds.append(min(max(0, until - next_tick), step.ticks))
    if step.end_ns:
        bounds.append(max(0, due.before(step.end_ns) - so_far))
    return max(0, so_far - len(ran)) + min(bounds, default=0)
