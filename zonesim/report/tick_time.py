"""Response time against zones: the main figure, how many zones this machine holds."""

from __future__ import annotations

from collections.abc import Sequence

from matplotlib.axes import Axes

from zonesim.results.saved_run import Run
from zonesim.results.statistics import StepSummary

from . import style

_LINES = {
    "max": (style.PURPLE, "v"),
    "p99": (style.VERMILION, "s"),
    "p95": (style.ORANGE, "^"),
    "p50": (style.BLUE, "o"),
}


def draw(axes: Axes, run: Run, steps: Sequence[StepSummary]) -> None:
    """Draw p50, p95, p99 and max of the response time over the steps of a run."""
    lowest = min(step.response_ms.p50 for step in steps)
    highest = max(step.response_ms.max for step in steps)
    period_ms = steps[-1].period_ms
    style.log_ms_axis(axes, lowest, max(highest, period_ms), "response time, ms (log)")
    for name, (colour, marker) in _LINES.items():
        values = style.floored([getattr(step.response_ms, name) for step in steps])
        axes.plot(values, color=colour, marker=marker, markersize=6, linewidth=1.8, label=name)
    style.period_line(axes, period_ms)
    if any(step.info.pace == "realtime" for step in run.steps):
        style.step_axis(axes, steps, [_note(step) for step in steps])
        axes.set_xlabel("zones (steps evenly spaced), and the ticks that were late or missed")
    else:
        style.step_axis(axes, steps, [""] * len(steps))
        axes.set_xlabel("zones (steps evenly spaced); ticks ran back to back, none was due")
    _label_line_ends(axes, steps[-1])


def _note(step: StepSummary) -> str:
    lost = step.late + step.missed
    due = step.ticks + step.missed
    if not due:
        return "no tick"
    return f"{lost} late\n({100 * lost / due:.2g} %)" if lost else "none late"


def _label_line_ends(axes: Axes, step: StepSummary) -> None:
    """Name each line at its right end; names of lines that meet are pushed apart."""
    names = list(_LINES)
    values = [getattr(step.response_ms, name) for name in names]
    low, high = axes.get_ylim()
    gap = (high / low) ** 0.052  # a line of text, as a factor on the log axis
    places = style.floored(values)
    for at in range(len(places) - 2, -1, -1):
        places[at] = max(places[at], places[at + 1] * gap)
    right = axes.get_xlim()[1]
    for name, value, place in zip(names, values, places, strict=True):
        axes.annotate(
            f"{name}  {style.plain(value)} ms",
            (right, place),
            xytext=(4, 0),
            textcoords="offset points",
            color=_LINES[name][0],
            va="center",
            weight="bold",
            size=10,
            annotation_clip=False,
        )
