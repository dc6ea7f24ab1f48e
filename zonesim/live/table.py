"""The live table: a run as an operator sees it, on a terminal of any size."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import zip_longest

from rich.console import Console, ConsoleOptions, RenderResult
from rich.text import Text

from zonesim.live.blocks import (
    WORKER_ROWS,
    bar,
    event_lines,
    fleet_lines,
    row,
    step_lines,
    worker_lines,
    zone_lines,
)
from zonesim.live.progress import Progress
from zonesim.results.step_table import count_zones

TWO_PANES = 160  # columns from which on zones stand on the left and all else on the right
LEFT_PANE = 82
ZONES_FIRST = 7  # lines that zones keep while there is something else to show
EVENTS_SHOWN = 3  # below the zones; on the right there is room for all
STEPS_SHOWN = 3
_ASCII = str.maketrans("━─", "=-")


class LiveTable:
    """A snapshot of a run; ``note`` replaces the period in its first line."""

    def __init__(self, progress: Progress, note: str = "") -> None:
        self._progress = progress
        self._note = note

    def lines(self, width: int, height: int) -> list[Text]:
        """Return at most so many lines of so many columns."""
        progress = self._progress
        head = [
            self._title(width),
            _share_line(*_share_done(progress), width),
            row(()),
            *fleet_lines(progress, width),
            row(()),
        ]
        body = _two_panes if width >= TWO_PANES else _one_pane
        return (head + body(progress, width, height - len(head)))[: max(0, height)]

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        # The last line stays free: a terminal that is full to its end scrolls.
        lines = self.lines(options.max_width, options.max_height - 1)
        for line in lines:
            if options.ascii_only:
                line.plain = line.plain.translate(_ASCII)
            yield line

    def _title(self, width: int) -> Text:
        progress = self._progress
        zones = count_zones(progress.zones)
        step = f"   step {progress.step} of {progress.steps}: {zones}, {progress.phase}"
        left = row([Text(f"zonesim {progress.scenario}", "bold"), step])
        right = Text(self._note or f"period {progress.period_ms:g} ms", "red" * bool(self._note))
        gap = width - len(left) - len(right)
        return row([left, " " * gap, right]) if gap > 0 else left


def _share_line(share: float, text: str, width: int) -> Text:
    """Draw a bar over the whole width, with its share and a text behind it."""
    behind = f" {share:4.0%}  {text}"
    return row((bar(share, width - len(behind)), behind))


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


def _one_pane(progress: Progress, width: int, room: int) -> list[Text]:
    """Put zones above workers, events and past steps, as far as there is room."""
    spare = room - min(ZONES_FIRST, 1 + len(progress.busiest))
    below: list[Text] = []
    for block in (
        worker_lines(progress, width),
        event_lines(progress.events[-EVENTS_SHOWN:], width),
        step_lines(progress.ended[-STEPS_SHOWN:], progress.period_ms),
    ):
        if block and len(below) + 1 + len(block) <= spare:
            below += [row(()), *block]
    zones = zone_lines(progress.busiest, progress.period_ms, room - len(below))
    return zones + (below if zones else below[1:])


def _two_panes(progress: Progress, width: int, room: int) -> list[Text]:
    right_width = width - LEFT_PANE
    right: list[Text] = []  # below it go the zones that the left side has no room for
    for block in (
        worker_lines(progress, right_width, 2 * WORKER_ROWS),
        event_lines(progress.events, right_width),
        step_lines(progress.ended, progress.period_ms),
    ):
        if block and len(right) + len(block) < room:
            right += [*block, row(())]
    left = zone_lines(progress.busiest, progress.period_ms, room)
    rest = progress.busiest[max(0, room - 1) :]
    right += zone_lines(rest, progress.period_ms, room - len(right))
    return _beside(left, right)


def _beside(left: Sequence[Text], right: Sequence[Text]) -> list[Text]:
    return [
        row((one, " " * max(0, LEFT_PANE - len(one)) if other else "", other))
        for one, other in zip_longest(left, right, fillvalue=row(()))
    ]
