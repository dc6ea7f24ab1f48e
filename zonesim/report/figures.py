"""Figures of a saved run, one per file. Measures nothing: reads only what a run has saved."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from zonesim.report import breakdown, distribution, heatmap, tick_time
from zonesim.results.saved_run import Run

FIGURES = {
    "tick_time.png": tick_time.draw,
    "distribution.png": distribution.draw,
    "heatmap.png": heatmap.draw,
    "breakdown.png": breakdown.draw,
}


def draw_all(run: Run, directory: Path, on_figure: Callable[[], None] = lambda: None) -> list[Path]:
    """Draw every figure of a run into a folder; OutputError where it cannot be written.

    ``on_figure`` is called before each one, and may break it off.
    """
    drawn = []
    for name, draw in FIGURES.items():
        on_figure()
        drawn.append(draw(run, directory / name))
    return drawn
