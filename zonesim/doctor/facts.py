"""What the system says of this machine and this process. Judges nothing."""

from __future__ import annotations

import os
import resource
import time
from pathlib import Path

import msgspec

from corororo.processes import candidate_bases, free_bytes
from zonesim.doctor.cgroup import GroupLimits, read_limits
from zonesim.system.machine import describe_machine, version, versions
from zonesim.system.operating_system import (
    HAS_MEMORY_FILES,
    instead,
    process_limit,
    processes_in_use,
    read_proc,
    read_sys,
)

TOOLS = ("click", "rich", "setproctitle")  # beside what a run's figures depend on
CLOCK_CALLS = 10_000


class Memory(msgspec.Struct, frozen=True):
    """The memory of the machine, whatever a control group leaves of it."""

    all_bytes: int
    available_bytes: int | None  # None where the system does not tell


class Place(msgspec.Struct, frozen=True):
    """A folder where sessions may be written."""

    path: str
    all_bytes: int
    free_bytes: int


class OpenFiles(msgspec.Struct, frozen=True):
    """How many files one process may have open; None where nothing limits them."""

    soft: int | None
    hard: int | None


class Processes(msgspec.Struct, frozen=True):
    """Processes and threads of this user; None where nothing limits them, or nobody knows."""

    limit: int | None
    in_use: int | None


class SystemClock(msgspec.Struct, frozen=True):
    """What ticks are timed with."""

    source: str  # "" where the system does not tell
    available: list[str]
    resolution_ns: float
    call_ns: float  # what one look costs


class Facts(msgspec.Struct, frozen=True):
    """Everything that the doctor looks at."""

    machine: dict[str, str | int]
    group: GroupLimits
    memory: Memory
    places: list[Place]  # best first; sessions go to the first one that has the room
    in_memory: bool  # whether that first one is memory, and no disk
    open_files: OpenFiles
    processes: Processes
    clock: SystemClock
    versions: dict[str, str]
    memory_files: bool  # whether this system has files in memory at all
    instead: list[str]  # what is done without what only other systems have

    @property
    def cpus(self) -> float:
        """CPUs that this process can really use."""
        usable = float(self.machine["cpus_usable"])
        return usable if self.group.cpus is None else min(usable, self.group.cpus)

    @property
    def memory_bytes(self) -> int:
        """Memory that can be had now, as far as it is known."""
        available = self.memory.available_bytes
        machine = self.memory.all_bytes if available is None else available
        left = self.group.memory_left_bytes
        return machine if left is None else min(machine, left)

    @property
    def processes_left(self) -> int | None:
        """Processes that can be started now; None where nothing is known to limit them."""
        limit, in_use = self.processes.limit, self.processes.in_use
        ours = None if limit is None else max(0, limit - (in_use or 0))
        return min((n for n in (ours, self.group.processes_left) if n is not None), default=None)


def gather() -> Facts:
    """Ask the system for everything."""
    places = [_place(str(base)) for base in candidate_bases()]
    return Facts(
        machine=describe_machine(),
        group=read_limits(),
        memory=_memory(),
        places=places,
        in_memory=bool(places) and _is_memory(places[0].path),
        open_files=OpenFiles(*map(_limit, resource.getrlimit(resource.RLIMIT_NOFILE))),
        processes=Processes(process_limit(), processes_in_use()),
        clock=_clock(),
        versions=versions() | {name: version(name) for name in TOOLS},
        memory_files=HAS_MEMORY_FILES,
        instead=instead(),
    )


def _memory() -> Memory:
    page = os.sysconf("SC_PAGE_SIZE")
    lines = (line.split() for line in read_proc("meminfo").splitlines())
    available = next((int(words[1]) * 1024 for words in lines if words[0] == "MemAvailable:"), None)
    return Memory(page * os.sysconf("SC_PHYS_PAGES"), available)


def _place(path: str) -> Place:
    status = os.statvfs(path)
    return Place(path, status.f_blocks * status.f_frsize, free_bytes(Path(path)))


def _is_memory(path: str) -> bool:
    mounts = (line.split() for line in read_proc("self", "mounts").splitlines())
    kinds = {mount: kind for _, mount, kind, *_ in mounts}
    folder = os.path.realpath(path)
    while folder not in kinds and folder != "/":
        folder = os.path.dirname(folder)
    return kinds.get(folder) in ("tmpfs", "ramfs")


def _limit(limit: int) -> int | None:
    return None if limit == resource.RLIM_INFINITY else limit


def _clock() -> SystemClock:
    folder = ("devices", "system", "clocksource", "clocksource0")
    began_ns = time.perf_counter_ns()
    for _ in range(CLOCK_CALLS):
        time.monotonic_ns()
    call_ns = (time.perf_counter_ns() - began_ns) / CLOCK_CALLS
    return SystemClock(
        source=read_sys(*folder, "current_clocksource"),
        available=read_sys(*folder, "available_clocksource").split(),
        resolution_ns=time.get_clock_info("monotonic").resolution * 1e9,
        call_ns=round(call_ns, 1),
    )
