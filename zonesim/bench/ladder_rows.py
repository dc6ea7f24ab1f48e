"""The figures of each rung, made of what its ticks took. Measures nothing."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import msgspec

from .figures import Comparison, Goal, Row, alone
from .ladder_steps import STEPS, Step
from .launches import Rounds, each, ratio
from .milestones import PERIOD_MS
from .tick_groups import added_us

SWITCH, SWITCHES, TICK, ZONES, BELOW = (
    "a switch",
    "switches a tick",
    "a tick",
    "zones",
    "over the rung below",
)
PLAIN_TICK = "the tick with plain Tasks"


def rows(group: str, ticks_us: Mapping[str, Rounds], switches: Mapping[str, Rounds]) -> list[Row]:
    """Figure after figure; of ticks in microseconds and messages, by rung."""
    parts: list[Iterator[Row]] = [
        (switch(group, step, ticks_us) for step in STEPS),
        (switches_in_tick(group, step, switches[step.number]) for step in STEPS),
        (tick(group, step, ticks_us[step.number]) for step in STEPS),
        (zones(group, step, ticks_us[step.number]) for step in STEPS),
        (over_below(group, step, ticks_us) for step in STEPS if step.below is not None),
    ]
    return [row for part in parts for row in part]


def row_name(step: Step, figure: str) -> str:
    """How a report names it."""
    return f"{step.name}: {figure}"


def switch(group: str, step: Step, ticks_us: Mapping[str, Rounds]) -> Row:
    """Microseconds of one AsyncTask there and back, within a tick."""
    return Comparison(
        group=group,
        name=row_name(step, SWITCH),
        against=PLAIN_TICK,
        unit="us",
        statistic=added_us,
        figure_unit="us",
        goal=_at_most(step.milestone.switch_us),
    ).row(ticks_us[step.number], ticks_us[step.plain])


def switches_in_tick(group: str, step: Step, switches: Rounds) -> Row:
    """Messages handed to workers."""
    goal = _at_most(step.milestone.switches)
    return alone(group, row_name(step, SWITCHES), "messages", switches, goal=goal)


def tick(group: str, step: Step, ticks_us: Rounds) -> Row:
    """Milliseconds of one zone's tick, in which nothing else happens."""
    ticks_ms = each(lambda us: us / 1_000, ticks_us)
    goal = _at_most(step.milestone.tick_ms)
    return alone(group, row_name(step, TICK), "ms", ticks_ms, goal=goal)


def zones(group: str, step: Step, ticks_us: Rounds) -> Row:
    """Zones that one main thread holds, by the plan's arithmetic."""
    bound = step.milestone.zones
    goal = None if bound is None else Goal("at least", bound)
    found = each(lambda us: PERIOD_MS / (us / 1_000), ticks_us)
    row = alone(group, row_name(step, ZONES), "zones", found, goal=goal)
    return msgspec.structs.replace(row, better="higher")


def over_below(group: str, step: Step, ticks_us: Mapping[str, Rounds]) -> Row:
    """A rung's tick as a part of the tick of the rung that it is built on."""
    [below] = [other for other in STEPS if other.number == step.below]
    return Comparison(
        group=group,
        name=row_name(step, BELOW),
        against=below.name,
        unit="us",
        statistic=ratio,
    ).row(ticks_us[step.number], ticks_us[below.number])


def _at_most(bound: float | None) -> Goal | None:
    return None if bound is None else Goal("at most", bound)
