"""Calls that come in bursts, with and without workers that spin between them."""

from __future__ import annotations

import time
from functools import partial
from statistics import fmean

import corororo as cr
from corororo.processes import usable_cpus

from .core import timed_us
from .empty_work import number
from .launches import Figures, each, one_of
from .pattern_group import calls_in_a_tick, impact
from .plan import SPINNING_SAVES
from .strategies import (
    ADAPTIVE,
    BACKOFF,
    BUSY_SPIN,
    PARK,
    PARK_AGAIN,
    rows,
    take_turns_by_strategy,
)
from .suite import Measuring, Setting

BURSTS = 20
CALLS = 10  # in each
GAPS_MS = (0, 5, 10)
COMPARED = (PARK, PARK_AGAIN, ADAPTIVE, BACKOFF, BUSY_SPIN)


def measure_bursts(setting: Setting) -> Measuring:
    """A burst after each gap, with workers of each strategy."""
    workers = min(setting.workers, max(1, usable_cpus() - 1))
    samples = yield from take_turns_by_strategy(COMPARED, setting.amount, measure_round, workers)
    for gap_ms in GAPS_MS:
        name = figure_name(gap_ms)
        yield from rows("bursts", name, samples)
        for strategy in (PARK, ADAPTIVE):
            calls_us = each(lambda us: us / CALLS, one_of(samples[strategy], name))
            yield impact("bursts", f"{name}: {strategy}", calls_us)
    yield (
        f"{BURSTS} bursts of {CALLS} AsyncTasks, {workers} workers: a core is left to the zone; "
        "what passes between two bursts does not count"
    )
    low, high = SPINNING_SAVES
    yield (
        f"by the plan spinning saves {low:.1%} to {high:.1%} of bursty work, a ratio of "
        f"{1 - low:.2f} to {1 - high:.2f}"
    )


def figure_name(gap_ms: int) -> str:
    """How the rows call it."""
    return f"burst of {CALLS}, {gap_ms} ms apart"


def measure_round(zone: cr.Scheduler) -> Figures:
    """The mean burst at each gap."""
    return {figure_name(gap_ms): _burst_us(zone, gap_ms / 1_000) for gap_ms in GAPS_MS}


def _burst_us(zone: cr.Scheduler, gap_s: float) -> float:
    burst = partial(calls_in_a_tick, number, CALLS, zone)
    found = []
    for _ in range(BURSTS):
        if gap_s:
            time.sleep(gap_s)
        found.append(timed_us(burst))
    return fmean(found)
