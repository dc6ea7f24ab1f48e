"""`zonesim bench ladder`: the phases of Coro-Roro's plan, each built on the one before."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from statistics import fmean, median
from typing import Any, NamedTuple, TypeAlias

import msgspec

import corororo as cr

from . import plan
from .plan import BEFORE, PERIOD_MS, Milestone
from .program import CHAINS, Leaf, find_number, find_path, first, plain_task, tick_chains, timed_us
from .rows import Goal, Row, alone
from .rungs import Batched, Context, Direct, Handles, Pooled, Rung, Slots
from .sampling import Amount, Candidate, Rounds, Samples, each
from .suite import Group, Report, Setting, Suite

HEAP = 100_000  # lists that stay alive, as a game's objects do: the collector looks at them
TICKS = 10  # back to back, in a round
SLACK_S = 0.4  # what a tick leaves for the collector at most
Function: TypeAlias = cr.AsyncTaskFunction[..., Any]
WORK: dict[str, Function] = {"numbers": find_number, "paths": find_path}
PLAIN, PLAIN_COLLECTED = "plain", "plain, collected between"
TICK_US, MESSAGES = "us", "messages"

SWITCH, SWITCHES, TICK, ZONES = "a switch", "switches a tick", "a tick", "zones"


class Step(NamedTuple):
    """One rung: its number is that of the plan's phase."""

    number: str
    what: str
    below: str | None  # the number of the rung that it is built on
    milestone: Milestone
    plain: str = PLAIN  # the candidate with a Task in place of each AsyncTask


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
    Step("1", "handles, one queue", "0", plan.HANDLES),
    Step("2.1", "a pipe for each worker", "1", plan.DIRECT),
    Step("2.2", "pooled handles, buffers", "2.1", plan.POOLED),
    Step("2.3", "slots in shared memory", "2.2", plan.LOCK_FREE),
    Step("2.4", "batches", "2.3", plan.BATCHES),
    Step("2.5", "the ring", "2.4", plan.ZERO_COPY),
    Step("3", "one .map", "2.5", plan.VECTORS),
    Step("4", "garbage between ticks", "2.5", plan.MEMORY, PLAIN_COLLECTED),
    Step("5", "workers that spin", "4", plan.WORKERS, PLAIN_COLLECTED),
]


# -- the candidates


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


# -- the rows


def ladder_rows(group: str, samples: Samples, setting: Setting) -> Iterable[Row | str]:
    """The cost of a switch on every rung; ticks, messages and zones are details."""
    names = [*(step.number for step in STEPS), PLAIN, PLAIN_COLLECTED]
    ticks_us = {name: samples[f"{name}: {TICK_US}"] for name in names}
    switches = {step.number: switches_us(ticks_us, step) for step in STEPS}
    for step in STEPS:
        yield _switch(group, step, switches)
    for step in STEPS:
        tick_us, messages = ticks_us[step.number], samples[f"{step.number}: {MESSAGES}"]
        yield from _details(group, step, tick_us, messages)
    yield (
        f"a switch: {CHAINS} of them are what a tick takes longer than one with plain Tasks in "
        "place of its AsyncTasks"
    )
    yield f"zones: {PERIOD_MS:g} ms over the ms of a tick, by the plan's arithmetic"
    yield (
        f"garbage is collected inside of ticks, beside {HEAP:,} lists that stay alive; rungs 4 and "
        "5 collect it between ticks, in time that no figure counts"
    )
    yield (
        f"goals are the plan's milestones; before them it had {BEFORE.switch_us:,.0f} us a switch, "
        f"{BEFORE.tick_ms:,.0f} ms a tick, {BEFORE.zones} zones"
    )


def switches_us(ticks_us: Mapping[str, Rounds], step: Step) -> Rounds:
    """Microseconds of one AsyncTask there and back within a tick, of each round.

    Plain ticks are subtracted by their median over all rounds: they hardly vary.
    """
    plain_us = median(value for launch in ticks_us[step.plain] for value in launch)
    return each(lambda us: (us - plain_us) / CHAINS, ticks_us[step.number])


def row_name(group: str, step: Step, figure: str) -> str:
    """How a report names it."""
    return f"{step.number} {step.what}, {group}: {figure}"


def _switch(group: str, step: Step, switches: Mapping[str, Rounds]) -> Row:
    goal = _at_most(step.milestone.switch_us)
    row = alone(group, row_name(group, step, SWITCH), "us", switches[step.number], goal=goal)
    if step.below is None:
        return row
    below = median(value for launch in switches[step.below] for value in launch)
    return msgspec.structs.replace(row, against=f"rung {step.below}", theirs=below)


def _details(group: str, step: Step, tick_us: Rounds, messages: Rounds) -> Iterator[Row]:
    milestone = step.milestone
    tick_ms = each(lambda us: us / 1_000, tick_us)
    held = each(lambda us: PERIOD_MS * 1_000 / us, tick_us)
    at_least = None if milestone.zones is None else Goal("at least", milestone.zones)
    for figure, unit, samples, goal in (
        (SWITCHES, "messages", messages, _at_most(milestone.switches)),
        (TICK, "ms", tick_ms, _at_most(milestone.tick_ms)),
        (ZONES, "zones", held, at_least),
    ):
        name = row_name(group, step, figure)
        row = alone(group, name, unit, samples, goal=goal, detail=True)
        yield msgspec.structs.replace(row, better="higher") if figure == ZONES else row


def _at_most(bound: float | None) -> Goal | None:
    return None if bound is None else Goal("at most", bound)


def draw(report: Report, folder: Path) -> list[Path]:
    """Draw a picture of each workload."""
    from . import waterfall_figure  # matplotlib, which measuring does not need

    groups: Sequence[str] = list(dict.fromkeys(row.group for row in report.rows))
    return [
        waterfall_figure.draw(report, group, folder / f"waterfall_{group}.png") for group in groups
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
