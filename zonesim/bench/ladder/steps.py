"""The rungs of the ladder, and the rows that their samples give."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from statistics import median
from typing import NamedTuple

import msgspec

from zonesim.bench import plan
from zonesim.bench.plan import BEFORE, PERIOD_MS, Milestone
from zonesim.bench.program import CHAINS
from zonesim.bench.rows import Goal, Row, alone
from zonesim.bench.sampling import Rounds, Samples, each
from zonesim.bench.suite import Setting

HEAP = 100_000  # lists that stay alive, as a game's objects do: the collector looks at them
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
