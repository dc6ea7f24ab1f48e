"""What processes and rings take, as zonesim starts them: in the process that this runs in."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import corororo as cr
from zonesim.controller.run import run_for_figures
from zonesim.processes.preload import PRELOAD
from zonesim.scenario.loading import load_scenario
from zonesim.system.operating_system import read_proc

from .core import tick_chains
from .empty_work import number
from .memory_growth import workers_mb

TICKS = 3  # every zone has ticked, and holds what it needs for that
BLOCK_BYTES = 512  # in which the room of a file is counted, wherever it stands


def zone_process_mb(workload: str, zones: int, workers: int) -> Iterator[dict[str, float]]:
    """Proportional memory of a zone process among so many."""
    scenario = load_scenario(workload, {"zones": zones, "ticks": TICKS, "workers": workers})
    with tempfile.TemporaryDirectory() as place:
        summary = run_for_figures(scenario, Path(place))
    mb = summary.steps[0].pss_mb_per_zone
    yield {} if mb is None else {f"a zone process of {zones}, {workload}": mb}


def worker_mb(what: str, imports: list[str], workers: int) -> Iterator[dict[str, float]]:
    """Proportional memory of a worker among so many, that has had calls."""
    with (
        cr.WorkerPool(workers, imports=imports, preload=PRELOAD) as pool,
        cr.Scheduler(pool) as scheduler,
    ):
        for _ in range(TICKS):
            tick_chains(scheduler, number)
        of_all_mb = workers_mb(f"a worker of {workers}, {what}", pool)
    yield {name: mb / workers for name, mb in of_all_mb.items()}


def ring_bytes() -> Iterator[dict[str, float]]:
    """The ring of a Scheduler that has sent calls."""
    with cr.WorkerPool(1) as pool, cr.Scheduler(pool) as scheduler:
        for _ in range(TICKS):
            tick_chains(scheduler, number)
        [file] = Path(pool.address).glob("*.ring")
        found = file.stat()
        yield {
            "a ring, its file": found.st_size,
            "a ring, what is reserved of the file": found.st_blocks * BLOCK_BYTES,
            **_touched("a ring, what its zone has touched", file),
        }


def _touched(name: str, file: Path) -> dict[str, float]:
    """Under this name what this process has in its memory of a file; nothing where none tells."""
    lines = iter(read_proc(str(os.getpid()), "smaps").splitlines())
    for line in lines:
        if line.endswith(str(file)):
            resident = next(line for line in lines if line.startswith("Rss:"))
            return {name: int(resident.split()[1]) * 1_024}
    return {}
