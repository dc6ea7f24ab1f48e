from __future__ import annotations

import msgspec

from zonesim.doctor.capacity import PACKED_ZONE_MB, PROCESS_MB, ZONE_MB, work_out
from zonesim.doctor.facts import GroupLimits, Memory, OpenFiles, Place, Processes
from zonesim.doctor.trial import Trial
from zonesim.processes.preload import files_for

TRIAL = Trial(ticks=30, zone_ns=3_000_000, worker_ns=1_000_000, packed_ns=2_500_000, worker_mb=50.0)


def bounds(capacity) -> dict:
    """Zones with a process each, zones packed, and workers, by each bound."""
    return {b.what: (b.zones, b.zones_packed, b.workers) for b in capacity.bounds}


def test_a_good_machine_is_bound_by_its_cpus(facts, scenario):
    found = work_out(facts(), TRIAL, scenario)

    # 8 CPUs, of which 60 % are for ticks, and 400 ms for ticks of 4 ms.
    assert (found.zones, found.zones_bound) == (480, "CPU")
    assert (found.workers, found.workers_bound) == (8, "CPU")
    assert (found.zones_packed, found.zones_packed_bound) == (768, "CPU")
    assert "4.0 ms of CPU a tick, packed 2.5 ms" in found.bounds[0].assumes


def test_a_quota_limits_the_cpus(facts, scenario):
    found = work_out(facts(group=GroupLimits(cpus=2.5)), TRIAL, scenario)
    assert (found.zones, found.workers) == (150, 2)
    found = work_out(facts(group=GroupLimits(cpus=0.5)), TRIAL, scenario)
    assert (found.zones, found.workers) == (30, 1)


def test_without_a_measurement_the_cpus_bound_no_zones(facts, scenario):
    found = work_out(facts(), None, scenario)
    assert bounds(found)["CPU"] == (None, None, 8)
    assert (found.zones, found.zones_bound) == (1000, "scenario")


def test_memory_bounds_zones_and_workers(facts, scenario):
    found = work_out(facts(memory=Memory(2 * 10**9, 1_600_000_000)), TRIAL, scenario)
    ring_mb = 2**20 / 1e6
    zones = int((1600 - 120 - 8 * 50) / (ZONE_MB + ring_mb))
    packed = int((1600 - 120 - 8 * 50 - 8 * PROCESS_MB) / (PACKED_ZONE_MB + ring_mb))
    assert bounds(found)["memory"] == (zones, packed, 29)
    assert (found.zones, found.zones_bound) == (zones, "memory")
    assert "50 MB a worker as measured" in found.bounds[1].assumes


def test_a_small_place_for_sessions_bounds_the_rings(facts, scenario):
    def by_place(places, scenario=scenario) -> tuple:
        return bounds(work_out(facts(places=places), TRIAL, scenario))["session place"]

    places = [Place("/dev/shm", 64 << 20, 40 << 20)]
    assert by_place(places) == (40, 40, None)
    assert by_place(places, msgspec.structs.replace(scenario, ring_mb=0.25)) == (160, 160, None)
    assert by_place([]) == (0, 0, 0)


def test_open_files_bound_zones_by_the_hard_limit(facts, scenario):
    for zones in (0, 1, 17):
        limits = OpenFiles(64, files_for(zones) + 3)
        assert bounds(work_out(facts(open_files=limits), TRIAL, scenario))["open files"][0] == zones
    endless = facts(open_files=OpenFiles(64, None))
    assert bounds(work_out(endless, TRIAL, scenario))["open files"] == (None, None, None)


def test_processes_bound_zones_and_workers_by_what_is_left(facts, scenario):
    both = facts(processes=Processes(200, 100), group=GroupLimits(processes_left=50))
    assert bounds(work_out(both, TRIAL, scenario))["processes"] == (38, None, 45)
    none = facts(processes=Processes(None, 100))
    assert bounds(work_out(none, TRIAL, scenario))["processes"] == (None, None, None)
    full = facts(processes=Processes(100, 300))
    assert bounds(work_out(full, TRIAL, scenario))["processes"] == (0, 0, 0)
