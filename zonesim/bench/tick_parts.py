"""One tick of the chains, taken to pieces: what its own report says of it. Knows no comparison."""

from __future__ import annotations

import random
import time
from collections.abc import Mapping, Sequence
from statistics import fmean
from time import perf_counter_ns

import corororo as cr

from .core import tick_chains
from .empty_work import Leaf

WALL, MAIN = "wall", "main"  # of a whole tick; of it, what the zone's own thread was busy
LAPS = ("step", "encode", "wait", "resume", "other")  # they add up to the wall time
BATCHES = "batches"
GAP_S = 0.020  # at least, between two ticks
SPREAD_S = 0.010  # at random, on top: so that ticks keep step with nothing else


def tick_parts(scheduler: cr.Scheduler, leaf: Leaf) -> dict[str, float]:
    """Run one tick; microseconds of each part, and the number of its batches.

    Steps count from the moment in which the first Task is started, before the tick itself.
    """
    began_ns = perf_counter_ns()
    report = tick_chains(scheduler, leaf)
    wall_us = (perf_counter_ns() - began_ns) / 1_000
    laps_ns = (report.step_ns, report.encode_ns, report.wait_ns, report.resume_ns)
    step, encode, wait, resume = (ns / 1_000 for ns in laps_ns)
    tick_us = (report.finished_ns - report.started_ns) / 1_000
    return {
        WALL: wall_us,
        MAIN: wall_us - wait,
        "step": wall_us - tick_us + step,
        "encode": encode,
        "wait": wait,
        "resume": resume,
        "other": tick_us - step - encode - wait - resume,
        BATCHES: float(report.batches),
    }


def back_to_back(scheduler: cr.Scheduler, leaf: Leaf, ticks: int) -> dict[str, float]:
    """The mean tick of so many without a pause; one more stands before those that count."""
    tick_parts(scheduler, leaf)
    return mean_parts([tick_parts(scheduler, leaf) for _ in range(ticks)])


def sampled(
    scheduler: cr.Scheduler, leaf: Leaf, ticks: int, sample: int, draw: random.Random
) -> dict[str, float]:
    """The mean of a sample, drawn at random, of so many ticks with a pause before each."""
    found = []
    for _ in range(ticks):
        time.sleep(GAP_S + draw.random() * SPREAD_S)
        found.append(tick_parts(scheduler, leaf))
    return mean_parts(draw.sample(found, sample))


def mean_parts(ticks: Sequence[Mapping[str, float]]) -> dict[str, float]:
    """Each part in the mean: they still add up."""
    return {name: fmean(parts[name] for parts in ticks) for name in ticks[0]}
