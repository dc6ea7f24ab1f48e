from __future__ import annotations

import os
import tempfile

import pytest

from zonesim.doctor.cgroup import GroupLimits
from zonesim.doctor.facts import Memory, Processes, gather
from zonesim.system import operating_system as system


def test_this_machine_is_looked_at_without_complaint():
    found = gather()
    assert found.cpus > 0
    assert 0 < found.memory_bytes <= found.memory.all_bytes
    assert found.clock.call_ns > 0
    assert set(found.versions) >= {"corororo", "trio", "click", "rich", "setproctitle"}
    assert all(0 <= place.free_bytes <= place.all_bytes for place in found.places)


def test_a_system_without_proc_is_looked_at_too(monkeypatch):
    monkeypatch.setattr(system, "HAS_PROC", False)
    found = gather()
    assert (found.group, found.clock.source) == (GroupLimits(), "")
    assert found.memory.available_bytes is None
    assert found.memory_bytes == found.memory.all_bytes
    assert found.processes.in_use is None


def test_a_machine_where_nothing_can_be_written_has_no_place_for_sessions(monkeypatch):
    def nowhere() -> str:
        raise FileNotFoundError("no usable temporary directory found")

    monkeypatch.setattr(tempfile, "gettempdir", nowhere)
    monkeypatch.setattr(os, "access", lambda path, mode: False)
    assert (gather().places, gather().in_memory) == ([], False)


def test_the_smaller_of_machine_and_group_counts(facts):
    group = GroupLimits(cpus=2.5, memory_left_bytes=1000, processes_left=40)
    assert facts(group=group).cpus == 2.5
    assert facts(group=group).memory_bytes == 1000
    assert facts(group=group, memory=Memory(500, None)).memory_bytes == 500
    assert facts(group=group).processes_left == 40
    assert facts(group=group, processes=Processes(100, 70)).processes_left == 30
    assert facts(processes=Processes(100, None)).processes_left == 100
    assert facts(processes=Processes(None, 70)).processes_left is None


def test_limits_of_zero_processes_are_limits(facts):
    assert facts(processes=Processes(10, 20)).processes_left == 0


@pytest.mark.skipif(not system.HAS_PROC, reason="needs /proc")
def test_the_processes_of_this_user_are_counted():
    assert system.processes_in_use() >= 1
    assert system.cpu_ns(os.getpid()) is None or system.cpu_ns(os.getpid()) > 0
    assert system.cpu_ns(2**22 + 1) is None
