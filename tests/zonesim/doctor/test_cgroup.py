"""Control groups on paper: both versions, in containers and outside."""

from __future__ import annotations

import pytest

from zonesim.doctor.cgroup import GroupLimits, read_limits
from zonesim.system import operating_system as system

HUGE = 9_223_372_036_854_771_712


@pytest.fixture
def machine(tmp_path, monkeypatch):
    """Lay out the groups of a process: its lines in /proc, and files below the mounts."""
    monkeypatch.setattr(system, "HAS_PROC", True)
    monkeypatch.setattr(system, "PROC", tmp_path / "proc")
    (tmp_path / "proc/self").mkdir(parents=True)

    def lay_out(groups: str, mounts: str, files: dict[str, object]) -> None:
        (tmp_path / "proc/self/cgroup").write_text(groups)
        (tmp_path / "proc/self/mountinfo").write_text(mounts.replace("AT", str(tmp_path)))
        for name, content in files.items():
            (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / name).write_text(f"{content}\n")

    return lay_out


def single(root: str = "/") -> str:
    return f"22 20 0:27 / /sys rw - sysfs sysfs rw\n30 22 0:26 {root} AT/cg rw - cgroup2 c rw\n"


def test_without_groups_nothing_is_limited(machine, tmp_path):
    assert read_limits() == GroupLimits()
    machine("0::/\n", single(), {})
    assert read_limits() == GroupLimits()


def test_the_least_of_all_levels_counts(machine):
    machine(
        "0::/service/zonesim\n",
        single(),
        {
            "cg/service/zonesim/cpu.max": "max 100000",
            "cg/service/cpu.max": "150000 100000",
            "cg/service/zonesim/memory.max": 8_000,
            "cg/service/zonesim/memory.current": 7_000,
            "cg/service/zonesim/memory.stat": "anon 5\ninactive_file 500",
            "cg/service/memory.max": 10_000,
            "cg/service/memory.current": 9_900,
            "cg/service/zonesim/pids.max": "max",
            "cg/service/pids.max": 200,
            "cg/service/pids.current": 50,
        },
    )
    assert read_limits() == GroupLimits(1.5, 8_000, 100, 200, 150)


def test_a_container_that_sees_its_own_group_as_the_root_is_read_there(machine):
    files = {"cg/cpu.max": "50000 100000", "cg/memory.max": "max", "cg/pids.max": 9}
    machine("0::/\n", single(), files)
    assert read_limits() == GroupLimits(0.5, None, None, 9, 9)
    machine("0::/docker/abc\n", single("/docker/abc"), files)
    assert read_limits() == GroupLimits(0.5, None, None, 9, 9)


def test_a_group_outside_of_what_is_mounted_is_read_as_far_as_it_can_be(machine):
    machine("0::/../other\n", single(), {"cg/cpu.max": "200000 100000"})
    assert read_limits().cpus == 2.0


def test_older_systems_have_a_tree_for_each_controller(machine):
    machine(
        "5:cpu,cpuacct:/a\n4:memory:/a\n3:pids:/\n1:name=systemd:/a\n0::/a\n",
        "1 1 0:1 / AT/cpu rw - cgroup cgroup rw,cpu,cpuacct\n"
        "2 1 0:2 / AT/memory rw - cgroup cgroup rw,memory\n"
        "3 1 0:3 / AT/pids rw - cgroup cgroup rw,pids\n"
        "4 1 0:4 / AT/unified rw - cgroup2 cgroup2 rw\n",
        {
            "cpu/a/cpu.cfs_quota_us": 300_000,
            "cpu/a/cpu.cfs_period_us": 100_000,
            "cpu/cpu.cfs_quota_us": -1,
            "cpu/cpu.cfs_period_us": 100_000,
            "memory/a/memory.limit_in_bytes": 4_000,
            "memory/a/memory.usage_in_bytes": 3_000,
            "memory/a/memory.stat": "inactive_file 1\ntotal_inactive_file 200",
            "memory/memory.limit_in_bytes": HUGE,
            "pids/pids.max": "max",
        },
    )
    assert read_limits() == GroupLimits(3.0, 4_000, 1_200, None, None)


def test_a_group_that_is_over_its_limit_has_nothing_left(machine):
    files = {"cg/memory.max": 100, "cg/memory.current": 130, "cg/pids.max": 5, "cg/pids.current": 7}
    machine("0::/\n", single(), files)
    assert read_limits() == GroupLimits(None, 100, 0, 5, 0)


def test_this_system_is_read_without_complaint():
    found = read_limits()
    assert found.cpus is None or found.cpus > 0
    assert (found.memory_bytes is None) == (found.memory_left_bytes is None)
