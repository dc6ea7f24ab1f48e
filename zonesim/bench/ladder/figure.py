"""The ladder as a waterfall: what each rung saves over the one below it, beside the plan."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

from zonesim.bench.plan import BEFORE, Milestone
from zonesim.bench.rows import Row
from zonesim.bench.suite import Report
from zonesim.report import style

from .steps import STEPS, SWITCH, TICK, ZONES, Step, row_name

INK = "#8F4A72"  # the plan's purple, dark enough for figures
PAPER = {"facecolor": "white", "edgecolor": "none", "pad": 0.6}  # behind figures: no grid
LEAST = 0.01  # a log axis has no place for what is below
WIDTH = 0.62  # of a bar
LABEL_WIDTH, LABEL_LINES = 12, 3


class Bar(NamedTuple):
    """One rung in one panel: its row, the row of the rung below, and the plan's milestone."""

    place: int
    step: Step
    row: Row
    below: Row | None
    wanted: float | None


def draw(report: Report, group: str, path: Path) -> Path:
    """Draw the cost of a switch and of a tick, for one workload."""
    found = {row.name: row for row in report.rows if row.group == group}
    first = (f"zonesim bench {report.bench}", group, f"{report.options.workers} workers")
    origin = style.origin_of(first, report.machine, report.versions)
    title = "From whole contexts to the ring: the plan's phases, measured"
    with style.sheet(title, origin, path, (11.0, 8.2)) as figure:
        upper, lower = figure.subplots(2, sharex=True)
        upper.tick_params(axis="x", length=0)
        _panel(upper, _bars(found, group, SWITCH), "us per switch (log)")
        _panel(lower, _bars(found, group, TICK), "ms per zone tick (log)")
        _name_rungs(lower, found, group)
        upper.legend(handles=_keys(), loc="lower right", bbox_to_anchor=(1.0, 1.0), ncols=4)
    return path


def _bars(found: Mapping[str, Row], group: str, figure: str) -> list[Bar]:
    rows = {step.number: found[row_name(group, step, figure)] for step in STEPS}
    return [
        Bar(
            place,
            step,
            rows[step.number],
            None if step.below is None else rows[step.below],
            _planned(step).switch_us if figure == SWITCH else _planned(step).tick_ms,
        )
        for place, step in enumerate(STEPS)
    ]


def _planned(step: Step) -> Milestone:
    return BEFORE if step.below is None else step.milestone


def _panel(axes: Axes, bars: Sequence[Bar], label: str) -> None:
    values = [max(bar.row.figure, LEAST) for bar in bars]
    wanted = [bar.wanted for bar in bars if bar.wanted is not None]
    axes.set_yscale("log")
    axes.set_ylim(min(values) / 4, max(values + wanted) * 4)
    axes.set_ylabel(label)
    axes.yaxis.set_major_locator(LogLocator(numticks=12))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: style.plain(value)))
    axes.yaxis.set_minor_formatter(NullFormatter())
    axes.grid(axis="y")
    for bar in bars:
        _draw_bar(axes, bar)
        if bar.wanted is not None:
            _draw_wanted(axes, bar.place, bar.wanted)


def _draw_bar(axes: Axes, bar: Bar) -> None:
    """A bar from the rung below to this one; the first stands on the axis."""
    reached = max(bar.row.figure, LEAST)
    came_from = axes.get_ylim()[0] if bar.below is None else max(bar.below.figure, LEAST)
    low, high = sorted((reached, came_from))
    colour = style.GREY if bar.below is None else _colour(bar.row.figure, bar.below.figure)
    axes.bar(bar.place, high - low, WIDTH, low, color=colour, zorder=2)
    axes.hlines(
        reached, bar.place - WIDTH / 2, bar.place + WIDTH / 2, color=style.BLACK, linewidth=2
    )
    is_first = bar.below is None
    axes.annotate(  # below, where the plan's marks are not
        style.plain(bar.row.figure),
        (bar.place, high if is_first else low),
        xytext=(0, 4 if is_first else -4),
        textcoords="offset points",
        ha="center",
        va="bottom" if is_first else "top",
        weight="bold",
        size=10,
        bbox=PAPER,
    )


def _draw_wanted(axes: Axes, place: int, wanted: float) -> None:
    axes.plot(place, wanted, marker="D", color=style.PURPLE, markersize=7, zorder=4)
    axes.annotate(
        style.plain(wanted),
        (place, wanted),
        xytext=(0, 8),
        textcoords="offset points",
        ha="center",
        size=9.5,
        color=INK,
        bbox=PAPER,
    )


def _colour(reached: float, came_from: float) -> str:
    return style.GREEN if reached <= came_from else style.VERMILION


def _name_rungs(axes: Axes, found: Mapping[str, Row], group: str) -> None:
    labels = []
    for place, step in enumerate(STEPS):
        what = textwrap.wrap(step.what, LABEL_WIDTH)
        what += [""] * (LABEL_LINES - len(what))
        held = found[row_name(group, step, ZONES)].figure
        wanted = _planned(step).zones
        plan = "" if wanted is None else f"plan {wanted}"
        jumps = place and step.below != STEPS[place - 1].number
        number = f"{step.number} (on {step.below})" if jumps else step.number
        labels.append("\n".join([number, *what, f"{math.floor(held):,} zones", plan]))
    axes.set_xticks(range(len(STEPS)), labels)
    axes.tick_params(axis="x", length=0)


def _keys() -> list[Artist]:
    plan = Line2D(
        [], [], color=style.PURPLE, marker="D", linestyle="none", label="the plan's milestone"
    )
    return [
        Patch(color=style.GREY, label="before"),
        Patch(color=style.GREEN, label="saved"),
        Patch(color=style.VERMILION, label="added"),
        plan,
    ]
