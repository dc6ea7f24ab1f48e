"""A row of a benchmark's table: what was measured, against what, and whether it meets its goal."""

from __future__ import annotations

from statistics import median
from typing import Literal

import msgspec

from .sampling import Rounds, Statistic, flat, interval, own_median, ratio


class Goal(msgspec.Struct, frozen=True):
    """The bound of a figure."""

    kind: Literal["at most", "at least"]
    bound: float

    def holds(self, figure: float) -> bool:
        """Whether a figure is within the bound."""
        return figure <= self.bound if self.kind == "at most" else figure >= self.bound


Verdict = Literal["pass", "short", "unclear", ""]  # unclear: the machine was busy


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """One measurement, alone or against another.

    ``ours`` and ``theirs`` are medians over all rounds, in ``unit``. ``figure`` is computed from
    them, in ``figure_unit``: their ratio, for example. For a measurement that stands alone it is
    ``ours``. ``goal`` and ``interval`` refer to ``figure``.
    """

    group: str
    name: str
    unit: str
    ours: float
    figure: float
    figure_unit: str
    interval: tuple[float, float] | None  # None: a single sample has no spread
    against: str = ""
    theirs: float | None = None
    goal: Goal | None = None
    verdict: Verdict = ""
    better: Literal["lower", "higher"] = "lower"
    note: str = ""
    detail: bool = False  # shown with --verbose only
    samples: Rounds = []
    their_samples: Rounds = []

    @property
    def key(self) -> tuple[str, str, str]:
        """Identifies the row in every run."""
        return self.group, self.name, self.against


def alone(
    group: str,
    name: str,
    unit: str,
    samples: Rounds,
    *,
    goal: Goal | None = None,
    note: str = "",
    detail: bool = False,
) -> Row:
    """The row of a measurement that is compared with nothing."""
    row = compared(group, name, "", unit, samples, samples, own_median, unit, goal, note, detail)
    return msgspec.structs.replace(row, theirs=None, their_samples=[])


def compared(
    group: str,
    name: str,
    against: str,
    unit: str,
    ours: Rounds,
    theirs: Rounds,
    statistic: Statistic = ratio,
    figure_unit: str = "x",
    goal: Goal | None = None,
    note: str = "",
    detail: bool = False,
) -> Row:
    """The row of two measurements, and what the statistic makes of them."""
    figure = statistic(flat(ours), flat(theirs))
    return Row(
        group=group,
        name=name,
        against=against,
        unit=unit,
        ours=median(flat(ours)),
        theirs=median(flat(theirs)),
        figure=figure,
        figure_unit=figure_unit,
        interval=interval(statistic, ours, theirs),
        goal=goal,
        verdict=_verdict(goal, figure),
        better=_better(goal),
        note=note,
        detail=detail,
        samples=ours,
        their_samples=theirs,
    )


def beside(row: Row, against: str, theirs: float) -> Row:
    """The same row next to a published figure, which does not change its own."""
    return msgspec.structs.replace(row, against=against, theirs=theirs)


def _verdict(goal: Goal | None, figure: float) -> Verdict:
    if goal is None:
        return ""
    return "pass" if goal.holds(figure) else "short"


def _better(goal: Goal | None) -> Literal["lower", "higher"]:
    return "higher" if goal is not None and goal.kind == "at least" else "lower"
