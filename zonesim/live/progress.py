"""A snapshot of a run in progress, and its figures as text."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import msgspec

from zonesim.results.step_table import figure

WARNING_SHARE = 0.8  # of the period: yellow from here on
SERIOUS_SHARE = 1.0  # red from here on


class ZoneLine(msgspec.Struct, frozen=True):
    """One zone over the last seconds."""

    zone: int
    state: str  # as in Agones
    utilisation: float  # of its main thread; 1.0 is the whole period
    mspt_p50_ms: float  # from the start of a tick to its end, waiting included
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
    """A snapshot of a run; "recent" figures are of the last 5 s."""

    scenario: str
    period_ms: float
    phase: str  # "starting", "running", "writing"
    step: int  # 1-based
    steps: int
    zones: int  # ordered in this step
    zones_ready: int
    zones_by_state: dict[str, int]  # of this step
    elapsed_s: float  # of this step
    duration_s: float | None  # of this step; None when it is bounded by ticks
    ticks_wanted: int | None  # of this step, all zones; None when bounded by time
    ticks: int  # of this step, all zones
    late: int
    missed: int
    tps_lowest: float  # recent, over the zones that should tick; 0 before the first tick
    tps_median: float
    tps_highest: float
    utilisation_mean: float  # recent busy/period over those zones; 1.0 is the whole period
    utilisation_highest: float
    headroom: float  # share of the period that is left
    response_p50_ms: float  # recent: finished - scheduled
    response_p95_ms: float
    response_p99_ms: float
    busiest: tuple[ZoneLine, ...]  # the zones of highest utilisation, highest first
    async_in_flight: int  # AsyncTasks that zones carry from tick to tick
    batches_queued: int  # waiting for a worker now
    workers: tuple[WorkerLine, ...]
    worker_restarts: int
    ended: tuple[StepLine, ...]  # the latest steps before this one, oldest first
    events: tuple[EventLine, ...]  # the latest, oldest first


OnProgress = Callable[[Progress], None]


class Figure(NamedTuple):
    """A figure as text, and the share of the period that colours it."""

    name: str
    value: str
    share: float = 0.0


def fleet_figures(progress: Progress) -> dict[str, list[Figure]]:
    """Describe all zones together, by label; figures of ticks are "-" before the first."""

    def known(name: str, value: str, share: float = 0.0) -> Figure:
        return Figure(name, value, share) if progress.ticks else Figure(name, "-")

    def response(name: str, ms: float) -> Figure:
        return known(name, figure(ms), ms / progress.period_ms)

    def use(name: str, share: float) -> Figure:
        return known(name, f"{share:.1%}" if share < 0.0995 else f"{share:.0%}", round(share, 2))

    left = round(progress.headroom, 2)
    return {
        "zones": [
            Figure("", f"{count} {state}", SERIOUS_SHARE if state == "Unhealthy" else 0.0)
            for state, count in progress.zones_by_state.items()
        ],
        "TPS": [
            known("lowest", figure(progress.tps_lowest)),
            known("median", figure(progress.tps_median)),
            known("highest", figure(progress.tps_highest)),
            Figure("ticks", str(progress.ticks)),
        ],
        "utilisation": [
            use("mean", progress.utilisation_mean),
            use("highest", progress.utilisation_highest),
            known("headroom", f"{left:.0%}", 1.0 - left),
            _fault_count("late", progress.late),
        ],
        "response ms": [
            response("p50", progress.response_p50_ms),
            response("p95", progress.response_p95_ms),
            response("p99", progress.response_p99_ms),
            _fault_count("missed", progress.missed, SERIOUS_SHARE),
        ],
    }


def worker_figures(progress: Progress) -> list[Figure]:
    """Describe all workers together."""
    shares = [worker.utilisation for worker in progress.workers]
    if not shares:
        return [Figure("none:", "AsyncTasks run inline")]
    spread = f", {min(shares):.0%} to {max(shares):.0%}" if len(shares) > 1 else ""
    queued = progress.batches_queued
    return [
        Figure("", str(len(shares))),
        Figure("use", f"{sum(shares) / len(shares):.0%}{spread}"),
        Figure("queue", f"{queued} {'batch' if queued == 1 else 'batches'}"),
        Figure("carried", str(progress.async_in_flight)),
        _fault_count("restarts", progress.worker_restarts),
    ]


def _fault_count(name: str, count: int, share: float = WARNING_SHARE) -> Figure:
    return Figure(name, str(count), share if count else 0.0)
