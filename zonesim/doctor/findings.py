"""Verdicts on the facts about a machine, with a remedy for each warning."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import msgspec

from corororo.processes import HAS_MEMORY_FILES
from zonesim.processes.preload import files_for
from zonesim.scenario.loading import Scenario
from zonesim.system.sessions import Kept, SessionReport

from .capacity import needed_mb
from .facts import Facts

SMALL_RING_MB = 0.25
ZONES = 100  # what a machine should hold, for a verdict on its limits


class Finding(msgspec.Struct):
    """One line of the diagnosis; a warning where it has a remedy."""

    what: str
    found: str
    remedy: str = ""
    verdict: Literal["ok", "warning"] = "ok"

    def __post_init__(self) -> None:
        """Set the verdict."""
        self.verdict = "warning" if self.remedy else "ok"


def judge(facts: Facts, scenario: Scenario) -> list[Finding]:
    """Judge each fact by what a run of 100 zones like those of a scenario needs."""
    return [
        _cpus(facts),
        _memory(facts, scenario),
        _place(facts, scenario),
        _open_files(facts),
        _processes(facts),
        _python(facts),
        _system(facts),
    ]


def judge_sessions(sessions: Sequence[SessionReport], kept: Sequence[Kept]) -> Finding:
    """What killed owners left behind, and what of it could not be removed."""
    stale = sum(session.state == "stale" and session.own for session in sessions)
    live = sum(session.state == "live" for session in sessions)
    others = sum(not session.own and session.state != "live" for session in sessions)
    found = f"{live} live, {stale} left behind"
    found += f"; {others} of other users, which only they can remove" if others else ""
    found += "".join(f"; {k.directory} could not be removed: {k.reason}" for k in kept)
    if kept:
        return Finding("sessions", found, "remove by hand")
    return Finding("sessions", found, "remove them with: zonesim doctor --clean" if stale else "")


def size_text(size_bytes: float) -> str:
    """A size in a unit that suits it."""
    if size_bytes >= 1e9:
        return f"{size_bytes / 1e9:.1f} GB"
    return f"{size_bytes / 1e6:.0f} MB" if size_bytes >= 1e6 else f"{size_bytes / 1e3:.0f} kB"


def _cpus(facts: Facts) -> Finding:
    usable, quota = facts.machine["cpus_usable"], facts.group.cpus
    found = f"{usable} of {facts.machine['cpus']} usable ({facts.machine['cpu']})"
    if quota is None or quota >= int(usable):
        return Finding("CPUs", f"{found}, no quota")
    remedy = f"raise it (cpu.max, docker run --cpus), or run with --workers {facts.whole_cpus}"
    return Finding("CPUs", f"{found}, but a control group has a quota of {quota:g}", remedy)


def _memory(facts: Facts, scenario: Scenario) -> Finding:
    available, limit = facts.memory.available_bytes, facts.group.memory_bytes
    found = size_text(facts.memory.all_bytes)
    raised = ""
    found += "" if available is None else f", {size_text(available)} available"
    if limit is not None and limit < facts.memory.all_bytes:
        left = size_text(facts.group.memory_left_bytes or 0)
        found += f"; a control group allows {size_text(limit)}, {left} left"
        raised = ", or raise the group's memory.max"
    needed = needed_mb(ZONES, facts, scenario) * 1e6
    remedy = f"{ZONES} zones need {size_text(needed)}; free some{raised}"
    return Finding("memory", found, "" if facts.memory_bytes >= needed else remedy)


def _place(facts: Facts, scenario: Scenario) -> Finding:
    if not facts.places:
        remedy = "make /dev/shm, $XDG_RUNTIME_DIR or $TMPDIR writable for this user"
        return Finding("session place", "none: no folder for sessions can be written", remedy)
    place, *others = facts.places
    found = f"{place.path}, {size_text(place.free_bytes)} free of {size_text(place.all_bytes)}"
    found += f"; otherwise {', '.join(other.path for other in others)}" if others else ""
    needed = ZONES * scenario.ring_mb * 2**20
    remedy = f"{ZONES} zones need {size_text(needed)}; free some, or enlarge it"
    if HAS_MEMORY_FILES and place.path == "/dev/shm":
        remedy += " (docker run --shm-size=256m)"
    if place.free_bytes >= ZONES * SMALL_RING_MB * 2**20:
        remedy += f", or run with --set ring_mb={SMALL_RING_MB}"
    return Finding("session place", found, remedy if place.free_bytes < needed else "")


def _open_files(facts: Facts) -> Finding:
    soft, hard = facts.open_files.soft, facts.open_files.hard
    needed = files_for(ZONES)
    soft_text, hard_text = ("unlimited" if n is None else n for n in (soft, hard))
    found = f"{soft_text} per process, hard limit {hard_text}; {ZONES} zones need {needed}"
    enough = hard is None or hard >= needed
    remedy = f"raise the hard limit: ulimit -Hn {needed} as root, LimitNOFILE= of a service"
    return Finding("open files", found, "" if enough else remedy)


def _processes(facts: Facts) -> Finding:
    limit, group, left = facts.processes.limit, facts.group.processes, facts.processes_left
    if left is None:
        return Finding("processes", "no limit for this user")
    found = "" if limit is None else f"{limit} for this user, "
    found += "" if group is None else f"{group} for the control group, "
    needed = ZONES + facts.whole_cpus
    by_group = left == facts.group.processes_left
    raised = "raise the group's pids.max" if by_group else "raise it: ulimit -u"
    remedy = f"{ZONES} zones need {needed}; {raised}"
    found = f"{found.rstrip(', ')}; {left} more can start"
    return Finding("processes", found, "" if left >= needed else remedy)


def _python(facts: Facts) -> Finding:
    packages = {name: v for name, v in facts.versions.items() if name != "python"}
    listed = ", ".join(f"{name} {version}" for name, version in packages.items())
    missing = [name for name, version in packages.items() if version == "not installed"]
    remedy = f"pip install {' '.join(missing)}" if missing else ""
    return Finding("Python", f"{facts.machine['python']}; {listed}", remedy)


def _system(facts: Facts) -> Finding:
    fallbacks = f"falls back: {'; '.join(facts.instead)}" if facts.instead else "no fallbacks"
    found = f"{facts.machine['system']} {facts.machine['architecture']}; {fallbacks}"
    return Finding("system", found)
