"""Instructions of a zone's process for a tick, counted by callgrind.

Unlike times they can be repeated to a percent, whatever else the machine does.
"""

from __future__ import annotations

import gc
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from functools import partial
from pathlib import Path

from zonesim.bench.isolated import run_isolated
from zonesim.bench.program import find_path, open_scheduler, tick_chains
from zonesim.bench.sampling import Candidate
from zonesim.bench.suite import BenchError, Setting

from .prototype import Prototype
from .zones import OURS, PROTOTYPE

SHORT, LONG = 10, 40  # ticks of two runs, whose difference leaves out how a process starts and ends
LIMIT_S = 300.0  # for a run, which is about fifty times slower than without callgrind


@contextmanager
def open_instructions(setting: Setting) -> Iterator[dict[str, Candidate]]:
    """A tick by us and by the prototype: millions of instructions."""
    if shutil.which("valgrind") is None:
        raise BenchError("skipped, valgrind is not on PATH; install it to count instructions")
    yield {way: partial(_millions_a_tick, way, setting.workers) for way in (OURS, PROTOTYPE)}


def _millions_a_tick(way: str, workers: int) -> float:
    short, long = (_count(way, ticks, workers) for ticks in (SHORT, LONG))
    return (long - short) / (LONG - SHORT) / 1e6


def _count(way: str, ticks: int, workers: int) -> int:
    """The instructions of a whole process; workers are processes of their own."""
    with tempfile.TemporaryDirectory() as place:
        file = Path(place, "counts")
        counter = ["valgrind", "--quiet", "--tool=callgrind", f"--callgrind-out-file={file}"]
        run_isolated(run_ticks, LIMIT_S, way, ticks, workers, under=counter)
        totals = [line for line in file.read_text().splitlines() if line.startswith("totals: ")]
    return int(totals[-1].split()[1])


# -- in the process that is counted


def run_ticks(way: str, ticks: int, workers: int) -> dict[str, float]:
    """Run so many ticks without a collection of garbage."""
    with ExitStack() as stack:
        tick: Callable[[], None]
        if way == OURS:
            tick = partial(tick_chains, stack.enter_context(open_scheduler(workers)), find_path)
        else:
            tick = stack.enter_context(closing(Prototype(workers))).tick
        gc.freeze()
        for _ in range(ticks):
            gc.disable()  # the prototype's tick switches it on
            tick()
    return {}
