"""`zonesim bench memory`: memory of Tasks, processes and rings, and what many calls leave behind.

Each figure comes from a new process. Memory is proportional: pages that n processes share count
1/n in each. Where the system does not tell it, a process reports its peak.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import partial

from zonesim.bench.isolated import run_isolated
from zonesim.bench.rows import Goal, Row, alone
from zonesim.bench.sampling import Amount, Candidates, Samples
from zonesim.bench.suite import Group, Setting, Suite

from .probes import (
    OBJECTS,
    grow_by_async_tasks,
    grow_by_tasks,
    ring_bytes,
    size_of,
    worker_mb,
    zone_process_mb,
)

PATIENCE_S = 120.0  # with one process that measures
ZONES, QUICK_ZONES = 100, 20
CALLS, QUICK_CALLS = 1_000_000, 100_000
PATH_IMPORTS = ["zonesim.world.search"]  # what workers of the field import
ZONE_PROCESS_MB = Goal("at most", 9.0 if sys.version_info < (3, 12) else 8.0)

Probe = Callable[..., dict[str, float]]


def probes(group: str, setting: Setting) -> list[tuple[Probe, *tuple[object, ...]]]:
    """The functions that measure a group, each with its arguments."""
    zones = QUICK_ZONES if setting.quick else ZONES
    calls = QUICK_CALLS if setting.quick else CALLS
    workers = setting.workers
    found: dict[str, list[tuple[Probe, *tuple[object, ...]]]] = {
        "objects": [(size_of, name) for name in OBJECTS],
        "processes": [
            (zone_process_mb, "chains", zones, workers),
            (zone_process_mb, "field", zones, workers),
            (worker_mb, "empty calls", [], workers),
            (worker_mb, "imports for paths", PATH_IMPORTS, workers),
        ],
        "rings": [(ring_bytes,)],
        "growth": [(grow_by_async_tasks, calls, workers), (grow_by_tasks, calls)],
    }
    return found[group]


def _group(name: str, unit: str, launches: int) -> Group:
    @contextmanager
    def opened(setting: Setting) -> Iterator[Candidates]:
        yield {
            str(place): partial(run_isolated, probe, PATIENCE_S, *arguments)
            for place, (probe, *arguments) in enumerate(probes(name, setting))
        }

    def rows(samples: Samples, setting: Setting) -> Iterable[Row | str]:
        for key, found in samples.items():
            figure = key.partition(": ")[2]
            # Fewer zone processes share less: the goal is that of all.
            is_zone = figure.startswith("a zone process") and not setting.quick
            goal = ZONE_PROCESS_MB if is_zone else None
            yield alone(name, figure, unit, found, goal=goal)

    return Group(opened, rows, Amount(launches, 1), Amount(1, 1), warm_up=False)


SUITE = Suite(
    "memory",
    {
        "objects": _group("objects", "bytes", 5),
        "processes": _group("processes", "MB", 3),
        "rings": _group("rings", "bytes", 3),
        "growth": _group("growth", "MB", 4),
    },
)
