"""How many zones and workers fit on a machine, by each bound."""

from __future__ import annotations

import msgspec

from zonesim.processes.preload import zones_for
from zonesim.scenario.faults import WORKERS_MAX
from zonesim.scenario.load_shape import ZONES_MAX
from zonesim.scenario.loading import Scenario

from .facts import Facts
from .trial import Trial

# Share of all CPUs for ticks. The rest goes to the controller, context switches and peaks: on 2
# cores where a tick cost 3.6 ms by this trial, 150 zones held and 165 did not.
UTILISATION = 0.6
ZONE_MB = 8.0  # of memory, beside the ring, where it has a process
PACKED_ZONE_MB = 1.0  # where many share one
PROCESS_MB = 30.0  # that many share, without them
WORKER_MB = 60.0  # where it could not be measured
CONTROLLER_MB = 120.0  # including the fork server
OTHER_PROCESSES = 4  # of a run beside zones and workers, and threads of them


class Bound(msgspec.Struct, frozen=True):
    """What one resource leaves room for; None where it is no bound."""

    what: str
    zones: int | None  # with a process each
    zones_packed: int | None  # with a process for each CPU
    workers: int | None
    assumes: str


class Capacity(msgspec.Struct, frozen=True):
    """How many zones and workers fit."""

    zones: int  # with a process each
    zones_bound: str  # the bound that leaves room for the fewest
    zones_packed: int  # with a process for each CPU
    zones_packed_bound: str
    workers: int
    workers_bound: str
    bounds: list[Bound]


def work_out(facts: Facts, trial: Trial | None, scenario: Scenario) -> Capacity:
    """All bounds, for zones and workers like those of a scenario; without a trial none by CPU."""
    bounds = [
        _by_cpus(facts, trial, scenario),
        _by_memory(facts, trial, scenario),
        _by_place(facts, scenario),
        _by_open_files(facts),
        _by_processes(facts),
        Bound("scenario", ZONES_MAX, ZONES_MAX, WORKERS_MAX, "the most that a scenario may have"),
    ]
    zones = min((b.zones, b.what) for b in bounds if b.zones is not None)
    packed = min((b.zones_packed, b.what) for b in bounds if b.zones_packed is not None)
    workers = min((b.workers, b.what) for b in bounds if b.workers is not None)
    return Capacity(*zones, *packed, *workers, bounds)


def needed_mb(zones: int, facts: Facts, scenario: Scenario) -> float:
    """Memory that a run takes, with a worker for each CPU."""
    rings_mb = scenario.ring_mb * 2**20 / 1e6
    return CONTROLLER_MB + facts.whole_cpus * WORKER_MB + zones * (ZONE_MB + rings_mb)


def _by_cpus(facts: Facts, trial: Trial | None, scenario: Scenario) -> Bound:
    workers = facts.whole_cpus
    if trial is None:
        return Bound("CPU", None, None, workers, "a worker for each CPU; no tick was measured")
    tick_ms, packed_ms = trial.tick_ns / 1e6, trial.packed_ns / 1e6
    left_ms = facts.cpus * UTILISATION * scenario.period_ms
    assumes = (
        f"{tick_ms:.1f} ms of CPU a tick, packed {packed_ms:.1f} ms, one every "
        f"{scenario.period_ms:.0f} ms, {UTILISATION:.0%} of the CPUs for ticks; a worker for "
        "each CPU"
    )
    return Bound("CPU", int(left_ms / tick_ms), int(left_ms / packed_ms), workers, assumes)


def _by_memory(facts: Facts, trial: Trial | None, scenario: Scenario) -> Bound:
    measured_mb = trial.worker_mb if trial else None
    worker_mb = measured_mb or WORKER_MB
    ring_mb = scenario.ring_mb * 2**20 / 1e6
    free_mb = facts.memory_bytes / 1e6 - CONTROLLER_MB
    for_zones_mb = max(0.0, free_mb - facts.whole_cpus * worker_mb)
    zones = int(for_zones_mb / (ZONE_MB + ring_mb))
    for_zones_mb = max(0.0, for_zones_mb - facts.whole_cpus * PROCESS_MB)
    packed = int(for_zones_mb / (PACKED_ZONE_MB + ring_mb))
    assumes = (
        f"{ZONE_MB:.0f} MB a zone, packed {PACKED_ZONE_MB:.0f} MB, and a ring of {ring_mb:.1f} MB; "
        f"{worker_mb:.0f} MB a worker{' as measured' if measured_mb else ''}"
    )
    return Bound("memory", zones, packed, max(0, int(free_mb / worker_mb)), assumes)


def _by_place(facts: Facts, scenario: Scenario) -> Bound:
    ring_bytes = scenario.ring_mb * 2**20
    if not facts.places:
        return Bound("session place", 0, 0, 0, "no folder can be written")
    place = facts.places[0]
    zones = int(place.free_bytes / ring_bytes)
    return Bound(
        "session place", zones, zones, None, f"a ring of {ring_bytes / 1e6:.1f} MB in {place.path}"
    )


def _by_open_files(facts: Facts) -> Bound:
    hard = facts.open_files.hard
    zones = None if hard is None else zones_for(hard)
    return Bound("open files", zones, zones, None, "zonesim raises the soft limit itself")


def _by_processes(facts: Facts) -> Bound:
    left = facts.processes_left
    if left is None:
        return Bound("processes", None, None, None, "no limit")
    free = left - OTHER_PROCESSES
    zones, workers = max(0, free - facts.whole_cpus), max(0, free - 1)
    packed = None if zones >= facts.whole_cpus else 0
    return Bound("processes", zones, packed, workers, "packed: a process for each CPU")
