"""Zones against time, coloured by response time: which zone was slow and when."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import LogNorm
from matplotlib.ticker import FuncFormatter, MaxNLocator, NullFormatter
from numpy.typing import NDArray

from zonesim.results.saved_run import Run, StepData
from zonesim.results.statistics import NS_PER_MS, StepSummary, response_ns
from zonesim.results.step_table import count_zones
from zonesim.wire.messages import TickRow

from . import style

# A cell must be larger than a pixel, or the picture would lose slow ticks.
_MOST_COLUMNS, _MOST_LINES = 400, 200
_COLUMNS_AT_PACE_MAX = 200
_MISSING = "#D0D0D0"


class _Cells(NamedTuple):
    grid_ms: NDArray[np.float64]  # lines x columns, NaN where no tick ran
    step_starts: list[int]  # column at which each step starts
    column_ns: float
    zones_per_line: int


def draw(axes: Axes, run: Run, _: Sequence[StepSummary]) -> None:
    """Draw the slowest response of every zone and period over the time of a run."""
    steps = [step for step in run.steps if step.rows]
    cells = _fill_cells(steps)
    _draw_cells(axes, steps, cells)
    _mark_steps(axes, steps, cells)


def _fill_cells(steps: Sequence[StepData]) -> _Cells:
    zones = max(row.zone for step in steps for row in step.rows) + 1
    column_ns = _column_ns(steps)
    zones_per_line = -(-zones // _MOST_LINES)
    starts, columns = [], 0
    for step in steps:
        starts.append(columns)
        columns += int(_span_ns(step) // column_ns) + 1
    grid = np.full((-(-zones // zones_per_line), columns), np.nan)
    for start, step in zip(starts, steps, strict=True):
        first_ns = min(_moment_ns(step, row) for row in step.rows)
        for row in step.rows:
            column = start + int((_moment_ns(step, row) - first_ns) // column_ns)
            value_ms = max(response_ns(row, step.info.pace) / NS_PER_MS, style.FLOOR_MS)
            line = row.zone // zones_per_line
            # fmax: a cell shows its slowest tick, and ignores NaN.
            grid[line, column] = np.fmax(grid[line, column], value_ms)
    return _Cells(grid, starts, column_ns, zones_per_line)


def _moment_ns(step: StepData, row: TickRow) -> int:
    return row.started_ns if step.info.pace == "max" else row.scheduled_ns


def _span_ns(step: StepData) -> int:
    moments = [_moment_ns(step, row) for row in step.rows]
    return max(moments) - min(moments)


def _column_ns(steps: Sequence[StepData]) -> float:
    """Choose the time of a column: a period, or several to limit the number of columns."""
    total_ns = sum(_span_ns(step) for step in steps)
    if steps[0].info.pace == "max":
        return max(total_ns / _COLUMNS_AT_PACE_MAX, 1.0)
    period_ns = steps[0].info.period_ms * NS_PER_MS
    return period_ns * max(1, -(-total_ns // int(period_ns * _MOST_COLUMNS)))


def _draw_cells(axes: Axes, steps: Sequence[StepData], cells: _Cells) -> None:
    lines, columns = cells.grid_ms.shape
    seconds = columns * cells.column_ns / 1e9
    period_ms = max(step.info.period_ms for step in steps)
    lowest_ms = min(float(np.nanmin(cells.grid_ms)), period_ms / 10)
    image = axes.imshow(
        cells.grid_ms,
        norm=LogNorm(lowest_ms, period_ms),
        cmap=mpl.colormaps["viridis"].with_extremes(bad=_MISSING, over=style.VERMILION),
        extent=(0, seconds, -0.5, lines * cells.zones_per_line - 0.5),
        origin="lower",
        aspect="auto",
        interpolation="nearest",
    )
    bar = axes.figure.colorbar(image, ax=axes, extend="max", pad=0.02, aspect=28)
    bar.set_label(f"response time, ms (log); red: over {style.plain(period_ms)} ms, the period")
    bar.ax.yaxis.set_major_formatter(FuncFormatter(lambda value, _: style.plain(value)))
    bar.ax.yaxis.set_minor_formatter(NullFormatter())
    axes.set_xlabel("time, s (steps put end to end; grey: no tick)")
    axes.set_ylabel("zone")
    axes.yaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))


def _mark_steps(axes: Axes, steps: Sequence[StepData], cells: _Cells) -> None:
    """Draw a line at the start of each step, and its zones above."""
    seconds = axes.get_xlim()[1]
    named_to = -1.0
    for start, step in zip(cells.step_starts, steps, strict=True):
        at = start * cells.column_ns / 1e9
        if start:
            axes.axvline(at, color="white", linewidth=2.6)
            axes.axvline(at, color=style.BLACK, linewidth=1)
        text = count_zones(step.info.zones)
        if at >= named_to:
            axes.annotate(
                text,
                (at, 1.0),
                xycoords=("data", "axes fraction"),
                xytext=(2, 4),
                textcoords="offset points",
                size=9.5,
            )
            named_to = at + seconds * 0.013 * len(text)
