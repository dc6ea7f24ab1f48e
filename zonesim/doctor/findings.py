"""Verdicts on what the system says, and what to do about it. Asks nobody: the facts come in."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import msgspec

from zonesim.doctor.capacity import needed_mb, whole_cpus
from zonesim.doctor.facts import Facts
from zonesim.scenario.loading import Scenario
from zonesim.system.open_files import files_for
from zonesim.system.sessions import Kept, SessionReport

ZONES = 100  # what a machine should hold, for a verdict on its limits
CALL_NS_MAX = 1_000  # of a clock that is read without asking the kernel, many times over
RESOLUTION_NS_MAX = 1_000_000


class Finding(msgspec.Struct, frozen=True):
    """One line of the doctor's."""

    what: str
    found: str
    verdict: Literal["ok", "warning"] = "ok"
    remedy: str = ""  # what to do where it is bad


def judge(facts: Facts, scenario: Scenario) -> list[Finding]:
    """What is there, and how good it is for a run."""
    return [
        _cpus(facts),
        _memory(facts, scenario),
        _place(facts, scenario),
        _open_files(facts),
        _processes(facts),
        _clock(facts),
        _python(facts),
        _system(facts),
    ]


def judge_sessions(sessions: Sequence[SessionReport], kept: Sequence[Kept]) -> list[Finding]:
    """What killed owners left behind, and what of it could not be removed."""
    stale = [session for session in sessions if session.state == "stale" and session.own]
    live = sum(session.state == "live" for session in sessions)
    found = f"{live} live, {len(stale)} left behind"
    others = sum(not session.own and session.state != "live" for session in sessions)
    found += f"; {others} of other users, which only they can tell or remove" if others else ""
    if kept:
        reasons = [f"{entry.directory} could not be removed: {entry.reason}" for entry in kept]
        return [Finding("sessions", f"{found}; {'; '.join(reasons)}", "warning", "remove by hand")]
    if stale:
        return [Finding("sessions", found, "warning", "remove them with: zonesim doctor --clean")]
    return [Finding("sessions", found)]


def size_text(size_bytes: float) -> str:
    """A size, for people to read."""
    if size_bytes >= 1e9:
        return f"{size_bytes / 1e9:.1f} GB"
    return f"{size_bytes / 1e6:.0f} MB" if size_bytes >= 1e6 else f"{size_bytes / 1e3:.0f} kB"


def _finding(what: str, found: str, remedy: str) -> Finding:
    return Finding(what, found, "warning" if remedy else "ok", remedy)


def _cpus(facts: Facts) -> Finding:
    usable, quota = facts.machine["cpus_usable"], facts.group.cpus
    found = f"{usable} of {facts.machine['cpus']} usable ({facts.machine['cpu']})"
    if quota is None or quota >= int(usable):
        return Finding("CPUs", f"{found}, no quota")
    return Finding(
        "CPUs",
        f"{found}, but a control group has a quota of {quota:g}",
        "warning",
        f"raise it (cpu.max, docker run --cpus), or run with --workers {whole_cpus(facts)}",
    )


def _memory(facts: Facts, scenario: Scenario) -> Finding:
    available, limit = facts.memory.available_bytes, facts.group.memory_bytes
    found = size_text(facts.memory.all_bytes)
    found += "" if available is None else f", {size_text(available)} available"
    if limit is not None and limit < facts.memory.all_bytes:
        left = size_text(facts.group.memory_left_bytes or 0)
        found += f"; a control group allows {size_text(limit)}, {left} left"
    needed = needed_mb(ZONES, facts, scenario) * 1e6
    enough = facts.memory_bytes >= needed
    remedy = f"{ZONES} zones need {size_text(needed)}; free some, or raise the group's memory.max"
    return _finding("memory", found, "" if enough else remedy)


def _place(facts: Facts, scenario: Scenario) -> Finding:
    if not facts.places:
        return Finding(
            "session place",
            "none: no folder for sessions can be written",
            "warning",
            "make /dev/shm, $XDG_RUNTIME_DIR or $TMPDIR a folder that this user may write to",
        )
    place, *others = facts.places
    found = f"{place.path}, {size_text(place.free_bytes)} free of {size_text(place.all_bytes)}"
    found += f"; else {', '.join(other.path for other in others)}" if others else ""
    needed = ZONES * scenario.ring_mb * 2**20
    if place.free_bytes < needed:
        remedy = (
            f"{ZONES} zones need {size_text(needed)}; enlarge it (docker run --shm-size=256m), "
            f"or run with --set ring_mb=0.25"
        )
        return Finding("session place", found, "warning", remedy)
    if facts.memory_files and not facts.in_memory:
        return Finding(
            "session place", f"{found}; on a disk", "warning", "make /dev/shm one that can be used"
        )
    return Finding("session place", found)


def _open_files(facts: Facts) -> Finding:
    soft, hard = facts.open_files.soft, facts.open_files.hard
    needed = files_for(ZONES)
    found = f"{_limit(soft)} a process, up to {_limit(hard)}; {ZONES} zones need {needed}"
    enough = hard is None or hard >= needed
    remedy = f"raise the hard limit: ulimit -Hn {needed} as root, LimitNOFILE= of a service"
    return _finding("open files", found, "" if enough else remedy)


def _processes(facts: Facts) -> Finding:
    limit, group = facts.processes.limit, facts.group.processes
    if limit is None and group is None:
        return Finding("processes", "no limit for this user")
    found = [] if limit is None else [f"{limit} for this user"]
    found += [] if group is None else [f"{group} for the control group"]
    left, needed = facts.processes_left or 0, ZONES + whole_cpus(facts)
    remedy = f"{ZONES} zones need {needed}; raise it: ulimit -u, or the group's pids.max"
    return _finding(
        "processes", f"{', '.join(found)}; {left} more can start", "" if left >= needed else remedy
    )


def _clock(facts: Facts) -> Finding:
    clock = facts.clock
    found = f"{clock.source or 'of the system'}, steps of {clock.resolution_ns:g} ns, "
    found += f"{clock.call_ns:.0f} ns a call"
    if clock.call_ns <= CALL_NS_MAX and clock.resolution_ns <= RESOLUTION_NS_MAX:
        return Finding("clock", found)
    others = [source for source in clock.available if source != clock.source]
    remedy = "each call costs too much; "
    remedy += (
        f"write {others[0]} to /sys/devices/system/clocksource/clocksource0/current_clocksource"
        if others
        else "there is no other source here; a newer kernel or another machine may have one"
    )
    return Finding("clock", found, "warning", remedy)


def _python(facts: Facts) -> Finding:
    packages = {name: v for name, v in facts.versions.items() if name != "python"}
    listed = ", ".join(f"{name} {version}" for name, version in packages.items())
    missing = [name for name, version in packages.items() if version == "not installed"]
    remedy = f"pip install {' '.join(missing)}" if missing else ""
    return _finding("Python", f"{facts.machine['python']}; {listed}", remedy)


def _system(facts: Facts) -> Finding:
    found = f"{facts.machine['system']} {facts.machine['architecture']}; "
    return Finding("system", found + _falls_back(facts))


def _falls_back(facts: Facts) -> str:
    return f"falls back: {'; '.join(facts.instead)}" if facts.instead else "nothing falls back"


def _limit(limit: int | None) -> str:
    return "any number" if limit is None else str(limit)
