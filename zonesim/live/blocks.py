"""The blocks of the live table, as lines: the fleet, its zones, workers, events and past steps."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Sequence

from rich.text import Text

from zonesim.live.progress import (
    SERIOUS_SHARE,
    WARNING_SHARE,
    EventLine,
    Figure,
    Progress,
    StepLine,
    WorkerLine,
    ZoneLine,
    fleet_figures,
    worker_figures,
)
from zonesim.results.step_table import figure

WORKER_ROWS = 4
_LABEL_WIDTH = 13
_CELL_WIDTH = 16
_GAP = "   "
_WORKER_BAR = 16
_WORKER_WIDTH = 38  # of its name, bar and use, and the gap after it
_ZONE_HEADING = (
    f"{'zone':>5}  {'state':<9}{'util':>7}{'MSPT p50':>11}{'p95':>8}{'TPS':>9}"
    f"{'players':>9}{'entities':>10}{'late':>7}"
)
_STEP_HEADING = (
    f"{'steps':{_LABEL_WIDTH}}{'zones':>5}{'ticks':>10}{'late':>8}{'missed':>9}"
    f"{'p50 ms':>10}{'p95':>8}{'p99':>8}"
)


def style_of(share: float) -> str:
    """Return the colour of a share of the period."""
    if share >= SERIOUS_SHARE:
        return "red"
    return "yellow" if share >= WARNING_SHARE else ""


def row(cells: Iterable[str | Text], style: str = "") -> Text:
    """Join cells to one line."""
    line = Text(style=style, no_wrap=True, overflow="crop")
    for cell in cells:
        line.append(cell) if isinstance(cell, str) else line.append_text(cell)
    return line


def bar(share: float, width: int) -> Text:
    """Draw a bar of so many columns."""
    done = min(width, max(0, round(share * width)))
    return Text.assemble(("━" * done, "green"), ("─" * (width - done), "dim"))


def fleet_lines(progress: Progress, width: int) -> list[Text]:
    """Describe all zones together."""
    return [
        line
        for label, figures in fleet_figures(progress).items()
        for line in _labelled(label, figures, width, 0 if label == "zones" else _CELL_WIDTH)
    ]


def zone_lines(zones: Sequence[ZoneLine], period_ms: float, rows: int) -> list[Text]:
    """List the first zones under their heading, in at most so many lines."""
    if rows < 2 or not zones:
        return []
    return [row([_ZONE_HEADING], "bold"), *(_zone(zone, period_ms) for zone in zones[: rows - 1])]


def worker_lines(progress: Progress, width: int, rows: int = WORKER_ROWS) -> list[Text]:
    """Describe the workers together, and each by a bar if ``rows`` lines hold all of them."""
    in_a_row = max(1, width // _WORKER_WIDTH)
    each = progress.workers if len(progress.workers) <= in_a_row * rows else ()
    bars = [_worker(worker) for worker in each]
    return [
        *_labelled("workers", worker_figures(progress), width),
        *(row(bars[i : i + in_a_row]) for i in range(0, len(bars), in_a_row)),
    ]


def event_lines(events: Sequence[EventLine], width: int) -> list[Text]:
    """List the latest events, the newest last."""
    labels = ["events", *[""] * len(events)]
    room = max(20, width - _LABEL_WIDTH - 10)
    return [
        row(
            [
                f"{label:{_LABEL_WIDTH}}{f'{event.at_s:.1f} s':8}  ",
                textwrap.shorten(event.text, room, placeholder=" ..."),
            ]
        )
        for label, event in zip(labels, events, strict=False)
    ]


def step_lines(steps: Sequence[StepLine], period_ms: float) -> list[Text]:
    """List the steps that have ended, under their heading."""
    if not steps:
        return []
    return [row([_STEP_HEADING], "bold"), *(_step(step, period_ms) for step in steps)]


def _marked(text: str, share: float, width: int = 0) -> Text:
    """Colour a figure by its share, and mark it for terminals without colours.

    ``width`` aligns it to the right; the mark takes two more columns.
    """
    mark = {"": "  ", "yellow": "! ", "red": "!!"}[style_of(share)]
    return Text(f"{text:>{width}}{mark if width else mark.rstrip()}", style_of(share))


def _labelled(label: str, figures: Sequence[Figure], width: int, cell_width: int = 0) -> list[Text]:
    """Put figures behind a label, in as many lines as they take in ``width`` columns."""
    lines: list[list[str | Text]] = [[f"{label:{_LABEL_WIDTH}}"]]
    used = _LABEL_WIDTH
    for name, value, share in figures:
        piece = Text.assemble(f"{name} " if name else "", _marked(value, share))
        gap = " " * max(1, cell_width - len(piece)) if cell_width else _GAP
        if used + len(piece) > width and len(lines[-1]) > 1:
            lines.append([" " * _LABEL_WIDTH])
            used = _LABEL_WIDTH
        lines[-1] += [piece, gap]
        used += len(piece) + len(gap)
    return [row(line[:-1]) for line in lines]


def _zone(zone: ZoneLine, period_ms: float) -> Text:
    p50_ms, p95_ms = zone.mspt_p50_ms, zone.mspt_p95_ms
    return row(
        [
            f"{zone.zone:>5}  {zone.state:<9}",
            _marked(f"{zone.utilisation:.0%}", round(zone.utilisation, 2), 7),
            _marked(figure(p50_ms), p50_ms / period_ms, 9),
            _marked(figure(p95_ms), p95_ms / period_ms, 6),
            f"{figure(zone.tps):>7}{zone.players:>9}{zone.entities:>10}",
            _marked(str(zone.late), WARNING_SHARE if zone.late else 0.0, 7),
        ]
    )


def _worker(worker: WorkerLine) -> Text:
    share = round(worker.utilisation, 2)
    name = f"worker {worker.worker}"
    return row([f"{name:10} ", bar(share, _WORKER_BAR), _marked(f"{share:.0%}", share, 5), "    "])


def _step(step: StepLine, period_ms: float) -> Text:
    times_ms = (step.response_p50_ms, step.response_p95_ms, step.response_p99_ms)
    return row(
        [
            f"{step.step:<{_LABEL_WIDTH}}{step.zones:>5}{step.ticks:>10}",
            _marked(str(step.late), WARNING_SHARE if step.late else 0.0, 8),
            _marked(str(step.missed), SERIOUS_SHARE if step.missed else 0.0, 7),
            *(
                _marked(figure(ms), ms / period_ms, width)
                for ms, width in zip(times_ms, (8, 6, 6), strict=True)
            ),
        ]
    )
