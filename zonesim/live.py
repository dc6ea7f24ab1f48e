"""What a run shows while it goes on, on standard error. Measures nothing and decides nothing."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable
from types import TracebackType
from typing import Self, TextIO

from rich.console import Group
from rich.text import Text

from zonesim.live_outlet import Outlet
from zonesim.live_painter import Painter
from zonesim.live_parts import BarLine
from zonesim.live_plain import PlainLines, PlainSheet, Say
from zonesim.live_screen import Screen
from zonesim.live_table import LiveTable
from zonesim.progress import Progress


class LiveView:
    """The live table on a terminal; elsewhere a line at both ends of a step and each 10 s.

    Nothing here waits for a reader, but the end, a second at the most; see Painter.
    """

    def __init__(
        self,
        stream: TextIO | None = None,
        clock: Callable[[], float] = time.monotonic,
        say: Say | None = None,
    ) -> None:
        """``say`` takes the lines at once instead of ``stream``, where there is no terminal."""
        stream = stream or sys.stderr
        self._has_table = is_terminal(stream)
        self._painter = _painter(stream)
        self._plain = PlainLines(say or self._painter.print, clock)

    def __enter__(self) -> Self:
        self._painter.open()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if not self._has_table:
            self._plain.close()
        _close(self._painter, error)

    def leave(self) -> None:
        """Say nothing more of the step that is shown: it goes on unseen."""
        self._plain.forget()

    def update(self, progress: Progress, note: str = "") -> None:
        """Show a newer state of the run, and a word about it."""
        if self._has_table:
            self._painter.show(LiveTable(progress, note))
        else:
            self._plain.update(progress, note)

    def notice(self, text: str) -> None:
        """Say one thing that stays: a worker replaced, a folder cleaned up."""
        if self._has_table:
            self._painter.print(text)
        else:
            self._plain.print(text)


class CountView:
    """A bar that counts up to a total on a terminal; elsewhere a line each 10 s."""

    def __init__(
        self,
        title: str,
        stream: TextIO | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        stream = stream or sys.stderr
        self._title = title
        self._has_bar = is_terminal(stream)
        self._painter = _painter(stream)
        self._plain = PlainLines(self._painter.print, clock)

    def __enter__(self) -> Self:
        self._painter.open()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        _close(self._painter, error)

    def update(self, done: int, total: int) -> None:
        """Show how far the work is."""
        text = f"{done} of {total}"
        if self._has_bar:
            bar = BarLine(done / total if total else 1.0, text)
            self._painter.show(Group(Text(self._title), bar))
        else:
            self._plain.print_now_and_then(f"{self._title}: {text}")


def is_terminal(stream: TextIO) -> bool:
    """Whether a live table can be drawn here."""
    return stream.isatty() and os.environ.get("TERM", "dumb") not in ("dumb", "unknown", "")


def _painter(stream: TextIO) -> Painter:
    return Painter(Outlet(stream), Screen(stream) if is_terminal(stream) else PlainSheet())


def _close(painter: Painter, error: BaseException | None) -> None:
    painter.close()
    if error is None:  # else that says more than what came of showing it
        painter.check()
