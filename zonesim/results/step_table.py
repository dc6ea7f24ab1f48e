"""The steps of a run as plain text in 80 columns."""

from __future__ import annotations

from collections.abc import Sequence

from zonesim.results.statistics import StepSummary

# The two heading lines of each column.
_HEADINGS = (
    ("", "zones"),
    ("wor-", "kers"),
    ("", "ticks"),
    ("", "late"),
    ("mis-", "sed"),
    ("resp.", "p50 ms"),
    ("", "p95 ms"),
    ("", "p99 ms"),
    ("", "max ms"),
    ("main", "ms"),
    ("us/", "corou."),
    ("wor-", "ker %"),
    ("MB/", "zone"),
)


def step_table(steps: Sequence[StepSummary]) -> str:
    """Return two lines of headings, then a line for each step."""
    columns = list(zip(*_HEADINGS, strict=True)) + [_cells(step) for step in steps]
    widths = [max(map(len, column)) for column in zip(*columns, strict=True)]
    return "\n".join(
        " ".join(cell.rjust(width) for cell, width in zip(row, widths, strict=True))
        for row in columns
    )


def figure(value: float) -> str:
    """Write a figure with three significant digits: 1.93, 12.3, 123, 4567."""
    if value < 9.995:
        return f"{value:.2f}"
    return f"{value:.1f}" if value < 99.95 else f"{value:.0f}"


def count_zones(zones: int) -> str:
    """Write 1 zone, 2 zones."""
    return "1 zone" if zones == 1 else f"{zones} zones"


def workers_text(step: StepSummary) -> str:
    """Write the number of workers: 2, or 1.43 if it changed."""
    return f"{round(step.workers, 2):g}"


def _cells(step: StepSummary) -> tuple[str, ...]:
    response = step.response_ms
    memory_mb = step.pss_mb_per_zone
    return (
        str(step.zones),
        workers_text(step),
        str(step.ticks),
        str(step.late),
        str(step.missed),
        *map(figure, (response.p50, response.p95, response.p99, response.max)),
        figure(step.main_thread_ms.mean),
        figure(step.us_per_coroutine),
        f"{step.worker_utilisation:.0%}".replace("%", ""),
        "-" if memory_mb is None else figure(memory_mb),
    )
