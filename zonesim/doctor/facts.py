"""Facts about this machine and this process: CPUs, memory, limits, session folders."""

from __future__ import annotations

import os
import resource
from collections.abc import Iterator
from pathlib import Path

import msgspec

from corororo.processes import candidate_bases, free_bytes
from zonesim.system.operating_system import (
    describe_machine,
    process_limit,
    processes_in_use,
    read_proc,
    read_sys,
    replacements,
    version,
    versions,
)

TOOLS = ("click", "rich", "setproctitle")  # beside the packages that a run records


class GroupLimits(msgspec.Struct, frozen=True):
    """Limits of the control groups (version 2); None where none is set.

    A limit holds for a group and all groups inside it, so the lowest of all levels counts.
    """

    cpus: float | None = None  # CPU seconds a second
    memory_bytes: int | None = None
    memory_left_bytes: int | None = None
    processes: int | None = None
    processes_left: int | None = None


class Memory(msgspec.Struct, frozen=True):
    """Memory of the machine, regardless of control groups."""

    all_bytes: int
    available_bytes: int | None  # None where unknown


class Place(msgspec.Struct, frozen=True):
    """A folder where sessions can be written."""

    path: str
    all_bytes: int
    free_bytes: int


class OpenFiles(msgspec.Struct, frozen=True):
    """How many files one process may have open; None where there is no limit."""

    soft: int | None
    hard: int | None


class Processes(msgspec.Struct, frozen=True):
    """Processes and threads of this user; None where there is no limit, or it is unknown."""

    limit: int | None
    in_use: int | None


class Facts(msgspec.Struct, frozen=True):
    """Everything that the doctor looks at."""

    machine: dict[str, str | int]
    group: GroupLimits
    memory: Memory
    places: list[Place]  # best first; sessions go to the first one with enough room
    open_files: OpenFiles
    processes: Processes
    versions: dict[str, str]
    instead: list[str]  # fallbacks for what only other systems have

    @property
    def cpus(self) -> float:
        """CPUs that this process can really use."""
        return _least(float(self.machine["cpus_usable"]), self.group.cpus) or 0.0

    @property
    def whole_cpus(self) -> int:
        """Workers that can have a CPU of their own."""
        return max(1, int(self.cpus))

    @property
    def memory_bytes(self) -> int:
        """Memory available now, as far as known."""
        available = self.memory.available_bytes
        machine = self.memory.all_bytes if available is None else available
        return int(_least(machine, self.group.memory_left_bytes) or 0)

    @property
    def processes_left(self) -> int | None:
        """Processes that can be started now; None where no limit is known."""
        limit, in_use = self.processes.limit, self.processes.in_use
        left = None if limit is None else max(0, limit - (in_use or 0))
        least = _least(left, self.group.processes_left)
        return None if least is None else int(least)


def gather() -> Facts:
    """Collect all facts."""
    return Facts(
        machine=describe_machine(),
        group=read_limits(),
        memory=_memory(),
        places=[_place(base) for base in candidate_bases()],
        open_files=OpenFiles(*map(_limit, resource.getrlimit(resource.RLIMIT_NOFILE))),
        processes=Processes(process_limit(), processes_in_use()),
        versions=versions() | {name: version(name) for name in TOOLS},
        instead=replacements(),
    )


def read_limits() -> GroupLimits:
    """The limits of this process's control group and all groups around it."""
    levels = list(_levels())
    cpus = [read_sys(*level, "cpu.max").split() for level in levels]
    memory = [_use(level, "memory") for level in levels]
    processes = [_use(level, "pids") for level in levels]
    return GroupLimits(
        _least(*(int(n[0]) / int(n[1]) for n in cpus if n and n[0] != "max")),
        *(min((use[i] for use in memory if use), default=None) for i in (0, 1)),
        *(min((use[i] for use in processes if use), default=None) for i in (0, 1)),
    )


def _levels() -> Iterator[tuple[str, ...]]:
    """The folders of this process's control group and of all around it, innermost first.

    In a container the path may start above what is mounted; then only the mounted levels exist.
    """
    lines = read_proc("self", "cgroup").splitlines()
    path = next((line[3:] for line in lines if line.startswith("0::")), "/")
    parts = [part for part in path.split("/") if part not in ("", "..")]
    for depth in range(len(parts), -1, -1):
        yield ("fs", "cgroup", *parts[:depth])


def _use(level: tuple[str, ...], controller: str) -> tuple[int, int] | None:
    """Limit and what is left of it at one level; None without a limit."""
    limit = read_sys(*level, f"{controller}.max")
    if not limit.isdigit():  # "max", or no such file
        return None
    used = int(read_sys(*level, f"{controller}.current") or 0)
    # Inactive files can be dropped at once, so they count as free.
    statistics = dict(line.split() for line in read_sys(*level, f"{controller}.stat").splitlines())
    free = int(limit) - used + int(statistics.get("inactive_file", 0))
    return int(limit), max(0, free)


def _least(*figures: float | None) -> float | None:
    return min((figure for figure in figures if figure is not None), default=None)


def _memory() -> Memory:
    page = os.sysconf("SC_PAGE_SIZE")
    lines = (line.split() for line in read_proc("meminfo").splitlines())
    available = next((int(words[1]) * 1024 for words in lines if words[0] == "MemAvailable:"), None)
    return Memory(page * os.sysconf("SC_PHYS_PAGES"), available)


def _place(path: Path) -> Place:
    status = os.statvfs(path)
    return Place(str(path), status.f_blocks * status.f_frsize, free_bytes(path))


def _limit(limit: int) -> int | None:
    return None if limit == resource.RLIM_INFINITY else limit
