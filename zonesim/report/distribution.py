"""Distribution of tick times in each step: a box, whiskers and every outlier."""

from __future__ import annotations

from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from zonesim.results.saved_run import Run
from zonesim.results.statistics import NS_PER_MS, StepSummary, percentile, tick_ns

from . import style

_SCATTER = 0.16  # outliers are spread sideways to stay countable
_GOLDEN = (5**0.5 - 1) / 2  # its multiples spread evenly and reproducibly


def draw(axes: Axes, run: Run, steps: Sequence[StepSummary]) -> None:
    """Draw a box of tick times for each step of a run."""
    times_ns = [sorted(tick_ns(row) for row in step.rows) for step in run.steps]
    full = [at for at, ordered in enumerate(times_ns) if ordered]
    period_ms = steps[-1].period_ms
    lowest = min(times_ns[at][0] for at in full) / NS_PER_MS
    highest = max(times_ns[at][-1] for at in full) / NS_PER_MS
    style.log_ms_axis(axes, lowest, max(highest, period_ms), "tick time, ms (log)")
    boxes = axes.bxp(
        [_box(times_ns[at]) for at in full],
        positions=full,
        widths=0.42,
        patch_artist=True,
        showfliers=False,
        boxprops={"facecolor": style.SKY, "edgecolor": style.BLUE, "linewidth": 1.2},
        whiskerprops={"color": style.BLUE, "linewidth": 1.4},
        capprops={"color": style.BLUE, "linewidth": 1.4},
        medianprops={"color": style.BLACK, "linewidth": 2.2},
    )
    outliers = [_draw_outliers(axes, at, times_ns[at]) for at in full]
    if len(steps) <= style.MOST_LABELS:  # beyond, there is no room between the boxes
        for at in full:
            _name_median(axes, at, times_ns[at])
    style.period_line(axes, period_ms)
    axes.legend(
        [boxes["medians"][0], boxes["boxes"][0], boxes["whiskers"][0], outliers[0]],
        ["median", "middle half", "1 % to 99 %", "ticks beyond"],
        loc="lower center",
        bbox_to_anchor=(0.5, 1.0),
        ncols=4,
    )
    style.step_axis(axes, steps, [f"{step.ticks:,} ticks" for step in steps])


def _box(ordered_ns: Sequence[int]) -> dict[str, float]:
    places = {"whislo": 0.01, "q1": 0.25, "med": 0.5, "q3": 0.75, "whishi": 0.99}
    values = style.floored([percentile(ordered_ns, p) / NS_PER_MS for p in places.values()])
    return dict(zip(places, values, strict=True))


def _draw_outliers(axes: Axes, at: int, ordered_ns: Sequence[int]) -> Line2D:
    low, high = percentile(ordered_ns, 0.01), percentile(ordered_ns, 0.99)
    beyond = [ns for ns in ordered_ns if ns < low or ns > high]
    values = style.floored([ns / NS_PER_MS for ns in beyond])
    (points,) = axes.plot(
        [at + _SCATTER * (place * _GOLDEN % 1 - 0.5) for place in range(len(values))],
        values,
        linestyle="none",
        marker="o",
        markersize=4,
        color=style.VERMILION,
        markeredgewidth=0,
        alpha=0.6,
    )
    return points


def _name_median(axes: Axes, at: int, ordered_ns: Sequence[int]) -> None:
    median_ms = percentile(ordered_ns, 0.5) / NS_PER_MS
    axes.annotate(
        style.plain(median_ms),
        (at + 0.24, max(median_ms, style.FLOOR_MS)),
        xytext=(2, 0),
        textcoords="offset points",
        va="center",
        size=9.5,
    )
