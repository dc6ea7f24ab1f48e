"""What a tick of LandSandBoat takes, by the plan's three methods."""

from __future__ import annotations

import random
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from functools import partial
from statistics import median

import corororo as cr
from zonesim.bench.plan import (
    MIXED,
    ORIGINAL,
    ORIGINAL_PACED_MS,
    ORIGINAL_TICK_MS,
    PLAN,
    PLAN_IMPACT_MS,
)
from zonesim.bench.program import (
    CHAINS,
    block_us,
    echo,
    find_number,
    open_scheduler,
    tick_chains,
    timed_us,
)
from zonesim.bench.rows import Row, alone, beside
from zonesim.bench.sampling import Candidate, Samples
from zonesim.bench.suite import Setting

from .patterns import await_often, calls_in_a_tick

DIRECT = "a tick, measured directly"
SUMMED = "a tick, sum of its components"
SAMPLED = "a tick, sampled, 20 to 30 ms apart"
TICKS, PACED_TICKS, SAMPLE = 10, 16, 8
GAP_S, SPREAD_S = 0.020, 0.010
AWAITED = 3 * CHAINS  # the Tasks of all chains but the first of each, which is started


@contextmanager
def open_methods(setting: Setting) -> Iterator[dict[str, Candidate]]:
    """All three methods on one pool: milliseconds of a tick."""
    draw = random.Random(setting.workers)
    with open_scheduler(setting.workers) as scheduler:
        tick = partial(tick_chains, scheduler, find_number)
        yield {
            DIRECT: lambda: block_us(tick, TICKS) / 1_000,
            SUMMED: lambda: components_ms(scheduler),
            SAMPLED: lambda: _sampled_ms(scheduler, draw),
        }


def components_ms(scheduler: cr.Scheduler) -> float:
    """Awaits among Tasks, and Tasks that each await one AsyncTask, measured by themselves."""
    awaits_us = block_us(lambda: scheduler.run(await_often(AWAITED)), TICKS)
    calls_us = block_us(partial(calls_in_a_tick, echo, CHAINS, scheduler), TICKS)
    return (awaits_us + calls_us) / 1_000


def impact_rows(samples: Samples, setting: Setting) -> Iterable[Row | str]:
    """The tick by each method."""
    row = alone("impact", DIRECT, "ms", samples[DIRECT])
    yield beside(row, PLAN, PLAN_IMPACT_MS[MIXED])
    yield beside(row, ORIGINAL, ORIGINAL_TICK_MS)
    yield alone("impact", SUMMED, "ms", samples[SUMMED])
    yield beside(alone("impact", SAMPLED, "ms", samples[SAMPLED]), ORIGINAL, ORIGINAL_PACED_MS)
    yield "the sum misses what components do to each other; after a pause workers sleep"


def _sampled_ms(scheduler: cr.Scheduler, draw: random.Random) -> float:
    """The median of a random sample of ticks at random distances."""
    found = []
    for _ in range(PACED_TICKS):
        time.sleep(GAP_S + draw.random() * SPREAD_S)
        found.append(timed_us(partial(tick_chains, scheduler, find_number)) / 1_000)
    return median(draw.sample(found, SAMPLE))
