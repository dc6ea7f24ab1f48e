"""The spectrum on log axes: our figures, the original's, its plan's, and the plan's targets."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

from zonesim.bench.plan import ORIGINAL, PLAN, Levels
from zonesim.bench.rows import Row
from zonesim.bench.suite import Report
from zonesim.report import style

from .targets import TARGETS

GROUPS = ("patterns", "impact", "zones")
PANELS = {"us": "us per operation (log)", "ms": "ms per tick (log)"}
LEFT_OUT = ": impact"  # the same figures once more
LEVELS = dict(zip(Levels._fields, ("#BBBBBB", "#777777", style.BLACK), strict=True))
ROW_INCH = 0.33
OURS = "ours, and its 95 % interval"
MARKS = {  # marker, colour, its inside, size; a frame shows what it stands around
    OURS: ("o", style.BLUE, style.BLUE, 7),
    ORIGINAL: ("s", style.GREEN, "none", 11),
    PLAN: ("D", style.PURPLE, style.PURPLE, 7),
}
OF_ROW = {target.row: target.levels for target in TARGETS if target.of == "figure"}


class Line(NamedTuple):
    """One measurement, with published figures and targets for it."""

    row: Row
    published: dict[str, float]
    levels: Levels | None

    @property
    def interval(self) -> tuple[float, float]:
        """That of the row; of a single figure, no more than itself."""
        return self.row.interval or (self.row.ours, self.row.ours)

    def values(self) -> list[float]:
        """All values to show; an interval may reach below the axis, down to zero."""
        points = [self.row.ours, *self.published.values(), *(self.levels or ())]
        return [*points, max(self.interval[1], self.row.ours)]


def draw(report: Report, path: Path) -> Path:
    """Draw all operations in us, and all ticks in ms."""
    panels = {unit: lines for unit in PANELS if (lines := lines_of(report.rows, unit))}
    first = (f"zonesim bench {report.bench}", f"{report.options.workers} workers")
    origin = style.origin_of(first, report.machine, report.versions)
    heights = [ROW_INCH * (len(lines) + 2) for lines in panels.values()]
    size = (11.0, 1.4 + sum(heights) + 0.25 * len(heights))
    with style.sheet("What an operation costs, and a tick", origin, path, size) as figure:
        if not panels:
            style.say_empty(figure.add_subplot(), "nothing was measured")
            return path
        all_axes = figure.subplots(len(panels), height_ratios=heights, squeeze=False)[:, 0]
        for axes, (unit, lines) in zip(all_axes, panels.items(), strict=True):
            _draw_panel(axes, unit, lines)
        all_axes[0].legend(
            handles=_keys(), loc="lower center", bbox_to_anchor=(0.36, 1.02), ncols=3
        )
    return path


def lines_of(rows: Sequence[Row], unit: str) -> list[Line]:
    """What is drawn in one panel, in the order of the report; each row once."""
    found: dict[tuple[str, str], Line] = {}
    for row in rows:
        ours = row.unit == row.figure_unit == unit  # and no ratio
        if row.group in GROUPS and ours and LEFT_OUT not in row.name:
            key = (row.group, row.name)
            line = found.setdefault(key, Line(row, {}, OF_ROW.get(key)))
            if row.theirs is not None:
                line.published[row.against] = row.theirs
    return list(found.values())


def _draw_panel(axes: Axes, unit: str, lines: Sequence[Line]) -> None:
    values = [value for line in lines for value in line.values()]
    low, high = min(values) / 2, max(values) * 2
    axes.set_xscale("log")
    axes.set_xlim(low, high)
    axes.set_ylim(len(lines) - 0.4, -0.6)
    axes.set_yticks(range(len(lines)), [line.row.name for line in lines])
    axes.tick_params(axis="y", length=0)
    axes.xaxis.set_major_locator(LogLocator(numticks=20))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: style.plain(value)))
    axes.xaxis.set_minor_formatter(NullFormatter())
    axes.grid(axis="x")
    axes.set_xlabel(PANELS[unit])
    for place, line in enumerate(lines):
        _draw_line(axes, place, line, low)


def _draw_line(axes: Axes, place: int, line: Line, lowest: float) -> None:
    axes.axhline(place + 0.5, color="#EEEEEE", linewidth=0.8, zorder=0)
    for level, value in line.levels._asdict().items() if line.levels else ():
        axes.vlines(value, place - 0.36, place + 0.36, color=LEVELS[level], linewidth=3)
    begin, end = (max(bound, lowest) for bound in line.interval)
    axes.hlines(place, begin, end, color=style.SKY, linewidth=5, zorder=2)
    for against, value in line.published.items():
        axes.add_line(_mark(against, value, place))
    axes.add_line(_mark(OURS, line.row.ours, place))
    axes.annotate(
        f"{style.plain(line.row.ours)} {line.row.unit}",
        (1.01, place),
        xycoords=("axes fraction", "data"),
        va="center",
        size=10,
        color=style.BLUE,
    )


def _mark(whose: str, value: float | None = None, place: int | None = None) -> Line2D:
    """A point on the axes, or without a value one for the legend."""
    marker, colour, inside, size = MARKS[whose]
    return Line2D(
        [] if value is None else [value],
        [] if place is None else [place],
        label=whose,
        marker=marker,
        markersize=size,
        markeredgecolor=colour,
        markerfacecolor=inside,
        markeredgewidth=2,
        linestyle="none",
        zorder=3,
    )


def _keys() -> list[Line2D]:
    bars = [
        Line2D(
            [],
            [],
            label=f"the plan's {level} target",
            color=colour,
            marker="|",
            markersize=12,
            markeredgewidth=3,
            linestyle="none",
        )
        for level, colour in LEVELS.items()
    ]
    return [*map(_mark, MARKS), *bars]
