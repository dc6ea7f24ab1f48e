"""The look of all figures: colours, fonts, titles, axes of milliseconds and of steps."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from warnings import catch_warnings

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.ticker import FuncFormatter, NullFormatter

from zonesim.results.saved_run import Run
from zonesim.results.statistics import StepSummary

from . import SETTINGS

# Okabe and Ito's palette, distinguishable with every kind of colour blindness.
BLUE, SKY, GREEN, YELLOW = "#0072B2", "#56B4E9", "#009E73", "#F0E442"
ORANGE, VERMILION, PURPLE, GREY, BLACK = "#E69F00", "#D55E00", "#CC79A7", "#999999", "#222222"

FLOOR_MS = 0.001  # smaller values are drawn here: a log axis has no zero
MOST_LABELS = 10  # along an axis of steps; more would run into each other


@contextmanager
def page(run: Run, title: str, path: Path) -> Iterator[Axes]:
    """Yield the axes of a figure that names its run, then save it."""
    first = (_shortened(run.info.scenario, 32), f"seed {run.info.seed}")
    origin = origin_of(first, run.info.machine, run.info.versions)
    with sheet(title, origin, path) as figure:
        yield figure.add_subplot()


@contextmanager
def sheet(
    title: str, origin: str, path: Path, size: tuple[float, float] = (9.6, 5.6)
) -> Iterator[Figure]:
    """Yield an empty figure of so many inches below its titles, then save it."""
    width, height = size
    settings = mpl.rc_params_from_file(SETTINGS)
    # A name may have characters that the font lacks: that is no reason for a warning.
    with mpl.rc_context(settings), catch_warnings(action="ignore", category=UserWarning):
        titles = 0.672 / height
        below_titles = ConstrainedLayoutEngine(rect=(0.005, 0.01, 0.985, 0.99 - titles))
        figure = Figure(figsize=(width, height), dpi=110, layout=below_titles)
        FigureCanvasAgg(figure)
        top = 1 - 0.196 / height
        figure.text(0.012, top, title, size=15, weight="bold", color=BLACK, va="top")
        below = 1 - 0.49 / height
        figure.text(0.012, below, origin, size=9.5, color="#555555", va="top")
        yield figure
        # Laid out once: savefig would do it twice, and draw everything to do so.
        below_titles.execute(figure)
        figure.set_layout_engine(None)
        figure.savefig(path, metadata={"Title": title})


def floored(values_ms: Sequence[float]) -> list[float]:
    """Lift values onto a log axis."""
    return [max(value, FLOOR_MS) for value in values_ms]


def log_ms_axis(axes: Axes, low_ms: float, high_ms: float, label: str) -> None:
    """Make y a log axis of milliseconds, at least a decade long, with a margin."""
    low_ms, high_ms = max(low_ms, FLOOR_MS), max(high_ms, FLOOR_MS)
    if high_ms < low_ms * 10:
        low_ms, high_ms = low_ms / 3.2, high_ms * 3.2
    axes.set_yscale("log")
    axes.set_ylim(low_ms / 1.4, high_ms * 1.6)
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: plain(value)))
    axes.yaxis.set_minor_formatter(NullFormatter())
    axes.set_ylabel(label)
    axes.grid(axis="y")


def plain(value: float) -> str:
    """Write a number with at most three digits and no exponent: 0.05, 1.07, 13.7, 400."""
    if abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.3g}"


def period_line(axes: Axes, period_ms: float) -> None:
    """Mark the period."""
    axes.axhline(period_ms, color=BLACK, linestyle=(0, (5, 3)), linewidth=1.2, zorder=1.5)
    axes.annotate(
        f"period {plain(period_ms)} ms",
        (0.0, period_ms),
        xycoords=("axes fraction", "data"),
        xytext=(6, 4),
        textcoords="offset points",
        size=10,
        color=BLACK,
    )


def step_axis(axes: Axes, steps: Sequence[StepSummary], notes: Sequence[str]) -> None:
    """Label x with the zones of each step and a note below."""
    shown = labelled(len(steps))
    labels = [f"{steps[at].zones}\n{notes[at]}".rstrip() for at in shown]
    axes.set_xticks(list(shown), labels)
    margin = max(0.6, 1.6 - 0.25 * len(steps))  # few steps stand together in the middle
    axes.set_xlim(-margin, len(steps) - 1 + margin)
    axes.set_xlabel("zones")
    axes.tick_params(axis="x", length=0)


def labelled(steps: int, most: int = MOST_LABELS) -> range:
    """Choose the steps whose labels fit beside each other."""
    return range(0, steps, -(-steps // most) or 1)


def say_empty(axes: Axes, reason: str = "no tick was measured") -> None:
    """Say that there is nothing to draw."""
    axes.text(0.5, 0.5, reason, transform=axes.transAxes, ha="center", size=13)
    axes.set_axis_off()


def origin_of(
    first: Sequence[str], machine: Mapping[str, str | int], versions: Mapping[str, str]
) -> str:
    """Describe in one line what is drawn, and the machine and versions it was measured with."""
    cpu = str(machine.get("cpu", "unknown machine"))
    parts = [
        *first,
        f"{_shortened(cpu, 48)}, {machine.get('cpus_usable', '?')} CPUs",
        f"Python {versions.get('python', '?')}",
        f"corororo {versions.get('corororo', '?')}",
    ]
    return "  ·  ".join(parts)


def _shortened(text: str, length: int) -> str:
    return text if len(text) <= length else text[: length - 1] + "…"
