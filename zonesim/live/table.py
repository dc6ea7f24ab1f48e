"""The live table: the fleet, its zones, workers, events and past steps, on a terminal."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Sequence

from rich.console import Console, ConsoleOptions, RenderResult
from rich.text import Text

from zonesim.results.step_table import count_zones, figure

from .progress import (
    SERIOUS_SHARE,
    WARNING_SHARE,
    EventLine,
    Figure,
    Progress,
    StepLine,
    ZoneLine,
    fleet_figures,
    worker_figures,
)

ZONES_FIRST = 7  # lines that zones keep while there is something else to show
LATEST = 3  # events and past steps
BAR = "━─"  # done, to do
_LABEL_WIDTH = 13
_CELL_WIDTH = 16
_ZONE_HEADING = (
    f"{'zone':>5}  {'state':<9}{'util':>7}{'MSPT p50':>11}{'p95':>8}{'TPS':>9}"
    f"{'players':>9}{'entities':>10}{'late':>7}"
)
_STEP_HEADING = (
    f"{'steps':{_LABEL_WIDTH}}{'zones':>5}{'ticks':>10}{'late':>8}{'missed':>9}"
    f"{'p50 ms':>10}{'p95':>8}{'p99':>8}"
)


class LiveTable:
    """A snapshot of a run; ``note`` replaces the period in its first line."""

    def __init__(self, progress: Progress, note: str = "") -> None:
        self._progress = progress
        self._note = note

    def lines(self, width: int, height: int, bar: str = BAR) -> list[Text]:
        """Return at most so many lines of so many columns."""
        progress = self._progress
        head = [
            self._title(width),
            _share_line(*_share_done(progress), width, *bar),
            _row(),
            *(
                line
                for label, figures in fleet_figures(progress).items()
                for line in _labelled(label, figures, width, 0 if label == "zones" else _CELL_WIDTH)
            ),
            _row(),
        ]
        return (head + _body(progress, width, height - len(head)))[: max(0, height)]

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        # The last line stays free: a terminal that is full to its end scrolls.
        bar = "=-" if options.ascii_only else BAR
        yield from self.lines(options.max_width, options.max_height - 1, bar)

    def _title(self, width: int) -> Text:
        progress = self._progress
        zones = count_zones(progress.zones)
        step = f"   step {progress.step} of {progress.steps}: {zones}, {progress.phase}"
        left = _row(Text(f"zonesim {progress.scenario}", "bold"), step)
        right = Text(self._note or f"period {progress.period_ms:g} ms")
        gap = width - len(left) - len(right)
        return _row(left, " " * gap, right) if gap > 0 else left


def _row(*cells: str | Text, style: str = "") -> Text:
    line = Text(style=style, no_wrap=True, overflow="crop")
    for cell in cells:
        line.append(cell) if isinstance(cell, str) else line.append_text(cell)
    return line


def _share_line(share: float, text: str, width: int, filled: str, empty: str) -> Text:
    behind = f" {share:4.0%}  {text}"
    room = max(0, width - len(behind))
    done = round(share * room)
    return _row(Text(filled * done, "green"), Text(empty * (room - done), "dim"), behind)


def _share_done(progress: Progress) -> tuple[float, str]:
    """Return how much of the step is done, 0 to 1, and the same as text."""
    if progress.phase == "starting":
        ready = f"{progress.zones_ready} of {count_zones(progress.zones)} ready"
        return min(1.0, progress.zones_ready / max(1, progress.zones)), ready
    if progress.duration_s is not None:
        done = f"{progress.elapsed_s:.1f} of {progress.duration_s:g} s"
        return min(1.0, progress.elapsed_s / progress.duration_s), done
    wanted = progress.ticks_wanted or progress.ticks or 1
    return min(1.0, progress.ticks / wanted), f"{progress.ticks} of {wanted} ticks"


def _body(progress: Progress, width: int, room: int) -> list[Text]:
    """Put zones above workers, events and past steps, as far as there is room."""
    spare = room - min(ZONES_FIRST, 1 + len(progress.busiest))
    below: list[Text] = []
    for block in (
        _labelled("workers", worker_figures(progress), width),
        _events(progress.events[-LATEST:], width),
        _steps(progress.ended[-LATEST:]),
    ):
        if block and len(below) + 1 + len(block) <= spare:
            below += [_row(), *block]
    zones = _zones(progress.busiest, progress.period_ms, room - len(below))
    return zones + (below if zones else below[1:])


def _zones(zones: Sequence[ZoneLine], period_ms: float, rows: int) -> list[Text]:
    """List the first zones under their heading, in at most so many lines."""
    if rows < 2 or not zones:
        return []
    return [_row(_ZONE_HEADING, style="bold"), *(_zone(z, period_ms) for z in zones[: rows - 1])]


def _events(events: Sequence[EventLine], width: int) -> list[Text]:
    room = max(20, width - _LABEL_WIDTH - 12)
    texts = [textwrap.shorten(event.text, room, placeholder=" ...") for event in events]
    return [
        _row(f"{'' if at else 'events':{_LABEL_WIDTH}}{f'{event.at_s:.1f} s':8}  {texts[at]}")
        for at, event in enumerate(events)
    ]


def _steps(steps: Sequence[StepLine]) -> list[Text]:
    if not steps:
        return []
    return [_row(_STEP_HEADING, style="bold"), *(_step(step) for step in steps)]


def _marked(text: str, share: float, width: int = 0) -> Text:
    """Colour a figure by its share of the period, and mark it for terminals without colours."""
    if share >= SERIOUS_SHARE:
        mark, style = "!!", "red"
    else:
        mark, style = ("! ", "yellow") if share >= WARNING_SHARE else ("  ", "")
    return Text(f"{text:>{width}}{mark if width else mark.rstrip()}", style)


def _labelled(label: str, figures: Iterable[Figure], width: int, cell_width: int = 0) -> list[Text]:
    """Put figures behind a label, in as many lines as they take in ``width`` columns."""
    lines: list[list[str | Text]] = [[f"{label:{_LABEL_WIDTH}}"]]
    used = _LABEL_WIDTH
    for name, value, share in figures:
        piece = Text.assemble(f"{name} " if name else "", _marked(value, share))
        gap = " " * max(1, cell_width - len(piece)) if cell_width else "   "
        if used + len(piece) > width and len(lines[-1]) > 1:
            lines.append([" " * _LABEL_WIDTH])
            used = _LABEL_WIDTH
        lines[-1] += [piece, gap]
        used += len(piece) + len(gap)
    return [_row(*line[:-1]) for line in lines]


def _zone(zone: ZoneLine, period_ms: float) -> Text:
    p50_ms, p95_ms = zone.mspt_p50_ms, zone.mspt_p95_ms
    return _row(
        f"{zone.zone:>5}  {zone.state:<9}",
        _marked(f"{zone.utilisation:.0%}", round(zone.utilisation, 2), 7),
        _marked(figure(p50_ms), p50_ms / period_ms, 9),
        _marked(figure(p95_ms), p95_ms / period_ms, 6),
        f"{figure(zone.tps):>7}{zone.players:>9}{zone.entities:>10}",
        _marked(str(zone.late), WARNING_SHARE if zone.late else 0.0, 7),
    )


def _step(step: StepLine) -> Text:
    return _row(
        f"{step.step:<{_LABEL_WIDTH}}{step.zones:>5}{step.ticks:>10}{step.late:>8}{step.missed:>9}",
        f"{figure(step.response_p50_ms):>10}{figure(step.response_p95_ms):>8}",
        f"{figure(step.response_p99_ms):>8}",
    )
