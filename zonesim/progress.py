"""What a run shows of itself while it goes on. Knows no terminal."""

from __future__ import annotations

from collections.abc import Callable

import msgspec


class WorkerLine(msgspec.Struct, frozen=True):
    """One worker in the live table."""

    name: str
    utilisation: float  # 0 to 1 since the previous progress


class Progress(msgspec.Struct, frozen=True):
    """A snapshot of a run, a few times a second."""

    phase: str  # "starting", "running", "writing"
    step: int  # 1-based
    steps: int
    zones: int  # asked for in this step
    zones_ready: int
    elapsed_s: float  # of this step
    duration_s: float | None  # of this step; None when it is bounded by ticks
    ticks_wanted: int | None  # of this step, all zones; None when bounded by time
    ticks: int  # of this step, all zones
    late: int
    missed: int
    response_p50_ms: float  # of the last seconds: finished - scheduled
    response_p95_ms: float
    response_p99_ms: float
    async_in_flight: int
    workers: tuple[WorkerLine, ...]
    worker_restarts: int
    zones_by_state: dict[str, int] = {}  # in Agones' words; also those of no step any more


OnProgress = Callable[[Progress], None]
