"""What the control groups of this process allow it. Judges nothing.

A limit holds for a group and all groups inside it, so the least of all levels counts. Both
versions are read: a single tree, and one for each controller as older systems have it.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import msgspec

from zonesim.system.operating_system import read_proc

ENDLESS_BYTES = 1 << 60  # version 1 says "no limit" with a number beyond all memory


class GroupLimits(msgspec.Struct, frozen=True):
    """The least of all levels; None where no group limits anything."""

    cpus: float | None = None  # CPU seconds a second
    memory_bytes: int | None = None
    memory_left_bytes: int | None = None
    processes: int | None = None
    processes_left: int | None = None


def read_limits() -> GroupLimits:
    """The limits on this process now."""
    memory, processes = list(_memory()), list(_processes())
    return GroupLimits(
        cpus=min(_cpus(), default=None),
        memory_bytes=min((limit for limit, _ in memory), default=None),
        memory_left_bytes=min((left for _, left in memory), default=None),
        processes=min((limit for limit, _ in processes), default=None),
        processes_left=min((left for _, left in processes), default=None),
    )


def _cpus() -> Iterator[float]:
    for level in _levels("cpu"):
        words = _read(level, "cpu.max").split() or [
            _read(level, "cpu.cfs_quota_us"),
            _read(level, "cpu.cfs_period_us"),
        ]
        quota, period = map(_number, words)
        if quota and period:
            yield quota / period


def _memory() -> Iterator[tuple[int, int]]:
    """Limit and what is left of it; files that can be dropped at once count as left."""
    for level in _levels("memory"):
        limit = _number(_read(level, "memory.max") or _read(level, "memory.limit_in_bytes"))
        if limit is None or limit >= ENDLESS_BYTES:
            continue
        used = _number(_read(level, "memory.current") or _read(level, "memory.usage_in_bytes"))
        counts = dict(line.split() for line in _read(level, "memory.stat").splitlines())
        idle = _number(counts.get("total_inactive_file") or counts.get("inactive_file", ""))
        yield limit, max(0, limit - (used or 0) + (idle or 0))


def _processes() -> Iterator[tuple[int, int]]:
    for level in _levels("pids"):
        limit = _number(_read(level, "pids.max"))
        if limit is not None:
            used = _number(_read(level, "pids.current")) or 0
            yield limit, max(0, limit - used)


def _levels(controller: str) -> Iterator[Path]:
    """The folders of this process's group and of all around it, as far as they can be seen."""
    for mount, root, group in _trees(controller):
        inside = group.removeprefix(root.rstrip("/")).strip("/")
        level = mount / inside if group.startswith(root) else mount
        while level != mount:
            yield level
            level = level.parent
        yield mount


def _trees(controller: str) -> Iterator[tuple[Path, str, str]]:
    """Where a tree with this controller is mounted, from which group on, and which group is ours.

    Of version 2 there is one tree at most, and it may have the controller or not.
    """
    lines = read_proc("self", "cgroup").splitlines()
    groups = [(names.split(","), path) for _, names, path in (n.split(":", 2) for n in lines)]
    for line in read_proc("self", "mountinfo").splitlines():
        before, _, after = line.partition(" - ")
        root, mount = before.split()[3:5]
        kind, _, options = after.split()[:3]
        if kind == "cgroup2" or (kind == "cgroup" and controller in options.split(",")):
            ours = "" if kind == "cgroup2" else controller
            yield from ((Path(mount), root, path) for names, path in groups if ours in names)


def _read(folder: Path, name: str) -> str:
    try:
        return (folder / name).read_text().strip()
    except OSError:  # another version, or a controller that is off
        return ""


def _number(text: str) -> int | None:
    """A figure; None for "max", and for the -1 that version 1 has in its place."""
    return int(text) if text.isdigit() else None
