"""A step as it was ordered and as it went: what its figures are held against. Computes nothing."""

from __future__ import annotations

import msgspec


class StepInfo(msgspec.Struct, frozen=True):
    """What a step set out to do, and how long it took."""

    step: int
    zones: int
    zone_processes: int
    workers: float  # in the mean over time
    period_ms: float
    pace: str  # "realtime", or "max": ticks back to back, with no schedule to be late for
    duration_s: float = 0.0  # measured; 0 until the step has ended
    # Moments of the monotonic clock; 0 in runs that saved none.
    origin_ns: int = 0  # with the phase of each zone, this makes its schedule
    begin_ns: int = 0  # the first moment at which anything is due
    end_ns: int = (
        0  # nothing is due from then on; 0 where the number of ticks alone bounds the step
    )
    ticks: int = 0  # that each zone is to run; 0 where time alone bounds the step
