"""What a process of many zones does outside of ticks, sampled by py-spy.

A sample counts where a thread holds the interpreter: it stands for CPU time of Python code.
"""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from zonesim.bench.isolated import run_isolated
from zonesim.bench.rows import Goal, Row, alone
from zonesim.bench.sampling import Candidates, Samples
from zonesim.bench.suite import BenchError, Setting

from .fleet import run_fleet

ZONES = 100
SECONDS = 20
LIMIT_S = 120.0
OPTIONS = "--subprocesses --gil --rate 50 --format raw"  # at 100 a second, zones come late
WORKLOADS = ("chains", "field")


@contextmanager
def open_outside(setting: Setting) -> Iterator[Candidates]:
    """A run of each workload: percent of the samples of the process of all zones."""
    # Commands of an environment need not be on PATH.
    path = os.pathsep.join([os.path.dirname(sys.executable), os.environ.get("PATH", "")])
    if (sampler := shutil.which("py-spy", path=path)) is None:
        raise BenchError("skipped, py-spy is not installed; pip install corororo[bench]")
    yield {work: partial(_sample, sampler, work, setting.workers) for work in WORKLOADS}


def outside_rows(samples: Samples, setting: Setting) -> Iterable[Row | str]:
    """The share of each workload."""
    for workload in WORKLOADS:
        name = f"{ZONES} zones a process, {workload}: CPU outside of run_tick"
        yield alone("outside", name, "%", samples[workload], goal=Goal("at most", 12.0))


def _sample(sampler: str, workload: str, workers: int) -> float:
    run = {"zones": ZONES, "zones_per_process": ZONES, "duration_s": SECONDS}
    with tempfile.TemporaryDirectory() as place:
        file = Path(place, "stacks")
        command = [sampler, "record", *OPTIONS.split(), "--output", str(file), "--"]
        run_isolated(run_fleet, LIMIT_S, workload, workers, run, under=command)
        return percent_outside(file.read_text().splitlines())


def percent_outside(stacks: Iterable[str]) -> float:
    """The share of zone processes outside of run_tick, from lines of ``frame;frame;frame count``.

    What makes new zones, before they tick, does not count.
    """
    inside = outside = 0
    for line in stacks:
        stack, _, count = line.rpartition(" ")
        if "zone_process_main" not in stack or "ZoneProcess._assign" in stack:
            continue
        if "Scheduler.run_tick" in stack:
            inside += int(count)
        else:
            outside += int(count)
    return 100 * outside / (inside + outside)
