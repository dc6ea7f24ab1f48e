from __future__ import annotations

import msgspec
import pytest

from zonesim.doctor.capacity import work_out
from zonesim.doctor.packing import pack
from zonesim.doctor.trial import Trial

# On 8 CPUs that carries 480 zones with a process each, and 768 packed.
TRIAL = Trial(ticks=30, zone_ns=3_000_000, worker_ns=1_000_000, packed_ns=2_500_000, worker_mb=50.0)


@pytest.fixture
def packed(facts, scenario):
    """The packing of a number of zones on a good machine."""
    return lambda zones, cpus=8: pack(zones, work_out(facts(), TRIAL, scenario), cpus)


def test_zones_have_a_process_each_as_long_as_the_machine_carries_that(packed):
    assert packed(480).processes == 480
    assert packed(480).text == (
        "480 zones, a process each; this machine carries 480 (CPU), packed 768"
    )


def test_more_zones_share_a_process_for_each_cpu(packed):
    found = packed(481)
    assert (found.processes, found.carries, found.carries_packed) == (8, 480, 768)
    assert found.text == (
        "481 zones in 8 processes; a process each would carry 480 (CPU), packed 768"
    )


def test_there_are_never_more_processes_than_zones(facts, scenario):
    slow = msgspec.structs.replace(TRIAL, zone_ns=10**12)
    assert pack(3, work_out(facts(), slow, scenario), 8).processes == 3
