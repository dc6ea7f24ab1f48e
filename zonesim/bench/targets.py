"""The plan's targets and success criteria, beside what was measured. Measures nothing itself."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from statistics import median
from typing import Literal, NamedTuple

from . import pattern_group, zones_group
from .figures import Comparison, Goal, Row
from .impact_group import DIRECT, SAMPLED, TICK
from .launches import Rounds, each, flat, ratio
from .plan import (
    CRITERION_SWITCH_US,
    CRITERION_TICK_MS,
    HUNDRED_ZONES_MS,
    IMPACT_MS,
    SWITCH_US,
    TICKS_A_SECOND,
    ZONE_MS,
    Levels,
)
from .table import figure_text

OTHER_CRITERIA = (
    "5 all tests pass: no timing; the test suite says it",
    "6 no changes to existing code: the same chains of coroutines ran on workers, without any, and "
    "in a bare loop of send",
    "7 coroutines and scheduler may know each other: not needed; any coroutine is a Task",
    "8 the scheduler is injected: no coroutine here was handed one; whoever drives it answers",
    "9 Tasks need a scheduler: an AsyncTask awaited without one fails, and says how to run it",
)


SEEN_IN = {"patterns", "impact", "zones", "core"}  # the groups in which the other criteria show


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

    @property
    def goal(self) -> Goal:
        """Of the ratio of what is measured to what is wanted."""
        return Goal("at most" if self.of == "figure" else "at least", 1.0)


AT_ONCE, ALONE = ("patterns", pattern_group.AT_ONCE), ("patterns", pattern_group.IN_SEQUENCE)
TICK_DIRECT, TICK_SAMPLED = ("impact", f"{DIRECT}: {TICK}"), ("impact", f"{SAMPLED}: {TICK}")
ZONE, ZONES = ("zones", zones_group.ONE_ZONE), ("zones", zones_group.ROUND)

TARGETS = [
    Target("thread switch, 1,980 in a tick", "us", SWITCH_US, AT_ONCE),
    Target("thread switch, one after another", "us", SWITCH_US, ALONE),
    Target("LandSandBoat impact, back to back", "ms", IMPACT_MS, TICK_DIRECT),
    Target("LandSandBoat impact, 20 ms between", "ms", IMPACT_MS, TICK_SAMPLED),
    Target("per zone, of 100 on one thread", "ms", ZONE_MS, ZONE),
    Target("100 zones on one thread, total", "ms", HUNDRED_ZONES_MS, ZONES),
    Target("single zone", "ticks/s", TICKS_A_SECOND, TICK_DIRECT, "a second"),
]

CRITERIA = [
    ("1 thread switch", "us", CRITERION_SWITCH_US, ALONE),
    ("2 LandSandBoat impact", "ms", CRITERION_TICK_MS, TICK_SAMPLED),
    ("3 per zone", "ms", CRITERION_TICK_MS, TICK_SAMPLED),
    ("4 100 zones in one period of one thread", "ms", CRITERION_TICK_MS, ZONES),
]


def conclude(rows: Sequence[Row], groups: Sequence[str]) -> Iterator[Row | str]:
    """A row for each target whose figure was measured, and the table of all of them."""
    found = {(row.group, row.name): row.samples for row in rows}
    targets = [target for target in TARGETS if target.row in found]
    for target in targets:
        yield from _levels(target, target.measured(found[target.row]))
    if targets:
        yield from table([(t, median(flat(t.measured(found[t.row])))) for t in targets])
    for name, unit, bound, place in CRITERIA:
        if place in found:
            yield _row("criteria", name, "bound", unit, found[place], bound, Goal("at most", 1.0))
    if {row.group for row in rows} >= SEEN_IN:
        yield from OTHER_CRITERIA


def table(figures: Sequence[tuple[Target, float]]) -> Iterator[str]:
    """The targets in one piece: the three grades, what was measured, and how it stands."""
    titles = ("conservative", "aggressive", "ultimate", "measured", "over ultimate")
    yield f"{'target':<38}" + "".join(f"{title:>14}" for title in titles)
    for target, figure in figures:
        cells = [*map(figure_text, target.levels), figure_text(figure)]
        ratio_text = f"{figure_text(figure / target.levels.ultimate)}x"
        name = f"{target.name}, {target.unit}"
        yield f"{name:<38}" + "".join(f"{cell:>14}" for cell in (*cells, ratio_text))


def _levels(target: Target, measured: Rounds) -> Iterator[Row]:
    for level, bound in target.levels._asdict().items():
        yield _row("targets", target.name, level, target.unit, measured, bound, target.goal)


def _row(
    group: str, name: str, against: str, unit: str, measured: Rounds, bound: float, goal: Goal
) -> Row:
    comparison = Comparison(group, name, against, unit, ratio, goal=goal)
    return comparison.row(measured, each(lambda _: bound, measured))
