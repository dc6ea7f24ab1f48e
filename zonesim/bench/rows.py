"""A row of the table of transfers: what was measured, against what, and whether it will do."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import median
from typing import Literal

import msgspec

from .turns import Statistic, interval

TITLES = (
    f"{'ours':<38} {'theirs':<40} {'ours':>9} {'theirs':>9} {'':2} {'figure':>8} "
    f"{'95 % interval':>20}  goal"
)


class Goal(msgspec.Struct, frozen=True):
    """The bound of a figure, and what the figure counts."""

    kind: Literal["at most", "at least"]
    bound: float
    counts: str = "x"

    def holds(self, figure: float) -> bool:
        """Whether a figure is within the bound."""
        return figure <= self.bound if self.kind == "at most" else figure >= self.bound


class Row(msgspec.Struct, frozen=True):
    """One comparison, or one thing measured by itself; ``goal`` is about ``figure``.

    ``ours`` and ``theirs`` are medians over the rounds, in ``unit``.
    """

    group: str
    name: str
    against: str
    unit: str
    ours: float
    rounds: int
    theirs: float | None = None
    figure: float | None = None
    interval: tuple[float, float] | None = None
    goal: Goal | None = None
    verdict: Literal["pass", "falls short", "floor"] = "floor"


class Comparison(msgspec.Struct, frozen=True):
    """A row whose figures are yet to be measured."""

    group: str
    name: str
    against: str
    unit: str
    statistic: Statistic
    goal: Goal | None

    def row(self, ours: Sequence[float], theirs: Sequence[float]) -> Row:
        """The row for the samples of both sides."""
        figure = self.statistic(ours, theirs)
        return Row(
            group=self.group,
            name=self.name,
            against=self.against,
            unit=self.unit,
            ours=median(ours),
            rounds=len(ours),
            theirs=median(theirs) if self.against else None,
            figure=figure,
            interval=interval(self.statistic, ours, theirs),
            goal=self.goal,
            verdict=_verdict(self.goal, figure),
        )


def floor(group: str, name: str, unit: str, samples: Sequence[float]) -> Row:
    """The row of something that has no goal: what the others stand on."""
    return Row(group, name, "", unit, median(samples), len(samples))


def line(row: Row) -> str:
    """The row as text."""
    theirs = "" if row.theirs is None else f"{row.theirs:.2f}"
    figure = "" if row.figure is None else f"{row.figure:.3f}"
    span = f"[{row.interval[0]:.3f}, {row.interval[1]:.3f}]" if row.interval else ""
    goal = f"{row.goal.kind} {row.goal.bound:g} {row.goal.counts}: " if row.goal else ""
    return (
        f"{row.name:<38} {row.against:<40} {row.ours:9.2f} {theirs:>9} {row.unit:2} {figure:>8} "
        f"{span:>20}  {goal}{row.verdict}"
    )


def _verdict(goal: Goal | None, figure: float) -> Literal["pass", "falls short", "floor"]:
    if goal is None:
        return "floor"
    return "pass" if goal.holds(figure) else "falls short"
