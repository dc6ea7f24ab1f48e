"""`zonesim bench memory`: what Tasks, processes and rings take, and what very many leave behind.

Each figure comes from new processes. Memory is proportional: pages that n processes share count
1/n in each. Where the system does not tell that, a process tells the most it ever had.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import TypeAlias

from .apart import run_apart
from .figures import Goal, alone
from .launches import Amount, Samples, goes_on
from .memory_growth import A_MILLION, grow_by_async_tasks, grow_by_tasks
from .memory_objects import KINDS, each_of
from .memory_processes import ring_bytes, worker_mb, zone_process_mb
from .suite import BenchError, Group, Measuring, Setting, Suite

Probe: TypeAlias = Callable[[], list[dict[str, float]]]

PATIENCE_S = 120.0  # with one process that measures
ZONES = 100
QUICK_ZONES = 20
QUICK_CALLS = 100_000
FINDS_PATHS = ["zonesim.world.search"]  # what workers of the field import
ZONE_PROCESS_MB = Goal("at most", 8.0)


def measure_objects(setting: Setting) -> Measuring:
    """One thing of each kind, from very many of them."""
    yield from _measure(setting, "objects", "bytes", [_apart(each_of, kind) for kind in KINDS])


def measure_processes(setting: Setting) -> Measuring:
    """Zone processes, and workers."""
    zones, workers = QUICK_ZONES if setting.quick else ZONES, setting.workers
    in_zones = [_apart(zone_process_mb, load, zones, workers) for load in ("chains", "field")]
    goal = ZONE_PROCESS_MB if zones == ZONES else None  # fewer of them share less
    yield from _measure(setting, "processes", "MB", in_zones, goal)
    in_workers = [
        _apart(worker_mb, what, imports, workers)
        for what, imports in (("empty calls", []), ("imports what finds paths", FINDS_PATHS))
    ]
    yield from _measure(setting, "processes", "MB", in_workers)


def measure_rings(setting: Setting) -> Measuring:
    """The shared memory of a zone."""
    yield from _measure(setting, "rings", "bytes", [_apart(ring_bytes)])


def measure_growth(setting: Setting) -> Measuring:
    """What a million calls leave behind."""
    calls = QUICK_CALLS if setting.quick else A_MILLION
    probes = [_apart(grow_by_async_tasks, calls, setting.workers), _apart(grow_by_tasks, calls)]
    yield from _measure(setting, "growth", "MB", probes)


def _apart(function: Callable[..., Iterator[dict[str, float]]], *arguments: object) -> Probe:
    return partial(run_apart, function, dict[str, float], PATIENCE_S, *arguments)


def _measure(
    setting: Setting, group: str, unit: str, probes: Sequence[Probe], goal: Goal | None = None
) -> Measuring:
    """A row for each name that the probes give; a line for those that give none."""
    samples: Samples = {}
    for launch in range(setting.amount.launches):
        if not (yield from goes_on(launch)):
            break
        for probe in probes:
            for name, figures in _rounds(probe, setting.amount.rounds).items():
                samples.setdefault(name, []).append(figures)
    for name, found in samples.items():
        yield alone(group, name, unit, found, goal=goal)
    if len(samples) < len(probes):
        yield f"{group}: this system does not tell what other processes take"


def _rounds(probe: Probe, rounds: int) -> dict[str, list[float]]:
    """The same figures, so many times; a round has processes of its own, as a launch has."""
    found: dict[str, list[float]] = {}
    for _ in range(rounds):
        figures = probe()
        if not figures:
            raise BenchError(f"no figures came within {PATIENCE_S:.0f} s")
        for name, figure in figures[0].items():
            found.setdefault(name, []).append(figure)
    return found


SUITE = Suite(
    "memory",
    {
        "objects": Group(measure_objects, Amount(5, 1), Amount(2, 1)),
        "processes": Group(measure_processes, Amount(3, 1), Amount(1, 1), parts=2),
        "rings": Group(measure_rings, Amount(3, 1), Amount(1, 1)),
        "growth": Group(measure_growth, Amount(4, 1), Amount(2, 1)),
    },
)
