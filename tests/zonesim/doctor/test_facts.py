from __future__ import annotations

import os
import tempfile

import pytest

from zonesim.doctor.facts import GroupLimits, Memory, Processes, gather, read_limits
from zonesim.system import operating_system as system


def test_the_facts_of_this_machine_are_collected():
    found = gather()
    assert found.cpus > 0
    assert 0 < found.memory_bytes <= found.memory.all_bytes
    assert set(found.versions) >= {"corororo", "trio", "click", "rich", "setproctitle"}
    assert all(0 <= place.free_bytes <= place.all_bytes for place in found.places)


def test_the_facts_of_a_system_without_proc_are_collected(monkeypatch):
    monkeypatch.setattr(system, "HAS_PROC", False)
    found = gather()
    assert found.group == GroupLimits()
    assert found.memory.available_bytes is None
    assert found.memory_bytes == found.memory.all_bytes
    assert found.processes.in_use is None


def test_a_machine_where_nothing_can_be_written_has_no_place_for_sessions(monkeypatch):
    def nowhere() -> str:
        raise FileNotFoundError("no usable temporary directory found")

    monkeypatch.setattr(tempfile, "gettempdir", nowhere)
    monkeypatch.setattr(os, "access", lambda path, mode: False)
    assert gather().places == []


def test_the_smaller_of_machine_and_group_counts(facts):
    group = GroupLimits(cpus=2.5, memory_left_bytes=1000, processes_left=40)
    assert facts(group=group).cpus == 2.5
    assert facts(group=group).memory_bytes == 1000
    assert facts(group=group, memory=Memory(500, None)).memory_bytes == 500
    assert facts(group=group).processes_left == 40
    assert facts(group=group, processes=Processes(100, 70)).processes_left == 30
    assert facts(processes=Processes(100, None)).processes_left == 100
    assert facts(processes=Processes(None, 70)).processes_left is None
    assert facts(processes=Processes(10, 20)).processes_left == 0


@pytest.fixture
def limits(tmp_path, monkeypatch):
    """The limits of a process in a control group, where some files of groups exist."""

    def limits(group: str, files: dict[str, object]) -> GroupLimits:
        (tmp_path / "proc/self").mkdir(parents=True)
        (tmp_path / "proc/self/cgroup").write_text(f"1:name=systemd:/x\n0::{group}\n")
        for name, content in files.items():
            path = tmp_path / "fs/cgroup" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(f"{content}\n")
        monkeypatch.setattr(system, "HAS_PROC", True)
        monkeypatch.setattr(system, "PROC", tmp_path / "proc")
        monkeypatch.setattr(system, "SYS", tmp_path)
        return read_limits()

    return limits


def test_the_lowest_limit_of_all_levels_counts(limits):
    files = {
        "service/zonesim/cpu.max": "max 100000",
        "service/cpu.max": "150000 100000",
        "service/zonesim/memory.max": 8_000,
        "service/zonesim/memory.current": 7_000,
        "service/zonesim/memory.stat": "anon 5\ninactive_file 500",
        "service/memory.max": 10_000,
        "service/memory.current": 9_900,
        "service/zonesim/pids.max": "max",
        "service/pids.max": 200,
        "service/pids.current": 50,
    }
    assert limits("/service/zonesim", files) == GroupLimits(1.5, 8_000, 100, 200, 150)


@pytest.mark.parametrize("group", ["/", "/docker/abc", "/../other"])
def test_a_container_reads_the_limits_that_it_can_see(limits, group):
    files = {"cpu.max": "50000 100000", "memory.max": 100, "memory.current": 130, "pids.max": 9}
    assert limits(group, files) == GroupLimits(0.5, 100, 0, 9, 9)


def test_without_control_groups_nothing_is_limited(limits):
    assert limits("/", {}) == GroupLimits()
