"""A row of a bench's table: what was measured, against what, and whether it will do.

Measures nothing.
"""

from __future__ import annotations

from statistics import median
from typing import Literal

import msgspec

from .launches import Rounds, Statistic, flat, interval, own_median


class Goal(msgspec.Struct, frozen=True):
    """The bound of a figure."""

    kind: Literal["at most", "at least"]
    bound: float

    def holds(self, figure: float) -> bool:
        """Whether a figure is within the bound."""
        return figure <= self.bound if self.kind == "at most" else figure >= self.bound


Verdict = Literal["pass", "falls short", "unclear", ""]  # unclear: the machine was busy


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """One thing measured, alone or against another; ``goal`` and ``interval`` are about ``figure``.

    ``ours`` and ``theirs`` are medians over all rounds, in ``unit``. ``figure`` is what is made of
    them, in ``figure_unit``: their ratio, say. Of a thing that is measured alone it is ``ours``,
    the median or another statistic of it.
    """

    group: str
    name: str
    unit: str
    ours: float
    figure: float
    figure_unit: str
    interval: tuple[float, float] | None  # None: of a single figure nothing is known
    against: str = ""
    theirs: float | None = None
    goal: Goal | None = None
    verdict: Verdict = ""
    better: Literal["lower", "higher"] = "lower"
    note: str = ""
    samples: Rounds = []
    their_samples: Rounds = []

    @property
    def key(self) -> tuple[str, str, str]:
        """What names the row in every run."""
        return self.group, self.name, self.against


def alone(
    group: str,
    name: str,
    unit: str,
    samples: Rounds,
    *,
    goal: Goal | None = None,
    note: str = "",
    statistic: Statistic = own_median,
) -> Row:
    """The row of something that is compared with nothing."""
    figure = statistic(flat(samples), flat(samples))
    return Row(
        group=group,
        name=name,
        unit=unit,
        ours=figure,
        figure=figure,
        figure_unit=unit,
        interval=interval(statistic, samples, samples),
        goal=goal,
        verdict=_verdict(goal, figure),
        better=_better(goal),
        note=note,
        samples=samples,
    )


def beside(row: Row, against: str, theirs: float) -> Row:
    """The same row with a figure beside it that others have published; its own stays its own."""
    times = theirs / row.figure if row.figure > 0 else 0.0
    note = f"theirs is {times:,.{0 if times >= 10 else 2}f}x" if times else ""
    return msgspec.structs.replace(row, against=against, theirs=theirs, note=row.note or note)


class Comparison(msgspec.Struct, frozen=True):
    """A row of two things whose samples are yet to be measured."""

    group: str
    name: str
    against: str
    unit: str
    statistic: Statistic
    figure_unit: str = "x"
    goal: Goal | None = None

    def row(self, ours: Rounds, theirs: Rounds) -> Row:
        """The row for the samples of both sides."""
        figure = self.statistic(flat(ours), flat(theirs))
        return Row(
            group=self.group,
            name=self.name,
            against=self.against,
            unit=self.unit,
            ours=median(flat(ours)),
            theirs=median(flat(theirs)),
            figure=figure,
            figure_unit=self.figure_unit,
            interval=interval(self.statistic, ours, theirs),
            goal=self.goal,
            verdict=_verdict(self.goal, figure),
            better=_better(self.goal),
            samples=ours,
            their_samples=theirs,
        )


def _verdict(goal: Goal | None, figure: float) -> Verdict:
    if goal is None:
        return ""
    return "pass" if goal.holds(figure) else "falls short"


def _better(goal: Goal | None) -> Literal["lower", "higher"]:
    return "higher" if goal is not None and goal.kind == "at least" else "lower"
