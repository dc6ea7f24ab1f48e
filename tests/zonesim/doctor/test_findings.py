from __future__ import annotations

import msgspec
import pytest

from zonesim.doctor.capacity import work_out
from zonesim.doctor.diagnosis import Diagnosis, doctor_text
from zonesim.doctor.facts import GroupLimits, Memory, OpenFiles, Place, Processes
from zonesim.doctor.findings import judge, judge_sessions
from zonesim.doctor.trial import Trial
from zonesim.processes.preload import files_for
from zonesim.system.sessions import Kept, SessionReport

TRIAL = Trial(ticks=30, zone_ns=3_000_000, worker_ns=1_000_000, packed_ns=2_500_000, worker_mb=50.0)
LIVE = SessionReport("/dev/shm/corororo-0-17-x", "live", "me", True, 17, 90.0, 3 * 10**6, 1, 2)


def session(state: str, own: bool = True) -> SessionReport:
    return SessionReport("/dev/shm/corororo-0-1-x", state, "me", own, 1, 5.0, 10**6, 3, None)


def bad(findings) -> dict[str, str]:
    """The warnings, and what is said to do about them."""
    assert all(bool(finding.remedy) == (finding.verdict == "warning") for finding in findings)
    return {finding.what: finding.remedy for finding in findings if finding.verdict == "warning"}


def test_a_good_machine_gets_no_warning(facts, scenario):
    findings = judge(facts(), scenario)
    assert bad(findings) == {}


@pytest.mark.parametrize(
    ("changes", "what", "remedy"),
    [
        (
            {"group": GroupLimits(cpus=1.5)},
            "CPUs",
            "raise it (cpu.max, docker run --cpus), or run with --workers 1",
        ),
        ({"memory": Memory(10**9, 900_000_000)}, "memory", "100 zones need 1.5 GB; free some"),
        (
            {"group": GroupLimits(memory_bytes=10**9, memory_left_bytes=10**9)},
            "memory",
            "free some, or raise the group's memory.max",
        ),
        ({"places": []}, "session place", "or $TMPDIR writable for this user"),
        (
            {"places": [Place("/dev/shm", 64 << 20, 64 << 20)]},
            "session place",
            "enlarge it (docker run --shm-size=256m), or run with --set ring_mb=0.25",
        ),
        ({"places": [Place("/tmp", 9, 9)]}, "session place", "free some, or enlarge it"),
        ({"open_files": OpenFiles(64, files_for(100) - 1)}, "open files", "of a service"),
        ({"processes": Processes(1000, 900)}, "processes", "need 108; raise it: ulimit -u"),
        (
            {"group": GroupLimits(processes=64, processes_left=60)},
            "processes",
            "100 zones need 108; raise the group's pids.max",
        ),
        ({"versions": {"scipy": "not installed"}}, "Python", "pip install scipy"),
    ],
)
def test_what_is_missing_is_a_warning_with_a_remedy(facts, scenario, changes, what, remedy):
    warnings = bad(judge(facts(**changes), scenario))
    assert list(warnings) == [what]
    assert warnings[what].endswith(remedy)


@pytest.mark.parametrize(
    "changes",
    [
        {"group": GroupLimits(cpus=8.0)},
        {"memory": Memory(64 * 10**9, None)},
        {"group": GroupLimits(None, 10**15, 10**15)},
        {"open_files": OpenFiles(None, None)},
        {"processes": Processes(None, None)},
    ],
)
def test_what_is_only_unknown_or_unlimited_is_no_warning(facts, scenario, changes):
    assert bad(judge(facts(**changes), scenario)) == {}


def test_sessions_left_behind_are_a_warning_until_they_are_removed():
    live, stale = session("live"), session("stale")
    finding = judge_sessions([live], [])
    assert (finding.found, finding.verdict) == ("1 live, 0 left behind", "ok")
    finding = judge_sessions([live, stale, stale], [])
    assert (finding.found, finding.verdict) == ("1 live, 2 left behind", "warning")
    assert finding.remedy.endswith("zonesim doctor --clean")
    finding = judge_sessions([stale], [Kept("/dev/shm/x", "y: Permission denied")])
    assert "/dev/shm/x could not be removed: y: Permission denied" in finding.found
    assert finding.remedy == "remove by hand"


def test_sessions_of_other_users_are_theirs_to_remove():
    finding = judge_sessions([session("stale", own=False), session("unknown", own=False)], [])
    assert (finding.verdict, "2 of other users" in finding.found) == ("ok", True)


@pytest.fixture
def diagnose(facts, scenario):
    """A diagnosis of a made-up machine with some sessions and changed facts."""

    def examine(*sessions: SessionReport, **changes: object) -> Diagnosis:
        found = facts(**changes)
        return Diagnosis(
            format=1,
            findings=[*judge(found, scenario), judge_sessions(sessions, [])],
            capacity=work_out(found, TRIAL, scenario),
            trial=TRIAL,
            facts=found,
            sessions=list(sessions),
            removed=[],
            kept=[],
        )

    return examine


def test_a_good_machine_without_sessions_fits_a_terminal_of_80_by_24(diagnose):
    lines = doctor_text(diagnose()).splitlines()
    assert len(lines) < 24
    assert max(map(len, lines)) <= 80
    assert lines[-3:] == [
        "-> 480 zones with a process each, limited by CPU",
        "-> 768 zones with --zones-per-process auto, limited by CPU",
        "-> 8 workers, limited by CPU",
    ]


def test_long_lines_are_wrapped_and_a_remedy_follows_its_warning(diagnose):
    text = doctor_text(diagnose(instead=["some thing is done in some other way"] * 9, places=[]))
    lines = text.splitlines()
    assert max(map(len, lines)) <= 80
    start = next(i for i, line in enumerate(lines) if line.startswith("ok       system"))
    assert lines[start + 1].startswith(" " * 24)
    at = next(i for i, line in enumerate(lines) if line.startswith("warning  session place  none"))
    assert lines[at + 1].strip().startswith("-> make /dev/shm")


def test_a_session_has_its_user_age_and_size(diagnose):
    text = doctor_text(diagnose(LIVE))
    assert "live     /dev/shm/corororo-0-17-x\n" in text
    assert text.endswith("         of me, pid 17, 90 s old, 3 MB, 1 zone, 2 workers")


@pytest.mark.parametrize(
    ("age_s", "age"),
    [(0.4, "0 s old"), (119, "119 s old"), (121, "2 minutes old"), (9_000, "2 hours old")],
)
def test_a_stale_session_has_its_age_and_what_was_removed_follows(diagnose, age_s, age):
    stale = msgspec.structs.replace(LIVE, state="stale", age_s=age_s, size_bytes=None)
    cleaned = msgspec.structs.replace(diagnose(stale), removed=["/dev/shm/a", "/tmp/b"])
    text = doctor_text(cleaned)
    assert text.endswith(f"of me, pid 17, {age}\n\nremoved: /dev/shm/a\nremoved: /tmp/b")
