"""`zonesim bench spectrum`."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from .batch_group import measure_batching
from .burst_group import measure_bursts
from .core_group import measure_core
from .idle_group import APART, CROWDED, FREE, measure_idle
from .impact_group import measure_impact
from .launches import Amount
from .memory_group import measure_heap, measure_results
from .pattern_group import measure_patterns, measure_work
from .storm_group import measure_queue, measure_storms
from .suite import Group, Report, Suite
from .targets import conclude
from .zones_group import measure_zones


def draw(report: Report, folder: Path) -> list[Path]:
    """Write the picture of a report."""
    from zonesim.bench import spectrum_figure  # matplotlib, which nothing that measures needs

    return [spectrum_figure.draw(report, folder / "spectrum.png")]


SUITE = Suite(
    "spectrum",
    {
        "patterns": Group(measure_patterns, Amount(8, 8), Amount(3, 2)),
        "work": Group(measure_work, Amount(3, 3), Amount(1, 2)),
        "impact": Group(measure_impact, Amount(6, 5), Amount(1, 4)),
        "zones": Group(measure_zones, Amount(4, 5), Amount(1, 4)),
        "storms": Group(measure_storms, Amount(5, 9), Amount(3, 2)),
        "queue": Group(measure_queue, Amount(5, 7), Amount(3, 2)),
        "bursts": Group(measure_bursts, Amount(7, 1), Amount(2, 1)),
        **{
            name: Group(partial(measure_idle, name), Amount(7, 1), Amount(2, 1))
            for name in (FREE, APART, CROWDED)
        },
        "batching": Group(measure_batching, Amount(6, 9), Amount(3, 2)),
        "results": Group(measure_results, Amount(5, 7), Amount(1, 4)),
        "heap": Group(measure_heap, Amount(3, 4), Amount(1, 2), parts=2),
        "core": Group(measure_core, Amount(5, 9), Amount(3, 3)),
    },
    conclude,
    draw,
)
