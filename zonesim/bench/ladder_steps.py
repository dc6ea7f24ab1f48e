"""The rungs of the ladder, from the plan's "before" to its last phase: opened, and their ticks.

All run the same chains of coroutines. Only ``.map`` changes what a user writes, as in the plan.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from functools import partial
from statistics import fmean
from typing import Any, NamedTuple

import corororo as cr

from . import milestones
from .chains import plain_task
from .core import CHAINS, tick_chains, timed_us
from .empty_work import first
from .launches import Figures
from .milestones import Milestone
from .transfers.batched import Batched
from .transfers.context import Context
from .transfers.direct import Direct
from .transfers.handle import Handles
from .transfers.pooled import Pooled
from .transfers.rung import Rung
from .transfers.slots import Slots

Function = cr.AsyncTaskFunction[[int], Any]
Candidates = Mapping[str, Callable[[], Figures]]

TICKS = 10  # back to back, in a round; one more stands before them
SLACK_S = 0.4  # what a tick leaves the collector of garbage, at most
TICK_US, SWITCHES = "us", "switches"  # the figures of a candidate


class Step(NamedTuple):
    """One rung: its number is that of the plan's phase."""

    number: str
    what: str
    below: str | None  # the number of the rung that it is built on
    milestone: Milestone
    plain: str = "plain"  # the candidate with a Task in place of each AsyncTask

    @property
    def name(self) -> str:
        """As rows call it."""
        return f"{self.number} {self.what}"


OLDER: dict[str, type[Rung]] = {
    "0": Context,
    "1": Handles,
    "2.1": Direct,
    "2.2": Pooled,
    "2.3": Slots,
    "2.4": Batched,
}
STEPS = [
    Step("0", "whole contexts, pickled", None, Milestone()),
    Step("1", "handles, one queue", "0", milestones.HANDLES),
    Step("2.1", "a pipe for each worker", "1", milestones.DIRECT),
    Step("2.2", "pooled handles, buffers", "2.1", milestones.POOLED),
    Step("2.3", "slots in shared memory", "2.2", milestones.LOCK_FREE),
    Step("2.4", "batches", "2.3", milestones.BATCHES),
    Step("2.5", "the ring", "2.4", milestones.ZERO_COPY),
    Step("3", "one .map", "2.5", milestones.VECTORS),
    Step("4", "garbage between ticks", "2.5", milestones.MEMORY, "plain, collected between"),
    Step("5", "spinning", "4", milestones.WORKERS, "plain, collected between"),
]


@contextmanager
def open_steps(workers: int, function: Function) -> Iterator[Candidates]:
    """All rungs, each on workers of its own kind, and the same ticks without any AsyncTask."""
    with ExitStack() as stack:
        found: dict[str, Callable[[], Figures]] = {}
        for number, kind in OLDER.items():
            rung = stack.enter_context(kind(workers))
            scheduler = stack.enter_context(cr.Scheduler(rung))
            found[number] = partial(block, scheduler, partial(tick_chains, scheduler, function))
        found |= _on_the_ring(stack, workers, function)
        yield found


def block(
    scheduler: cr.Scheduler, tick: Callable[[], object], after: Callable[[], object] = lambda: None
) -> Figures:
    """The mean of some ticks back to back: microseconds, and messages handed to workers."""
    tick()
    after()
    before = scheduler.statistics().batches
    found = []
    for _ in range(TICKS):
        found.append(timed_us(tick))
        after()
    return {
        TICK_US: fmean(found),
        SWITCHES: (scheduler.statistics().batches - before) / TICKS,
    }


def tick_mapped(scheduler: cr.Scheduler, function: Function) -> None:
    """Run the chains without their calls, and one Task that makes them all at once."""
    scheduler.schedule(_map_all(function))
    for chain in range(CHAINS):
        scheduler.schedule(first(plain_task, chain))
    scheduler.tick()


async def _map_all(function: Function) -> None:
    await function.map(range(CHAINS))


def _on_the_ring(
    stack: ExitStack, workers: int, function: Function
) -> dict[str, Callable[[], Figures]]:
    """The library itself, with and without its options."""
    parking = stack.enter_context(cr.WorkerPool(workers, rings=2))
    spinning = stack.enter_context(cr.WorkerPool(workers, idle=cr.AdaptiveSpin()))
    garbage = cr.SlackCollector()
    ring = stack.enter_context(cr.Scheduler(parking))
    slack = stack.enter_context(cr.Scheduler(parking, garbage=garbage))
    spin = stack.enter_context(cr.Scheduler(spinning, garbage=garbage))
    return {
        "2.5": partial(block, ring, partial(tick_chains, ring, function)),
        "3": partial(block, ring, partial(tick_mapped, ring, function)),
        "4": partial(_collected, garbage, slack, function),
        "5": partial(_collected, garbage, spin, function),
        "plain": partial(block, ring, partial(tick_chains, ring, plain_task)),
        "plain, collected between": partial(_collected, garbage, slack, plain_task),
    }


def _collected(garbage: cr.SlackCollector, scheduler: cr.Scheduler, leaf: Any) -> Figures:  # noqa: ANN401 - a Leaf
    """A block whose garbage is collected in the time that its ticks leave over."""
    with garbage:
        return block(
            scheduler, partial(tick_chains, scheduler, leaf), partial(garbage.collect, SLACK_S)
        )
