"""What a run shows of itself while it goes on. Knows no terminal."""

from __future__ import annotations

from collections.abc import Callable

import msgspec


class ZoneLine(msgspec.Struct, frozen=True):
    """One zone over the last seconds.

    Utilisation is what its main thread was busy for, as a share of the period (mean of its ticks).
    MSPT, milliseconds per tick, is from the start of a tick to its end, the wait for workers
    included: what a zone that is slow through others shows as well.
    """

    zone: int
    state: str  # in Agones' words, as all states here
    utilisation: float  # 1.0 is the whole period
    mspt_p50_ms: float
    mspt_p95_ms: float
    tps: float
    players: int
    entities: int
    late: int  # ticks, of this step


class WorkerLine(msgspec.Struct, frozen=True):
    """One worker over the last seconds."""

    worker: int  # its place in the pool, counted from 1
    utilisation: float  # 0 to 1


class StepLine(msgspec.Struct, frozen=True):
    """A step that has ended; its response times are those of its last seconds."""

    step: int
    zones: int
    ticks: int
    late: int
    missed: int
    response_p50_ms: float
    response_p95_ms: float
    response_p99_ms: float


class EventLine(msgspec.Struct, frozen=True):
    """Something that happened to a process."""

    at_s: float  # since the run began
    text: str  # one line


class Progress(msgspec.Struct, frozen=True):
    """A snapshot of a run, a few times a second. "Recent" figures are of the last 5 s."""

    scenario: str
    period_ms: float
    phase: str  # "starting", "running", "writing"
    step: int  # 1-based
    steps: int
    zones: int  # asked for in this step
    zones_ready: int
    zones_by_state: dict[str, int]  # those of this step, also the ones still to be made
    elapsed_s: float  # of this step
    duration_s: float | None  # of this step; None when it is bounded by ticks
    ticks_wanted: int | None  # of this step, all zones; None when bounded by time
    ticks: int  # of this step, all zones
    late: int
    missed: int
    tps_lowest: float  # recent, over the zones that are to tick; 0 before any has
    tps_median: float
    tps_highest: float
    utilisation_mean: float  # recent busy/period over those zones; 1.0 is the whole period
    utilisation_highest: float
    headroom: float  # share of the period that is left; see zonesim.controller.gauge.headroom
    response_p50_ms: float  # recent: finished - scheduled
    response_p95_ms: float
    response_p99_ms: float
    busiest: tuple[ZoneLine, ...]  # the zones of highest utilisation, highest first
    async_in_flight: int  # AsyncTasks that zones carry over from tick to tick
    batches_queued: int  # that wait for a worker at this moment
    workers: tuple[WorkerLine, ...]
    worker_restarts: int
    ended: tuple[StepLine, ...]  # the latest steps before this one, oldest first
    events: tuple[EventLine, ...]  # the latest, oldest first


OnProgress = Callable[[Progress], None]
