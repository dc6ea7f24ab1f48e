"""The parts of the mean tick of each step, stacked."""

from __future__ import annotations

from collections.abc import Sequence

from matplotlib.axes import Axes

from zonesim.results.saved_run import Run
from zonesim.results.statistics import StepSummary

from . import style

_PARTS = {
    "step": style.BLUE,
    "encode": style.YELLOW,
    "wait": style.SKY,
    "resume": style.GREEN,
    "gc": style.PURPLE,
    "other": style.GREY,
}


def draw(axes: Axes, _: Run, steps: Sequence[StepSummary]) -> None:
    """Draw the mean tick of each step, divided by what it was spent on."""
    places = range(len(steps))
    above, below = [0.0] * len(steps), [0.0] * len(steps)
    for name, colour in _PARTS.items():
        values = [getattr(step.breakdown_ms, name) for step in steps]
        # A negative rest, of measured parts that overlap, hangs below zero.
        bottoms = [above[at] if values[at] >= 0 else below[at] for at in places]
        axes.bar(places, values, 0.62, bottoms, color=colour, label=name, edgecolor="white")
        above = [top + max(value, 0) for top, value in zip(above, values, strict=True)]
        below = [low + min(value, 0) for low, value in zip(below, values, strict=True)]
    for at in style.labelled(len(steps), most=20):
        axes.annotate(
            style.plain(steps[at].tick_ms.mean),
            (at, above[at]),
            xytext=(0, 4),
            textcoords="offset points",
            ha="center",
            weight="bold",
            size=10,
            bbox={"facecolor": "white", "edgecolor": "none", "pad": 1},
        )
    highest = max(above) or 1.0
    axes.set_ylim(min(below) * 1.1, highest * 1.12)
    axes.set_ylabel("mean time per tick, ms (total above)")
    axes.grid(axis="y")
    style.step_axis(axes, steps, [f"{step.ticks:,} ticks" for step in steps])
    axes.legend(loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=len(_PARTS))
