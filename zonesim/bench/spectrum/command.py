"""`zonesim bench spectrum`: the patterns and targets of Coro-Roro's performance plan."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import corororo as cr
from corororo.abc import IdleStrategy
from corororo.processes import usable_cpus
from zonesim.bench.peers.zones import ONE_ZONE, OURS, ROUND, WALL, ZONES, open_zones
from zonesim.bench.plan import (
    SPINNING_SAVES,
    VECTORS_SAVE,
)
from zonesim.bench.program import COROUTINES, block_us, echo, open_scheduler
from zonesim.bench.rows import Row, alone, compared
from zonesim.bench.sampling import Amount, Candidate, Samples, each
from zonesim.bench.suite import Group, Report, Setting, Suite

from .impact import impact_rows, open_methods
from .patterns import calls_in_a_tick, open_patterns, pattern_rows
from .targets import conclude

# -- zones on one main thread


def zone_rows(samples: Samples, setting: Setting) -> Iterable[Row | str]:
    """The round, and a zone's share of it."""
    wall = samples[f"{OURS}: {WALL}"]
    yield alone("zones", ROUND, "ms", wall, detail=True)
    yield alone("zones", ONE_ZONE, "ms", each(lambda ms: ms / ZONES, wall), detail=True)


# -- batching by hand

TICKS = 5
ONE_BY_ONE = f"{COROUTINES:,} calls, each awaited by a Task of its own"
VECTOR = f"{COROUTINES:,} calls by one .map"


@contextmanager
def open_batching(setting: Setting) -> Iterator[dict[str, Candidate]]:
    """The same calls one by one, and as one vector: microseconds of a call."""
    with open_scheduler(setting.workers) as scheduler:
        one_by_one = partial(calls_in_a_tick, echo, COROUTINES, scheduler)
        yield {
            ONE_BY_ONE: lambda: block_us(one_by_one, TICKS) / COROUTINES,
            VECTOR: lambda: block_us(partial(_map_all, scheduler), TICKS) / COROUTINES,
        }


def _map_all(scheduler: cr.Scheduler) -> None:
    async def map_all() -> None:
        await echo.map(range(COROUTINES))

    scheduler.schedule(map_all())
    scheduler.tick()


def batching_rows(samples: Samples, setting: Setting) -> Iterable[Row | str]:
    """What a vector saves."""
    ours, theirs = samples[VECTOR], samples[ONE_BY_ONE]
    yield compared("batching", VECTOR, "one by one", "us", ours, theirs)
    yield f"the plan found vectors to save {VECTORS_SAVE:.2%}"


# -- workers that spin

BURSTS, CALLS = 20, 10
GAPS_MS = (0, 5, 10)
PARK, SPIN = "Park", "AdaptiveSpin"
STRATEGIES: dict[str, type[IdleStrategy]] = {PARK: cr.Park, SPIN: cr.AdaptiveSpin}


@contextmanager
def open_bursts(setting: Setting) -> Iterator[dict[str, Candidate]]:
    """Bursts of calls; workers that spin disturb others, so each strategy opens its own."""
    workers = min(setting.workers, max(1, usable_cpus() - 1))
    yield {name: partial(_bursts_us, kind, workers) for name, kind in STRATEGIES.items()}


def _bursts_us(kind: type[IdleStrategy], workers: int) -> dict[str, float]:
    with open_scheduler(workers, kind()) as scheduler:
        burst = partial(calls_in_a_tick, echo, CALLS, scheduler)
        burst()
        return {f"{gap_ms} ms": block_us(burst, BURSTS, gap_ms / 1_000) for gap_ms in GAPS_MS}


def burst_rows(samples: Samples, setting: Setting) -> Iterable[Row | str]:
    """What spinning saves at each gap."""
    for gap_ms in GAPS_MS:
        ours, theirs = (samples[f"{name}: {gap_ms} ms"] for name in (SPIN, PARK))
        name = f"burst of {CALLS} calls, {gap_ms} ms apart, {SPIN}"
        yield compared("bursts", name, PARK, "us", ours, theirs, detail=gap_ms != 5)
    low, high = SPINNING_SAVES
    yield f"the plan found spinning to save {low:.1%} to {high:.1%} of bursty work"
    yield "the gaps do not count; one core is left to the zone"


def draw(report: Report, folder: Path) -> list[Path]:
    """Write the picture of a report."""
    from . import figure  # matplotlib, which measuring does not need

    return [figure.draw(report, folder / "spectrum.png")]


SUITE = Suite(
    "spectrum",
    {
        "patterns": Group(open_patterns, pattern_rows, Amount(8, 8), Amount(1, 4)),
        "impact": Group(open_methods, impact_rows, Amount(6, 5), Amount(1, 4)),
        "zones": Group(open_zones, zone_rows, Amount(4, 5), Amount(1, 3)),
        "batching": Group(open_batching, batching_rows, Amount(6, 9), Amount(1, 4)),
        "bursts": Group(open_bursts, burst_rows, Amount(7, 1), Amount(1, 3), warm_up=False),
    },
    conclude,
    draw,
)
