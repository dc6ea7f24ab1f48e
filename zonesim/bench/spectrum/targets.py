"""The targets of Coro-Roro's plan, and the rows that have their figures here."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from statistics import median
from typing import Literal, NamedTuple

import msgspec

from zonesim.bench.peers.zones import ONE_ZONE, ROUND
from zonesim.bench.plan import HUNDRED_ZONES_MS, SWITCH_US, TICK_MS, TICKS_A_SECOND, Levels
from zonesim.bench.rows import Goal, Row, alone
from zonesim.bench.sampling import Rounds, each

from .impact import DIRECT, SAMPLED
from .patterns import AT_ONCE, IN_SEQUENCE


class Target(NamedTuple):
    """A figure that the plan wants, and the row that has it here."""

    name: str
    unit: str
    levels: Levels
    row: tuple[str, str]  # group and name
    of: Literal["figure", "a second"] = "figure"

    def measured(self, samples: Rounds) -> Rounds:
        """The row's samples as this figure; of ticks in ms, how many fit into a second."""
        return samples if self.of == "figure" else each(lambda ms: 1_000 / ms, samples)

    def goal(self, level: float) -> Goal:
        """The goal of one grade."""
        return Goal("at most" if self.of == "figure" else "at least", level)


TARGETS = [
    Target("target: thread switch, 1,980 in a tick", "us", SWITCH_US, ("patterns", AT_ONCE)),
    Target("target: thread switch, one by one", "us", SWITCH_US, ("patterns", IN_SEQUENCE)),
    Target("target: a tick, back to back", "ms", TICK_MS, ("impact", DIRECT)),
    Target("target: a tick, 20 to 30 ms apart", "ms", TICK_MS, ("impact", SAMPLED)),
    Target("target: one of 100 zones on a thread", "ms", TICK_MS, ("zones", ONE_ZONE)),
    Target("target: 100 zones on a thread", "ms", HUNDRED_ZONES_MS, ("zones", ROUND)),
    Target("target: a single zone", "ticks/s", TICKS_A_SECOND, ("impact", DIRECT), "a second"),
]


def conclude(rows: Iterable[Row]) -> Iterator[Row]:
    """A row for each target whose figure was measured; its goal is the conservative grade."""
    found = {(row.group, row.name): row.samples for row in rows}
    for target in TARGETS:
        if target.row in found:
            samples = target.measured(found[target.row])
            goal = target.goal(target.levels.conservative)
            row = alone("targets", target.name, target.unit, samples, goal=goal)
            yield msgspec.structs.replace(row, note=_grade(target, samples))


def _grade(target: Target, samples: Rounds) -> str:
    figure = median(value for launch in samples for value in launch)
    reached = [
        name for name, level in target.levels._asdict().items() if target.goal(level).holds(figure)
    ]
    return f"reaches the {reached[-1]} target" if reached else "reaches no target"
