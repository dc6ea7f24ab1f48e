"""What a run in progress shows: a live table on a terminal, elsewhere lines of a log."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable
from typing import Self, TextIO

from zonesim.results.step_table import count_zones

from .painter import Painter, Screen
from .progress import Progress, fleet_figures, worker_figures

LINE_INTERVAL_S = 10.0


class LiveView:
    """The live table on a terminal; elsewhere a line at both ends of a step and each 10 s.

    A context manager, whose end alone waits for a reader, a second at most. ``say`` takes the lines
    instead of ``stream`` if that is no terminal.
    """

    def __init__(
        self,
        stream: TextIO | None = None,
        clock: Callable[[], float] = time.monotonic,
        say: Callable[[str], None] | None = None,
    ) -> None:
        stream = stream or sys.stderr
        self._on_terminal = is_terminal(stream)
        self._painter = Painter(stream, Screen(stream) if self._on_terminal else None)
        self._say = say or self._painter.print
        self._clock = clock
        self._printed_at = clock()
        self._shown: Progress | None = None  # the latest of the step that lines are about

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        if error[0] is None:
            self._end_step()
        self._painter.close()

    def update(self, progress: Progress, note: str = "") -> None:
        """Show a newer snapshot of the run, and a note."""
        if self._on_terminal:
            from .table import LiveTable  # a log needs no rich

            self._painter.show(LiveTable(progress, note))
            return
        if self._shown is None or self._shown.step != progress.step:
            self._end_step()
            self._print(f"{_step_text(progress)}: {progress.phase}")
        else:
            text = f"{_step_text(progress)}: {_fleet_text(progress)}"
            self._print_now_and_then(f"{text}, {note}" if note else text)
        self._shown = progress

    def count(self, title: str, done: int, total: int) -> None:
        """Show how much of something is done: a line that changes, or one each 10 s."""
        text = f"{title}: {done} of {total}"
        (self._painter.show if self._on_terminal else self._print_now_and_then)(text)

    def notice(self, text: str) -> None:
        """Print a line that stays."""
        (self._painter.print if self._on_terminal else self._print)(text)

    def _end_step(self) -> None:
        if self._shown is not None:
            self._print(f"{_step_text(self._shown)}: ended after {_fleet_text(self._shown)}")
            self._shown = None

    def _print_now_and_then(self, line: str) -> None:
        if self._clock() - self._printed_at >= LINE_INTERVAL_S:
            self._print(line)

    def _print(self, line: str) -> None:
        self._printed_at = self._clock()
        self._say(line)


def is_terminal(stream: TextIO) -> bool:
    """Whether a live table can be drawn here."""
    return stream.isatty() and os.environ.get("TERM", "dumb") not in ("dumb", "unknown", "")


def _step_text(progress: Progress) -> str:
    return f"step {progress.step} of {progress.steps}, {count_zones(progress.zones)}"


def _fleet_text(progress: Progress) -> str:
    """Describe the zones and workers in one line."""
    figures = {**fleet_figures(progress), "workers": worker_figures(progress)}
    texts = [
        " ".join([label, *(f"{name} {value}".strip() for name, value, _ in of)])
        for label, of in figures.items()
    ]
    return ", ".join([f"{progress.elapsed_s:.1f} s", *texts])
