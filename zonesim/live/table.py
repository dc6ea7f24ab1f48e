"""The live table: where its parts stand, on a terminal of any size. Knows no stream and no time."""

from __future__ import annotations

from rich.console import Console, ConsoleOptions, RenderResult
from rich.text import Text

from zonesim.live.blocks import (
    WORKER_ROWS,
    event_lines,
    fleet_lines,
    step_lines,
    worker_lines,
    zone_lines,
)
from zonesim.live.parts import BarLine, beside, printable, row
from zonesim.live.progress import Progress
from zonesim.results.step_table import count_zones

TWO_PANES = 160  # columns from which on zones stand on the left and all else on the right
LEFT_PANE = 82
ZONES_FIRST = 7  # lines that zones keep while there is something else to show
EVENTS_SHOWN = 3  # below the zones; on the right there is room for all
STEPS_SHOWN = 3


class LiveTable:
    """A run as an operator sees it; ``note`` is added to its first line."""

    def __init__(self, progress: Progress, note: str = "") -> None:
        self._progress = progress
        self._note = note

    def lines(self, width: int, height: int) -> list[Text]:
        """At most so many lines of so many columns."""
        progress = self._progress
        share, words = share_done(progress)
        head = [
            self._title(width),
            BarLine(share, words).line(width),
            row(()),
            *fleet_lines(progress, width),
            row(()),
        ]
        room = height - len(head)
        body = _two_panes if width >= TWO_PANES else _one_pane
        return (head + body(progress, width, room))[: max(0, height)]

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        # The last line stays free: a terminal that is full to its end scrolls.
        lines = self.lines(options.max_width, options.max_height - 1)
        yield from (printable(line, options) for line in lines)

    def _title(self, width: int) -> Text:
        progress = self._progress
        left = row([Text(f"zonesim {progress.scenario}", "bold"), f"   {step_words(progress)}"])
        right = row(
            [Text(self._note, "red") if self._note else f"period {progress.period_ms:g} ms"]
        )
        gap = width - len(left) - len(right)
        return row([left, " " * gap, right]) if gap > 0 else left


def step_words(progress: Progress) -> str:
    """Which step it is, and what is done in it."""
    zones = count_zones(progress.zones)
    return f"step {progress.step} of {progress.steps}: {zones}, {progress.phase}"


def share_done(progress: Progress) -> tuple[float, str]:
    """How much of the step is done, 0 to 1, and the same in words."""
    if progress.phase == "starting":
        ready = f"{progress.zones_ready} of {count_zones(progress.zones)} ready"
        return min(1.0, progress.zones_ready / max(1, progress.zones)), ready
    if progress.duration_s is not None:
        done = f"{progress.elapsed_s:.1f} of {progress.duration_s:g} s"
        return min(1.0, progress.elapsed_s / progress.duration_s), done
    wanted = progress.ticks_wanted or progress.ticks or 1
    return min(1.0, progress.ticks / wanted), f"{progress.ticks} of {wanted} ticks"


def _one_pane(progress: Progress, width: int, room: int) -> list[Text]:
    """Zones above; below them, as long as there is room, workers, events and past steps."""
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
    return beside(left, right, LEFT_PANE)
