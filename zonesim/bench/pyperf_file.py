"""A report as a file of pyperf's, for its `stats`, `hist` and `check`. Measures nothing.

We measure with a runner of our own, since pyperf measures one function at a time: it starts new
processes for it, and then goes on to the next. What is compared here is measured in turns, so that
whatever disturbs one side disturbs the other as well, and pyperf cannot interleave. Its statistics
are as good for our samples: a launch is a Run of it.
"""

from __future__ import annotations

import importlib
import importlib.util
import math
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from .figures import Row
from .launches import Rounds
from .suite import BenchError, Report

LIBRARY = "pyperf"
UNITS = {  # of ours, as those of pyperf, which has no others
    "s": ("second", 1.0),
    "ms": ("second", 1e-3),
    "us": ("second", 1e-6),
    "ns": ("second", 1e-9),
    "bytes": ("byte", 1.0),
    "MB": ("byte", 1e6),
}


class Candidate(NamedTuple):
    """One side of a row that pyperf has a unit for."""

    name: str
    samples: Rounds
    unit: str  # ours


def check(file: Path) -> None:
    """Raises BenchError where no such file could be written later on."""
    if importlib.util.find_spec(LIBRARY) is None:
        raise BenchError("--pyperf: expected pyperf, found none; pip install 'zonesim[bench]'")
    if os.path.lexists(file):
        raise BenchError(f"--pyperf: expected the name of a new file, found {file}")
    if not os.access(file.absolute().parent, os.W_OK | os.X_OK):
        raise BenchError(f"--pyperf: expected a folder that can be written for {file}, found none")


def write(report: Report, file: Path) -> Path | None:
    """Write times and sizes, and give the file; None where there are none."""
    pyperf: Any = importlib.import_module(LIBRARY)
    benchmarks = [
        pyperf.Benchmark([_run(pyperf, candidate, launch, report) for launch in candidate.samples])
        for candidate in _candidates(report.rows)
    ]
    if not benchmarks:
        return None
    pyperf.BenchmarkSuite(benchmarks).dump(str(file))
    return file


def _candidates(rows: list[Row]) -> Iterator[Candidate]:
    """Both sides of all rows; one that stands in several rows comes once."""
    seen: dict[str, Rounds] = {}
    for row in rows:
        name = f"{row.group}: {row.name}"
        for side, samples in ((name, row.samples), (f"{name}: {row.against}", row.their_samples)):
            if not _fits(row.unit, samples) or seen.get(side) == samples:
                continue
            whole = f"{side} (beside {row.against})" if side in seen else side
            seen[side] = samples
            yield Candidate(whole, samples, row.unit)


def _fits(unit: str, samples: Rounds) -> bool:
    """pyperf takes nothing that is nothing."""
    return unit in UNITS and bool(samples) and all(min(launch) > 0 for launch in samples)


def _run(pyperf: Any, candidate: Candidate, launch: list[float], report: Report) -> object:  # noqa: ANN401 - a module that need not be installed
    machine = report.machine
    unit, factor = UNITS[candidate.unit]
    values = [value * factor for value in launch]
    metadata = {
        "name": candidate.name,
        "unit": unit,
        "cpu_count": machine["cpus_usable"],
        "cpu_model_name": machine["cpu"],
        "platform": f"{machine['system']} {machine['architecture']}",
        "python_version": report.versions["python"],
        "date": report.utc,
        "duration": math.fsum(values) if unit == "second" else 0.0,
        "load_avg_1min": report.load[0],
        "zonesim_version": report.versions["corororo"],
    }
    return pyperf.Run(values, metadata=metadata, collect_metadata=False)
