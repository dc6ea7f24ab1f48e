"""`zonesim bench ladder`: the phases of Coro-Roro's plan, each built on the one before."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from statistics import fmean
from typing import Any, TypeAlias

import corororo as cr
from zonesim.bench.program import (
    CHAINS,
    Leaf,
    find_number,
    find_path,
    first,
    plain_task,
    tick_chains,
    timed_us,
)
from zonesim.bench.sampling import Amount, Candidate
from zonesim.bench.suite import Group, Report, Setting, Suite

from .rungs import Batched, Context, Direct, Handles, Pooled, Rung, Slots
from .steps import HEAP, MESSAGES, PLAIN, PLAIN_COLLECTED, TICK_US, ladder_rows

TICKS = 10  # back to back, in a round
SLACK_S = 0.4  # what a tick leaves for the collector at most
Function: TypeAlias = cr.AsyncTaskFunction[..., Any]
WORK: dict[str, Function] = {"numbers": find_number, "paths": find_path}

OLDER: dict[str, type[Rung]] = {
    "0": Context,
    "1": Handles,
    "2.1": Direct,
    "2.2": Pooled,
    "2.3": Slots,
    "2.4": Batched,
}


@contextmanager
def open_rungs(function: Function, setting: Setting) -> Iterator[dict[str, Candidate]]:
    """All rungs, each on its own workers, and the same ticks without any AsyncTask."""
    heap: list[list[int]] = [[] for _ in range(HEAP)]
    with ExitStack() as stack:
        found: dict[str, Candidate] = {}
        for number, kind in OLDER.items():
            rung = stack.enter_context(kind(setting.workers))
            scheduler = stack.enter_context(cr.Scheduler(rung))
            found[number] = partial(block, scheduler, partial(tick_chains, scheduler, function))
        yield found | _on_the_ring(stack, setting.workers, function)
    heap.clear()


def block(
    scheduler: cr.Scheduler, tick: Callable[[], object], after: Callable[[], object] = lambda: None
) -> Mapping[str, float]:
    """The mean of some ticks back to back: microseconds, and messages to workers."""
    tick()
    after()
    before = scheduler.statistics().batches
    found = []
    for _ in range(TICKS):
        found.append(timed_us(tick))
        after()
    sent = scheduler.statistics().batches - before
    return {TICK_US: fmean(found), MESSAGES: sent / TICKS}


def _on_the_ring(stack: ExitStack, workers: int, function: Function) -> dict[str, Candidate]:
    """The library itself, with and without its options."""
    parking = stack.enter_context(cr.WorkerPool(workers, rings=2))
    spinning = stack.enter_context(cr.WorkerPool(workers, idle=cr.AdaptiveSpin()))
    garbage = cr.SlackCollector()
    ring = stack.enter_context(cr.Scheduler(parking))
    slack = stack.enter_context(cr.Scheduler(parking, garbage=garbage))
    spin = stack.enter_context(cr.Scheduler(spinning, garbage=garbage))
    return {
        "2.5": partial(block, ring, partial(tick_chains, ring, function)),
        "3": partial(block, ring, partial(_tick_mapped, ring, function)),
        "4": partial(_collected, garbage, slack, function),
        "5": partial(_collected, garbage, spin, function),
        PLAIN: partial(block, ring, partial(tick_chains, ring, plain_task)),
        PLAIN_COLLECTED: partial(_collected, garbage, slack, plain_task),
    }


def _tick_mapped(scheduler: cr.Scheduler, function: Function) -> None:
    """Run the chains without their calls, and one Task that makes them all at once."""

    async def map_all() -> None:
        await function.starmap([(entity, 1.0, 2.0, 3.0, 4.0) for entity in range(CHAINS)])

    scheduler.schedule(map_all())
    for entity in range(CHAINS):
        scheduler.schedule(first(plain_task, entity))
    scheduler.tick()


def _collected(
    garbage: cr.SlackCollector, scheduler: cr.Scheduler, leaf: Leaf
) -> Mapping[str, float]:
    """A block whose garbage is collected in the time that its ticks leave over."""
    with garbage:
        return block(
            scheduler, partial(tick_chains, scheduler, leaf), partial(garbage.collect, SLACK_S)
        )


def draw(report: Report, folder: Path) -> list[Path]:
    """Draw a picture of each workload."""
    from . import figure  # matplotlib, which measuring does not need

    return [
        figure.draw(report, group, folder / f"waterfall_{group}.png")
        for group in dict.fromkeys(row.group for row in report.rows)
    ]


SUITE = Suite(
    "ladder",
    {
        name: Group(
            partial(open_rungs, function), partial(ladder_rows, name), Amount(6, 8), Amount(1, 4)
        )
        for name, function in WORK.items()
    },
    draw=draw,
)
