from __future__ import annotations

import pytest

from zonesim.doctor.cgroup import GroupLimits
from zonesim.doctor.facts import Memory, OpenFiles, Place, Processes, SystemClock
from zonesim.doctor.findings import judge, judge_sessions, size_text
from zonesim.system.open_files import files_for
from zonesim.system.sessions import Kept, SessionReport


def session(state: str, own: bool = True) -> SessionReport:
    return SessionReport("/dev/shm/corororo-0-1-x", state, "me", own, 1, 5.0, 10**6, 3, None)


def bad(findings) -> dict[str, str]:
    """The warnings, and what is said to do about them."""
    assert all(bool(finding.remedy) == (finding.verdict == "warning") for finding in findings)
    return {finding.what: finding.remedy for finding in findings if finding.verdict == "warning"}


def test_a_good_machine_gets_no_warning(facts, scenario):
    findings = judge(facts(), scenario)
    assert bad(findings) == {}
    assert [finding.what for finding in findings] == [
        "CPUs",
        "memory",
        "session place",
        "open files",
        "processes",
        "clock",
        "Python",
        "system",
    ]


@pytest.mark.parametrize(
    ("changes", "what", "remedy"),
    [
        ({"group": GroupLimits(cpus=1.5)}, "CPUs", "--workers 1"),
        ({"memory": Memory(10**9, 900_000_000)}, "memory", "100 zones need 1.5 GB"),
        ({"group": GroupLimits(None, 10**8, 10**7)}, "memory", "memory.max"),
        ({"places": []}, "session place", "$XDG_RUNTIME_DIR"),
        ({"places": [Place("/dev/shm", 64 << 20, 64 << 20)]}, "session place", "--shm-size"),
        ({"in_memory": False}, "session place", "make /dev/shm one that can be used"),
        ({"open_files": OpenFiles(64, files_for(100) - 1)}, "open files", "ulimit -Hn 728"),
        ({"processes": Processes(1000, 900)}, "processes", "ulimit -u"),
        ({"group": GroupLimits(processes=64, processes_left=60)}, "processes", "pids.max"),
        (
            {"clock": SystemClock("hpet", ["tsc", "hpet"], 1.0, 2_000.0)},
            "clock",
            "write tsc to /sys",
        ),
        ({"clock": SystemClock("", [], 1e7, 50.0)}, "clock", "no other source"),
        (
            {"versions": {"python": "3", "scipy": "not installed"}},
            "Python",
            "pip install scipy",
        ),
    ],
)
def test_what_is_missing_is_a_warning_with_a_remedy(facts, scenario, changes, what, remedy):
    warnings = bad(judge(facts(**changes), scenario))
    assert list(warnings) == [what]
    assert remedy in warnings[what]


@pytest.mark.parametrize(
    "changes",
    [
        {"group": GroupLimits(cpus=8.0)},
        {"memory": Memory(64 * 10**9, None)},
        {"group": GroupLimits(None, 10**15, 10**15)},
        {"open_files": OpenFiles(None, None)},
        {"processes": Processes(None, None)},
        {"in_memory": False, "memory_files": False},  # there are none on this system
    ],
)
def test_what_is_only_unknown_or_unlimited_is_no_warning(facts, scenario, changes):
    assert bad(judge(facts(**changes), scenario)) == {}


def test_what_falls_back_on_a_system_is_told(facts, scenario):
    told = judge(facts(instead=["processes are not named", "one more"]), scenario)[-1]
    assert told.found == "Linux 6.1 x86_64; falls back: processes are not named; one more"


def test_sessions_left_behind_are_a_warning_until_they_are_removed():
    live, stale = session("live"), session("stale")
    [finding] = judge_sessions([live], [])
    assert (finding.found, finding.verdict) == ("1 live, 0 left behind", "ok")
    [finding] = judge_sessions([live, stale, stale], [])
    assert (finding.found, finding.verdict) == ("1 live, 2 left behind", "warning")
    assert finding.remedy.endswith("zonesim doctor --clean")
    [finding] = judge_sessions([stale], [Kept("/dev/shm/x", "y: Permission denied")])
    assert "/dev/shm/x could not be removed: y: Permission denied" in finding.found
    assert finding.remedy == "remove by hand"


def test_sessions_of_other_users_are_theirs_to_remove():
    [finding] = judge_sessions([session("stale", own=False), session("unknown", own=False)], [])
    assert (finding.verdict, "2 of other users" in finding.found) == ("ok", True)


@pytest.mark.parametrize(
    ("size_bytes", "text"),
    [(0, "0 kB"), (4_096, "4 kB"), (1_500_000, "2 MB"), (25_276_502_016, "25.3 GB")],
)
def test_sizes_are_told_in_a_unit_that_fits(size_bytes, text):
    assert size_text(size_bytes) == text
